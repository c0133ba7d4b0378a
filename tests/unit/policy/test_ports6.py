"""Which interfaces serve DHCPv6 clients, with which link-address, and what the others wait for."""

from __future__ import annotations

from ipaddress import IPv6Address
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pxerelay.policy.addresses6 import Address6, link_address
from pxerelay.policy.links import Link
from pxerelay.policy.ports import assign as assign4
from pxerelay.policy.ports6 import Port6, PortTable6, assign, vrfs_to_hear
from tests.unit.configs import LINKS, build

TWO = "default: 2001:db8:20::10\ndhcpv6: true\ninterfaces: {vlan10: {}, vlan20: {}}"

VLAN10, VLAN20 = 10, 20


def of(text: str, prefix: int = 64, **flags: bool) -> Address6:
    return Address6(IPv6Address(text), prefix, **flags)


FE80 = of("fe80::1")
GUA, ULA = of("2001:db8:10::2"), of("fd00:10::1")

DUAL = (
    LINKS[0]._replace(addresses6=(of("::1", prefix=128),), loopback=True),
    LINKS[1]._replace(addresses6=(of("2001:db8:20::1"), FE80)),
    LINKS[2]._replace(addresses6=(GUA, FE80), hardware=bytes.fromhex("02000000000a")),
    LINKS[3]._replace(addresses6=(of("2001:db8:10:20::1"), FE80)),
)
"""The standard interfaces, with IPv6."""


def vlan10(*addresses: Address6, **fields: object) -> tuple[Link, ...]:
    """Return the standard interfaces with other addresses on vlan10."""
    return tuple(
        link._replace(addresses6=addresses, **fields) if link.index == VLAN10 else link  # type: ignore[arg-type]
        for link in DUAL
    )


def states(text: str, links: tuple[Link, ...] = DUAL) -> dict[str, str]:
    return {port.name: port.waiting or str(port.link_address) for port in assign(build(text), links, "host")}


def test_an_interface_with_a_link_local_and_a_global_address_serves() -> None:
    (first, second) = assign(build(TWO), DUAL, "host")
    assert first == Port6(
        "vlan10",
        build(TWO).interfaces[0],
        index=VLAN10,
        link_address=GUA.address,
        link_local=FE80.address,
        address=GUA.address,
        interface_id=b"vlan10",
        remote_id=None,
        mtu=1500,
        hardware=bytes.fromhex("02000000000a"),
    )
    assert (first.state, second.state) == ("active", "active")


def test_without_dhcpv6_no_interface_serves_it() -> None:
    assert assign(build(TWO.replace("dhcpv6: true", "dhcpv6: false")), DUAL) == ()


def test_rule_110_tentative_duplicate_and_temporary_addresses_never_stand_for_an_interface() -> None:
    for flag in ("tentative", "duplicate", "temporary"):
        bad = of("2001:db8:10::2", **{flag: True})
        assert link_address([bad, ULA]) == ULA.address
        assert link_address([bad]) is None


def test_rule_110_deprecated_ones_and_those_of_no_link_come_last() -> None:
    host = of("2001:db8:10::1", prefix=128)
    old = of("2001:db8:10::1", deprecated=True)
    for doubtful in (host, old):
        assert link_address([doubtful, ULA._replace(static=False)]) == ULA.address
        assert link_address([doubtful]) == doubtful.address


def test_rule_110_static_before_autoconfigured_and_global_before_unique_local() -> None:
    assert link_address([GUA._replace(static=False), ULA]) == ULA.address
    assert link_address([GUA, ULA]) == GUA.address
    assert link_address([GUA._replace(static=False), ULA._replace(static=False)]) == GUA.address


def test_rule_110_of_equal_ones_the_lowest_whatever_came_last() -> None:
    equal = [of("2001:db8:10::2"), of("2001:db8:10::1"), of("2001:db8:10::a")]
    assert {link_address(order) for order in permutations(equal)} == {IPv6Address("2001:db8:10::1")}


