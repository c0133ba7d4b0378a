"""The hosts file of the 2008 patch to ISC dhcrelay: `MAC ADDRESS  # comment` on each line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pxerelay.tools.importers.found import Found, server_fault, spelled
from pxerelay.tools.importers.source import Source, Word, quoted, words
from pxerelay.wire.mac import MacError, parse_pattern


def read(sources: Sequence[Source], found: Found) -> None:
    """Read the lines of all files."""
    for source in sources:
        for number, text in enumerate(source.lines, 1):
            _line(source, number, text, found)


def read_list(sources: Sequence[Source], found: Found) -> None:
    """Read a MAC in each line; all go to the only server that the user names."""
    servers = next(iter(found.given.values())) if len(found.given) == 1 else ()
    if len(found.given) != 1:
        message = "this is a list of MACs; say where all of them go by one --server NAME=ADDRESS"
        found.fault(sources[0], Word("", 1, 1), message)
    for source in sources:
        for number, text in enumerate(source.lines, 1):
            content, hash_, comment = text.partition("#")
            parts = words(content, number)
            if not parts:
                found.remark(comment if hash_ else None)
            elif len(parts) > 1:
                found.fault(
                    source, parts[1], f"{quoted(parts[1].text)} is one word too many in a list of MACs"
                )
                found.not_imported(source, number)
            elif len(found.given) != 1 or not found.rule(source, bare(parts[0]), servers, comment.strip()):
                found.not_imported(source, number)


def bare(mac: Word) -> Word:
    """Return a MAC without separators as one with colons, for tables and lists have them so."""
    if re.fullmatch("[0-9A-Fa-f]{12}", mac.text):
        return mac._replace(text=":".join(mac.text[at : at + 2] for at in range(0, 12, 2)))
    return mac


def _line(source: Source, number: int, text: str, found: Found) -> None:
    content, hash_, comment = text.partition("#")
    parts = words(content, number)
    if not parts:
        found.remark(comment if hash_ else None)
        return
    mac = parts[0]
    message = ""
    place = mac
    if len(parts) == 1:
        message = (
            f"{quoted(mac.text)} has no server address; "
            "write MAC and address, such as 02:00:00:00:00:01 10.20.0.10"
        )
    elif not server_fault(mac.text) and _is_mac(parts[1].text):
        message = f"the MAC comes first: write {parts[1].text} {mac.text}"
    elif len(parts) > 2:
        place = parts[2]
        message = (
            f"{quoted(place.text)} is one word too many; a line is MAC, address and after a # its comment. "
            "For several servers write a list into the rule, such as [10.20.0.10, 10.20.0.11]"
        )
    if message:
        found.fault(source, place, message)
        done = False
    else:
        done = found.server(source, parts[1]) and found.rule(source, mac, (parts[1].text,), comment.strip())
    if not done:
        found.not_imported(source, number)


def _is_mac(text: str) -> bool:
    try:
        parse_pattern(spelled(text))
    except MacError:
        return False
    return True
