"""Which interfaces serve clients, with which giaddr, and what the others wait for."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from pxerelay.policy.ports import Link, assign
from tests.unit.configs import LINKS, VLAN10, build

TWO = "default: 10.20.0.10\ninterfaces: {vlan10: {}, vlan20: {}}"


def states(text: str, links: tuple[Link, ...] = LINKS) -> dict[str, str]:
    return {port.name: port.waiting or str(port.giaddr) for port in assign(build(text), links)}


def changed(**fields: object) -> tuple[Link, ...]:
    return tuple(replace(link, **fields) if link.index == VLAN10 else link for link in LINKS)  # type: ignore[arg-type]


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