@given(
    some.lists(
        some.builds(
            Address6,
            some.integers(0, 9).map(lambda low: IPv6Address((0xFD if low < 5 else 0x20) << 120 | low)),
            some.sampled_from([64, 128]),
            *[some.booleans()] * 5,
        ),
        max_size=6,
        unique_by=lambda one: one.address,
    ),
    some.randoms(use_true_random=False),
)
def test_rule_110_the_order_of_addresses_says_nothing(addresses: list[Address6], order: object) -> None:
    before = link_address(addresses)
    order.shuffle(addresses)  # type: ignore[attr-defined]
    assert link_address(addresses) == before


@pytest.mark.parametrize("text", ["fe80::7", "ff02::1", "::1", "::ffff:10.20.0.10", "::"])
def test_rule_110_111_what_is_not_global_never_stands_for_an_interface(text: str) -> None:
    assert link_address([of(text)]) is None


def test_rule_110_a_configured_link_address_wins() -> None:
    text = TWO.replace("vlan10: {}", "vlan10: {link_address: 2001:db8:20::1}")
    (first, _) = assign(build(text), DUAL)
    assert first.link_address == IPv6Address("2001:db8:20::1")
    assert first.address == GUA.address, "replies come from the interface's own"
    (first, _) = assign(build(text), vlan10(FE80))
    assert (first.link_address, first.address) == (IPv6Address("2001:db8:20::1"), None)


def test_rule_111_an_interface_without_a_global_address_waits() -> None:
    assert "no global IPv6 address" in states(TWO, vlan10(FE80))["vlan10"]
    assert "temporary" in states(TWO, vlan10(FE80, GUA._replace(temporary=True)))["vlan10"]


def test_rule_112_the_interface_id_is_the_interfaces_name_as_the_configuration_has_it() -> None:
    for at in (3, 10, 4000):
        links = tuple(link._replace(index=at) if link.index == VLAN10 else link for link in DUAL)
        found = {port.name: port.interface_id for port in assign(build(TWO), links)}
        assert found == {"vlan10": b"vlan10", "vlan20": b"vlan20"}
    text = TWO.replace("vlan10: {}", "clients: {}")
    named = vlan10(GUA, FE80, altnames=("clients",))
    assert {port.interface_id for port in assign(build(text), named)} == {b"clients", b"vlan20"}


def test_rule_112_texts_are_filled_in_and_cut_off() -> None:
    text = TWO.replace(
        "dhcpv6: true",
        'dhcpv6: {interface_id: "{link_address} {interface} {hostname}", remote_id: "{hostname}", '
        "enterprise: 32473}",
    )
    (first, _) = assign(build(text), DUAL, "h" * 80)
    assert first.interface_id == b"2001:db8:10::2 vlan10 ".ljust(64, b"h")
    assert first.remote_id == b"h" * 64
    (first, _) = assign(build(TWO.replace("dhcpv6: true", "dhcpv6: {interface_id: false}")), DUAL)
    assert first.interface_id is None


def test_rule_160_one_family_may_serve_while_the_other_waits() -> None:
    without6 = vlan10(FE80)
    assert [port.state for port in assign4(build(TWO), without6)] == ["active", "active"]
    assert [port.state for port in assign(build(TWO), without6)] == ["waiting", "active"]
    without4 = vlan10(GUA, FE80, addresses=())
    assert [port.state for port in assign4(build(TWO), without4)] == ["waiting", "active"]
    assert [port.state for port in assign(build(TWO), without4)] == ["active", "active"]


def test_rule_160_each_family_is_on_where_the_configuration_has_it_on() -> None:
    text = TWO.replace("vlan10: {}", "vlan10: {dhcpv6: false}").replace(
        "vlan20: {}", "vlan20: {dhcpv4: false}"
    )
    assert [port.name for port in assign4(build(text), DUAL)] == ["vlan10"]
    assert [port.name for port in assign(build(text), DUAL)] == ["vlan20"]


