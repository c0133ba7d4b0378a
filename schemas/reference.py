#!/usr/bin/env python3
"""Write docs/reference.md, the reference of the configuration file, from its JSON Schema.

schemas/reference.py            # writes it
schemas/reference.py --check    # only tells whether it is current; 1 if not
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("pxerelay.schema.json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
HEAD = """\
# The configuration file, key by key

`/etc/pxerelay/pxerelay.yml`, YAML. Written from [the JSON Schema](../schemas/pxerelay.schema.json) by
`schemas/reference.py`; the schema is what the daemon and `pxerelay check` go by, and what editors
understand. Put this into the first line of your file, with the path of a copy of the schema, and an editor
with a YAML language server completes keys and marks mistakes:

    # yaml-language-server: $schema=pxerelay.schema.json

Files of `include` hold `rules:` and nothing else.
"""


class Reference:
    """The schema, read as a page."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema

    def page(self) -> str:
        """Return the whole page."""
        lines = [HEAD]
        for name, part in self._schema["properties"].items():
            lines += self._section(name, part, name in self._schema["required"])
        return "\n".join(lines)

    def _section(self, name: str, part: Mapping[str, Any], required: bool) -> Iterator[str]:
        whole = self.whole(part)
        yield f"## `{name}`\n"
        yield f"{whole['description']}\n"
        yield f"- Value: {whole['x-expected']}."
        if "default" in whole:
            yield f"- Default: `{json.dumps(whole['default'])}`."
        elif required:
            yield "- Required."
        yield ""
        rows = list(self._rows(whole))
        if rows:
            yield "| key | value | meaning |"
            yield "|---|---|---|"
            yield from rows
            yield ""

    def _rows(self, whole: Mapping[str, Any]) -> Iterator[str]:
        for key, required, value in self.keys_of(whole):
            needed = ", required" if required else ""
            cells = (f"`{key}`{needed}", value["x-expected"], value["description"])
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    def keys_of(
        self, whole: Mapping[str, Any], above: str = ""
    ) -> Iterator[tuple[str, bool, Mapping[str, Any]]]:
        """Yield each key of the mappings that a value is, has or is a list of; is it required; its part.

        `above` are the keys that lead to them, with dots.
        """
        below = whole.get("properties")
        if below is None:
            for nested in (whole.get("items"), whole.get("additionalProperties"), *whole.get("anyOf", ())):
                if isinstance(nested, Mapping):
                    yield from self.keys_of(self.whole(nested), above)
            return
        for key, part in below.items():
            value = self.whole(part)
            yield f"{above}{key}", key in whole.get("required", ()), value
            yield from self.keys_of(value, f"{above}{key}.")

    def whole(self, part: Mapping[str, Any]) -> dict[str, Any]:
        """Return a part with what its `$ref` says, of which its own words win."""
        if "$ref" not in part:
            return dict(part)
        definition = self._schema["$defs"][str(part["$ref"]).rpartition("/")[2]]
        return {**self.whole(definition), **part}


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Write the reference of the configuration file.")
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if it is not current")
    arguments = parser.parse_args()
    fresh = Reference(json.loads(SCHEMA.read_text("utf-8"))).page()
    if PAGE.exists() and PAGE.read_text("utf-8") == fresh:
        return 0
    if arguments.check:
        print(f"{PAGE} is not what the schema says: type schemas/reference.py", file=sys.stderr)
        return 1
    PAGE.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
