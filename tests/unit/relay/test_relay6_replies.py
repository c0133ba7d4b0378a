"""DHCPv6, octets in, decision out: rules 140 to 150, from servers to clients, each test named by its rule."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.policy.addresses6 import Address6
from pxerelay.policy.ports6 import PortTable6
from pxerelay.policy.ways import Way
from pxerelay.relay.decision6 import Drop6
from pxerelay.relay.relay6 import Relay6
from tests.unit.configs import CORE, VLAN10, VLAN20, build
from tests.unit.configs6 import (
    ALTIRIS,
    CLIENT,
    CLIENT_MAC,
    DHCP,
    LINK10,
    LINK20,
    LINKS,
    OWN10,
    OWN20,
    OWN_CORE,
    RIS,
    ROUTER,
    STANDARD6,
    STRANGER,
    TRUSTING,
    answered,
    heard,
    relay6,
    routed,
    to_peer,
    to_servers,
    why,
)
from tests.unit.messages6 import (
    ADVERTISE,
    GROUP,
    RECONFIGURE,
    REPLY,
    boot,
    ip6,
    message,
    option,
    options_of,
    plain,
    relayed,
)

OFFER = message(ADVERTISE, option(59, b"tftp://[2001:db8:20::10]/boot.efi"))


def test_a_reply_goes_to_the_client_that_asked() -> None:
    """What we put around a message, as a server puts it around its answer, finds the client."""
    asked = to_servers(relay6().decide(heard(boot())))
    front = b"".join(option(*one) for one in options_of(asked.header[:-4], 34) if one[0] == 18)
    octets = b"\x0d\0" + asked.header[2:34] + front + option(9, OFFER)
    decision = to_peer(relay6().decide(routed(octets, source=RIS)))
    assert decision.port
    assert (decision.port.name, decision.address, decision.udp_port) == ("vlan10", CLIENT, 546)
    assert bytes(decision.message) == OFFER


@pytest.mark.parametrize("server", [RIS, DHCP, *ALTIRIS])
def test_rule_140_every_configured_server_may_answer(server: bytes) -> None:
    assert to_peer(relay6().decide(answered(OFFER, source=server))).address == CLIENT


@pytest.mark.parametrize(
    "source", [STRANGER, ROUTER, ip6("2001:db8:20::66"), CLIENT, ip6("fe80::10"), ip6("fd00::10")]
)
def test_rule_140_nobody_else_may(source: bytes) -> None:
    assert why(relay6().decide(answered(OFFER, source=source))) is Drop6.NOT_A_SERVER


def test_rule_140_but_who_is_named() -> None:
    text = STANDARD6 + "accept_replies_from: [2001:db8:20::/64]\n"
    assert to_peer(relay6(text).decide(answered(OFFER, source=ip6("2001:db8:20::66"))))
    assert why(relay6(text).decide(answered(OFFER, source=STRANGER))) is Drop6.NOT_A_SERVER


def test_rule_140_our_own_address_does_not_answer_us() -> None:
    text = STANDARD6 + "accept_replies_from: ['::/0']\n"
    arrival = answered(OFFER, source=ip6(OWN_CORE))
    assert why(relay6(text).decide(arrival)) is Drop6.FROM_THIS_HOST


@pytest.mark.parametrize("port", [546, 1024, 65535])
def test_rule_140_a_server_answers_from_its_port(port: int) -> None:
    assert why(relay6().decide(answered(OFFER, port=port))) is Drop6.NOT_FROM_PORT_547
    stranger = answered(OFFER, port=port, source=STRANGER)
    assert why(relay6().decide(stranger)) is Drop6.NOT_A_SERVER
    assert to_peer(relay6(STANDARD6 + "source_ports: any").decide(answered(OFFER, port=port)))


@pytest.mark.parametrize("kind", [2, 7, 10])
def test_rule_140_what_no_relay_repl_is_around_goes_nowhere(kind: int) -> None:
    assert why(relay6().decide(routed(message(kind), source=RIS))) is Drop6.NOT_FOR_SERVERS


@pytest.mark.parametrize("destination", [LINK10, OWN_CORE, "ff02::1:2"])
def test_rule_141_a_servers_address_on_a_client_interface_is_forged(destination: str) -> None:
    relay = relay6(way_to=lambda *_: Way(CORE, 1500))
    forged = answered(OFFER, interface=VLAN20, destination=ip6(destination))
    assert why(relay.decide(forged)) is Drop6.SERVER_ON_CLIENT_INTERFACE
    assert to_peer(relay.decide(answered(OFFER))).address == CLIENT


def test_rule_141_unless_it_is_the_way_to_that_server() -> None:
    relay = relay6(way_to=lambda *_: Way(VLAN20, 1500))
    assert to_peer(relay.decide(answered(OFFER, interface=VLAN20))).address == CLIENT
    nowhere = relay6(way_to=lambda *_: None)
    forged = answered(OFFER, interface=VLAN20)
    assert why(nowhere.decide(forged)) is Drop6.SERVER_ON_CLIENT_INTERFACE


def test_rule_141_holds_on_an_interface_that_waits_too() -> None:
    links = tuple(
        link._replace(addresses6=link.addresses6[1:]) if link.name == "vlan20" else link for link in LINKS
    )
    relay = relay6(links=links, way_to=lambda *_: Way(CORE, 1500))
    forged = answered(OFFER, interface=VLAN20)
    assert why(relay.decide(forged)) is Drop6.SERVER_ON_CLIENT_INTERFACE


@pytest.mark.parametrize("inside", [b"", b"\7", b"\7\0\0", b"\x0d" + bytes(20)])
def test_rule_142_a_relay_message_has_a_whole_header(inside: bytes) -> None:
    assert why(relay6().decide(answered(inside))) is Drop6.NO_RELAY_MESSAGE


def test_rule_142_one_that_is_missing_or_cut_off_is_none() -> None:
    whole = answered(OFFER).message
    for octets in (bytes(whole)[:-1], bytes(whole)[: 34 + 10], bytes(whole)[:34]):
        assert why(relay6().decide(routed(octets, source=RIS))) is Drop6.NO_RELAY_MESSAGE


def test_rule_142_of_two_the_first_counts() -> None:
    decision = to_peer(relay6().decide(answered(OFFER, behind=option(9, message(REPLY)))))
    assert bytes(decision.message) == OFFER


def test_rule_142_four_octets_are_enough() -> None:
    assert bytes(to_peer(relay6().decide(answered(b"\7\0\0\1"))).message) == b"\7\0\0\1"


def test_rule_143_the_interface_is_that_of_our_interface_id() -> None:
    for name, index in ((b"vlan10", VLAN10), (b"vlan20", VLAN20)):
        for link in (LINK10, LINK20, "::", "2001:db8:dead::1"):
            decision = to_peer(relay6().decide(answered(OFFER, interface_id=name, link=link)))
            assert decision.port
            assert decision.port.index == index


def test_rule_143_it_may_stand_behind_the_message() -> None:
    arrival = answered(OFFER, interface_id=None, behind=option(18, b"vlan20"))
    decision = to_peer(relay6().decide(arrival))
    assert decision.port
    assert decision.port.name == "vlan20"


def test_rule_143_without_one_it_is_that_of_the_link_address() -> None:
    for link, index in ((LINK10, VLAN10), (LINK20, VLAN20)):
        decision = to_peer(relay6().decide(answered(OFFER, interface_id=None, link=link)))
        assert decision.port
        assert decision.port.index == index


@pytest.mark.parametrize("other", [b"foo", b"", b"\2\0\0\0", b"VLAN10", b"vlan10\0", b"core"])
def test_rule_143_one_that_is_not_ours_is_never_guessed(other: bytes) -> None:
    assert why(relay6().decide(answered(OFFER, interface_id=other))) is Drop6.NO_INTERFACE


@pytest.mark.parametrize("link", ["2001:db8:dead::1", OWN_CORE, "::", OWN10])
def test_rule_143_nor_is_a_link_address_of_no_client_interface(link: str) -> None:
    arrival = answered(OFFER, interface_id=None, link=link)
    assert why(relay6().decide(arrival)) is Drop6.NO_INTERFACE


def test_rule_143_an_interface_that_waits_gets_nothing() -> None:
    links = tuple(link._replace(up=False) if link.name == "vlan10" else link for link in LINKS)
    assert why(relay6(links=links).decide(answered(OFFER))) is Drop6.NO_INTERFACE


def test_rule_143_of_interfaces_with_one_interface_id_the_link_address_tells() -> None:
    text = STANDARD6.replace("dhcpv6: true", 'dhcpv6: {interface_id: "{hostname}"}')
    for link, index in ((LINK10, VLAN10), (LINK20, VLAN20)):
        decision = to_peer(relay6(text).decide(answered(OFFER, interface_id=b"relay1", link=link)))
        assert decision.port
        assert decision.port.index == index
    nowhere = answered(OFFER, interface_id=b"relay1", link="::")
    assert why(relay6(text).decide(nowhere)) is Drop6.NO_INTERFACE


def test_rule_143_a_reply_in_another_vrf_is_for_nobody_here() -> None:
    links = tuple(link._replace(vrf=7) if link.name == "vlan10" else link for link in LINKS)
    assert why(relay6(links=links).decide(answered(OFFER))) is Drop6.NO_INTERFACE
    there = (*links, LINKS[1]._replace(index=3, name="core7", vrf=7, addresses6=()))
    assert to_peer(relay6(links=there).decide(answered(OFFER, interface=3))).address == CLIENT


DOWN = relayed(OFFER, kind=13, link="2001:db8:30:7::1", peer="fe80::9")


def test_rule_137_the_answer_to_a_relay_agent_comes_back_through_us() -> None:
    """A server turns around what is around a message, and so the answer finds its way to the agent."""
    inside = relayed(boot(), link="2001:db8:30:7::1", peer="fe80::9")
    asked = to_servers(relay6().decide(routed(inside)))
    assert asked.header[18:34] == ROUTER, "the server sends to us, and says that it is for the agent"
    octets = b"\x0d\1" + asked.header[2:34] + option(9, DOWN)
    decision = to_peer(relay6().decide(routed(octets, source=RIS)))
    assert (decision.address, decision.udp_port, bytes(decision.message)) == (ROUTER, 547, DOWN)


def test_rule_144_without_either_it_is_for_a_relay_agent_below_us_by_the_route() -> None:
    decision = to_peer(relay6().decide(answered(DOWN, interface_id=None, link="::", peer="2001:db8:30::1")))
    assert decision.port is None
    assert (decision.address, decision.udp_port) == (ROUTER, 547)
    assert decision.source is None
    assert decision.hardware is None
    client = answered(OFFER, interface_id=None, link="::", peer="2001:db8:30::1")
    assert why(relay6().decide(client)) is Drop6.NO_INTERFACE


@pytest.mark.parametrize("kind", sorted(set(range(256)) - {12, 13}))
def test_rule_145_what_is_inside_leaves_whatever_its_type(kind: int) -> None:
    inside = message(kind, b"\0\7stray")
    decision = to_peer(relay6().decide(answered(inside)))
    assert bytes(decision.message) == inside
    assert decision.udp_port == 546


@given(st.binary(min_size=4, max_size=1500).filter(lambda octets: octets[0] != 13))
def test_rule_145_it_leaves_octet_by_octet(inside: bytes) -> None:
    arrival = answered(inside)
    decision = to_peer(relay6().decide(arrival._replace(message=memoryview(arrival.message))))
    assert bytes(decision.message) == inside


@pytest.mark.parametrize("hops", [0, 1, 8, 200, 255])
def test_rule_145_hop_count_and_other_options_have_no_say(hops: int) -> None:
    front = option(79, b"\0\1" + bytes(6)) + option(53, b"\0\1") + option(65000, b"x")
    decision = to_peer(relay6().decide(answered(OFFER, hops=hops, front=front)))
    assert bytes(decision.message) == OFFER


@pytest.mark.parametrize("kind", [ADVERTISE, REPLY, RECONFIGURE, 12, 37])
def test_rule_146_a_message_goes_to_port_546_whatever_option_135_says(kind: int) -> None:
    front = option(135, (1000).to_bytes(2, "big"))
    decision = to_peer(relay6().decide(answered(message(kind), front=front)))
    assert decision.udp_port == 546


@pytest.mark.parametrize(
    ("told", "port"),
    [(b"", 547), (option(135, b"\0\0"), 547), (option(135, b"\3\xe8"), 1000), (option(135, b"\1"), 547)],
)
def test_rule_146_a_relay_repl_goes_to_port_547_or_that_of_option_135(told: bytes, port: int) -> None:
    arrival = answered(DOWN, interface_id=None, link="::", peer="2001:db8:30::1", front=told)
    assert to_peer(relay6().decide(arrival)).udp_port == port


@pytest.mark.parametrize("inside", [OFFER, DOWN])
@pytest.mark.parametrize(
    "peer", ["::", "::1", "ff02::1", "ff05::1:3", LINK10, OWN_CORE, OWN10, "::ffff:10.10.10.77"]
)
def test_rule_147_what_is_no_clients_address_gets_nothing(inside: bytes, peer: str) -> None:
    assert why(relay6().decide(answered(inside, peer=peer))) is Drop6.BAD_PEER


def test_rule_147_a_link_local_address_of_another_link_of_ours_is_a_clients() -> None:
    assert to_peer(relay6().decide(answered(OFFER, peer=OWN20))).address == ip6(OWN20)


@pytest.mark.parametrize("peer", ["2001:db8:99::1", "fe80::ff:fe00:1"])
@pytest.mark.parametrize("interface_id", [b"vlan10", None])
def test_rule_147_a_relay_agent_below_us_must_be_one_that_may_ask(
    peer: str, interface_id: bytes | None
) -> None:
    link = LINK10 if interface_id else "::"
    arrival = answered(DOWN, interface_id=interface_id, link=link, peer=peer)
    assert why(relay6().decide(arrival)) is Drop6.BAD_PEER


def test_rule_147_a_switch_on_a_trusted_interface_may() -> None:
    decision = to_peer(relay6(TRUSTING).decide(answered(DOWN)))
    assert decision.port
    assert (decision.port.name, decision.udp_port) == ("vlan10", 547)
    assert bytes(decision.message) == DOWN
    there = answered(DOWN, interface_id=b"vlan20")
    assert why(relay6(TRUSTING).decide(there)) is Drop6.BAD_PEER


def test_rule_147_a_router_on_a_client_interface_is_reached_by_the_route() -> None:
    decision = to_peer(relay6().decide(answered(DOWN, link="::", peer="2001:db8:30::1")))
    assert decision.port is None
    assert decision.address == ROUTER


def test_rule_148_to_the_mac_in_the_address() -> None:
    assert to_peer(relay6().decide(answered(OFFER))).hardware == CLIENT_MAC


def test_rule_148_unless_its_last_frame_came_from_another() -> None:
    other = bytes.fromhex("020000000077")
    asked = []

    def behind(index: int, address: bytes) -> bytes | None:
        asked.append((index, address))
        return other

    assert to_peer(relay6(behind=behind).decide(answered(OFFER))).hardware == other
    assert asked == [(VLAN10, CLIENT)]
    assert to_peer(relay6(behind=lambda *_: None).decide(answered(OFFER))).hardware == CLIENT_MAC


def test_rule_148_to_who_was_heard_from_another_address() -> None:
    peers = {ip6("fe80::1234:5678:9abc:def0"): CLIENT_MAC, ip6("2001:db8:10::abc"): CLIENT_MAC}
    relay = relay6(behind=lambda _, address: peers.get(address))
    for peer in peers:
        assert to_peer(relay.decide(answered(OFFER, peer=str(IPv6Address(peer))))).hardware == CLIENT_MAC
    assert to_peer(relay.decide(answered(OFFER, peer="fe80::1"))).hardware is None, "the kernel finds it out"


def test_rule_148_a_relay_agent_is_left_to_the_kernel() -> None:
    relay = relay6(TRUSTING, behind=lambda *_: CLIENT_MAC)
    assert to_peer(relay.decide(answered(DOWN))).hardware is None


def test_rule_148_where_there_is_no_ethernet_the_kernel_finds_it_out() -> None:
    links = tuple(link._replace(hardware=b"") if link.name == "vlan10" else link for link in LINKS)
    assert to_peer(relay6(links=links).decide(answered(OFFER))).hardware is None


def test_rule_149_the_source_has_the_scope_of_the_peer() -> None:
    assert to_peer(relay6().decide(answered(OFFER))).source == ip6(OWN10)
    assert to_peer(relay6().decide(answered(OFFER, peer="2001:db8:10::abc"))).source == ip6(LINK10)
    assert to_peer(relay6(TRUSTING).decide(answered(DOWN))).source == ip6(OWN10)


def test_rule_149_it_is_an_address_of_that_interface() -> None:
    text = STANDARD6.replace("vlan10: {}", f"vlan10: {{link_address: {OWN_CORE}}}")
    decision = to_peer(relay6(text).decide(answered(OFFER, link=OWN_CORE, peer="2001:db8:10::abc")))
    assert decision.source == ip6(LINK10)


@pytest.mark.parametrize("size", [1400, 1452, 1453, 9000, 60000])
def test_rule_150_nothing_is_too_large(size: int) -> None:
    inside = OFFER.ljust(size, b"\0")
    assert bytes(to_peer(relay6().decide(answered(inside))).message) == inside


def test_addresses_that_are_being_looked_for_are_not_ours_yet() -> None:
    tentative = Address6(IPv6Address("2001:db8:10::abc"), tentative=True)
    links = tuple(
        link._replace(addresses6=(*link.addresses6, tentative)) if link.name == "vlan10" else link
        for link in LINKS
    )
    assert to_peer(relay6(links=links).decide(answered(OFFER, peer="2001:db8:10::abc")))


def test_the_network_is_followed() -> None:
    config = build(STANDARD6)
    table = PortTable6(config, LINKS, "relay1")
    relay = Relay6(config, table.ports, LINKS)
    assert to_peer(relay.decide(answered(OFFER)))
    vlan10 = next(link for link in LINKS if link.name == "vlan10")
    for changed, active in (
        (vlan10._replace(up=False), False),
        (vlan10, True),
        (vlan10._replace(addresses6=()), False),
        (vlan10._replace(addresses6=(Address6(IPv6Address("2001:db8:10::9")), vlan10.addresses6[1])), True),
        (None, False),
        (vlan10._replace(index=77), True),
    ):
        index = VLAN10 if changed is None or changed.index == VLAN10 else 77
        relay_change = table.update({index: changed})
        relay.follow(table.ports, relay_change)
        decision = relay.decide(heard(plain(), interface=index))
        assert (why(decision) is None) is active, changed
        assert (why(relay.decide(answered(OFFER))) is None) is active
        if active and changed:
            assert to_servers(decision).header[2:18] == changed.addresses6[0].address.packed
            own = heard(plain(), interface=index, source=changed.addresses6[0].address.packed)
            assert why(relay.decide(own)) is Drop6.FROM_THIS_HOST
    assert relay.active_indexes == {VLAN20, 77}


def test_a_relay_repl_to_a_group_is_a_servers_only_by_the_same_rules() -> None:
    assert to_peer(relay6().decide(answered(OFFER, destination=GROUP))).address == CLIENT
