"""The text of a file that is imported, in lines, and words that know where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from pxerelay.config.findings import Finding
from pxerelay.wire import text as wire_text

_LONGEST_LINE = 160
"""Characters of a line that a finding shows."""

_LONGEST_WORD = 48
"""Characters of a word that a message quotes."""

_LINE_END = re.compile(r"\r\n|\n|\r")


class Word(NamedTuple):
    """A piece of a line; `line` and `column` count from 1. `quoted` says that it stood in quotes."""

    text: str
    line: int
    column: int
    quoted: bool = False


@dataclass(frozen=True)
class Source:
    """One file, by the name that messages call it by."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends; what is behind the last end counts only if there is something."""
        lines = _LINE_END.split(self.text)
        return lines if lines[-1] else lines[:-1]

    def finding(self, line: int, column: int, message: str) -> Finding:
        """Make a finding at a place, with that line's text as far as a terminal can show it."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if len(text) > _LONGEST_LINE:
            text = f"{text[:_LONGEST_LINE]}..." if column <= _LONGEST_LINE else ""
        return Finding(self.name, line, column, message, wire_text.printable(text, keep="\t"))


def decoded(octets: bytes) -> str | None:
    """Return a text: UTF-8, and lines that are not UTF-8 as Latin-1; None if the octets are no text."""
    if b"\0" in octets:
        return None
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "\n".join(map(_decoded_line, octets.removeprefix(b"\xef\xbb\xbf").split(b"\n")))


def _decoded_line(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def printable(text: str) -> str:
    """Return a text that neither moves a terminal's cursor nor breaks a line of YAML; tabs become spaces."""
    return wire_text.printable(text.replace("\t", " "))


def quoted(text: str) -> str:
    """Return a text in quotes, for a message, cut where it is long."""
    short = text if len(text) <= _LONGEST_WORD else f"{text[:_LONGEST_WORD]}..."
    return f"'{printable(short)}'"


_BLANKS = re.compile(r"\S+")


def words(text: str, line: int, column: int = 1) -> list[Word]:
    """Return what stands between blanks; `column` is that of the text's first character."""
    return [Word(match[0], line, column + match.start()) for match in _BLANKS.finditer(text)]


def is_given(path: str, sources: Iterable[Source]) -> bool:
    """Return whether a file, or some file of a folder, is one of the sources."""
    folder = f"{path.rstrip('/')}/"
    return any(source.name == path or source.name.startswith(folder) for source in sources)
