"""Where the entries of the mapping stand, who owns them and why: read from the daemon's own files.

The daemon does not keep that. The files are read once for each configuration that it loads, as long as they
are those that it loaded (their SHA-256). A rule takes some 30 octets here, not the kilobyte that a parsed
file would: the page is small, and mappings may be large.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pxerelay.config.source import read_regular
from pxerelay.policy.rules import Reason
from pxerelay.wire.mac import MacError, Pattern, parse_pattern
from pxerelay.wire.text import printable

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Entry:
    """What a file says of an entry: key and `file:line`, and of a rule server, owner, until and note."""

    key: str
    source: str
    server: str = ""
    owner: str = ""
    until: str = ""
    note: str = ""

    @property
    def plain(self) -> dict[str, str]:
        """The same for JSON."""
        return vars(self).copy()


@dataclass
class RuleIndex:
    """The entries of one configuration's files; `trouble` says why some are not known."""

    trouble: str = ""
    sha256: str = ""
    files: list[str] = field(default_factory=list)
    _masks: array[int] = field(default_factory=lambda: array("Q"))
    _values: array[int] = field(default_factory=lambda: array("Q"))
    _lines: array[int] = field(default_factory=lambda: array("I"))
    _of_files: array[int] = field(default_factory=lambda: array("H"))
    _servers: array[int] = field(default_factory=lambda: array("H"))
    _names: dict[str, int] = field(default_factory=dict)
    _said: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    _others: dict[tuple[Reason, str], str] = field(default_factory=dict)
    _order: array[int] | None = None

    def __len__(self) -> int:
        return len(self._values)

    def read(self, name: str, digest: str) -> None:
        """Take in a file that the daemon has loaded; OSError or ValueError if that can't be."""
        octets = read_regular(Path(name).resolve())
        if hashlib.sha256(octets).hexdigest() != digest:
            raise ValueError(f"{name} is not as the daemon loaded it; `pxerelay reload` loads it")
        text = octets.decode("utf-8-sig")
        del octets
        self.files.append(printable(name))
        _Reader(self, len(self.files) - 1, main=len(self.files) == 1).read(text)

    def add(
        self, at: int, line: int, pattern: Pattern, server: str, said: tuple[str, str, str] | None
    ) -> None:
        """Take down a rule of a file, given by its position."""
        if said:
            self._said[len(self._values)] = said
        self._masks.append(pattern.mask)
        self._values.append(pattern.value)
        self._lines.append(line)
        self._of_files.append(at)
        self._servers.append(self._names.setdefault(server, len(self._names)))
        self._order = None

    def place(self, at: int, line: int, reason: Reason, name: str) -> None:
        """Take down where a class or a default stands."""
        self._others.setdefault((reason, name), f"{self.files[at]}:{line}")

    def find(self, reason: Reason, rule: str) -> Entry | None:
        """Return an entry by its kind and its name; None if it is not known."""
        if (source := self._others.get((reason, "" if reason is Reason.DEFAULT else rule))) is not None:
            return Entry(rule, source)
        try:
            wanted = parse_pattern(rule)
        except MacError:
            return None
        low, high = self._span(wanted.value)
        for position in self._sorted[low:high]:
            if self._masks[position] == wanted.mask:
                return self._entry(position)
        return None

    def of_remark(self, text: str, most: int) -> list[Entry]:
        """Return rules whose owner, note or server has a text in it, in any case."""
        lowered = text.lower()
        found = [at for at, said in self._said.items() if any(lowered in one.lower() for one in said)]
        if len(found) < most:
            named = {number for name, number in self._names.items() if name and lowered == name.lower()}
            if named:
                found += [at for at, server in enumerate(self._servers) if server in named][:most]
        return [self._entry(at) for at in dict.fromkeys(found[:most])]

    def of_digits(self, digits: str, most: int) -> list[Entry]:
        """Return rules whose key has these hex digits in a row."""
        found = []
        for at, value in enumerate(self._values):
            if digits in f"{value:012x}" and digits in _digits(self._masks[at], value):
                found.append(self._entry(at))
                if len(found) >= most:
                    break
        return found

    def of_blocks(self, blocks: Iterable[str], most: int) -> list[Entry]:
        """Return rules that begin with one of these hex digits, which are of vendors."""
        found: list[Entry] = []
        for block in blocks:
            shift = 48 - 4 * len(block)
            low, high = self._span(int(block, 16) << shift, (int(block, 16) + 1) << shift)
            for position in self._sorted[low:high]:
                if len(found) >= most:
                    return found
                found.append(self._entry(position))
        return found

    @property
    def _sorted(self) -> array[int]:
        if self._order is None:
            self._order = array("I", sorted(range(len(self._values)), key=self._values.__getitem__))
        return self._order

    def _span(self, first: int, end: int | None = None) -> tuple[int, int]:
        """Return which of the sorted rules have a value from `first` on, and below `end`."""
        bounds = []
        for bound in (first, first + 1 if end is None else end):
            low, high = 0, len(self._values)
            while low < high:
                middle = (low + high) // 2
                if self._values[self._sorted[middle]] < bound:
                    low = middle + 1
                else:
                    high = middle
            bounds.append(low)
        return bounds[0], bounds[1]

    def _entry(self, at: int) -> Entry:
        owner, until, note = self._said.get(at, ("", "", ""))
        names = list(self._names)
        return Entry(
            str(Pattern(self._masks[at], self._values[at])),
            f"{self.files[self._of_files[at]]}:{self._lines[at]}",
            names[self._servers[at]],
            owner,
            until,
            note,
        )


