"""DHCPv6, octets in, decision out: rules 130 to 136, what routers and switches have relayed."""

from __future__ import annotations

import pytest

from pxerelay.relay.decision6 import Drop6
from tests.unit.configs import CORE, VLAN10, VLAN20
from tests.unit.configs6 import (
    ALTIRIS,
    CLIENT,
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
    around,
    heard,
    relay6,
    routed,
    servers_of,
    size_inside,
    to_servers,
    why,
)
from tests.unit.messages import mac
from tests.unit.messages6 import (
    RELAY_FORW,
    boot,
    ip6,
    option,
    relayed,
    vendor_class,
)


def test_rule_130_only_named_relay_agents_may_relay_to_us() -> None:
    octets = relayed(boot())
    assert to_servers(relay6().decide(routed(octets))).servers == (RIS,)
    for source in (STRANGER, ip6("2001:db8:31::1")):
        assert why(relay6().decide(routed(octets, source=source))) is Drop6.RELAY_NOT_ACCEPTED
    none = STANDARD6.replace("accept_relayed_from: [10.30.0.0/16, 2001:db8:30::/48]", "")
    assert why(relay6(none).decide(routed(octets))) is Drop6.RELAY_NOT_ACCEPTED


def test_rule_130_a_switch_may_on_a_trusted_interface() -> None:
    octets = relayed(boot(), front=option(18, b"port7"))
    assert why(relay6().decide(heard(octets))) is Drop6.RELAY_NOT_ACCEPTED
    decision = to_servers(relay6(TRUSTING).decide(heard(octets)))
    assert decision.port
    assert decision.port.name == "vlan10"
    for changes in (
        {"interface": VLAN20},
        {"destination": ip6(LINK10)},
        {"source": ip6("2001:db8:10::77")},
    ):
        assert why(relay6(TRUSTING).decide(heard(octets, **changes))) is Drop6.RELAY_NOT_ACCEPTED
    links = tuple(link._replace(up=False) if link.name == "vlan10" else link for link in LINKS)
    assert why(relay6(TRUSTING, links).decide(heard(octets))) is Drop6.INTERFACE_WAITING


@pytest.mark.parametrize(
    ("limit", "hops", "passes"),
    [(4, 3, True), (4, 4, False), (1, 0, True), (1, 1, False), (8, 7, True), (16, 7, True)],
)
def test_rule_131_max_hops_bounds_the_relay_agents(limit: int, hops: int, passes: bool) -> None:
    decision = relay6(f"{STANDARD6}max_hops: {limit}").decide(routed(relayed(boot(), hops=hops)))
    assert why(decision) is (None if passes else Drop6.TOO_MANY_HOPS)


@pytest.mark.parametrize("hops", [8, 9, 31, 255])
def test_rule_131_hop_count_8_is_dropped_whatever_max_hops_says(hops: int) -> None:
    decision = relay6(f"{STANDARD6}max_hops: 16").decide(routed(relayed(boot(), hops=hops)))
    assert why(decision) is Drop6.TOO_MANY_HOPS


def test_rule_132_what_stands_around_a_message_of_a_router() -> None:
    octets = relayed(boot(), hops=1, link="2001:db8:30:7::1")
    decision = to_servers(relay6().decide(routed(octets)))
    assert decision.header[:2] == bytes((RELAY_FORW, 2))
    assert decision.header[2:18] == bytes(16)
    assert decision.header[18:34] == ROUTER
    assert around(decision) == []
    assert size_inside(decision) == len(octets)


def test_rule_132_a_router_on_a_client_interface_gets_its_interface_id() -> None:
    arrival = routed(relayed(boot()), interface=VLAN10, destination=ip6(LINK10))
    decision = to_servers(relay6().decide(arrival))
    assert decision.header[2:18] == bytes(16)
    assert around(decision) == [(18, b"vlan10")]


def test_rule_132_a_link_local_source_gets_our_link_address() -> None:
    decision = to_servers(relay6(TRUSTING).decide(heard(relayed(boot()), port=547)))
    assert decision.header[:2] == bytes((RELAY_FORW, 1))
    assert decision.header[2:18] == ip6(LINK10)
    assert decision.header[18:34] == CLIENT
    assert around(decision) == [(18, b"vlan10")]


