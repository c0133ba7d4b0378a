"""Which interfaces serve clients, with which giaddr, and what the others wait for."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as some

from pxerelay.policy.links import Link
from pxerelay.policy.ports import PortTable, assign, vrfs_to_hear
from tests.unit.configs import LINKS, VLAN10, build

TWO = "default: 10.20.0.10\ninterfaces: {vlan10: {}, vlan20: {}}"


def states(text: str, links: tuple[Link, ...] = LINKS) -> dict[str, str]:
    return {port.name: port.waiting or str(port.giaddr) for port in assign(build(text), links)}


def changed(**fields: object) -> tuple[Link, ...]:
    return tuple(link._replace(**fields) if link.index == VLAN10 else link for link in LINKS)  # type: ignore[arg-type]


def test_the_primary_address_is_the_giaddr() -> None:
    assert states(TWO) == {"vlan10": "10.10.10.1", "vlan20": "10.10.20.1"}


def test_an_interface_that_is_not_there_waits() -> None:
    assert states(TWO, LINKS[:3])["vlan20"] == "the interface is not there"


def test_an_interface_that_is_down_waits() -> None:
    assert "down" in states(TWO, changed(up=False))["vlan10"]


def test_an_interface_without_address_waits() -> None:
    assert "no IPv4 address" in states(TWO, changed(addresses=()))["vlan10"]


def test_a_configured_giaddr_must_be_an_address_of_this_host() -> None:
    text = TWO.replace("vlan10: {}", "vlan10: {giaddr: 10.10.10.2}")
    assert states(text)["vlan10"] == "10.10.10.2"
    only = changed(addresses=(IPv4Address("10.10.10.1"),))
    assert "10.10.10.2 is no address of this host" in states(text, only)["vlan10"]


def test_a_glob_means_every_interface_it_matches() -> None:
    assert states('default: 10.20.0.10\ninterfaces: {"vlan*": {}}') == {
        "vlan10": "10.10.10.1",
        "vlan20": "10.10.20.1",
    }


def test_a_glob_that_matches_none_waits() -> None:
    assert states('default: 10.20.0.10\ninterfaces: {"bond?": {}}') == {"bond?": "no interface matches"}


def test_a_name_wins_over_a_glob() -> None:
    text = 'default: 10.20.0.10\ninterfaces: {"vlan*": {giaddr: 10.10.20.1}, vlan10: {giaddr: 10.10.10.2}}'
    assert states(text) == {"vlan10": "10.10.10.2", "vlan20": "10.10.20.1"}


def test_of_two_interfaces_with_one_address_the_second_waits() -> None:
    double = (*LINKS, Link(30, "vlan30", up=True, mtu=1500, addresses=(IPv4Address("10.10.20.1"),)))
    assert (
        "vlan20 has the address" in states('default: 10.20.0.10\ninterfaces: {"vlan*": {}}', double)["vlan30"]
    )


LINK_LOCAL, GLOBAL = IPv4Address("169.254.7.7"), IPv4Address("10.10.10.1")


def test_rule_32_an_address_of_narrow_scope_never_stands_for_an_interface() -> None:
    both = changed(addresses=(GLOBAL, LINK_LOCAL), narrow=(LINK_LOCAL,))
    (port, _) = assign(build(TWO), both)
    assert (port.giaddr, port.address) == (GLOBAL, GLOBAL)


def test_rule_32_with_no_other_the_interface_waits_and_says_why() -> None:
    only = changed(addresses=(LINK_LOCAL,), narrow=(LINK_LOCAL,))
    assert "169.254.7.7 is not of global scope" in states(TWO, only)["vlan10"]
    assert "name this one as its giaddr" in states(TWO, only)["vlan10"]


def test_rule_32_unless_giaddr_names_it() -> None:
    text = TWO.replace("vlan10: {}", "vlan10: {giaddr: 169.254.7.7}")
    for addresses in ((LINK_LOCAL,), (GLOBAL, LINK_LOCAL)):
        (port, _) = assign(build(text), changed(addresses=addresses, narrow=(LINK_LOCAL,)))
        assert (port.giaddr, port.address) == (LINK_LOCAL, LINK_LOCAL)


def test_rule_32_replies_and_option_82_have_no_narrow_address_either() -> None:
    text = TWO.replace("vlan10: {}", "vlan10: {giaddr: 10.20.0.1}") + (
        "\noption82: {link_selection: true, server_override: true}\n"
    )
    both = changed(addresses=(GLOBAL, LINK_LOCAL), narrow=(LINK_LOCAL,))
    (port, _) = assign(build(text), both)
    assert port.address == GLOBAL
    assert port.info is not None
    assert GLOBAL.packed in port.info.broadcast
    assert LINK_LOCAL.packed not in port.info.broadcast


def test_an_alternative_name_names_an_interface() -> None:
    links = changed(altnames=("clients10", "enp1s0.10"))
    for name in ("clients10", "enp1s0.10"):
        text = f"default: 10.20.0.10\ninterfaces: {{{name}: {{}}}}"
        assert states(text, links) == {name: "10.10.10.1"}
    assert states('default: 10.20.0.10\ninterfaces: {"enp*": {}}', links) == {"enp1s0.10": "10.10.10.1"}


def test_a_name_wins_over_an_alternative_one_and_both_over_globs() -> None:
    links = changed(altnames=("clients10",))
    text = (
        'default: 10.20.0.10\ninterfaces: {"vlan*": {giaddr: 10.10.20.1}, clients10: {giaddr: 10.10.10.2}%s}'
    )
    assert states(text % "", links) == {"clients10": "10.10.10.2", "vlan20": "10.10.20.1"}
    assert states(text % ", vlan10: {}", links) == {
        "vlan10": "10.10.10.1",
        "vlan20": "10.10.20.1",
        "clients10": "it is another name of vlan10, which has an entry of its own",
    }


def test_a_port_is_called_as_the_configuration_calls_it_and_so_is_its_circuit_id() -> None:
    text = 'default: 10.20.0.10\ninterfaces: {clients10: {}}\noption82: {circuit_id: "{interface}"}'
    table = PortTable(build(text), changed(altnames=("clients10",)))
    (port,) = table.ports
    assert port.info is not None
    assert port.info.circuit_id == b"clients10"
    assert table.names[VLAN10] == "clients10"


def test_the_loopback_interface_is_never_a_client_interface() -> None:
    addresses = (IPv4Address("127.0.0.1"), IPv4Address("10.255.0.1"))
    lo = Link(1, "lo", up=True, mtu=65536, addresses=addresses, hardware=b"", loopback=True)
    for links in ((lo, *LINKS[1:]), (lo._replace(name="loop"), *LINKS[1:])):
        assert states('default: 10.20.0.10\ninterfaces: {"*": {}}', links).keys() == {
            "core",
            "vlan10",
            "vlan20",
        }
    text = "default: 10.20.0.10\ninterfaces: {loop: {}}"
    why = "it is the loopback interface, which has no clients"
    assert states(text, (lo._replace(name="loop"), *LINKS[1:])) == {"loop": why}
    assert states(text, (lo._replace(altnames=("loop",)), *LINKS[1:])) == {"loop": why}


def test_an_address_of_the_loopback_interface_may_be_a_giaddr() -> None:
    lo = LINKS[0]._replace(addresses=(IPv4Address("10.255.0.1"),), loopback=True)
    text = "default: 10.20.0.10\ninterfaces: {vlan10: {giaddr: 10.255.0.1}}"
    assert states(text, (lo, *LINKS[1:])) == {"vlan10": "10.255.0.1"}


ADDRESSES = [IPv4Address(f"10.0.0.{number}") for number in range(1, 5)]
NAMES = ["vlan10", "vlan20", "eth0", "clients", "lo"]
CONFIGS = [
    TWO,
    'default: 10.20.0.10\ninterfaces: {"vlan*": {}, clients: {}, eth0: {giaddr: 10.0.0.3}}',
    'default: 10.20.0.10\ninterfaces: {"*": {giaddr: 10.0.0.1}}\noption82: {circuit_id: "{interface}"}',
    'default: 10.20.0.10\ninterfaces: {"*": {}}\noption82: {circuit_id: "all"}',
]


@some.composite
def link_states(draw: some.DrawFn) -> list[dict[int, Link | None]]:
    """Return changes of links, of which those of index 7 and 8 are VRFs; two may want one name."""
    steps: list[dict[int, Link | None]] = []
    for _ in range(draw(some.integers(1, 6))):
        step: dict[int, Link | None] = {}
        for index in draw(some.sets(some.integers(1, 8), max_size=4)):
            addresses = tuple(draw(some.lists(some.sampled_from(ADDRESSES), unique=True, max_size=2)))
            step[index] = draw(
                some.none()
                | some.builds(
                    Link,
                    index=some.just(index),
                    name=some.just(f"red{index}") if index > 6 else some.sampled_from(NAMES),
                    up=some.booleans(),
                    mtu=some.just(1500),
                    addresses=some.just(addresses),
                    vrf=some.just(index) if index > 6 else some.sampled_from([0, 7, 8]),
                    narrow=some.sampled_from([(), addresses[-1:]]),
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
    table, links = PortTable(config, (), "host"), dict[int, Link]()
    for step in steps:
        before = {port.link.index: port for port in table.ports if port.link}
        absent = [port for port in table.ports if not port.link]
        for index, link in step.items():
            links.pop(index, None)
            if link is not None and not {name for one in links.values() for name in one.names} & {
                *link.names
            }:
                links[index] = link
        change = table.update({index: links.get(index) for index in step})
        fresh = PortTable(config, links.values(), "host")
        assert table.ports == fresh.ports
        assert table.names == fresh.names
        after = {port.link.index: port for port in table.ports if port.link}
        others = {index for index in before.keys() | after.keys() if before.get(index) != after.get(index)}
        assert change.ports == {index: (before.get(index), after.get(index)) for index in others}
        told = {after[index] for index in others if index in after}
        told |= {port for port in table.ports if not port.link and port not in absent}
        assert set(change.fresh) == told
        assert vrfs_to_hear(config, table.ports, links.values()) == vrfs_to_hear(
            config, fresh.ports, links.values()
        )