def build(config: Mapping[str, Any]) -> RuleIndex:
    """Return the index of a configuration as `status` tells of it; what can't be read is in its `trouble`."""
    index = RuleIndex(sha256=str(config.get("sha256", "")))
    troubles = []
    for name, digest in config.get("files", {}).items():
        try:
            index.read(name, digest)
        except OSError as error:
            troubles.append(f"{name}: {error.strerror or error}")
        except (ValueError, yaml.YAMLError) as error:
            troubles.append(str(error))
    if troubles:
        index.trouble = printable(f"where rules stand is not told: {troubles[0]}")
    return index


def _digits(mask: int, value: int) -> str:
    """Return the fixed digits in front, as many as there are."""
    digits = (mask.bit_count()) // 4
    return f"{value:012x}"[:digits]


class _Reader:
    """Reads the rules of one file, whose faults are none: the daemon has loaded it."""

    def __init__(self, index: RuleIndex, at: int, *, main: bool) -> None:
        self._index, self._at, self._main = index, at, main

    def read(self, text: str) -> None:
        """Read it, event by event."""
        self._document(yaml.parse(text, Loader=_LOADER))

    def _document(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            if isinstance(event, yaml.MappingStartEvent):
                for key, line, value in self._pairs(events):
                    self._top(key, line, value, events)
                return

    def _pairs(self, events: Iterator[yaml.Event]) -> Iterator[tuple[str, int, yaml.Event]]:
        """Yield a mapping's keys, their lines, and each value's first event; whoever calls reads the rest."""
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                return
            key = event.value if isinstance(event, yaml.ScalarEvent) else ""
            if not isinstance(event, yaml.ScalarEvent):
                _skip(event, events)
            yield key, _line(event), next(events)

    def _top(self, key: str, line: int, value: yaml.Event, events: Iterator[yaml.Event]) -> None:
        if key == "rules" and isinstance(value, yaml.MappingStartEvent):
            for rule, where, what in self._pairs(events):
                self._rule(rule, where, what, events)
        elif self._main and key == "interfaces" and isinstance(value, yaml.MappingStartEvent):
            for name, _, what in self._pairs(events):
                self._interface(name, what, events)
        elif self._main and key == "classes" and isinstance(value, yaml.SequenceStartEvent):
            self._classes(events)
        else:
            if self._main and key == "default":
                self._index.place(self._at, line, Reason.DEFAULT, "")
            _skip(value, events)

    def _rule(self, key: str, line: int, value: yaml.Event, events: Iterator[yaml.Event]) -> None:
        server, said = "", None
        if isinstance(value, yaml.ScalarEvent):
            server = value.value
        elif isinstance(value, yaml.MappingStartEvent):
            told = {name: _text(what, events) for name, _, what in self._pairs(events)}
            server = told.get("server", "")
            said = (told.get("owner", ""), told.get("until", ""), told.get("note", ""))
        else:
            server = _text(value, events)
        try:
            self._index.add(self._at, line, parse_pattern(key), server, said if said and any(said) else None)
        except MacError:
            return

    def _interface(self, name: str, value: yaml.Event, events: Iterator[yaml.Event]) -> None:
        if not isinstance(value, yaml.MappingStartEvent):
            _skip(value, events)
            return
        for key, line, what in self._pairs(events):
            if key == "default":
                self._index.place(self._at, line, Reason.INTERFACE_DEFAULT, name)
            _skip(what, events)

    def _classes(self, events: Iterator[yaml.Event]) -> None:
        """Take down classes: a class stands where its item begins."""
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            if not isinstance(event, yaml.MappingStartEvent):
                _skip(event, events)
                continue
            for key, _, what in self._pairs(events):
                text = _text(what, events)
                if key == "name":
                    self._index.place(self._at, _line(event), Reason.CLASS, text)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _text(value: yaml.Event, events: Iterator[yaml.Event]) -> str:
    """Return a scalar's text, or those of a list's items with commas; what else there is, is skipped."""
    if isinstance(value, yaml.ScalarEvent):
        return str(value.value)
    if isinstance(value, yaml.SequenceStartEvent):
        items = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(_text(event, events))
        return ", ".join(filter(None, items))
    _skip(value, events)
    return ""


def _skip(value: yaml.Event, events: Iterator[yaml.Event]) -> None:
    """Read a value to its end."""
    depth = 0
    while True:
        if isinstance(value, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(value, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth <= 0:
            return
        value = next(events)
