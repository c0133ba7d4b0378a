"""Who made a network card: the IEEE's registry, in whichever form the system has a copy of it.

Read line by line, for the addresses in question only. A line that is not understood, or a file that can't
be read, counts as one that is not there.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

Reader = Callable[[Iterable[str]], Iterator[tuple[str, str]]]
"""Yields blocks of a file's lines: the hex digits that addresses of a block begin with, and its owner."""

LOCALLY_ADMINISTERED = "locally administered"
"""In the place of a vendor, of an address that nobody was given (IEEE 802, 8.4.4; also random ones)."""

_LOCAL_BIT = 0x02
"""In the first octet (IEEE 802, 8.4.2)."""

_BLOCK_DIGITS = (9, 7, 6)
"""Hex digits of MA-S, MA-M and MA-L blocks; the smaller block is the one that was handed on."""

_LONGEST_LINE = 4096
"""Characters of a line that are read as one."""

_HEX = re.compile(r"^([0-9A-F]{2})-([0-9A-F]{2})-([0-9A-F]{2})\s+\(hex\)\s+(\S.*)$")
_RANGE = re.compile(r"^([0-9A-F]{6})-([0-9A-F]{6})\s+\(base 16\)\s+(\S.*)$")
_HWDB_KEY = re.compile(r"^OUI:([0-9A-F]{6,9})\*$")
_HWDB_NAME = re.compile(r"^\s+ID_OUI_FROM_DATABASE=(.+)$")
_MANUF = re.compile(r"^([0-9A-F:-]{8,17})(?:/(24|28|36))?\s+(.+)$", re.IGNORECASE)
_NMAP = re.compile(r"^([0-9A-F]{6,9})\s+(.+)$", re.IGNORECASE)


def read_ieee_csv(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read the IEEE's tables: registry, assignment, organization, address, which may go on in more lines."""
    for line in lines:
        with contextlib.suppress(csv.Error, StopIteration):
            _, digits, name, *_ = *next(csv.reader((line,))), "", "", ""
            yield digits, name


def read_ieee_text(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read the IEEE's lists: `00-00-0C   (hex)  Name`, of smaller blocks a range of the rest below."""
    oui = ""
    for line in lines:
        if head := _HEX.match(line):
            oui = "".join(head.group(1, 2, 3))
            yield oui, head[4]
        elif (block := _RANGE.match(line)) and oui:
            fixed = len(block[2]) - len(block[2].rstrip("F"))
            yield oui + block[1][: len(block[1]) - fixed], block[3]


def read_hwdb(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read systemd's 20-OUI.hwdb."""
    digits = ""
    for line in lines:
        if key := _HWDB_KEY.match(line):
            digits = key[1]
        elif (name := _HWDB_NAME.match(line)) and digits:
            yield digits, name[1]


def read_manuf(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read Wireshark's manuf: address, short name, name, between tabs."""
    for line in lines:
        if block := _MANUF.match(line):
            digits = re.sub("[:-]", "", block[1])
            yield digits[: int(block[2] or 24) // 4], block[3].split("\t")[-1]


def read_nmap(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read nmap's list: digits, name."""
    for line in lines:
        if block := _NMAP.match(line):
            yield block[1], block[2]


COPIES: tuple[tuple[Reader, tuple[str, ...]], ...] = (
    (read_ieee_csv, tuple(f"/usr/share/ieee-data/{name}.csv" for name in ("oui", "mam", "oui36"))),
    (read_ieee_text, tuple(f"/usr/share/ieee-data/{name}.txt" for name in ("oui", "mam", "oui36"))),
    (read_ieee_text, ("/usr/share/hwdata/oui.txt",)),
    (read_hwdb, ("/usr/lib/udev/hwdb.d/20-OUI.hwdb", "/lib/udev/hwdb.d/20-OUI.hwdb")),
    (read_manuf, ("/usr/share/wireshark/manuf",)),
    (read_nmap, ("/usr/share/nmap/nmap-mac-prefixes",)),
)
"""Where packages of Debian and Red Hat put it: the first that tells of anybody counts."""


def vendors(
    addresses: Iterable[bytes], copies: Iterable[tuple[Reader, Iterable[str]]] = COPIES
) -> dict[bytes, str]:
    """Return the vendors of Ethernet addresses, as far as the system has a copy that names them."""
    found, asked = {}, {}
    for address in addresses:
        if address[0] & _LOCAL_BIT:
            found[address] = LOCALLY_ADMINISTERED
        else:
            digits = address.hex().upper()
            asked[address] = [digits[:count] for count in _BLOCK_DIGITS]
    wanted = {block for blocks in asked.values() for block in blocks}
    names: Mapping[str, str] = {}
    for reader, paths in copies:
        if names or not wanted:
            break
        names = {
            digits.upper(): name.strip()
            for path in paths
            for digits, name in _read(Path(path), reader)
            if digits.upper() in wanted and name.strip()
        }
    for address, blocks in asked.items():
        name = next((names[block] for block in blocks if block in names), None)
        if name:
            found[address] = name
    return found


def blocks_of(text: str, most: int, copies: Iterable[tuple[Reader, Iterable[str]]] = COPIES) -> list[str]:
    """Return the blocks, as hex digits, of vendors whose name has a text in it, in any case; `most` of them.

    Of the copies that the system has the first that knows such a name counts.
    """
    lowered = text.lower()
    found: dict[str, None] = {}
    for reader, paths in copies:
        for path in paths:
            for digits, name in _read(Path(path), reader):
                if lowered in name.lower() and _is_block(digits):
                    found[digits.lower()] = None
                    if len(found) >= most:
                        return list(found)
        if found:
            break
    return list(found)


def _is_block(digits: str) -> bool:
    return len(digits) in _BLOCK_DIGITS and all(one in "0123456789abcdefABCDEF" for one in digits)


def _read(path: Path, reader: Reader) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        yield from reader(iter(lambda: file.readline(_LONGEST_LINE), ""))
