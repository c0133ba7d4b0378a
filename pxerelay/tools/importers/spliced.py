"""JSON as ISC Kea takes it: with comments, with files included, with commas too many; to data with places.

A file is put where `<?include "FILE"?>` names it, and comments become blanks, so that each octet of the text
that is parsed knows where it stands in which file.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from pxerelay.config import document
from pxerelay.config.data import List, Map, Mark
from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source, Word, quoted

_PIECE = re.compile(
    r'"(?:[^"\\]|\\.)*"?|/\*.*?(?:\*/|\Z)|//[^\n]*|#[^\n]*|<\?include\s+"(?P<file>[^"]*)"\s*\?>|,(?=(?P<rest>\s*[}\]]))',
    re.DOTALL,
)
_DEEPEST = 8
"""Files that may include one another."""

_NO_NEWLINE = re.compile(r"[^\n]")


class Spliced:
    """The text of a file with all that it includes."""

    def __init__(self, source: Source, sources: Sequence[Source], found: Found) -> None:
        self._found = found
        self._sources = sources
        self._pieces: list[str] = []
        self._starts: list[int] = []
        self._origins: list[tuple[Source, int]] = []
        self._size = 0
        self.included: set[str] = set()
        self._take(source, [])
        self.text = "".join(self._pieces)
        self._lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self._line_starts: dict[str, list[int]] = {}

    def fault(self, mark: Mark, message: str) -> None:
        """Name what is wrong at a place of the parsed text."""
        source, word = self.place(mark)
        self._found.fault(source, word, message)

    def place(self, mark: Mark, text: str = "") -> tuple[Source, Word]:
        """Return the file and the place in it."""
        offset = self._lines[min(mark.line, len(self._lines)) - 1] + mark.column - 1
        at = max(bisect_right(self._starts, offset) - 1, 0)
        source, begin = self._origins[at] if self._origins else (self._sources[0], 0)
        within = begin + offset - (self._starts[at] if self._starts else 0)
        starts = self._line_starts.get(source.name)
        if starts is None:
            starts = self._line_starts[source.name] = [
                0,
                *(m.end() for m in re.finditer("\n", _newlines(source))),
            ]
        line = bisect_right(starts, within) - 1
        return source, Word(text, line + 1, within - starts[line] + 1)

    def data(self) -> Map | None:
        """Return the document; what is no JSON is named."""
        try:
            json.loads(self.text)
        except json.JSONDecodeError as error:
            self.fault(
                Mark(error.lineno, error.colno), f"not JSON: {error.msg}; mend it here or in the line above"
            )
            return None
        except (RecursionError, ValueError):
            self.fault(Mark(1, 1), "nested too deep, or a number too long, for a configuration of Kea")
            return None
        parsed = document.parse("", self.text)
        for one in parsed.faults:
            self.fault(Mark(max(one.line, 1), max(one.column, 1)), one.message)
        return parsed.data if isinstance(parsed.data, Map) else None

    def _take(self, source: Source, above: Sequence[str]) -> None:
        text = _newlines(source)
        at = 0
        for match in _PIECE.finditer(text):
            piece = match[0]
            if piece.startswith('"'):
                continue
            self._add(text[at : match.start()], source, at)
            at = match.end()
            if match["file"] is not None:
                self._include(source, match, above)
            else:
                self._add(_NO_NEWLINE.sub(" ", piece), source, match.start())
        self._add(text[at:], source, at)

    def _include(self, source: Source, match: re.Match[str], above: Sequence[str]) -> None:
        path = match["file"]
        line = source.text.count("\n", 0, match.start()) + 1
        word = Word(path, line, match.start() - source.text.rfind("\n", 0, match.start()))
        last = path.rpartition("/")[2]
        named = [one for one in self._sources if one.name == path]
        named += [one for one in self._sources if last and one.name.rpartition("/")[2] == last]
        if not named:
            message = f"{quoted(path)} is not followed; import that file together with this one"
            self._found.fault(source, word, message)
            self._add("null", source, match.start())
        elif named[0].name in above or named[0] is source or len(above) > _DEEPEST:
            self._found.fault(source, word, f"{quoted(path)} includes itself; take this out")
            self._add("null", source, match.start())
        else:
            self.included.add(named[0].name)
            self._take(named[0], [*above, source.name])

    def _add(self, text: str, source: Source, at: int) -> None:
        if text:
            self._pieces.append(text)
            self._starts.append(self._size)
            self._origins.append((source, at))
            self._size += len(text)


def _newlines(source: Source) -> str:
    """Return a text whose lines end as JSON and YAML agree, each octet where it was."""
    return re.sub("[\t\r\x85\u2028\u2029\ufeff]", " ", source.text)


def maps(value: Any) -> list[Map]:
    """Return the mappings of a list."""
    return [one for one in value if isinstance(one, Map)] if isinstance(value, List) else []
