"""`pxerelay probe` by DHCPv6: real servers are asked for a client that is not there, behind a router too."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.integration.conftest import BASE, BASE6
from tests.lab import Host, dhcp6
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.network import LabError
from tests.lab.servers6 import Kea6
from tests.lab.topology import ALTIRIS, Network
from tests.lab.topology6 import ALTIRIS6, BOOT_URLS, CLIENT_VLANS6, RIS6, Network6, pools6
from tests.lab.wire6 import FakeServer6, Station6

Start = Callable[..., Daemon]

LISTED, UNLISTED, DROPPED = "02:00:00:10:00:01", "02:00:00:10:00:77", "02:00:00:de:ad:01"
ROUTED = "2001:db8:10:20::1"
"""The router's address on a link that the servers have a subnet for; here the relay's own is as good."""


@pytest.fixture(scope="module", autouse=True)
def stage(network: Network, network6: Network6) -> Iterator[None]:
    servers = (*network.servers, *network6.servers)
    for server in servers:
        server.start()
    yield
    for server in servers:
        server.stop()


def ask(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*PXERELAY, "probe", "--socket", str(daemon.socket), "--seconds", "20", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def found(daemon: Daemon, *arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ask(daemon, "--json", *arguments).stdout)
    return answer


@pytest.mark.parametrize(
    ("mac", "interface", "server", "name"),
    [
        (LISTED, "vlan10", ALTIRIS6, "altiris"),
        (UNLISTED, "vlan10", RIS6, "ris"),
        (UNLISTED, "vlan20", ALTIRIS6, "altiris"),
    ],
)
def test_the_server_that_the_client_belongs_to_answers_in_both_families(
    start: Start, mac: str, interface: str, server: str, name: str
) -> None:
    daemon = start(BASE6)
    answer = found(daemon, mac, "--interface", interface)
    assert answer["servers"][0].startswith(f"{name} 10.20.0."), "what is told of DHCPv4 is where it was"
    assert answer["answers"][0]["known_as"][0] == name
    of6 = answer["ipv6"]
    link = f"2001:db8:10:{interface[4:]}::1"
    assert (of6["servers"], of6["link_address"]) == ([f"{name} {server}"], link)
    (offer,) = of6["answers"]
    assert offer["known_as"] == [name, server]
    assert offer["boot_file"] == BOOT_URLS[server]
    assert offer["address"].startswith(f"2001:db8:10:{interface[4:]}::")
    assert not offer["no_addresses"]
    assert ask(daemon, mac, "--interface", interface, "--expect", name).returncode == 0
    assert ask(daemon, mac, "--interface", interface, "--family", "6", "--expect", server).returncode == 0
    assert (
        ask(daemon, mac, "--interface", interface, "--family", "6", "--expect", "10.20.0.9").returncode == 1
    )


def test_one_family_is_asked_by_if_it_is_named(start: Start) -> None:
    daemon = start(BASE6)
    of6 = found(daemon, LISTED, "--interface", "vlan10", "--family", "6")
    assert "answers" not in of6
    assert of6["ipv6"]["answers"]
    of4 = found(daemon, LISTED, "--interface", "vlan10", "--family", "4")
    assert "ipv6" not in of4
    assert of4["answers"]


def test_a_server_that_is_expected_by_its_address_is_asked_by_the_family_of_that(start: Start) -> None:
    """What a play expected before DHCPv6 was on holds afterwards."""
    daemon = start(BASE6)
    for address, family in ((ALTIRIS, "4"), (ALTIRIS6, "6")):
        done = ask(daemon, LISTED, "--interface", "vlan10", "--expect", address)
        assert done.returncode == 0, done.stdout
        assert ("SOLICIT" in done.stdout, "DISCOVER" in done.stdout) == (family == "6", family == "4")


def test_a_daemon_without_dhcpv6_tells_what_it_told_before(start: Start) -> None:
    daemon = start(BASE)
    answer = found(daemon, LISTED, "--interface", "vlan10")
    assert set(answer) == {"mac", "interface", "servers", "answers", "failures"}
    refused = ask(daemon, LISTED, "--interface", "vlan10", "--family", "6")
    assert (refused.returncode, refused.stderr) == (
        1,
        "DHCPv6 is off here: `dhcpv6: true` in the configuration turns it on\n",
    )


def test_where_dhcpv6_is_off_on_an_interface_it_is_not_asked_by(start: Start) -> None:
    daemon = start(BASE6.replace("vlan10: {}", "vlan10: {dhcpv6: false}"))
    assert "ipv6" not in found(daemon, LISTED, "--interface", "vlan10")
    refused = ask(daemon, LISTED, "--interface", "vlan10", "--family", "6")
    assert refused.returncode == 1
    assert "vlan10 is no client interface of this relay; those that are active: vlan20" in refused.stderr


def test_a_client_behind_a_router_is_asked_for_by_its_link_address(start: Start) -> None:
    """The relay's own link-address stands for that of a router: the servers have a subnet for it."""
    config = BASE6 + 'accept_relayed_from: ["2001:db8:77::/48"]\n'
    daemon = start(config.replace("  vlan20: {default: altiris}\n", ""))
    link = str(CLIENT_VLANS6["vlan20"][9])
    done = ask(daemon, LISTED, "--link-address", link)
    assert done.returncode == 0, done.stderr
    first, answer = done.stdout.splitlines()
    assert first == f"{LISTED} behind a router: SOLICIT sent to altiris {ALTIRIS6} with link-address {link}"
    assert answer.startswith(f"  altiris {ALTIRIS6} after ")
    assert "address 2001:db8:10:20::2" in answer
    assert f"boot file {BOOT_URLS[ALTIRIS6]}" in answer


