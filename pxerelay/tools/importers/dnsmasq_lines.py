"""The lines of a dnsmasq.conf, a file for dhcp-hostsfile, and /etc/ethers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pxerelay.tools.importers.found import Found, Remark, not_imported
from pxerelay.tools.importers.source import Source, Word, is_given, quoted
from pxerelay.wire.mac import MacError, Pattern, parse_pattern

ETHERNET = 1
"""The hardware type that MAC rules are about (IANA, ARP parameters)."""

CLIENTS = frozenset({"dhcp-host", "dhcp-mac"})
MAC = re.compile(r"(?:([0-9A-Fa-f]{1,2})-)?((?:[0-9A-Fa-f]{1,2}|\*)(?::(?:[0-9A-Fa-f]{1,2}|\*)){5})")
_KEY = re.compile(r"[ \t]*([a-z][a-z0-9-]*)[ \t]*(?:=[ \t]*|$|(?=[ \t]#))")
_FILES = frozenset(
    {
        "conf-file",
        "conf-dir",
        "dhcp-hostsfile",
        "dhcp-hostsdir",
        "dhcp-optsfile",
        "dhcp-optsdir",
        "servers-file",
    }
)


class Line(NamedTuple):
    """An option's name and the words of its value, and the comment behind it."""

    source: Source
    key: str
    words: list[Word]
    comment: str


def lines(source: Source, sources: Sequence[Source], found: Found) -> Iterator[Line | Remark]:
    """Yield options, comments on lines of their own, and empty lines."""
    for number, text in enumerate(source.lines, 1):
        key = _KEY.match(text)
        if key:
            words, comment = split(text, number, key.end())
            if key[1] in _FILES and words and not is_given(words[0].text, sources):
                message = f"{key[1]} is not followed; import those files together with this one"
                found.fault(source, Word(text, number, key.start(1) + 1), message)
            yield Line(source, key[1], words, comment)
            continue
        words, comment = split(text, number, 0)
        if not words:
            yield Remark(comment if "#" in text else None)
        elif len(words) > 1 or MAC.fullmatch(words[0].text):
            yield Line(source, "dhcp-host", words, comment)
        else:
            message = (
                f"{quoted(text.strip())} is neither an option with its value, such as "
                "dhcp-host=02:00:00:10:00:01,set:thin, nor a line of a dhcp-hostsfile"
            )
            found.fault(source, words[0], message)
            yield Remark(not_imported(source, number))


def split(text: str, line: int, start: int) -> tuple[list[Word], str]:
    """Return the words between commas, and the comment; both # and commas are plain text in quotes."""
    words: list[Word] = []
    begin, in_quotes, at = start, False, start
    comment = ""
    for at in range(start, len(text) + 1):
        character = text[at : at + 1]
        if character == '"':
            in_quotes = not in_quotes
        ends = character == "#" and not in_quotes and (at == 0 or text[at - 1].isspace())
        if ends or not character or (character == "," and not in_quotes):
            piece = text[begin:at]
            column = begin + len(piece) - len(piece.lstrip()) + 1
            words.append(Word(piece.strip().strip('"'), line, column))
            begin = at + 1
        if ends:
            comment = text[at + 1 :].rstrip()
            break
    return ([] if len(words) == 1 and not words[0].text else words), comment


def ethers(source: Source) -> Iterator[tuple[Word, Word]]:
    """Yield MAC and name, or address, of /etc/ethers (ethers(5))."""
    for number, text in enumerate(source.lines, 1):
        parts = [Word(m[0], number, m.start() + 1) for m in re.finditer(r"\S+", text.partition("#")[0])]
        if len(parts) > 1:
            yield parts[0], parts[1]


def tags(words: Sequence[Word]) -> tuple[tuple[str, ...], list[Word]]:
    """Return the tags that a value begins with, and the rest of it."""
    found = []
    rest = list(words)
    while rest and rest[0].text.startswith(("tag:", "net:")):
        found.append(rest.pop(0).text[4:])
    return tuple(tag for tag in found if tag), rest


def hardware(text: str) -> int:
    """Return the hardware type that a MAC is written with; without one that of Ethernet."""
    match = MAC.fullmatch(text)
    return int(match[1], 16) if match and match[1] else ETHERNET


def wildcard(text: str) -> str:
    """Return an address whose octets may be stars, as our rules spell it: stars within are ??."""
    match = MAC.fullmatch(text)
    address = match[2] if match else text
    if "*" not in address:
        return address
    groups = ["??" if group == "*" else group.rjust(2, "0") for group in address.split(":")]
    while groups and groups[-1] == "??":
        groups.pop()
    return ":".join(groups) if len(groups) == 6 else ":".join([*groups, "*"])


def pattern(text: str) -> Pattern | None:
    """Return what an address with stars matches; None if it is no address of Ethernet."""
    if hardware(text) != ETHERNET or not MAC.fullmatch(text):
        return None
    address = wildcard(text)
    try:
        return parse_pattern(
            ":".join(group.rjust(2, "0") if group != "*" else group for group in address.split(":"))
        )
    except MacError:
        return None