def test_rule_132_our_relay_id_stands_around_it_too() -> None:
    text = STANDARD6.replace("dhcpv6: true", "dhcpv6: {relay_id: 00:03:00:01:02:00:00:00:00:09}")
    duid = mac("00:03:00:01:02:00:00:00:00:09")
    assert around(to_servers(relay6(text).decide(routed(relayed(boot()))))) == [(53, duid)]


@pytest.mark.parametrize("port", [1, 546, 1000, 65535])
def test_rule_133_another_source_port_is_told(port: int) -> None:
    decision = to_servers(relay6().decide(routed(relayed(boot()), port=port)))
    assert around(decision) == [(135, port.to_bytes(2, "big"))]


def test_rule_133_a_clients_port_is_not() -> None:
    decision = to_servers(relay6().decide(heard(boot(), port=12345)))
    assert 135 not in dict(around(decision))


@pytest.mark.parametrize("own", [LINK10, LINK20, OWN_CORE])
def test_rule_134_our_own_link_address_in_any_layer_is_a_loop(own: str) -> None:
    inner = relayed(boot(), link=own)
    assert why(relay6().decide(routed(inner))) is Drop6.OWN_LINK_ADDRESS
    assert why(relay6().decide(routed(relayed(inner, hops=1)))) is Drop6.OWN_LINK_ADDRESS
    assert why(relay6().decide(routed(relayed(boot()), source=ip6(own)))) is Drop6.OWN_LINK_ADDRESS


@pytest.mark.parametrize(("index", "own"), [(VLAN10, OWN10), (VLAN20, OWN20), (VLAN10, LINK10)])
def test_rule_134_what_this_host_sent_is_no_clients(index: int, own: str) -> None:
    arrival = heard(boot(), interface=index, source=ip6(own))
    assert why(relay6().decide(arrival)) is Drop6.FROM_THIS_HOST


def test_rule_134_a_link_local_address_of_ours_is_ours_on_its_own_link_only() -> None:
    arrival = heard(boot(), source=ip6(OWN20))
    assert to_servers(relay6().decide(arrival)).servers == (RIS,)


def test_rule_135_nine_layers_are_read_and_no_more() -> None:
    def nested(depth: int) -> bytes:
        octets = boot()
        for _ in range(depth):
            octets = relayed(octets, hops=3, peer="fe80::211:22ff:fe33:4455")
        return octets

    assert servers_of(routed(nested(9))) == set(ALTIRIS)
    for depth in (10, 20):
        assert why(relay6().decide(routed(nested(depth)))) is Drop6.TOO_DEEP


@pytest.mark.parametrize(
    "octets",
    [
        relayed(b"")[:34],
        relayed(b"")[:34] + option(18, b"x"),
        relayed(b""),
        relayed(b"\1\0\0"),
        relayed(boot())[:-1],
        relayed(relayed(boot())[:30]),
        relayed(relayed(boot())[:34], hops=1),
        relayed(boot(), front=option(65000) * 64),
    ],
)
def test_rule_135_no_whole_relay_message_is_dropped(octets: bytes) -> None:
    assert why(relay6().decide(routed(octets))) is Drop6.NO_RELAY_MESSAGE


def test_rule_135_classes_look_at_the_innermost_message() -> None:
    octets = relayed(relayed(boot(number=11)), hops=1, front=vendor_class(b"PXEClient"))
    text = STANDARD6 + "classes: [{name: arm, arch: 11, server: altiris}]\n"
    assert servers_of(routed(octets), text) == set(ALTIRIS)


def test_rule_136_a_routers_client_is_on_none_of_our_interfaces() -> None:
    text = STANDARD6 + "classes: [{name: here, interfaces: ['vlan*'], server: altiris}]\n"
    for index, destination in ((CORE, OWN_CORE), (VLAN20, LINK20)):
        decision = relay6(text).decide(routed(relayed(boot()), interface=index, destination=ip6(destination)))
        assert to_servers(decision).servers == (RIS,)
        assert to_servers(decision).port is None


def test_rule_136_a_trusted_switchs_client_is() -> None:
    text = STANDARD6.replace("dhcpv6: true", "dhcpv6: {trusted: ['vlan*']}")
    decision = to_servers(relay6(text).decide(heard(relayed(boot()), interface=VLAN20)))
    assert set(decision.servers) == set(ALTIRIS)