def test_a_server_without_a_subnet_there_is_told_as_one(start: Start, network6: Network6) -> None:
    """The one of Kea says so; of the other two dhcpd says it too, and dnsmasq nothing."""
    network6.altiris.stop()
    kea = Kea6(
        network6.altiris.host,
        address=ALTIRIS6,
        pools=pools6([CLIENT_VLANS6["vlan10"]], 0x200),
        boot_url=BOOT_URLS[ALTIRIS6],
    )
    kea.start()
    try:
        daemon = start(BASE6)
        well = ask(daemon, LISTED, "--interface", "vlan10", "--family", "6")
        assert well.returncode == 0, well.stdout
        done = ask(daemon, LISTED, "--interface", "vlan20", "--family", "6")
        assert done.returncode == 1
        told = done.stdout.splitlines()[1]
        assert "it answered, and has no subnet for 2001:db8:10:20::1, or no address left there" in told
        assert "no addresses available" in told
    finally:
        kea.stop()
        network6.altiris.start()


def test_a_client_that_is_never_served_is_told_as_such(start: Start) -> None:
    done = ask(start(BASE6), DROPPED, "--interface", "vlan10")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{DROPPED} on vlan10: not relayed: the mapping says drop",
        f"{DROPPED} on vlan10: not relayed by DHCPv6: the mapping says drop (drop)",
    ]


def test_a_server_without_an_ipv6_address_is_named(start: Start) -> None:
    config = BASE6.replace(', "2001:db8:20::20"', "")
    done = ask(start(config), LISTED, "--interface", "vlan10", "--family", "6")
    assert (done.returncode, done.stdout) == (
        1,
        f"{LISTED} on vlan10: not relayed by DHCPv6: no server that it is for has an IPv6 address "
        "(altiris)\n",
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((LISTED,), "say on which client interface, of those that are active: vlan10, vlan20"),
        ((LISTED, "--link-address", "fe80::1"), "fe80::1 is no link-address"),
        ((LISTED, "--link-address", "10.0.0.1"), "10.0.0.1 is no link-address"),
        ((LISTED, "--link-address", ROUTED, "--family", "4"), "a link-address is DHCPv6's"),
        ((LISTED, "--interface", "core", "--family", "6"), "core is no client interface of this relay"),
        ((LISTED, "--interface", "vlan10", "--expect", "altris"), "did you mean 'altiris'?"),
    ],
)
def test_what_can_not_be_asked_is_refused(start: Start, arguments: tuple[str, ...], complaint: str) -> None:
    done = ask(start(BASE6), *arguments)
    assert complaint in done.stderr
    assert done.returncode == 1


def test_no_client_hears_what_a_probe_is_answered_also_too_late(
    start: Start, network6: Network6, client: Host, station6: Station6
) -> None:
    """The station has the very address that the answer is for."""
    assert client
    network6.ris.stop()
    try:
        daemon = start(BASE6)
        mac = station6.mac.hex(":")
        with closing(FakeServer6(network6.ris.host)) as server:
            done = ask(daemon, mac, "--interface", "vlan10", "--family", "6", "--seconds", "0.2")
            assert (done.returncode, done.stdout.splitlines()[1:]) == (1, ["  no answer"])
            received = server.receive(20.0)
            assert received is not None
            forward, sender, _ = received
            outer = dhcp6.read_relayed(forward)
            assert outer.peer == station6.address
            assert outer.mac == mac
            solicit = dhcp6.read(outer.inside)
            advertise = (
                bytes((dhcp6.ADVERTISE,))
                + outer.inside[1:4]
                + dhcp6.message(
                    dhcp6.ADVERTISE,
                    (dhcp6.CLIENT_ID, solicit.one(dhcp6.CLIENT_ID) or b""),
                    (dhcp6.SERVER_ID, b"\0\3\0\1ris"),
                )[4:]
            )
            server.send(dhcp6.answer(forward, advertise), sender)
            with pytest.raises(LabError):
                station6.answer(0.5)
        counters = daemon.status()["counters6"]
        assert (counters["replies"], counters["sent_to_clients"]) == (0, 0)
    finally:
        network6.ris.start()
