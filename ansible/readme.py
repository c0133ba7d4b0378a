"""Write the table of the role's variables into its README, from its argument_specs.

    python3 ansible/readme.py            # writes it
    python3 ansible/readme.py --check    # only tells whether it is current; 1 if not

Needs PyYAML, which comes with Ansible.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROLE = Path(__file__).resolve().parent / "roles" / "pxerelay"
START, END = "<!-- variables{}: written by ansible/readme.py -->", "<!-- /variables{} -->"

_MARKUP = re.compile(r"\b(?:RV|V|C|O|M)\(([^)]*)\)")
"""Ansible's markup for names and values, such as V(true)."""


def rows(options: Mapping[str, Mapping[str, Any]], parent: str = "") -> list[str]:
    """Return a line of the table for each variable, and for each key of those that are mappings."""
    lines = []
    for name, option in options.items():
        called = f"{parent}`{name}`"
        kind = str(option["type"])
        if option.get("elements"):
            kind = f"{kind} of {option['elements']}"
        default = f"`{_plain(option['default'])}`" if "default" in option else _needed(option)
        text = _MARKUP.sub(r"`\1`", " ".join(str(option["description"]).split())).replace("|", "\\|")
        if "choices" in option:
            text = f"{' or '.join(f'`{_plain(choice)}`' for choice in option['choices'])}. {text}"
        lines.append(f"| {called} | {kind} | {default} | {text} |")
        lines += rows(option.get("options", {}), f"{called} ")
    return lines


def _needed(option: Mapping[str, Any]) -> str:
    return "required" if option.get("required") else ""


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def written(readme: str, specs: str) -> str:
    """Return the README with the variables that the specs declare; ValueError if it has no place for them."""
    entries = yaml.safe_load(specs)["argument_specs"]
    for name, spec in entries.items():
        of_main = entries["main"]["options"]
        if name != "main" and all(of_main.get(key) == option for key, option in spec["options"].items()):
            continue  # told of already
        which = "" if name == "main" else f" of {name}"
        before, start, rest = readme.partition(START.format(which))
        _unused, end, after = rest.partition(END.format(which))
        if not end:
            raise ValueError(f"the README has no lines {START.format(which)} and {END.format(which)}")
        table = ["| variable | type | default | meaning |", "|---|---|---|---|", *rows(spec["options"])]
        readme = "".join((before, start, "\n", "\n".join(table), "\n", end, after))
    return readme


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Write the table of the role's variables into its README.")
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if it is not current")
    arguments = parser.parse_args()
    path = ROLE / "README.md"
    readme = path.read_text("utf-8")
    fresh = written(readme, (ROLE / "meta" / "argument_specs.yml").read_text("utf-8"))
    if fresh == readme:
        return 0
    if arguments.check:
        print(f"{path} is not what meta/argument_specs.yml says: type ansible/readme.py", file=sys.stderr)
        return 1
    path.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
