"""DHCPv6 on the wire: whose frame a message came in, what leaves by link layer, what leaves in fragments."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from tests.integration.conftest import BASE6
from tests.lab import Host, dhcp6
from tests.lab.daemon import Daemon
from tests.lab.frames import Checksum
from tests.lab.frames6 import link_local
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, RIS6, Network6
from tests.lab.wire6 import FakeServer6, Station6

Start = Callable[..., Daemon]

PATIENCE = 20.0
"""Seconds until something is taken for lost: the machine may be busy."""

SILENCE = 1.0
"""Seconds in which nothing comes where nothing is to come."""

OTHER = bytes.fromhex("028064000077")
"""The MAC of another host than the station's, of which a rule says altiris."""

PRIVATE = "fe80::1234:5678:9abc:def0"
"""An address that was made of no MAC (RFC 7217)."""

CROWD = 3000
"""Clients that ask within a second."""

ATTEMPTS = 5
"""How often a client asks, a few seconds apart."""

NEIGHBOURS = Path("/proc/sys/net/ipv6/neigh/default/gc_thresh3")
"""How many neighbours the kernel keeps; 1024 by default."""


@pytest.fixture
def altiris(network6: Network6) -> Iterator[FakeServer6]:
    """Be the DHCPv6 server `altiris`."""
    with closing(FakeServer6(network6.altiris.host)) as server:
        yield server


def solicit(mac: bytes = bytes(6), size: int = 0) -> bytes:
    """Return a SOLICIT of a transaction of its own, of at least `size` octets."""
    xid = int.from_bytes(os.urandom(3), "big")
    bare = dhcp6.solicit(dhcp6.duid_ll(mac), xid=xid)
    if len(bare) >= size:
        return bare
    return bare + dhcp6.option(65001, bytes(size - len(bare) - 4))


def heard_by(server: FakeServer6, message: bytes) -> dhcp6.Relayed:
    """Return how a message was relayed, passing over what others sent."""
    deadline = time.monotonic() + PATIENCE
    while (left := deadline - time.monotonic()) > 0:
        heard = server.receive(left)
        if heard and dhcp6.read_relayed(heard[0]).inside == message:
            return dhcp6.read_relayed(heard[0])
    raise AssertionError("it was not relayed")


def reply_to(forward: dhcp6.Relayed, inside: bytes, peer: str | None = None) -> bytes:
    """Return the RELAY-REPL with a message for the client of a RELAY-FORW, or for another address."""
    echoed = (dhcp6.INTERFACE_ID, forward.all(dhcp6.INTERFACE_ID)[0])
    return dhcp6.relayed(dhcp6.RELAY_REPL, inside, echoed, link=forward.link, peer=peer or forward.peer)


def advertise(size: int = 40) -> bytes:
    return bytes([dhcp6.ADVERTISE]) + os.urandom(3) + dhcp6.option(65001, os.urandom(size))


def test_rule_121_the_mac_is_that_of_the_frame(
    start: Start, station6: Station6, server6: FakeServer6, altiris: FakeServer6
) -> None:
    """Neither an address, nor a DUID, nor option 79 of a client has a say."""
    start(BASE6)
    message = solicit(OTHER) + dhcp6.option(79, b"\0\1" + OTHER)
    station6.send(message, source=link_local(OTHER))
    assert heard_by(server6, message).mac == station6.mac.hex(":")
    message = solicit(station6.mac)
    station6.send(message, sender=OTHER)
    assert heard_by(altiris, message).mac == OTHER.hex(":")


def test_rule_121_frames_of_others_do_not_change_whose_a_message_is(
    start: Start, station6: Station6, server6: FakeServer6, altiris: FakeServer6
) -> None:
    """Also where the same message comes from one address in frames of two hosts, again and again."""
    daemon = start(BASE6, options=())
    message = solicit(station6.mac)
    for _ in range(200):
        station6.send(message)
        station6.send(message, sender=OTHER)
    for server, mac in ((server6, station6.mac), (altiris, OTHER)):
        assert {heard_by(server, message).mac for _ in range(200)} == {mac.hex(":")}
    assert daemon.status()["counters6"]["requests"] == 400


