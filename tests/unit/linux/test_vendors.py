"""Vendors of network cards, from every form that the IEEE's registry comes in."""

from __future__ import annotations

from pathlib import Path

import pytest

from pxerelay.linux import vendors as module
from pxerelay.linux.vendors import Reader, vendors
from tests.unit.messages import mac

IEEE_CSV = """\
Registry,Assignment,Organization Name,Organization Address
MA-L,00005E,"Acme, Inc.",1 Road "Springfield"
MA-L,0055DA,IEEE Registration Authority,"445 Hoes Lane
Piscataway"
MA-M,0055DA1,Middle Ltd,
MA-S,0055DA123,  Small GmbH  ,Straße 1
MA-L,00AAAA,,
"""

IEEE_TEXT = """\
OUI/MA-L                    Organization

00-00-5E   (hex)\t\tAcme, Inc.
00005E     (base 16)\t\tAcme, Inc.
\t\t\t\t1 Road

00-55-DA   (hex)\t\tIEEE Registration Authority
0055DA     (base 16)\t\tIEEE Registration Authority

00-55-DA   (hex)\t\tMiddle Ltd
100000-1FFFFF     (base 16)\t\tMiddle Ltd

00-55-DA   (hex)\t\tSmall GmbH
123000-123FFF     (base 16)\t\tSmall GmbH

"""

HWDB = """\
# This file is part of systemd.

OUI:00005E*
 ID_OUI_FROM_DATABASE=Acme, Inc.

OUI:0055DA*
 ID_OUI_FROM_DATABASE=IEEE Registration Authority

OUI:0055DA1*
 ID_OUI_FROM_DATABASE=Middle Ltd

OUI:0055DA123*
 ID_OUI_FROM_DATABASE=Small GmbH
"""

MANUF = """\
# comment
00:00:5E\tAcme\tAcme, Inc.
00:55:DA\tIEEERegi\tIEEE Registration Authority
00:55:DA:10:00:00/28\tMiddle\tMiddle Ltd
00:55:DA:12:30:00/36\tSmall\tSmall GmbH
"""

NMAP = """\
# comment
00005E Acme, Inc.
0055DA IEEE Registration Authority
0055DA1 Middle Ltd
0055DA123 Small GmbH
"""

COPIES = {
    "read_ieee_csv": IEEE_CSV,
    "read_ieee_text": IEEE_TEXT,
    "read_hwdb": HWDB,
    "read_manuf": MANUF,
    "read_nmap": NMAP,
}
ACME, MIDDLE, SMALL = mac("00:00:5e:00:53:01"), mac("00:55:da:1f:00:01"), mac("00:55:da:12:34:56")
NOBODYS, LOCAL = mac("00:00:01:00:00:01"), mac("52:54:00:12:34:56")


def copy_of(folder: Path, name: str, octets: bytes) -> tuple[Reader, list[str]]:
    path = folder / name
    path.write_bytes(octets)
    return getattr(module, name), [str(folder / "missing"), str(path)]


@pytest.mark.parametrize("name", COPIES)
def test_the_smallest_block_names_the_vendor(tmp_path: Path, name: str) -> None:
    copy = copy_of(tmp_path, name, COPIES[name].encode())
    assert vendors([ACME, MIDDLE, SMALL, NOBODYS, LOCAL], [copy]) == {
        ACME: "Acme, Inc.",
        MIDDLE: "Middle Ltd",
        SMALL: "Small GmbH",
        LOCAL: "locally administered",
    }


@pytest.mark.parametrize("name", COPIES)
def test_a_damaged_file_tells_what_can_be_read(tmp_path: Path, name: str) -> None:
    damage = b'\xff\xfe"\0,"\nOUI:\n00-00\n,,,\n"' + b"x" * 300_000 + b"\n"
    copy = copy_of(tmp_path, name, damage + COPIES[name].encode()[:-20])
    assert vendors([ACME], [copy]) == {ACME: "Acme, Inc."}
    assert vendors([NOBODYS], [copy]) == {}


def test_a_copy_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    missing = [(module.read_nmap, [str(tmp_path / "missing"), str(tmp_path / "folder")])]
    assert vendors([ACME, LOCAL], missing) == {LOCAL: "locally administered"}
    assert vendors([ACME], [*missing, copy_of(tmp_path, "read_nmap", NMAP.encode())]) == {ACME: "Acme, Inc."}


def test_no_file_is_read_for_nobody() -> None:
    assert vendors([LOCAL], [(module.read_nmap, ["/proc/self/mem"])]) == {LOCAL: "locally administered"}
