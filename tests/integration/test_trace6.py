"""`pxerelay trace` of clients that boot by both families: real servers and clients, one stream."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.conftest import BASE6
from tests.integration.test_trace import Trace, trace
from tests.lab import Host, dhcp6, udhcpc
from tests.lab.clients6 import dhclient6
from tests.lab.daemon import Daemon
from tests.lab.servers6 import Kea6
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, BOOT_URLS, CLIENT_VLANS6, RELAY_CORE6, RIS6, Network6, pools6
from tests.lab.wire6 import FakeServer6, Station6

Start = Callable[..., Daemon]
Begin = Callable[..., Trace]

__all__ = ["trace"]  # a fixture

UNLISTED = "02:00:00:00:00:01"
PATIENCE = 30.0


def rest_of(line: str) -> str:
    """Return a line without its time."""
    return line.split(" ", 1)[1]


def test_a_boot_by_both_families_is_one_stream(
    network: Network, network6: Network6, start: Start, client: Host, trace: Begin
) -> None:
    daemon = start(BASE6, options=())
    for server in (network.ris, network6.ris):
        server.start()
    try:
        followed = trace(daemon, UNLISTED, "--interface", "vlan10")
        followed.wait_for(f"  the default ({daemon.config}:4) says ris -> ris 10.20.0.10")
        followed.wait_for(f"  DHCPv6: the default ({daemon.config}:4) says ris -> ris {RIS6}")
        assert udhcpc(client)
        lease = dhclient6(client, arch=7, vendor_class="PXEClient:Arch:00007:UNDI:003000")
        assert lease
        asked = followed.wait_for("SOLICIT", seconds=PATIENCE)
        duid = f"DUID-LL 00030001{UNLISTED.replace(':', '')}"
        assert rest_of(asked) == (
            f"{UNLISTED} on vlan10: SOLICIT (PXEClient, x64 UEFI; {duid}; MAC from the frame), "
            f"the default ({daemon.config}:4) says ris; sent to ris {RIS6} with link-address "
            "2001:db8:10:10::1"
        )
        advertised = followed.wait_for("ADVERTISE", seconds=PATIENCE)
        assert f"{UNLISTED}: ADVERTISE from ris {RIS6} after " in advertised
        assert f"boot file {BOOT_URLS[RIS6]}; sent to fe80::ff:fe00:1 at {UNLISTED} on vlan10" in advertised
        replied = followed.wait_for("REPLY", seconds=PATIENCE)
        assert f" ms, address {lease.address}, boot file" in replied
        of4 = followed.wait_for("ACK", seconds=PATIENCE)
        assert " with giaddr " not in of4
        assert f"{UNLISTED}: ACK from ris 10.20.0.10 after " in of4
    finally:
        for server in (network.ris, network6.ris):
            server.stop()


def test_the_solicit_of_uefi_that_is_not_pxe_is_told_as_what_it_is(
    start: Start, station6: Station6, trace: Begin
) -> None:
    daemon = start(BASE6 + "pxe_only: true\n", options=())
    followed = trace(daemon, UNLISTED)
    station6.send(dhcp6.solicit(dhcp6.duid_ll(station6.mac), arch=None))
    told = followed.wait_for("SOLICIT", seconds=PATIENCE)
    assert "(not booting from the network: as UEFI's own IPv6 asks, besides its PXE; DUID-LL " in told
    assert "dropped: pxe_only holds" in told


def test_a_server_without_a_subnet_there_is_told_in_words(
    start: Start, network6: Network6, station6: Station6, trace: Begin
) -> None:
    kea = Kea6(
        network6.ris.host,
        address=RIS6,
        pools=pools6([CLIENT_VLANS6["vlan20"]], 0x200),
        boot_url=None,
    )
    kea.start()
    try:
        followed = trace(start(BASE6, options=()), UNLISTED, "--json")
        station6.send(dhcp6.solicit(dhcp6.duid_ll(station6.mac)))
        followed.wait_for('"ADVERTISE"', seconds=PATIENCE)
    finally:
        kea.stop()
    (told,) = [event for event in followed.events if event.get("message") == "ADVERTISE"]
    assert (told["family"], told["mac"], told["leases"], told["boot_file"]) == (6, UNLISTED, [], "")
    assert told["status"].startswith("no addresses available: ")
    assert told["milliseconds"] > 0
    assert told["server"] == {"name": "ris", "address": RIS6}


@pytest.mark.parametrize("place", [ALTIRIS6, "2001:db8:77::1"])
def test_a_client_behind_a_router_is_followed_by_its_option_79_and_its_answers_with_it(
    start: Start, network6: Network6, trace: Begin, place: str, tmp_path: Path
) -> None:
    """The answer has neither its MAC nor an address that tells it."""
    assert tmp_path
    daemon = start(f'{BASE6}accept_relayed_from: ["{ALTIRIS6}/128"]\n', options=())
    followed = trace(daemon, UNLISTED, "--json", "--interface", place)
    mac = bytes.fromhex(UNLISTED.replace(":", ""))
    solicit = dhcp6.solicit(dhcp6.duid_ll(b"\2\0\0\0\0\x99"))
    told = (dhcp6.LINK_LAYER_ADDRESS, b"\0\1" + mac)
    with (
        closing(FakeServer6(network6.altiris.host)) as router,
        closing(FakeServer6(network6.ris.host)) as server,
    ):
        forward = dhcp6.relayed(12, solicit, told, link="2001:db8:77::1", peer="fe80::1")
        router.send(forward, RELAY_CORE6)
        received = server.receive(PATIENCE)
        assert received
        advertise = dhcp6.message(
            dhcp6.ADVERTISE,
            (dhcp6.CLIENT_ID, dhcp6.duid_ll(b"\2\0\0\0\0\x99")),
            (dhcp6.SERVER_ID, b"\0\3\0\1ris"),
        )
        server.send(dhcp6.answer(received[0], advertise), received[1])
        assert router.receive(PATIENCE)
        followed.wait_for('"ADVERTISE"', seconds=PATIENCE)
    request, reply = (event for event in followed.events if event["event"] == "message")
    assert (request["mac"], request["told_by"], request["router"]) == (UNLISTED, "option79", ALTIRIS6)
    assert (request["message"], request["servers"]) == ("SOLICIT", [{"name": "ris", "address": RIS6}])
    assert (reply["mac"], reply["sent_to"]) == (UNLISTED, f"{ALTIRIS6} port 547")
    assert reply["milliseconds"] > 0


def test_what_changes_in_dhcpv6_is_told(
    start: Start, network: Network, network6: Network6, trace: Begin
) -> None:
    assert network6
    daemon = start(BASE6, options=())
    followed = trace(daemon, UNLISTED)
    daemon.reload(BASE6.replace("vlan10: {}", 'vlan10: {link_address: "2001:db8:10:10::77"}'))
    followed.wait_for("interface vlan10 DHCPv6 waiting: ", seconds=PATIENCE)
    network.relay.ip("address add 2001:db8:10:10::77/64 dev vlan10 nodad")
    try:
        followed.wait_for("interface vlan10 DHCPv6 active, link-address 2001:db8:10:10::77", seconds=PATIENCE)
    finally:
        network.relay.ip("address del 2001:db8:10:10::77/64 dev vlan10")
