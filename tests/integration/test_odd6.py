"""Messages of DHCPv6 that no well-behaved client, switch or server sends, and what the relay makes of them.

What must not be relayed is followed by something that must: if that is the first to arrive, the other was
dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.integration.conftest import BASE6
from tests.lab import Host, dhcp6
from tests.lab.daemon import Daemon
from tests.lab.frames import Checksum
from tests.lab.frames6 import ALL_AGENTS, IPV6, link_local
from tests.lab.network import LabError
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, RELAY_CORE6, RIS6, Network6, add_address
from tests.lab.wire import inside
from tests.lab.wire6 import FakeServer6, Station6, settled

Start = Callable[..., Daemon]

LISTED = bytes.fromhex("020000100001")
"""A MAC that a rule sends to altiris; the station's own goes to ris."""
PRIVATE = "fe80::1234:5678:9abc:def0"
"""A link-local address that tells no MAC (RFC 7217)."""
LINK10, LINK20 = "2001:db8:10:10::1", "2001:db8:10:20::1"
DUID = b"\0\4" + bytes(range(16))
ICMPV6, NEIGHBOUR_SOLICITATION = 58, 135
"""RFC 4861, 4.3."""


def solicit(number: int, *options: tuple[int, bytes]) -> bytes:
    """Return a SOLICIT of firmware that is known again by its transaction."""
    return dhcp6.solicit(DUID, *options, arch=7, xid=number)


def advertise(number: int) -> bytes:
    """Return an ADVERTISE that is known again by its transaction."""
    return dhcp6.message(dhcp6.ADVERTISE, (dhcp6.CLIENT_ID, DUID), (dhcp6.SERVER_ID, DUID[::-1]), xid=number)


def taken(server: FakeServer6) -> dhcp6.Relayed:
    """Return the next RELAY-FORW at a server."""
    found = server.receive(10.0)
    assert found, "nothing came"
    return dhcp6.read_relayed(found[0])


@pytest.fixture
def altiris(network6: Network6) -> Iterator[FakeServer6]:
    """Be the server altiris."""
    with closing(FakeServer6(network6.altiris.host)) as server:
        yield server


@pytest.fixture
def relay_mac(network: Network) -> bytes:
    """Return the Ethernet address of the relay's interface on vlan10."""
    return mac_of(network.relay, "vlan10")


@pytest.fixture
def victim(network: Network) -> Iterator[Station6]:
    """Be another client of vlan20."""
    host = network.lab.host("client-victim")
    if "eth0" not in host.run(["ip", "-oneline", "link"]).stdout:
        network.add_client("victim", "02:00:00:20:00:0a", "vlan20")
    settled(host)
    with closing(Station6(host)) as station:
        yield station


def mac_of(host: Host, interface: str) -> bytes:
    """Return the Ethernet address of an interface."""
    shown = host.run(["cat", f"/sys/class/net/{interface}/address"]).stdout
    return bytes.fromhex(shown.strip().replace(":", ""))


def test_rule_121_nothing_that_a_client_says_of_itself_changes_its_mac(
    start: Start, station6: Station6, server6: FakeServer6, altiris: FakeServer6
) -> None:
    """Its address, its DUID and an option 79 have another's MAC; the frame has its own."""
    start(BASE6)
    lie = dhcp6.solicit(dhcp6.duid_ll(LISTED), (dhcp6.LINK_LAYER_ADDRESS, b"\0\1" + LISTED), arch=7, xid=1)
    station6.send(lie, source=link_local(LISTED))
    found = taken(server6)
    assert (found.mac, found.inside, found.peer) == (station6.mac.hex(":"), lie, link_local(LISTED))
    assert altiris.receive(0.5) is None


def test_rule_121_the_frame_tells_the_mac_where_the_address_does_not(
    start: Start, station6: Station6, altiris: FakeServer6
) -> None:
    start(BASE6)
    station6.send(solicit(1), source=PRIVATE, sender=LISTED)
    assert (taken(altiris).mac) == LISTED.hex(":")


