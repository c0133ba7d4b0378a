"""YAML text to plain data that knows where each part stands.

Scalars are read by the core schema of YAML 1.2 (10.3.2), not by YAML 1.1 as PyYAML would: an unquoted
`52:54:00:12:34:56` is a string, and so are `yes`, `on` and `12:30`. Plain keys of mappings are always
strings, because every key of our format is one. A key that stands twice in one mapping is a finding
that names both places.

PyYAML's parser, in C where it is there, does the parsing; only its events are read here, with no
recursion. Depth, and what aliases stand for, are bounded, so that those who walk the data need not care.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from pxerelay.config.data import Document, List, Map, Mark
from pxerelay.config.findings import MOST
from pxerelay.wire.text import ends

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BARE_COLONS = re.compile(r"(?<![^\s\[,{])(::[0-9A-Fa-f]|[0-9A-Fa-f][0-9A-Fa-f:]*::(?![^\s\],}]))")
_QUOTED_STYLES = frozenset("'\"|>")
_MAY_BE_A_NUMBER = frozenset("0123456789+-.")
_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))
_DEEPEST = 32
"""Collections inside each other; our format has four."""
_DEEPEST_READ = 1000
"""Collections inside each other, up to which one is read to its end; libyaml in C has this bound too."""
_MOST_REPEATED = 100_000
"""Values that all aliases together may stand for: more of them is somebody's joke."""
_MOST_TAGS = 16
"""Tag directives: libyaml compares each with all others."""
_LONGEST_NUMBER = 40
"""Longer runs of digits stay strings: no number of ours has them, and converting them is slow."""


_UNSEEN = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
"""What ends a line for libyaml (YAML 1.1, 4.2), and neither for editors nor for grep."""


class _Lines:
    """Where lines begin as editors count them, for libyaml counts others."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def mark(self, index: int) -> Mark:
        """Return the place of a character."""
        line = bisect_right(self._starts, index)
        return Mark(line, index - self._starts[line - 1] + 1)


def _unseen(text: str, lines: _Lines) -> Iterator[tuple[Mark, str]]:
    """Yield the line ends that nobody sees: what stands behind one may look like a comment."""
    if "\n" not in text and "\r" in text:
        at = lines.mark(text.index("\r"))
        yield at, "lines end with carriage returns alone; save the file with line ends of Unix (LF)"
        return
    for found in _UNSEEN.finditer(text):
        what = "a carriage return alone" if found[0] == "\r" else f"U+{ord(found[0]):04X}"
        message = f"{what} ends a line of YAML here, which editors and grep do not show; remove it"
        yield lines.mark(found.start()), message


def parse(name: str, text: str) -> Document:
    """Read one YAML document; faults of the text end up in the result's `faults`, never as exceptions."""
    lines = _Lines(text) if _UNSEEN.search(text) else None
    document, builder = Document(name, text, None), _Builder(lines)
    try:
        for place, message in _unseen(text, lines) if lines else ():
            builder.fault(place, message)
        if text.count("\n%TAG") > _MOST_TAGS:
            builder.fault(Mark(1, 1), f"more than {_MOST_TAGS} %TAG directives; none is needed, remove them")
        else:
            for event in yaml.parse(text, Loader=_LOADER):
                builder.take(event)
    except _EnoughError:
        builder.root = None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = builder.mark_of(mark) if mark else Mark(1, 1)
        context = f" {error.context}" if error.context else ""
        builder.fault(place, f"not YAML: {error.problem}{context}{_hint(document.lines, place)}")
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        place = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        builder.fault(place, f"not YAML: a character that may not stand here ({error.reason}); remove it")
    faults = tuple(document.finding(mark, message) for mark, message in builder.faults)
    return Document(name, text, builder.root, faults)


def _hint(lines: list[str], place: Mark) -> str:
    around = lines[max(place.line - 2, 0) : place.line]
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in around):
        return "; indent with spaces, a tab may not stand there"
    if any(_BARE_COLONS.search(line) for line in around[-1:]):
        return '; an address that begins or ends with colons must be quoted, such as "2001:db8::"'
    return "; look at the indentation, quotes and colons here and in the line above"


class _Extent(NamedTuple):
    """How many values a value is, with all in it and what aliases stand for written out, and how deep."""

    values: int
    depth: int


_SCALAR = _Extent(1, 0)


class _Open:
    """A collection whose end has not been read yet, and the key whose value comes next."""

    __slots__ = ("anchor", "depth", "key", "key_mark", "mark", "node", "values")

    def __init__(self, node: Map | List, mark: Mark, anchor: str | None) -> None:
        self.node, self.mark, self.anchor = node, mark, anchor
        self.values = self.depth = 1
        self.key: str | None = None
        self.key_mark = mark

    @property
    def extent(self) -> _Extent:
        return _Extent(self.values, self.depth)