@pytest.mark.parametrize(
    ("links", "why"),
    [
        (vlan10(GUA, FE80, has_ipv6=False), "IPv6 is disabled"),
        (vlan10(GUA), "no link-local address"),
        (vlan10(GUA, FE80._replace(tentative=True)), "fe80::1 is tentative"),
        (vlan10(GUA, FE80._replace(tentative=True, duplicate=True)), "fe80::1 is a duplicate"),
        (vlan10(FE80), "no global IPv6 address"),
        (vlan10(FE80, GUA._replace(tentative=True)), "2001:db8:10::2 is tentative"),
        (vlan10(FE80, GUA._replace(tentative=True, duplicate=True)), "2001:db8:10::2 is a duplicate"),
        (vlan10(FE80, GUA, up=False), "down or has no carrier"),
        (DUAL[:2], "the interface is not there"),
    ],
)
def test_rule_161_what_an_interface_waits_for_is_told(links: tuple[Link, ...], why: str) -> None:
    (port, *_) = [port for port in assign(build(TWO), links) if port.name == "vlan10"]
    assert why in port.waiting
    assert (port.state, port.index, port.link_address, port.link_local) == ("waiting", None, None, None)


def test_rule_161_a_link_address_must_be_an_address_of_this_host() -> None:
    text = TWO.replace("vlan10: {}", "vlan10: {link_address: 2001:db8:99::1}")
    assert states(text)["vlan10"] == "its link_address 2001:db8:99::1 is no address of this host"
    new = of("2001:db8:99::1", tentative=True)
    assert "its link_address 2001:db8:99::1 is tentative" in states(text, vlan10(FE80, GUA, new))["vlan10"]
    assert states(text, vlan10(FE80, GUA, new._replace(tentative=False)))["vlan10"] == "2001:db8:99::1"


def test_rule_161_of_several_link_local_addresses_one_that_is_good_is_enough() -> None:
    bad = FE80._replace(duplicate=True)
    (port, _) = assign(build(TWO), vlan10(GUA, bad, of("fe80::2")))
    assert port.link_local == IPv6Address("fe80::2")


def test_rule_161_an_interface_that_could_not_join_the_group_waits() -> None:
    table = PortTable6(build(TWO), DUAL)
    assert table.to_join == {VLAN10, VLAN20}
    change = table.joined(VLAN10, "Cannot allocate memory")
    assert [port.waiting for port in change.fresh] == ["it could not join ff02::1:2: Cannot allocate memory"]
    assert table.to_join == {VLAN10, VLAN20}, "it is to be tried again"
    assert not table.joined(VLAN10, "Cannot allocate memory").matters
    change = table.joined(VLAN10)
    assert [port.state for port in change.fresh] == ["active"]
    assert not table.joined(VLAN20).matters


def test_rule_162_163_an_interface_serves_again_once_what_it_lacked_is_there() -> None:
    table = PortTable6(build(TWO), DUAL)
    table.update({VLAN10: DUAL[2]._replace(addresses6=(FE80,))})
    assert [port.state for port in table.ports] == ["waiting", "active"]
    change = table.update({VLAN10: DUAL[2]})
    assert [port.link_address for port in change.fresh] == [GUA.address]
    table.joined(VLAN10, "Cannot allocate memory")
    table.update({VLAN10: None})
    assert VLAN10 not in table.to_join
    change = table.update({VLAN10: DUAL[2]})
    assert [port.state for port in change.fresh] == ["active"], "made anew it is to be joined anew"


def test_interfaces_with_one_link_address_are_told_apart_by_their_interface_id() -> None:
    text = TWO.replace("{}", "{link_address: 2001:db8:20::1}", 1)
    glob = 'default: 2001:db8:20::10\ndhcpv6: %s\ninterfaces: {"vlan*": {link_address: 2001:db8:20::1}}'
    assert states(text)["vlan10"] == "2001:db8:20::1"
    both = states(glob % "true")
    assert set(both.values()) == {"2001:db8:20::1"}
    alone = states(glob % "{interface_id: false}")
    assert alone["vlan10"] == "2001:db8:20::1"
    assert alone["vlan20"] == "vlan10 has the address 2001:db8:20::1 too"