def test_rule_148_an_answer_goes_by_the_frame_with_no_neighbour_discovery(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    start(BASE6)
    station6.send(solicit(1), source=PRIVATE)
    found = server6.receive(10.0)
    assert found
    server6.send(dhcp6.answer(found[0], advertise(1)), found[1])
    for frame in station6.arriving(10.0):
        octets = frame.octets
        if octets[12:14] == IPV6 and octets[20] == ICMPV6:
            assert octets[54] != NEIGHBOUR_SOLICITATION
        if octets[12:14] == IPV6 and octets[56:58] == (546).to_bytes(2, "big"):
            assert octets[:6] == station6.mac
            return
    raise AssertionError("no answer")


def test_rule_101_102_103_105_165_what_is_not_relayed(
    start: Start, station6: Station6, server6: FakeServer6, relay_mac: bytes
) -> None:
    """Unicast, to other groups, from nobody, of servers, cut short, with a wrong checksum or none."""
    start(BASE6)
    station6.send(solicit(1), destination=LINK10, hardware=relay_mac, source="2001:db8:10:10::99")
    station6.send(solicit(2), destination="ff02::1")
    station6.send(solicit(3), source="::")
    station6.send(solicit(4), source="::1")
    for kind in (dhcp6.ADVERTISE, dhcp6.REPLY, 10):
        station6.send(dhcp6.message(kind, (dhcp6.CLIENT_ID, DUID), xid=5))
    for size in range(4):
        station6.send(solicit(6)[:size])
    station6.send(bytes([dhcp6.RELAY_FORW, 0]) + bytes(31), ports=(547, 547))
    station6.send(solicit(7), checksum=Checksum.BAD)
    station6.send(solicit(8), checksum=Checksum.NONE)
    station6.send(solicit(9))
    assert taken(server6).inside == solicit(9)


def test_rule_104_every_other_type_goes_up(start: Start, station6: Station6, server6: FakeServer6) -> None:
    start(BASE6)
    for kind in (4, 5, 6, 8, 9, 11, 18, 20, 36, 99, 255):
        message = dhcp6.message(kind, (dhcp6.CLIENT_ID, DUID), xid=kind)
        station6.send(message)
        assert taken(server6).inside == message


def test_rule_106_options_that_are_cut_off_pass_octet_by_octet(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    start(BASE6)
    for message in (solicit(1)[:-3], solicit(2) + b"\0", solicit(3)[:4], b"\1\0\0\4" + b"\xff" * 60):
        station6.send(message)
        assert taken(server6).inside == message


def test_rule_108_a_message_in_fragments_is_relayed_whole(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    start(BASE6)
    message = solicit(1, (4000, bytes(range(256)) * 15))
    assert len(message) > 3 * 1200
    station6.send(message)
    assert taken(server6).inside == message


def test_rule_119_a_release_that_says_nothing_of_its_client_goes_to_whoever_may_have_given_the_address(
    start: Start, station6: Station6, server6: FakeServer6, altiris: FakeServer6
) -> None:
    start(f"{BASE6}classes: [{{name: uefi, vendor_class: PXEClient, server: altiris}}]\n")
    release = dhcp6.message(dhcp6.RELEASE, (dhcp6.CLIENT_ID, DUID), (dhcp6.SERVER_ID, DUID[::-1]))
    station6.send(release)
    assert taken(server6).inside == release
    assert taken(altiris).inside == release


def test_rule_133_a_relay_agent_at_another_port_is_answered_there(
    start: Start, network: Network, network6: Network6, server6: FakeServer6
) -> None:
    """The server sends back what we say of the port (option 135)."""
    router = network.lab.host("router6")
    router.attach(network.segments["core"], "eth0")
    add_address(router, "eth0", "2001:db8:20::66/64")
    settled(router)
    assert network6
    start(f'{BASE6}accept_relayed_from: ["2001:db8:20::66"]\n')
    forward = dhcp6.relayed(
        dhcp6.RELAY_FORW, solicit(1), link="2001:db8:66::1", peer=link_local(bytes.fromhex("020000000001"))
    )
    with closing(FakeServer6(router, port=12345)) as agent:
        agent.send(forward, RELAY_CORE6)
        found = server6.receive(10.0)
        assert found
        outer = dhcp6.read_relayed(found[0])
        assert (outer.hops, outer.link, outer.peer, outer.mac) == (1, "::", "2001:db8:20::66", None)
        assert outer.one(dhcp6.RELAY_PORT) == (12345).to_bytes(2, "big")
        assert outer.inside == forward
        server6.send(dhcp6.answer(found[0], advertise(1)), found[1])
        came = agent.receive(10.0)
    assert came
    assert came[1:] == (RELAY_CORE6, 547)
    inner = dhcp6.read_relayed(came[0])
    assert (inner.kind, inner.link, inner.inside) == (dhcp6.RELAY_REPL, "2001:db8:66::1", advertise(1))


def test_rule_140_141_no_client_speaks_in_the_voice_of_a_server(
    start: Start, station6: Station6, victim: Station6, relay_mac: bytes
) -> None:
    """From its own address, from a server's and from ours, to the group and to our addresses."""
    daemon = start(BASE6)

    def attack(source: str, destination: str, number: int) -> None:
        forged = dhcp6.relayed(
            dhcp6.RELAY_REPL,
            advertise(number),
            (dhcp6.INTERFACE_ID, b"vlan20"),
            link=LINK20,
            peer=victim.address,
        )
        hardware = None if destination == ALL_AGENTS else relay_mac
        station6.send(forged, source=source, destination=destination, hardware=hardware, ports=(547, 547))

    for source in (station6.address, "2001:db8:10:10::99", RIS6, ALTIRIS6, LINK10, LINK20, RELAY_CORE6):
        for destination in (ALL_AGENTS, LINK10, RELAY_CORE6, link_local(relay_mac)):
            attack(source, destination, 1)
    assert list(victim.answers(1.5)) == []
    counters = daemon.status()["counters6"]
    assert (counters["replies"], counters["send_failures"]) == (0, 0)
    assert counters["dropped"]["server-on-client-interface"] >= 2


def test_rule_142_to_147_what_a_server_may_not_have_delivered(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    """For no interface of ours, to nobody, to a group, to us, with nothing inside; then a right one."""
    start(BASE6)
    here, name = station6.address, (dhcp6.INTERFACE_ID, b"vlan10")

    def send(inside: bytes, *options: tuple[int, bytes], link: str = LINK10, peer: str = here) -> None:
        server6.send(dhcp6.relayed(dhcp6.RELAY_REPL, inside, *options, link=link, peer=peer), RELAY_CORE6)

    send(advertise(1), (dhcp6.INTERFACE_ID, b"vlan77"))
    send(advertise(2), link="2001:db8:77::1")
    send(advertise(3), link="::")
    for peer in ("::", "ff02::1", "::1", LINK10):
        send(advertise(4), name, peer=peer)
    send(b"\2\0\0", name)
    server6.send(
        dhcp6.relayed(dhcp6.RELAY_REPL, advertise(5), name, link=LINK10, peer=here)[:-1], RELAY_CORE6
    )
    server6.send(advertise(6), RELAY_CORE6)
    send(advertise(7), name)
    assert station6.answer().payload == advertise(7)
    send(advertise(8))
    assert station6.answer().payload == advertise(8), "its link-address tells the interface"
    send(advertise(9), name, link=LINK20)
    assert station6.answer().payload == advertise(9), "its Interface-Id is ours, and counts"


def test_rule_145_what_is_inside_leaves_octet_by_octet_whatever_its_type(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    """The hop-count has no say, nor has an octet behind the options."""
    start(BASE6)
    name, here = (dhcp6.INTERFACE_ID, b"vlan10"), station6.address
    for kind in (2, 7, 10, 37, 99):
        message = dhcp6.message(kind, (dhcp6.SERVER_ID, DUID), xid=kind) + b"\0"
        reply = dhcp6.relayed(dhcp6.RELAY_REPL, message, name, link=LINK10, peer=here, hops=7)
        server6.send(reply, RELAY_CORE6)
        assert station6.answer().payload == message


def test_rule_146_a_client_is_answered_at_port_546_wherever_it_asked_from(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    start(BASE6)
    station6.send(solicit(1), ports=(1234, 547))
    found = server6.receive(10.0)
    assert found
    server6.send(dhcp6.answer(found[0], advertise(1)), found[1])
    assert station6.answer().port == 546


def test_a_server_that_answers_from_another_of_its_addresses_must_be_named(
    start: Start, network: Network, network6: Network6, station6: Station6
) -> None:
    host = network6.ris.host
    add_address(host, "eth0", "2001:db8:20::222/64")
    reply = dhcp6.relayed(
        dhcp6.RELAY_REPL, advertise(1), (dhcp6.INTERFACE_ID, b"vlan10"), link=LINK10, peer=station6.address
    )
    try:
        with closing(FakeServer6(host, "2001:db8:20::222")) as other:
            daemon = start(BASE6)
            other.send(reply, RELAY_CORE6)
            with pytest.raises(LabError, match="no answer"):
                station6.answer(1.0)
            daemon.reload(f"{BASE6}accept_replies_from: [2001:db8:20::/64]\n")
            other.send(reply, RELAY_CORE6)
            assert station6.answer().payload == advertise(1)
    finally:
        host.ip("address del 2001:db8:20::222/64 dev eth0")
    assert network


def test_a_user_of_the_relay_host_is_neither_client_nor_server(
    start: Start, network: Network, network6: Network6, station6: Station6, server6: FakeServer6
) -> None:
    """It can say anything to port 547 from a port of its own, and nobody hears of it."""
    start(BASE6)
    forged = dhcp6.relayed(
        dhcp6.RELAY_REPL, advertise(1), (dhcp6.INTERFACE_ID, b"vlan10"), link=LINK10, peer=station6.address
    )
    assert network6
    with inside(network.relay):
        user = FakeServer6(network.relay, RELAY_CORE6, port=9999)
    with closing(user):
        user.send(forged, RELAY_CORE6)
        user.send(solicit(1), RELAY_CORE6)
        user.send(dhcp6.relayed(dhcp6.RELAY_FORW, solicit(2), link="2001:db8:1::1"), RELAY_CORE6)
    station6.send(solicit(3))
    found = server6.receive(10.0)
    assert found
    assert dhcp6.read_relayed(found[0]).inside == solicit(3)
    server6.send(dhcp6.answer(found[0], advertise(3)), found[1])
    assert station6.answer().payload == advertise(3)
