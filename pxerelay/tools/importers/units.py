"""Units of systemd with their drop-ins: the commands of ExecStart (systemd.service(5), systemd.exec(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source, Word, quoted

_PREFIXES = "@-:+!|"
"""What may stand before a command's path (systemd.service(5), "Command lines")."""

_PIECE = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|\S+")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_MARK = re.compile(r"^[ \t]*(\[Service\]|ExecStart[ \t]*=)", re.MULTILINE)


@dataclass
class Unit:
    """What a unit starts: commands, each with the file that it stands in."""

    starts: list[tuple[Source, list[Word]]] = field(default_factory=list)


def is_unit(text: str) -> bool:
    """Whether a text is a unit of a service, or a drop-in of one."""
    return _MARK.search(text) is not None


def read(sources: Sequence[Source], variables: Mapping[str, list[Word]], found: Found) -> Unit:
    """Read a unit and its drop-ins, in the order in which systemd does."""
    unit = Unit()
    known = dict(variables)
    commands: list[tuple[Source, Word]] = []
    for source in sorted(sources, key=lambda one: (".d/" in one.name, one.name.rpartition("/")[2])):
        for key, value in _settings(source):
            if key == "ExecStart" and not value.text.strip():
                commands.clear()
            elif key == "ExecStart":
                commands.append((source, value))
            elif key == "Environment":
                for piece in _words(value):
                    name, sign, text = piece.text.partition("=")
                    if sign:
                        known[name] = [piece._replace(text=one) for one in text.split()]
    for source, value in commands:
        words = list(_expanded(source, _words(value), known, found))
        if words:
            first = words[0]
            unit.starts.append((source, [first._replace(text=first.text.lstrip(_PREFIXES)), *words[1:]]))
    return unit


def _settings(source: Source) -> Iterator[tuple[str, Word]]:
    """Yield keys of [Service] and their values; a backslash at its end joins a line with the next one."""
    section = "Service"
    lines = enumerate(source.lines, 1)
    for number, line in lines:
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
        elif "=" in line and not stripped.startswith(("#", ";")) and section == "Service":
            key, _, value = line.partition("=")
            word = Word(value, number, len(key) + 2)
            while word.text.endswith("\\"):
                following = next(lines, None)
                word = word._replace(text=f"{word.text[:-1]}\n{following[1] if following else ''}")
            yield key.strip(), word


def _words(value: Word) -> list[Word]:
    """Return the words of a command with their places."""
    found = []
    for match in _PIECE.finditer(value.text):
        text = match[1] if match[1] is not None else match[2] if match[2] is not None else match[0]
        before = value.text[: match.start()]
        line = before.count("\n")
        column = match.start() + value.column if not line else match.start() - before.rfind("\n")
        found.append(Word(text, value.line + line, column))
    return found


def _expanded(
    source: Source, words: Sequence[Word], variables: Mapping[str, list[Word]], found: Found
) -> Iterator[Word]:
    """Yield words with their variables filled in: `$NAME` alone may be several words, or none."""
    for word in words:
        names = [one or other for one, other in _VARIABLE.findall(word.text)]
        unknown = [name for name in names if name not in variables]
        if unknown:
            message = (
                f"{quoted('$' + unknown[0])} has no value here; import the file that EnvironmentFile names "
                f"together "
                "with the unit"
            )
            found.fault(source, word, message)
        elif word.text.startswith("$") and not word.text.startswith("${") and len(names) == 1:
            yield from (one._replace(line=word.line, column=word.column) for one in variables[names[0]])
        else:
            yield word._replace(
                text=_VARIABLE.sub(lambda m: " ".join(w.text for w in variables[m[1] or m[2]]), word.text)
            )
