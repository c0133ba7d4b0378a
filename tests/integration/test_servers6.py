"""Real DHCPv6 servers and clients, the relay between them: each server with each client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from ipaddress import IPv6Address, IPv6Network

import pytest

from tests.integration.conftest import BASE6
from tests.lab import Host, dhcp6, udhcpc
from tests.lab.clients6 import Lease6, dhclient6, dhcpcd6
from tests.lab.daemon import Daemon
from tests.lab.servers6 import DhcpServer6, Dnsmasq6, IscDhcpServer6, Kea6
from tests.lab.topology import ALTIRIS, BOOT_FILES, CLIENTS, RIS, Network
from tests.lab.topology6 import ALTIRIS6, BOOT_URLS, CLIENT_VLANS6, RIS6, Network6
from tests.lab.trial6 import boot6
from tests.lab.wire6 import FakeServer6, Station6

Start = Callable[..., Daemon]
Ask = Callable[[Host], Lease6 | None]
Kind = Callable[..., DhcpServer6]

UEFI_URL, OTHER_URL = "tftp://[2001:db8:20::20]/uefi.efi", "tftp://[2001:db8:20::20]/others.0"
KINDS: Mapping[str, Kind] = {"dnsmasq": Dnsmasq6, "dhcpd": IscDhcpServer6, "kea": Kea6}


def uefi(host: Host) -> Lease6 | None:
    """Ask as UEFI's firmware does."""
    return dhclient6(host, arch=7, vendor_class="PXEClient:Arch:00007:UNDI:003000")


def bios(host: Host) -> Lease6 | None:
    """Ask as the firmware of a BIOS does."""
    return dhclient6(host)


def plain(host: Host) -> Lease6 | None:
    """Ask as an operating system does."""
    return dhclient6(host, arch=None, vendor_class=None)


CLIENTS6: Mapping[str, tuple[Ask, str | None]] = {
    "uefi": (uefi, UEFI_URL),
    "bios": (bios, OTHER_URL),
    "dhclient": (plain, None),
    "dhcpcd": (dhcpcd6, OTHER_URL),
}
"""Who asks, and which boot URL it is given."""


@pytest.fixture(scope="module", autouse=True)
def clients(network: Network, network6: Network6) -> None:
    assert network6
    for client in CLIENTS:
        network.add_client(client.name, client.mac)
    network.add_client("kiosk", "02:00:00:20:00:01", "vlan20")


