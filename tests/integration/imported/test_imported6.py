"""Made-up files of kea-dhcp6, alone and beside kea-dhcp4's: the real servers and the relay choose alike.

As in `test_imported`: an import that ends with 0 promises it for every client, in either family.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from pxerelay.config.load import load
from tests.integration.imported import kea6_files, kea_files
from tests.integration.imported.asking import VLANS, Client, GivenKea, Imported, Segment, imported
from tests.integration.imported.asking6 import VLANS6, Relay6, Segment6
from tests.lab import Lab

SEEDS = int(os.environ.get("SEEDS", "20"))
CLEAN: dict[str, list[bool]] = {}
"""Which imports ended with 0."""

INTERFACES6 = [f"--interface={prefix}::/64={name}" for name, prefix in VLANS6.items()]


@pytest.fixture(scope="module")
def segment() -> Iterator[Segment]:
    with Lab(f"it_imported6_{os.getpid()}") as lab:
        yield Segment(lab)


@pytest.fixture(scope="module")
def segment6(segment: Segment) -> Segment6:
    return Segment6(segment)


def differing(told: dict[Client, str], folder: Path) -> dict[Client, tuple[str, str]]:
    """Return where the server and the relay send clients in DHCPv6, if that is not the same.

    The server gives some clients no boot file at all; then it is all the same which one hears them.
    """
    relay = Relay6(load(folder / "pxerelay.yml").config)
    both = {client: (server, relay.of(client)) for client, server in told.items() if server}
    return {client: pair for client, pair in both.items() if len(set(pair)) > 1}


def check(result: Imported, told: str, wrong: object, folder: Path) -> None:
    assert result.code in (0, 1), told
    assert result.code == 1 or not wrong, told
    assert result.code == 0 or f"{folder}/" in result.err, told


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_choose_the_same_server_in_dhcpv6(segment6: Segment6, tmp_path: Path, seed: int) -> None:
    file = tmp_path / "kea-dhcp6.conf"
    made = kea6_files.Maker6(Random(seed)).make()
    file.write_text(made.text)
    with segment6.serving(file):
        told = segment6.ask(made.clients)
    result = imported([file], tmp_path, INTERFACES6)
    wrong = differing(told, tmp_path)
    check(result, f"{made.text}\n{result.out}\n{result.err}\n{wrong}", wrong, tmp_path)
    CLEAN.setdefault("alone", []).append(result.code == 0 and any(told.values()))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_files_of_both_families_hold_in_each(
    segment: Segment, segment6: Segment6, tmp_path: Path, seed: int
) -> None:
    """Their MACs are the same: some have a reservation in both files, some in one."""
    file4, file6 = tmp_path / "kea-dhcp4.conf", tmp_path / "kea-dhcp6.conf"
    made4 = kea_files.Maker(Random(seed), str(tmp_path / "hosts")).make()
    known = [(client.vlan, client.mac) for client in made4.clients if not client.mac.startswith("02:ff")]
    made6 = kea6_files.Maker6(Random(seed + 1000), known).make()
    file4.write_text(made4.text)
    file6.write_text(made6.text)
    with segment.serving(GivenKea, file4):
        told4 = segment.ask(made4.clients)
    with segment6.serving(file6):
        told6 = segment6.ask(made6.clients)
    result = imported([file4, file6], tmp_path, INTERFACES6)
    wrong4 = {
        client: (server, result.of(client))
        for client, server in told4.items()
        if server and server != result.of(client)
    }
    wrong6 = differing(told6, tmp_path)
    said = f"{made4.text}\n{made6.text}\n{result.out}\n{result.err}\n{wrong4}\n{wrong6}"
    check(result, said, wrong4 or wrong6, tmp_path)
    CLEAN.setdefault("together", []).append(result.code == 0 and any(told6.values()))


def test_enough_of_them_are_understood_as_a_whole() -> None:
    """Or the tests above would hold nothing. Of two random files few agree on their classes and VLANs."""
    clean, together = CLEAN.get("alone", [True]), CLEAN.get("together", [True])
    assert sum(clean) * 2 > len(clean)
    assert sum(together) * 10 > len(together)


def test_vlans_are_the_same_in_both() -> None:
    assert list(VLANS) == list(VLANS6)