def test_rule_148_replies_leave_by_link_layer(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    """No neighbour is looked for, neither of an address that tells the MAC, nor of one that does not."""
    start(BASE6)
    for source in (station6.address, PRIVATE):
        message, answer = solicit(station6.mac), advertise()
        station6.send(message, source=source)
        forward = heard_by(server6, message)
        server6.send(reply_to(forward, answer), "2001:db8:20::1")
        (reply,) = station6.datagrams(PATIENCE, 1)
        assert (reply.payload, reply.destination, reply.ports) == (answer, source, (547, 546))
        assert reply.hardware == station6.mac.hex(":")
        assert reply.hop_limit == 64
        assert reply.checksum is Checksum.GOOD
        assert IPv6Address(reply.source).is_link_local
    known = network.relay.run(["ip", "-6", "neighbour", "show", "dev", "vlan10"]).stdout
    assert PRIVATE not in known


def test_rule_148_a_reply_goes_to_whose_frame_came_last(
    start: Start, station6: Station6, server6: FakeServer6, altiris: FakeServer6
) -> None:
    """An address that another host has used is the owner's again with the owner's next frame."""
    start(BASE6)
    for server, sender in ((altiris, OTHER), (server6, station6.mac)):
        message, answer = solicit(station6.mac), advertise()
        station6.send(message, sender=sender)
        forward = heard_by(server, message)
        server.send(reply_to(forward, answer), "2001:db8:20::1")
        (reply,) = station6.datagrams(PATIENCE, 1)
        assert (reply.payload, reply.hardware) == (answer, sender.hex(":"))


def test_rule_148_a_reply_to_whom_nobody_knows_goes_by_the_kernel(
    start: Start, client: Host, station6: Station6, server6: FakeServer6
) -> None:
    """It finds out who has the address."""
    start(BASE6)
    message, answer = solicit(station6.mac), advertise()
    station6.send(message)
    forward = heard_by(server6, message)
    client.ip(f"address add {PRIVATE}/64 dev eth0 nodad")
    try:
        server6.send(reply_to(forward, answer, PRIVATE), "2001:db8:20::1")
        (reply,) = station6.datagrams(PATIENCE, 1)
    finally:
        client.ip(f"address del {PRIVATE}/64 dev eth0")
    assert (reply.payload, reply.destination) == (answer, PRIVATE)


@pytest.mark.alone
def test_rule_148_all_clients_are_answered_that_ask_together(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    """With as many neighbours as the kernel keeps by default; a third of them has addresses of no MAC.

    They ask within a second. On a machine that has no time for the relay, it drops what waited for over a
    second (rule 36). Clients ask again then (RFC 9915, 15), and nothing may be lost for another reason.
    """
    if NEIGHBOURS.exists():  # one for all namespaces
        assert int(NEIGHBOURS.read_text()) < CROWD
    daemon = start(BASE6, options=())
    macs = [bytes.fromhex("020000") + at.to_bytes(3, "big") for at in range(0x300000, 0x300000 + CROWD)]
    sources = {
        mac: str(IPv6Address(0xFE80 << 112 | 0x77 << 56 | at)) if at % 3 == 0 else link_local(mac)
        for at, mac in enumerate(macs)
    }
    waiting, times_late = list(macs), 0
    for _ in range(ATTEMPTS):
        answered = ask_together(station6, server6, {mac: sources[mac] for mac in waiting})
        waiting = [mac for mac in waiting if mac not in answered]
        times_late += len(waiting)
        if not waiting:
            break
    assert not waiting
    counters = daemon.status()["counters6"]
    dropped = {reason: count for reason, count in counters["dropped"].items() if count}
    assert sum(dropped.values()) == times_late
    assert set(dropped) <= {"too-old", "more-than-its-share"}
    assert (counters["send_failures"], counters["not_received"]) == (0, 0)


def ask_together(station: Station6, server: FakeServer6, sources: dict[bytes, str]) -> set[bytes]:
    """Have clients ask within a second from these addresses; return the MACs of those that were answered.

    The server answers each request that reaches it. Each answer must reach the MAC that asked.
    """
    asked = {solicit(mac): mac for mac in sources}
    begin = time.monotonic()
    for at, (message, mac) in enumerate(asked.items()):
        time.sleep(max(0.0, begin + at / CROWD - time.monotonic()))
        station.send(message, source=sources[mac], sender=mac)
    answers: dict[bytes, bytes] = {}
    while len(answers) < len(asked) and (heard := server.receive(5.0)) is not None:
        forward = dhcp6.read_relayed(heard[0])
        assert forward.mac == asked[forward.inside].hex(":")
        answer = bytes([dhcp6.ADVERTISE]) + forward.inside[1:]
        answers[answer] = asked[forward.inside]
        server.send(reply_to(forward, answer), "2001:db8:20::1")
    arrived: set[bytes] = set()
    while len(arrived) < len(answers) and (some := station.datagrams(5.0, 1)):
        mac = answers[some[0].payload]
        assert some[0].hardware == mac.hex(":")
        assert mac not in arrived
        arrived.add(mac)
    return arrived


def test_rule_114_nobody_is_looked_for_before_a_message_is_relayed(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    """From sources that nobody has, two of which a second delay everybody at a relay that asks for them."""
    start(BASE6)
    spoofed = [str(IPv6Address(0xFE80 << 112 | 0xBAD << 48 | at)) for at in range(50)]
    for source in spoofed:
        message = solicit(station6.mac)
        station6.send(message, source=source)
        assert heard_by(server6, message).peer == source
    known = network.relay.run(["ip", "-6", "neighbour", "show", "nud", "all", "dev", "vlan10"]).stdout
    assert not [source for source in spoofed if f"{source} " in known]


@pytest.mark.parametrize("size", [1200, 1400, 1480, 3000, 60000])
def test_rule_108_large_messages_are_relayed_whole(
    start: Start, station6: Station6, server6: FakeServer6, size: int
) -> None:
    """In fragments, if need be: those that a client sends, and those that a RELAY-FORW makes of one."""
    start(BASE6)
    for source in (None, PRIVATE):
        message = solicit(station6.mac, size)
        station6.send(message, source=source)
        forward = heard_by(server6, message)
        assert (forward.link, forward.mac) == ("2001:db8:10:10::1", station6.mac.hex(":"))


@pytest.mark.parametrize("size", [1300, 1442, 1448, 1449, 3000])
def test_rule_150_large_replies_arrive_whole(
    start: Start, station6: Station6, server6: FakeServer6, size: int
) -> None:
    """Of an MTU of 1500, IPv6 and UDP have 48; the client's own kernel answers when it is looked for."""
    start(BASE6)
    message, answer = solicit(station6.mac), advertise(size - 8)
    assert len(answer) == size
    station6.send(message)
    server6.send(reply_to(heard_by(server6, message), answer), "2001:db8:20::1")
    (reply,) = [one for one in station6.datagrams(PATIENCE, 1) if one.ports == (547, 546)]
    assert reply.payload == answer


def test_rule_101_a_clients_message_must_be_sent_to_the_group(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6)
    relay = daemon.interface("vlan10")["ipv6"]["link_local"]
    shown = network.relay.run(["cat", "/sys/class/net/vlan10/address"]).stdout.strip()
    station6.send(solicit(station6.mac), destination=relay, hardware=bytes.fromhex(shown.replace(":", "")))
    assert server6.receive(SILENCE) is None
    assert daemon.status()["counters6"]["dropped"]["not-to-the-group"] == 1


def test_rule_140_a_client_does_not_speak_with_a_servers_voice(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    """With its own address as source, nor with a server's, which the kernel takes (rule 141)."""
    daemon = start(BASE6)
    message = solicit(station6.mac)
    station6.send(message)
    forged = reply_to(heard_by(server6, message), advertise())
    shown = network.relay.run(["cat", "/sys/class/net/vlan10/address"]).stdout.strip()
    relay = bytes.fromhex(shown.replace(":", ""))
    for source in (station6.address, RIS6, ALTIRIS6):
        station6.send(
            forged, source=source, destination="2001:db8:10:10::1", hardware=relay, ports=(547, 547)
        )
    daemon.wait_for(lambda: sum(daemon.status()["counters6"]["dropped"].values()) == 3, PATIENCE)
    dropped = daemon.status()["counters6"]["dropped"]
    assert (dropped["not-a-server"], dropped["server-on-client-interface"]) == (1, 2)
    assert [one for one in station6.datagrams(SILENCE) if one.ports == (547, 546)] == []


def test_rule_145_what_is_inside_leaves_octet_by_octet(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    """Also what nobody knows yet, and what is damaged."""
    start(BASE6)
    message = solicit(station6.mac)
    station6.send(message)
    forward = heard_by(server6, message)
    for inside in (bytes([37]) + os.urandom(60), bytes([99, 1, 2, 3]), advertise()[:-3], advertise(41)):
        server6.send(reply_to(forward, inside), "2001:db8:20::1")
        (reply,) = station6.datagrams(PATIENCE, 1)
        assert reply.payload == inside


def test_a_server_that_is_gone_holds_up_no_other(
    start: Start, network6: Network6, station6: Station6, server6: FakeServer6
) -> None:
    """What waits for its neighbour fills a send buffer of its own."""
    assert network6
    config = BASE6.replace('altiris: [10.20.0.20, "2001:db8:20::20"]', 'altiris: "2001:db8:20::dead"')
    config = config.replace("default: ris", "default: [altiris, ris]")
    daemon = start(config, options=())
    sent = 3000
    for _ in range(sent):
        station6.send(solicit(station6.mac, 1300))
    daemon.wait_for(lambda: daemon.status()["counters6"]["requests"] == sent, 60)
    total = 0
    while total < sent and server6.receive(5.0):
        total += 1
    assert total == sent


def test_rule_115_requests_leave_from_the_address_that_is_configured(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    for configured, expected in (
        ("route", "2001:db8:20::1"),
        ("giaddr", "2001:db8:10:10::1"),
        ('"2001:db8:10:20::1"', "2001:db8:10:20::1"),
    ):
        daemon = start(f"{BASE6}source_address: {configured}\n")
        message = solicit(station6.mac)
        station6.send(message)
        heard = server6.receive(PATIENCE)
        assert heard
        assert (dhcp6.read_relayed(heard[0]).inside, *heard[1:]) == (message, expected, 547)
        daemon.stop()


def test_rule_33_a_client_that_floods_takes_nothing_from_another(
    start: Start, station6: Station6, altiris: FakeServer6
) -> None:
    """Whose address it uses does not matter: a client is whose frame it was."""
    daemon = start(BASE6.replace("max_requests: 0", "max_requests: 5"), options=())
    for _ in range(100):
        station6.send(solicit(station6.mac), source=link_local(OTHER))
    message = solicit(OTHER)
    station6.send(message, sender=OTHER)
    assert heard_by(altiris, message).mac == OTHER.hex(":")
    assert daemon.status()["counters6"]["dropped"]["flood"] >= 80
