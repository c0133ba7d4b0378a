"""A table with a header: which client, which server, who is to be asked, until when, what for.

Any delimiter of `,`, `;`, tab and `|`; quotes as of RFC 4180. Columns are found by their header, in any
order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pxerelay.config import schema
from pxerelay.config.resolve import DROP
from pxerelay.policy.days import parse_day
from pxerelay.tools.importers.found import Found, Servers, address6, server_fault
from pxerelay.tools.importers.hosts import bare
from pxerelay.tools.importers.source import Source, Word, printable, quoted

COLUMNS = {
    "mac": (
        *("mac", "macaddress", "macaddr", "macadresse", "hwaddr", "hwaddress", "hardwareaddress", "ethernet"),
        *("physicaladdress", "clientid", "adressemac"),
    ),
    "server": (
        "server",
        "nextserver",
        "bootserver",
        "pxeserver",
        "tftpserver",
        "siaddr",
        "pxe",
        "tftp",
        "serveur",
    ),
    "owner": ("owner", "contact", "team", "responsible", "verantwortlich"),
    "note": ("note", "notes", "comment", "comments", "description", "remark", "bemerkung", "kommentar"),
    "until": ("until", "expires", "expiry", "validuntil", "enddate", "expiration", "bis"),
}
"""Headers by what they mean, without blanks and signs."""

_DELIMITERS = ",;\t|"
_MOST_CELLS = 2000
_MOST_LINES = 50
"""Lines that a text in quotes may have."""

_WORD = re.compile(r"[^a-z0-9]")
MARK = re.compile(
    rf"\A(?:[ \t]*\r?\n|sep=.\r?\n)*(?=[^\n]*[{_DELIMITERS}])(?:[^\n]*[{_DELIMITERS}])?[ \t\"']*"
    r"(mac|hw|hardware|ethernet|physical|client)[ _-]?(addr|address|adresse|id)?[ \t\"']*"
    rf"(?:[{_DELIMITERS}]|\r?$)",
    re.IGNORECASE | re.MULTILINE,
)
"""What tells that a file is a table: its first line has a column for the MAC."""


def read(sources: Sequence[Source], found: Found) -> None:
    """Read all files, each with a header of its own."""
    for source in sources:
        rows = _rows(source, found)
        header = next(rows, None)
        if header is None:
            found.fault(
                source, Word("", 1, 1), "this table is empty; its first line is a header, such as mac,server"
            )
            continue
        columns = _columns(source, header, found)
        if columns is None:
            continue
        for row in rows:
            _row(source, row, columns, found)


def _columns(source: Source, header: Sequence[Word], found: Found) -> Mapping[str, int] | None:
    """Return which column is which; None if there is none for the MAC."""
    columns: dict[str, int] = {}
    plain = [_plain(cell.text) for cell in header]
    for name, wanted in found.told.columns.items():
        if _plain(wanted) in plain:
            columns[name] = plain.index(_plain(wanted))
        else:
            message = (
                f"no column is called {quoted(wanted)}, as --column {name}= says; there are {_listed(header)}"
            )
            found.fault(source, header[0], message)
            return None
    for name, known in COLUMNS.items():
        at = next((plain.index(one) for one in known if one in plain), None)
        if at is not None and at not in columns.values():
            columns.setdefault(name, at)
    if "mac" not in columns:
        message = f"no column is one for MACs; say which by --column mac=HEADER; there are {_listed(header)}"
        found.fault(source, header[0], message)
        return None
    return columns


def _row(source: Source, row: Sequence[Word], columns: Mapping[str, int], found: Found) -> None:
    cells = {name: row[at] for name, at in columns.items() if at < len(row) and row[at].text}
    if not any(cell.text for cell in row):
        return
    mac = cells.get("mac")
    if mac is None:
        found.fault(source, row[0], "this line has no MAC; write one, or take the line out")
        found.not_imported(source, row[0].line)
        return
    servers = _servers(source, mac, cells.get("server"), found)
    more, whole = [], True
    for name in ("owner", "until", "note"):
        if name in cells:
            text = (
                _day(source, cells[name], found) if name == "until" else printable(cells[name].text).strip()
            )
            whole &= bool(text)
            more.append((name, text))
    if not whole or not servers or not found.rule(source, bare(mac), servers, "", tuple(more)):
        found.not_imported(source, mac.line)


def _servers(source: Source, mac: Word, cell: Word | None, found: Found) -> Servers:
    """Return what a row says of its server; without a column for it, the only one of --server."""
    if cell is None:
        if len(found.given) == 1:
            return next(iter(found.given.values()))
        found.fault(
            source,
            mac,
            "this line has no server; write its address, or a name that --server gives an address",
        )
        return ()
    if cell.text.lower() == DROP:
        return (DROP,)
    if cell.text in found.given:
        return found.given[cell.text]
    message = server_fault(cell.text)
    if message and re.fullmatch(r"[A-Za-z][\w-]*", cell.text):
        message = f"{quoted(cell.text)} has no address here; add --server {cell.text}=ADDRESS"
    if message:
        found.fault(source, cell, message)
        return ()
    return (str(address6(cell.text) or cell.text),)


def _day(source: Source, cell: Word, found: Found) -> str:
    """Return a day as the file writes it, empty if it is none, or may be two."""
    text = cell.text.strip().partition(" ")[0].partition("T")[0]
    match = re.fullmatch(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})", text)
    if match:
        first, second = int(match[1]), int(match[3])
        if match[2] != "." and first <= 12 and second <= 12 and first != second:
            found.fault(source, cell, f"{quoted(text)} may be two days; write it as in 2027-01-31")
            return ""
        day, month = (second, first) if match[2] != "." and first <= 12 < second else (first, second)
        text = f"{match[4]}-{month:02}-{day:02}"
    text = re.sub(
        r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})$", lambda m: f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}", text
    )
    try:
        if not schema.pattern_of("day").search(text):
            raise ValueError
        parse_day(text)
    except ValueError:
        found.fault(source, cell, f"{quoted(cell.text)} is no day; write one such as 2027-01-31")
        return ""
    return text


def _rows(source: Source, found: Found) -> Iterator[list[Word]]:
    """Yield the rows of a table; a text in quotes may go on in the next lines."""
    delimiter = ""
    number = 0
    while number < len(source.lines):
        line = source.lines[number]
        number += 1
        if line.lower().startswith("sep=") and len(line) == 5 and not delimiter:
            delimiter = line[4]
            continue
        if not line.strip() or (
            line.lstrip().startswith("#") and not line.lstrip().lower().startswith("#mac")
        ):
            if line.strip():
                found.remark(line.lstrip()[1:])
            continue
        delimiter = delimiter or max(_DELIMITERS, key=line.count)
        row: list[Word] = []
        at = 0
        while at <= len(line) and len(row) < _MOST_CELLS:
            start = at + len(line[at:]) - len(line[at:].lstrip(" "))
            end = -1
            if line[start : start + 1] == '"':
                word, number, end = _quoted(source, number, start, found)
                line = source.lines[number - 1]
                end = line.find(delimiter, end)
                at = len(line) + 1 if end < 0 else end + 1
            else:
                end = line.find(delimiter, at)
                end = len(line) if end < 0 else end
                word = Word(line[at:end].strip(), number, min(start, end) + 1)
                at = end + 1
            row.append(word)
        yield row


def _quoted(source: Source, number: int, start: int, found: Found) -> tuple[Word, int, int]:
    """Return a text in quotes, the number of the line that it ends in, and the column behind it."""
    first, word = number, Word("", number, start + 1)
    text, at = "", start + 1
    line = source.lines[number - 1]
    while True:
        end = line.find('"', at)
        if end >= 0 and line[end + 1 : end + 2] == '"':
            text += line[at : end + 1]
            at = end + 2
        elif end >= 0:
            return word._replace(text=f"{text}{line[at:end]}".strip()), number, end + 1
        elif number < len(source.lines) and number - first < _MOST_LINES:
            text += f"{line[at:]} "
            line = source.lines[number]
            number += 1
            at = 0
        else:
            found.fault(source, word, 'this quote is never closed; write the second "')
            rest = source.lines[first - 1]
            return word._replace(text=rest[start + 1 :].strip()), first, len(rest)


def _plain(text: str) -> str:
    return _WORD.sub("", text.lower().lstrip("#"))


def _listed(header: Sequence[Word]) -> str:
    return ", ".join(quoted(cell.text) for cell in header[:12])