class _EnoughError(Exception):
    """What is read has so many faults, or is so deep, that the rest need not be read."""


class _Builder:
    """Turns parser events into data; `root` is the document once all of them were taken."""

    def __init__(self, lines: _Lines | None = None) -> None:
        self._lines = lines
        self.root: Any = None
        self.faults: list[tuple[Mark, str]] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, _Extent]] = {}
        self._repeated = 0
        self._documents = 0

    def mark_of(self, mark: Any) -> Mark:
        """Return a place that the parser tells of."""
        return self._lines.mark(mark.index) if self._lines else Mark(mark.line + 1, mark.column + 1)

    def fault(self, mark: Mark, message: str) -> None:
        self.faults.append((mark, message))
        if len(self.faults) > MOST:
            raise _EnoughError

    def take(self, event: yaml.Event) -> None:
        mark = self.mark_of(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._place(self._scalar(event, mark), mark, event.anchor)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._check_tag(event.tag, mark)
            node: Map | List = Map() if isinstance(event, yaml.MappingStartEvent) else List()
            self._stack.append(_Open(node, mark, event.anchor))
            if len(self._stack) > _DEEPEST_READ:
                self.fault(mark, f"lists and mappings are nested more than {_DEEPEST} deep; none must be")
                raise _EnoughError
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = self._stack.pop()
            if len(self._stack) >= _DEEPEST:
                self.fault(
                    done.mark, f"lists and mappings are nested more than {_DEEPEST} deep; none must be"
                )
                self._place(None, done.mark, done.anchor)
            else:
                self._place(done.node, done.mark, done.anchor, done.extent)
        elif isinstance(event, yaml.AliasEvent):
            value, extent = self._alias(str(event.anchor), mark)
            self._place(value, mark, None, extent)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents == 2:
                self.fault(mark, "a second document begins here; a file holds one, so remove this ---")

    def _check_tag(self, tag: str | None, mark: Mark) -> None:
        if tag and tag != "!" and tag not in _KNOWN_TAGS:
            self.fault(mark, f"the tag {ends(tag)} means nothing here; remove it")

    def _place(self, value: Any, mark: Mark, anchor: str | None, extent: _Extent = _SCALAR) -> None:
        if anchor:
            self._anchors[anchor] = value, extent
        if not self._stack:
            if self._documents == 1:
                self.root = value
            return
        top = self._stack[-1]
        top.values += extent.values
        top.depth = max(top.depth, extent.depth + 1)
        if isinstance(top.node, List):
            top.node.put(value, mark)
        elif top.key is None:
            top.key, top.key_mark = self._key(value, mark), mark
        else:
            key, top.key = top.key, None
            if key in top.node:
                first = top.node.key_mark(key)
                self.fault(
                    top.key_mark,
                    f"'{ends(key)}' stands here a second time; the first is in line {first.line}, "
                    "keep one of them",
                )
            else:
                top.node.put(key, value, top.key_mark, mark)

    def _key(self, value: Any, mark: Mark) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, (Map, List)):
            self.fault(mark, "a list or mapping can't be a key; write a plain text before the colon")
        else:  # only an alias gets here: a scalar in a key's place was read as a string
            self.fault(mark, f"'{value}' can't be a key; write a plain text before the colon")
        return f"(key in line {mark.line}, column {mark.column})"

    def _alias(self, name: str, mark: Mark) -> tuple[Any, _Extent]:
        if name in self._anchors:
            value, extent = self._anchors[name]
            self._repeated += extent.values
            if self._repeated <= _MOST_REPEATED and len(self._stack) + extent.depth <= _DEEPEST:
                return value, extent
            self.fault(
                mark, f"*{ends(name)} stands for too much, or in too deep a place; write out what is meant"
            )
        elif any(collection.anchor == name for collection in self._stack):
            self.fault(
                mark,
                f"*{ends(name)} stands inside what &{ends(name)} names and would never end; write it out",
            )
        else:
            self.fault(mark, f"*{ends(name)} refers to nothing; &{ends(name)} must stand before it")
        return None, _SCALAR

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> Any:
        text: str = event.value
        is_key = bool(self._stack) and isinstance(self._stack[-1].node, Map) and self._stack[-1].key is None
        tag = event.tag
        self._check_tag(tag, mark)
        if is_key or tag in (f"{_TAG}str", "!") or event.style in _QUOTED_STYLES:
            return text
        return plain_scalar(text)


def plain_scalar(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar means by the core schema of YAML 1.2.2, section 10.3.2."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _MAY_BE_A_NUMBER or len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text