def test_rule_166_servers_are_asked_in_the_vrf_of_the_link_address() -> None:
    red = Link(7, "red", up=True, mtu=1500, addresses=(), vrf=7)
    inside = DUAL[2]._replace(vrf=7)
    text = TWO.replace("vlan20: {}", "vlan20: {link_address: 2001:db8:10::2}")
    links = (*DUAL[:2], inside, DUAL[3], red)
    table = PortTable6(build(text), links)
    assert [(port.name, port.vrf) for port in table.ports] == [("vlan10", 7), ("vlan20", 7)]
    assert vrfs_to_hear(build(text), table.ports, links) == {7: "red"}
    change = table.update({7: red._replace(up=False)})
    assert [port.waiting for port in change.fresh] == ["its VRF red is down"]


def test_rule_166_where_routers_relay_every_vrf_is_heard() -> None:
    red = Link(7, "red", up=True, mtu=1500, addresses=(), vrf=7)
    text = TWO + "\naccept_relayed_from: [2001:db8:10::/48]"
    ports = assign(build(text), (*DUAL, red))
    assert vrfs_to_hear(build(text), ports, (*DUAL, red)) == {7: "red"}
    assert vrfs_to_hear(build(TWO), ports, (*DUAL, red)) == {}


ADDRESSES = [
    FE80,
    GUA,
    ULA,
    of("2001:db8:20::1"),
    GUA._replace(tentative=True),
    FE80._replace(duplicate=True),
]
NAMES = ["vlan10", "vlan20", "eth0", "clients", "lo"]
CONFIGS = [
    TWO,
    'default: 2001:db8:20::10\ndhcpv6: true\ninterfaces: {"vlan*": {}, clients: {dhcpv6: false}, eth0: '
    "{link_address: 2001:db8:20::1}}",
    'default: 2001:db8:20::10\ndhcpv6: {interface_id: false}\ninterfaces: {"*": {link_address: fd00:10::1}}',
]


@some.composite
def link_states(draw: some.DrawFn) -> list[dict[int, Link | None]]:
    """Return changes of links, of which those of index 7 and 8 are VRFs; two may want one name."""
    steps: list[dict[int, Link | None]] = []
    for _ in range(draw(some.integers(1, 6))):
        step: dict[int, Link | None] = {}
        for index in draw(some.sets(some.integers(1, 8), max_size=4)):
            addresses = draw(some.lists(some.sampled_from(ADDRESSES), unique=True, max_size=3))
            step[index] = draw(
                some.none()
                | some.builds(
                    Link,
                    index=some.just(index),
                    name=some.just(f"red{index}") if index > 6 else some.sampled_from(NAMES),
                    up=some.booleans(),
                    mtu=some.just(1500),
                    addresses=some.just(()),
                    addresses6=some.just(tuple({one.address: one for one in addresses}.values())),
                    has_ipv6=some.booleans(),
                    vrf=some.just(index) if index > 6 else some.sampled_from([0, 7, 8]),
                    altnames=some.sampled_from([(), ("clients",)]),
                    loopback=some.booleans(),
                )
            )
        steps.append(step)
    return steps


@settings(max_examples=300)
@given(some.sampled_from(CONFIGS), link_states())
def test_a_table_that_was_kept_up_is_as_one_made_anew(text: str, steps: list[dict[int, Link | None]]) -> None:
    config = build(text)
    table, links = PortTable6(config, (), "host"), dict[int, Link]()
    for step in steps:
        before = {port.link.index: port for port in table.ports if port.link}
        for index, link in step.items():
            links.pop(index, None)
            taken = {name for one in links.values() for name in one.names}
            if link is not None and not taken & {*link.names}:
                links[index] = link
        change = table.update({index: links.get(index) for index in step})
        fresh = PortTable6(config, links.values(), "host")
        assert table.ports == fresh.ports
        assert table.names == fresh.names
        after = {port.link.index: port for port in table.ports if port.link}
        others = {index for index in before.keys() | after.keys() if before.get(index) != after.get(index)}
        assert change.ports == {index: (before.get(index), after.get(index)) for index in others}