@contextmanager
def altiris(network6: Network6, kind: Kind, *extra: str) -> Iterator[DhcpServer6]:
    """Run a server of some kind as altiris."""
    like = network6.altiris
    server = kind(
        like.host,
        address=like.address,
        pools=like.pools,
        boot_url=OTHER_URL,
        boot_urls={7: UEFI_URL},
        extra=extra,
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_each_server_boots_each_client(start: Start, network: Network, network6: Network6, kind: str) -> None:
    daemon = start(BASE6)
    told = {}
    with altiris(network6, KINDS[kind]):
        for name, (ask, _) in CLIENTS6.items():
            told[name] = ask(network.client("listed"))
    assert {name: lease and lease.boot_url for name, lease in told.items()} == {
        name: url for name, (_, url) in CLIENTS6.items()
    }
    for lease in told.values():
        assert lease
        assert IPv6Address(lease.address) in CLIENT_VLANS6["vlan10"]
    assert daemon.status()["counters6"]["send_failures"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_clients_of_another_vlan_get_addresses_of_theirs(
    start: Start, network: Network, network6: Network6, kind: str
) -> None:
    start(BASE6)
    with altiris(network6, KINDS[kind]):
        lease = bios(network.client("kiosk"))
    assert lease
    assert IPv6Address(lease.address) in CLIENT_VLANS6["vlan20"]


@pytest.fixture
def both(network6: Network6) -> Iterator[None]:
    """Run both boot servers: dnsmasq is ris, ISC dhcpd is altiris."""
    with ExitStack() as stack:
        for server in network6.servers:
            server.start()
            stack.callback(server.stop)
        yield


@pytest.mark.usefixtures("both")
def test_each_client_of_one_vlan_boots_from_its_own_server(start: Start, network6: Network6) -> None:
    daemon = start(BASE6)
    outcomes = boot6(network6, CLIENTS)
    wrong = [
        (outcome.client.name, outcome.offered, outcome.heard_by) for outcome in outcomes if not outcome.ok
    ]
    assert wrong == []
    counters = daemon.status()["counters6"]
    assert counters["dropped"]["mapped-to-drop"] >= 1
    assert counters["send_failures"] == 0


@pytest.mark.usefixtures("both")
def test_one_rule_sends_a_client_to_one_server_over_ipv4_and_over_ipv6(
    start: Start, network: Network
) -> None:
    with ExitStack() as stack:
        for server in network.servers:
            server.start()
            stack.callback(server.stop)
        daemon = start(BASE6)
        host = network.client("listed")
        before, before6 = udhcpc(host), bios(host)
        daemon.reload(BASE6.replace('  "02:00:00:10:00:01": altiris\n', ""))
        after, after6 = udhcpc(host), bios(host)
    assert before
    assert before6
    assert after
    assert after6
    assert (before.bootfile, before6.boot_url) == (BOOT_FILES[ALTIRIS], BOOT_URLS[ALTIRIS6])
    assert (after.bootfile, after6.boot_url) == (BOOT_FILES[RIS], BOOT_URLS[RIS6])


@pytest.mark.usefixtures("both")
def test_pxe_only_sends_others_to_the_dhcp_servers(
    start: Start, network: Network, network6: Network6
) -> None:
    """And who boots gets its address from its boot server alone (rule 117).

    A REQUEST that names its server and does not tell what its client is goes to all (rule 119); those that it
    does not name discard it.
    """
    start(f"{BASE6}dhcp_servers: [ris]\npxe_only: true\n")
    host = network.client("listed")
    heard = {server.address: len(server.log) for server in network6.servers}
    other = plain(host)
    assert other
    assert other.address
    assert IPv6Address(other.address) in IPv6Network("2001:db8:10:10::100/120"), "ris has these"
    said = network6.altiris.log[heard[ALTIRIS6] :]
    assert "Discarding Request" in said
    assert "Advertise" not in said
    heard = {server.address: len(server.log) for server in network6.servers}
    boots = bios(host)
    assert boots
    assert boots.boot_url == BOOT_URLS[ALTIRIS6]
    assert network6.ris.log[heard[RIS6] :] == ""


RESERVED = "2001:db8:10:10::77"


def reservation(**more: object) -> str:
    """Return Kea's members that keep an address for a MAC, which only option 79 may tell."""
    subnet = {
        "id": 1,
        "subnet": str(CLIENT_VLANS6["vlan10"]),
        "pools": [{"pool": "2001:db8:10:10::200 - 2001:db8:10:10::2ff"}],
        "reservations": [{"hw-address": CLIENTS[0].mac, "ip-addresses": [RESERVED]}],
    }
    members = {
        "mac-sources": ["client-link-addr-option"],
        "host-reservation-identifiers": ["hw-address"],
        "subnet6": [subnet],
    }
    return json.dumps(members | more)


def advertised(station: Station6, message: bytes) -> dhcp6.Message:
    """Send a SOLICIT and return what is advertised."""
    station.send(message)
    return dhcp6.read(station.answer().payload)


def test_a_reservation_by_mac_holds_by_what_the_relay_tells_of_the_frame(
    start: Start, network: Network, network6: Network6
) -> None:
    """The client's DUID says nothing of its MAC, and another who says that MAC of itself does not get it."""
    daemon = start(BASE6)
    duid = b"\0\4" + bytes(range(16))
    lying = (dhcp6.LINK_LAYER_ADDRESS, b"\0\1" + bytes.fromhex(CLIENTS[0].mac.replace(":", "")))
    with (
        altiris(network6, Kea6, reservation()),
        closing(Station6(network.client("listed"))) as listed,
        closing(Station6(network.client("oui"))) as other,
    ):
        assert dhcp6.address_of(advertised(listed, dhcp6.solicit(duid, arch=7))) == RESERVED
        assert dhcp6.address_of(advertised(other, dhcp6.solicit(duid[::-1], lying, arch=7))) != RESERVED
        daemon.reload(BASE6.replace("dhcpv6: true", "dhcpv6: {client_mac: false}"))
        assert dhcp6.address_of(advertised(listed, dhcp6.solicit(duid, arch=7))) != RESERVED


def test_a_boot_server_that_says_nothing_of_addresses_is_heard(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    """Its ADVERTISE has a boot URL alone, and comes as it is."""
    start(BASE6)
    duid = dhcp6.duid_ll(station6.mac)
    solicit = dhcp6.solicit(duid, arch=7)
    station6.send(solicit)
    asked = server6.receive(5.0)
    assert asked
    forward, sender, port = asked
    outer = dhcp6.read_relayed(forward)
    assert (outer.kind, outer.hops, outer.link, outer.peer) == (12, 0, "2001:db8:10:10::1", station6.address)
    assert (outer.one(dhcp6.INTERFACE_ID), outer.mac) == (b"vlan10", station6.mac.hex(":"))
    assert outer.inside == solicit
    assert outer.options[-1][0] == dhcp6.RELAY_MESSAGE
    assert (sender, port) == ("2001:db8:20::1", 547)
    url = (dhcp6.BOOT_FILE_URL, b"tftp://[2001:db8:20::10]/alone.efi")
    advertise = dhcp6.message(
        dhcp6.ADVERTISE, (dhcp6.CLIENT_ID, duid), (dhcp6.SERVER_ID, b"\0\3\0\1abcdef"), url
    )
    server6.send(dhcp6.answer(forward, advertise), sender)
    answer = station6.answer()
    assert answer.payload == advertise
    assert (answer.source_port, answer.destination, answer.hardware) == (
        547,
        station6.address,
        station6.mac.hex(":"),
    )
    assert (answer.checksum.name, answer.hop_limit) == ("GOOD", 64)
    assert IPv6Address(answer.source).is_link_local
