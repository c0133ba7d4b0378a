#!/usr/bin/env python3
"""Write the manual pages: of the commands from their arguments, of the configuration file from its schema.

man/write.py            # writes man/man1 and man/man5
man/write.py --check    # only tells whether they are current; 1 if not

Needs argparse-manpage, which is a tool of developers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from argparse_manpage.manpage import Manpage

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent / "schemas"))

from reference import SCHEMA, Reference  # noqa: E402  # what is in this repository, wherever it was called

from pxerelay import __version__  # noqa: E402
from pxerelay.cli import parser  # noqa: E402
from pxerelay.commands.common import EXITS  # noqa: E402

NAME = "pxerelay"
FILE = "pxerelay.yml"
MANUAL = "DHCP relay"

_OWN_REQUESTS = re.compile(r"\.(?:TH|SH|SS|PP|TP|B|br|nf|fi|RS|RE)\b")
"""Lines of a page that are requests of man(7), as argparse-manpage and this write them."""

_AS_WRITTEN = ".nh\n.ad l"
"""No hyphens in words, no wide gaps between them: names of options stay whole."""

_EXIT, _EXAMPLES = "exit codes:", "examples:"
"""How the paragraphs of a command's help begin that have a section of their own; codes are as declared."""

_FILES = rf""".TP
.B /etc/pxerelay/pxerelay.yml
the configuration, \fB{FILE}\fR(5)
.TP
.B /run/pxerelay/control.sock
by which \fBpxerelay\fR speaks with the daemon; root and the service's group may
"""


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each page's file and text."""
    os.environ.pop("RUNTIME_DIRECTORY", None)  # the help text has it
    os.environ["COLUMNS"] = "100"
    whole = parser()
    (commands,) = (a for a in whole._actions if isinstance(a, argparse._SubParsersAction))
    meanings = {choice.dest: choice.help or "" for choice in commands._choices_actions}
    yield HERE / "man1" / f"{NAME}.1", _overview(whole, commands, meanings)
    for name, below in commands.choices.items():
        yield HERE / "man1" / f"{NAME}-{name}.1", _command(name, below, meanings[name])
    schema = json.loads(SCHEMA.read_text("utf-8"))
    yield HERE / "man5" / f"{FILE}.5", _file(schema)


def _overview(whole: argparse.ArgumentParser, commands: argparse.Action, meanings: dict[str, str]) -> str:
    page = _page(whole, NAME, (whole.description or "").rstrip("."))
    whole.description = None
    for group in whole._action_groups:  # the commands have pages of their own
        group._group_actions = [action for action in group._group_actions if action is not commands]
    rows = [f".TP\n\\fB{NAME}\\-{_text(name)}\\fR(1)\n{_text(means)}" for name, means in meanings.items()]
    page.add_section("commands", "=", "\n".join(rows))
    page.add_section("exit status", "=", _exits(EXITS))
    page.add_section("files", "=", _FILES.rstrip())
    return _finished(page)


def _command(name: str, below: argparse.ArgumentParser, means: str) -> str:
    page = _page(below, f"{NAME}-{name}", means)
    told, sections = _epilog(below.epilog or "")
    begin = below.description or _sentence(means)
    below.epilog = below.description = None
    page.add_section("description", "=", "\n.PP\n".join([_text(begin), *told]))
    page.add_section("exit status", "=", _exits(below.get_default("exits")))
    for heading, text in sections:
        page.add_section(heading, "=", text)
    page.add_section("see also", "=", rf"\fB{NAME}\fR(1), \fB{FILE}\fR(5)")
    return _finished(page)


def _page(described: argparse.ArgumentParser, name: str, means: str) -> Manpage:
    page = Manpage(described)
    page.prog, page.description = name, means
    page.date, page.source, page.manual = "", f"{NAME} {__version__}", MANUAL
    page.add_section("synopsis", "=", f".B {NAME}\n{_text(' '.join(page.synopsis[1:]))}")
    return page


def _epilog(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the paragraphs of a help text's end, and those that are sections of their own."""
    told, sections = [], []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if paragraph.startswith(_EXIT):
            continue
        if paragraph.startswith(_EXAMPLES):
            sections.append(("examples", _as_it_is(paragraph.removeprefix(_EXAMPLES))))
        elif re.search(r"^\s+\S", paragraph, re.MULTILINE):
            told.append(_as_it_is(paragraph))
        elif paragraph:
            told.append(_text(paragraph))
    return told, sections


def _exits(codes: Mapping[int, str]) -> str:
    return "\n".join(f".TP\n\\fB{code}\\fR\n{_text(_sentence(means))}" for code, means in codes.items())


def _as_it_is(text: str) -> str:
    return f".nf\n{_text(text.strip(chr(10)))}\n.fi"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _file(schema: dict[str, Any]) -> str:
    reference = Reference(schema)
    lines = [
        rf'.TH {FILE.upper()} "5" "" "{NAME} {__version__}" "{MANUAL}"',
        _AS_WRITTEN,
        f".SH NAME\n{FILE} \\- which PXE boot server each client is sent to",
        f".SH SYNOPSIS\n/etc/pxerelay/{FILE}",
        f".SH DESCRIPTION\n{_text(schema['description'])}",
        "The file is YAML, a mapping of the keys below.",
        r"\fBpxerelay check\fR tells what is wrong with it,",
        r"\fBpxerelay reload\fR has the daemon load it again.",
        ".SH KEYS",
    ]
    for name, part in schema["properties"].items():
        whole = reference.whole(part)
        lines += [
            f".SS {_text(name)}",
            _text(whole["description"]),
            ".br",
            f"Value: {_text(whole['x-expected'])}.",
        ]
        if "default" in whole:
            lines += [".br", f"Default: {_text(json.dumps(whole['default']))}."]
        elif name in schema["required"]:
            lines += [".br", "Required."]
        for key, needed, below in reference.keys_of(whole):
            required = " Required." if needed else ""
            lines += [".TP", f"\\fB{_text(key)}\\fR", f"{_text(below['description'])}{required}"]
            lines += [".br", f"Value: {_text(below['x-expected'])}."]
    lines += [".SH SEE ALSO", rf"\fB{NAME}\fR(1), \fB{NAME}\-check\fR(1)"]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Return a text with what would mean something to roff written as itself."""
    lines = text.replace("\\", r"\e").replace("-", r"\-").splitlines()
    return "\n".join(rf"\&{line}" if line.startswith((".", "'")) else line for line in lines)


def _finished(page: Manpage) -> str:
    """Return a page; help texts that begin a line with what roff takes for a request do not any more."""
    head, *lines = (_guarded(line) for line in str(page).splitlines() if line)
    return "\n".join([head, _AS_WRITTEN, *lines]) + "\n"


def _guarded(line: str) -> str:
    request = line.startswith(("'", ".")) and not _OWN_REQUESTS.match(line)
    return rf"\&{line}" if request else line


def main() -> int:
    """Do what the command line says."""
    arguments = argparse.ArgumentParser(description="Write the manual pages.")
    arguments.add_argument("--check", action="store_true", help="change nothing; 1 if they are not current")
    check = arguments.parse_args().check
    wanted = dict(pages())
    there = {path: path.read_text("utf-8") for path in HERE.glob("man?/*")}
    if wanted == there:
        return 0
    if check:
        different = sorted(path.name for path in wanted.keys() | there if wanted.get(path) != there.get(path))
        print(f"not current: {', '.join(different)}; type man/write.py", file=sys.stderr)
        return 1
    for path in there.keys() - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
