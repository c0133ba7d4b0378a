"""Made-up files, given to the real server and imported: both send each client to the same boot server.

An import that ends with 0 promises that for every client; else lines are named. SEEDS is how many files of
each kind are made, by default 20.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.integration.imported import dhcpd_files, dnsmasq_files, kea_files
from tests.integration.imported.asking import (
    Client,
    Given,
    GivenDhcpd,
    GivenDnsmasq,
    GivenKea,
    Imported,
    Segment,
    imported,
)
from tests.lab import Lab

SEEDS = int(os.environ.get("SEEDS", "20"))
MAKERS: dict[str, tuple[type[dhcpd_files.Maker | dnsmasq_files.Maker | kea_files.Maker], type[Given]]] = {
    "dhcpd": (dhcpd_files.Maker, GivenDhcpd),
    "dnsmasq": (dnsmasq_files.Maker, GivenDnsmasq),
    "kea": (kea_files.Maker, GivenKea),
}
CLEAN: dict[str, list[bool]] = {}
"""Which imports of each kind ended with 0."""


@pytest.fixture(scope="module")
def segment() -> Iterator[Segment]:
    with Lab(f"it_imported_{os.getpid()}") as lab:
        yield Segment(lab)


def compared(
    segment: Segment, kind: type[Given], files: list[Path], clients: list[Client]
) -> tuple[Imported, dict[Client, tuple[str, str]]]:
    """Return the import, and of the clients that the relay sends elsewhere than the server: both servers.

    The server gives some clients no boot file at all; then it is all the same which one hears them.
    """
    with segment.serving(kind, files[0]):
        told = segment.ask(clients)
    result = imported(files, files[0].parent)
    both = {client: (server or "", result.of(client)) for client, server in told.items() if server != ""}
    return result, {client: pair for client, pair in both.items() if len(set(pair)) > 1}


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", MAKERS)
def test_both_choose_the_same_server(segment: Segment, tmp_path: Path, name: str, seed: int) -> None:
    maker, kind = MAKERS[name]
    file, included = tmp_path / "given.conf", tmp_path / "hosts.conf"
    made = maker(Random(seed), str(included)).make()
    file.write_text(made.text)
    included.write_text(made.included)
    result, wrong = compared(segment, kind, [file, included] if made.included else [file], made.clients)
    told = f"{made.text}\n{made.included}\n{result.out}\n{result.err}\n{wrong}"
    assert result.code in (0, 1), told
    assert result.code == 1 or not wrong, told
    assert result.code == 0 or f"{tmp_path}/" in result.err, told
    CLEAN.setdefault(name, []).append(result.code == 0)


def test_most_of_them_are_understood_as_a_whole() -> None:
    """Or the tests above would hold nothing."""
    for name, clean in CLEAN.items():
        assert sum(clean) * 2 > len(clean), name


CONSTRUCTS = {
    "the last of two untagged lines counts": (
        "dhcp-range=10.1.1.100,10.1.1.250,255.255.255.0\n"
        "dhcp-boot=a,b,10.20.0.10\ndhcp-boot=c,d,10.20.0.11\n",
        "10.20.0.11",
    ),
    "a name in the place of a server means dnsmasq's own host": (
        "dhcp-range=10.1.1.100,10.1.1.250,255.255.255.0\ndhcp-boot=a,10.20.0.10\n",
        "10.20.0.2",
    ),
    "no server means dnsmasq's own host": (
        "dhcp-range=10.1.1.100,10.1.1.250,255.255.255.0\ndhcp-boot=pxelinux.0\n",
        "10.20.0.2",
    ),
    "option 66 counts where no dhcp-boot does": (
        "dhcp-range=10.1.1.100,10.1.1.250,255.255.255.0\ndhcp-option=66,10.20.0.12\n",
        "10.20.0.12",
    ),
    "an address of the server itself": (
        "dhcp-range=10.1.1.100,10.1.1.250,255.255.255.0\ndhcp-option=option:server-ip-address,10.20.0.13\n",
        "10.20.0.13",
    ),
    "ignore is drop": (
        "dhcp-range=10.1.1.100,10.1.1.250,255.255.255.0\ndhcp-boot=a,b,10.20.0.10\n"
        "dhcp-host=02:ff:00:00:00:01,ignore\n",
        "",
    ),
    "an address of the wire in hex": (
        "dhcp-range=10.1.1.100,10.1.1.250,255.255.255.0\ndhcp-match=set:x,option:client-arch,00:00\n"
        "dhcp-boot=tag:x,b,c,10.20.0.10\ndhcp-boot=b,c,10.20.0.11\n",
        "10.20.0.10",
    ),
}


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_constructs_of_dnsmasq(segment: Segment, tmp_path: Path, name: str) -> None:
    text, server = CONSTRUCTS[name]
    file = tmp_path / "given.conf"
    file.write_text(text)
    client = Client("vlan1", "02:ff:00:00:00:01")
    with segment.serving(GivenDnsmasq, file):
        assert segment.ask([client]) == {client: server or None}
    assert imported([file], tmp_path).of(client) == server


def test_names_of_ethers(segment: Segment, tmp_path: Path) -> None:
    """Its file is always /etc/ethers: in a namespace of mounts it may be another."""
    file, ethers = tmp_path / "given.conf", tmp_path / "ethers"
    ethers.write_text("02:ff:00:00:00:01 laptop\n02:ff:00:00:00:02 10.1.1.20\n")
    file.write_text(
        "read-ethers\ndhcp-range=10.1.1.100,10.1.1.250,255.255.255.0\ndhcp-boot=tag:a,b,c,10.20.0.10\n"
        "dhcp-boot=b,c,10.20.0.11\ndhcp-host=laptop,set:a\ndhcp-host=other,10.1.1.20,set:a\n"
    )
    clients = [Client("vlan1", f"02:ff:00:00:00:0{number}") for number in (1, 2, 3)]
    with segment.serving(GivenDnsmasq, file):
        told = segment.ask(clients)
    result = imported([file, ethers], tmp_path)
    assert result.code == 0, result.err
    assert [told[client] for client in clients] == ["10.20.0.10", "10.20.0.10", "10.20.0.11"]
    assert [result.of(client) for client in clients] == ["10.20.0.10", "10.20.0.10", "10.20.0.11"]
