"""Plain data of a file that knows where each part stands (`document` makes it of YAML)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from pxerelay.config.findings import LONGEST_LINE, LONGEST_MESSAGE, Finding
from pxerelay.wire.text import ends


class Mark(NamedTuple):
    """A place in a text; both count from 1."""

    line: int
    column: int


class Map(dict[str, Any]):
    """A mapping that knows where its keys and values stand: four numbers an entry, in insertion order."""

    __slots__ = ("_index", "_marks")

    def __init__(self) -> None:
        super().__init__()
        self._marks = array("I")
        self._index: dict[str, int] | None = None

    def put(self, key: str, value: object, key_mark: Mark, value_mark: Mark) -> None:
        """Add an entry whose key is not there yet."""
        if self._index is not None:
            self._index[key] = len(self._marks)
        self[key] = value
        self._marks.extend((*key_mark, *value_mark))

    def key_mark(self, key: str) -> Mark:
        """Return the place of a key."""
        at = self._position(key)
        return Mark(self._marks[at], self._marks[at + 1])

    def value_mark(self, key: str) -> Mark:
        """Return the place where the value of a key begins."""
        at = self._position(key)
        return Mark(self._marks[at + 2], self._marks[at + 3])

    def _position(self, key: str) -> int:
        if self._index is None:
            self._index = {name: at * 4 for at, name in enumerate(self)}
        return self._index[key]


class List(list[Any]):
    """A sequence that knows where its items begin."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        super().__init__()
        self._marks = array("I")

    def put(self, value: object, mark: Mark) -> None:
        """Add an item."""
        self.append(value)
        self._marks.extend(mark)

    def mark(self, index: int) -> Mark:
        """Return the place of an item."""
        return Mark(self._marks[2 * index], self._marks[2 * index + 1])


@dataclass(frozen=True)
class Document:
    """One file: its name, its text, the data in it and the faults that were found while reading it."""

    name: str
    text: str
    data: Any
    faults: tuple[Finding, ...] = field(default=())

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines as editors and grep count them, without their ends."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    def finding(self, mark: Mark, message: str) -> Finding:
        """Make a finding at a place of this file, with that line's text if it is not too long to be shown."""
        shown = self.lines[mark.line - 1] if mark.line <= len(self.lines) else ""
        text = shown if len(shown) <= LONGEST_LINE else ""
        return Finding(self.name, mark.line, mark.column, ends(message, LONGEST_MESSAGE), text)

    def mark_of(self, path: Iterable[str | int], *, key: bool = False) -> Mark:
        """Return where the value at a path of keys and indexes begins; with `key`, where its key stands."""
        here, mark = self.data, Mark(1, 1)
        for step in path:
            if isinstance(here, Map) and step in here:
                name = str(step)
                key_mark, mark = here.key_mark(name), here.value_mark(name)
                here = here[name]
                if key:
                    mark = key_mark
            elif isinstance(here, List) and isinstance(step, int):
                mark, here = here.mark(step), here[step]
            else:
                break
        return mark
