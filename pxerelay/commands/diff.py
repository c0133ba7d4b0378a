"""`pxerelay diff`: which clients move from which servers to which."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pxerelay.commands.common import FOUND, OK, Commands, add_command, add_format, fail, tell
from pxerelay.commands.files import load_named
from pxerelay.config.budget import TooMuchError
from pxerelay.config.findings import ConfigError, Finding
from pxerelay.config.loaded import Loaded
from pxerelay.linux import clock, memory
from pxerelay.tools.diff import show
from pxerelay.tools.diff.compare import compare
from pxerelay.tools.diff.git_source import RevisionError
from pxerelay.tools.diff.inventory import Rendered, RenderError, rendered
from pxerelay.tools.diff.show import Part
from pxerelay.tools.diff.values import Difference
from pxerelay.tools.diff.web_page import as_html

_FORMATS = {**show.FORMATS, "html": as_html}


def add(commands: Commands) -> None:
    """Declare the command."""
    exits = {OK: "no client moves, nothing differs", FOUND: "something differs"}
    parser = add_command(commands, "diff", _diff, exits, "which clients move from which servers to which")
    parser.add_argument("old", metavar="OLD", help="a file, or REV:PATH of git; with --inventory a revision")
    parser.add_argument(
        "new",
        metavar="NEW",
        nargs="?",
        help="the same; with --inventory it may be left out: what is here now",
    )
    parser.add_argument(
        "--inventory",
        type=Path,
        metavar="DIR",
        help="compare what the Ansible role renders for each host of this inventory",
    )
    parser.add_argument(
        "--trusted",
        action="store_true",
        help="with --inventory: what the revisions look up and run may do so as you, in no sandbox",
    )
    add_format(parser, _FORMATS)
    parser.add_argument(
        "--all", action="store_true", help="list every address; JSON always does, text the first ones"
    )


def _diff(arguments: argparse.Namespace) -> int:
    if arguments.new is None and arguments.inventory is None:
        return fail("name two files to compare, OLD and NEW")
    try:
        with memory.no_rounds():  # with large mappings they take a third of the time
            if arguments.inventory:
                parts = _hosts(arguments.inventory, arguments.old, arguments.new, trusted=arguments.trusted)
            else:
                parts = [_files(arguments.old, arguments.new)]
            text = _FORMATS[arguments.format](parts, everything=arguments.all)
    except (ConfigError, RevisionError, RenderError, TooMuchError) as error:
        return fail(str(error))
    tell(text)
    return FOUND if any(parts) else OK


def _files(old: str, new: str) -> Part:
    return Part((), _compared(lambda: load_named(old), lambda: load_named(new)))


def _hosts(inventory: Path, old: str, new: str | None, *, trusted: bool) -> list[Part]:
    """Compare what is rendered for each host; hosts with the same difference are one part."""
    sides = rendered(inventory, old, trusted=trusted), rendered(inventory, new, trusted=trusted)
    known: dict[tuple[Rendered, Rendered], Difference] = {}
    found: dict[Difference | str, list[str]] = {}
    for host in sorted({*sides[0], *sides[1]}):
        before, after = (side.get(host) for side in sides)
        if before is None or after is None:
            found.setdefault("is no host any more" if before else "is a new host", []).append(host)
            continue
        if (before, after) not in known:
            with _named(host):
                known[before, after] = _compared(
                    partial(before.load, f"{old}:"), partial(after.load, f"{new}:" if new else "")
                )
        found.setdefault(known[before, after], []).append(host)
    return [
        Part(tuple(hosts), Difference(), what) if isinstance(what, str) else Part(tuple(hosts), what)
        for what, hosts in found.items()
    ]


@contextlib.contextmanager
def _named(host: str) -> Iterator[None]:
    """Have findings name a host."""
    try:
        yield
    except ConfigError as error:
        named = (replace(finding, file=f"{host}: {finding.file}") for finding in error.findings)
        raise ConfigError(named) from None


def _compared(*sides: Callable[[], Loaded]) -> Difference:
    """Load both sides and compare them; what is wrong with either is told in one go."""
    loaded: list[Loaded] = []
    found: list[Finding] = []
    for load_it in sides:
        try:
            loaded.append(load_it())
        except ConfigError as error:
            found.extend(error.findings)
    if found:
        raise ConfigError(found)
    before, after = loaded
    return compare(before.config, before.documents, after.config, after.documents, clock.today())
