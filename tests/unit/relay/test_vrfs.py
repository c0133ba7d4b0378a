"""VRFs: where servers are asked and answers are taken, for interfaces, requests and replies."""

from __future__ import annotations

from ipaddress import IPv4Address

from pxerelay.policy.links import Link
from pxerelay.policy.ports import assign, vrfs_to_hear
from pxerelay.relay.account import Narrator
from pxerelay.relay.decision import Drop, ToClient, ToServers
from pxerelay.wire.facts import Facts
from tests.unit.configs import CORE, LINKS, STANDARD, VLAN10, VLAN20, build, relay, way, why
from tests.unit.messages import ip, reply, request

TWO = "default: 10.20.0.10\ninterfaces: {vlan10: {}, vlan20: {}}"
RED, BLUE = 100, 101
NOBODY, RIS, ROUTER = ip("0.0.0.0"), ip("10.20.0.10"), ip("10.30.0.1")


def vrf(index: int, name: str, *members: int, up: bool = True) -> tuple[Link, ...]:
    """Return the standard interfaces with a VRF that holds some of them."""
    links = tuple(link._replace(vrf=index) if link.index in members else link for link in LINKS)
    return (*links, Link(index, name, up=up, mtu=65575, addresses=(), vrf=index))


def states(text: str, links: tuple[Link, ...]) -> dict[str, str]:
    return {port.name: port.waiting or str(port.giaddr) for port in assign(build(text), links)}


def vrf_of(text: str, links: tuple[Link, ...], name: str = "vlan10") -> int:
    (port,) = (port for port in assign(build(text), links) if port.name == name)
    return port.vrf


def test_rule_27_servers_are_asked_in_the_vrf_of_giaddr() -> None:
    links = vrf(RED, "red", VLAN10)
    assert vrf_of(TWO, links) == RED
    assert vrf_of(TWO, links, "vlan20") == 0
    assert vrf_of(TWO.replace("vlan10: {}", "vlan10: {giaddr: 10.20.0.1}"), links) == 0
    assert vrf_of(TWO.replace("vlan20: {}", "vlan20: {giaddr: 10.10.10.2}"), links, "vlan20") == RED


def test_rule_27_a_giaddr_that_several_vrfs_have_is_the_interfaces_own() -> None:
    everywhere = (IPv4Address("10.20.0.1"),)
    links = (*vrf(RED, "red", VLAN10), Link(31, "red-core", up=True, mtu=1500, addresses=everywhere, vrf=RED))
    text = "default: 10.20.0.10\ninterfaces: {vlan10: {giaddr: 10.20.0.1}}"
    assert vrf_of(text, links) == RED
    assert vrf_of(text.replace("vlan10", "vlan20"), links, "vlan20") == 0


def test_rule_27_the_same_address_in_two_vrfs_is_two_addresses() -> None:
    links = tuple(
        link._replace(addresses=(IPv4Address("10.10.10.1"),)) if link.name == "vlan20" else link
        for link in vrf(RED, "red", VLAN10)
    )
    assert states(TWO, links) == {"vlan10": "10.10.10.1", "vlan20": "10.10.10.1"}


def test_rule_27_an_interface_waits_for_its_vrf() -> None:
    assert states(TWO, vrf(RED, "red", VLAN10, up=False)) == {
        "vlan10": "its VRF red is down",
        "vlan20": "10.10.20.1",
    }


def test_rule_27_vrfs_with_clients_are_heard_and_all_of_them_where_routers_relay() -> None:
    empty = Link(BLUE, "blue", up=True, mtu=65575, addresses=(), vrf=BLUE)

    def heard(text: str, links: tuple[Link, ...]) -> dict[int, str]:
        config = build(text)
        return vrfs_to_hear(config, assign(config, links), links)

    assert heard(TWO, (*LINKS, empty)) == {}
    assert heard(TWO, (*vrf(RED, "red", VLAN10), empty)) == {RED: "red"}
    elsewhere = TWO.replace("vlan20: {}", "vlan20: {giaddr: 10.10.10.1}").replace("vlan10: {}, ", "")
    assert heard(elsewhere, (*vrf(RED, "red", VLAN10), empty)) == {RED: "red"}, "replies come there"
    routers = f"{TWO}\naccept_relayed_from: [10.30.0.1]"
    assert heard(routers, (*vrf(RED, "red", VLAN10), empty)) == {RED: "red", BLUE: "blue"}


def overlapping() -> tuple[Link, ...]:
    """Return vlan10 in one VRF, vlan20 in another, with one address, and each VRF's interface at servers."""
    return (
        *LINKS[:2],
        Link(VLAN10, "vlan10", up=True, mtu=1500, addresses=(IPv4Address("10.10.10.1"),), vrf=RED),
        Link(VLAN20, "vlan20", up=True, mtu=1500, addresses=(IPv4Address("10.10.10.1"),), vrf=BLUE),
        Link(31, "red-core", up=True, mtu=1500, addresses=(IPv4Address("10.20.0.1"),), vrf=RED),
        Link(32, "blue-core", up=True, mtu=1500, addresses=(IPv4Address("10.20.0.1"),), vrf=BLUE),
        Link(RED, "red", up=True, mtu=65575, addresses=(), vrf=RED),
        Link(BLUE, "blue", up=True, mtu=65575, addresses=(), vrf=BLUE),
    )


def test_rule_27_a_request_goes_to_servers_of_its_vrf() -> None:
    assert way(relay(TWO, overlapping()).decide(request(), VLAN10, NOBODY)) == ToServers(
        (RIS,), None, vrf=RED
    )
    assert way(relay(TWO, overlapping()).decide(request(), VLAN20, NOBODY)) == ToServers(
        (RIS,), None, vrf=BLUE
    )
    assert way(relay(TWO).decide(request(), VLAN10, NOBODY)) == ToServers((RIS,), None)


def test_rule_27_with_option_82_too() -> None:
    text = f"{TWO}\noption82: {{remote_id: here}}"
    decision = relay(text, overlapping()).decide(request(), VLAN10, NOBODY)
    assert isinstance(decision, ToServers)
    assert decision.message
    assert (decision.vrf, decision.too_large) == (RED, False)


def test_rule_27_a_reply_goes_to_the_port_of_the_vrf_it_came_in() -> None:
    """It comes in on an interface of the VRF, or is told to have come in on the VRF device itself."""
    relays = relay(TWO, overlapping())
    found = {}
    for index in (31, 32, RED, BLUE):
        decision = relays.decide(reply(), index, RIS)
        assert isinstance(decision, ToClient)
        found[index] = decision.port.name
    assert found == {31: "vlan10", RED: "vlan10", 32: "vlan20", BLUE: "vlan20"}
    assert why(relays.decide(reply(), CORE, RIS)) is Drop.NOT_OUR_GIADDR


def test_rule_27_a_router_is_relayed_in_the_vrf_it_was_heard_in() -> None:
    relays = relay(f"{TWO}\naccept_relayed_from: [10.30.0.1]\nsource_address: giaddr", overlapping())
    assert way(relays.decide(request(giaddr="10.30.7.1"), 31, ROUTER)) == ToServers((RIS,), None, vrf=RED)
    assert way(relays.decide(request(giaddr="10.10.10.1"), CORE, ROUTER)) == ToServers((RIS,), None), (
        "an address of ours, but in other VRFs: here it is the router's, and not ours to use as source"
    )
    assert why(relays.decide(request(giaddr="10.10.10.1"), 31, ROUTER)) is Drop.OWN_GIADDR


def test_rule_27_the_vrf_is_told_in_words() -> None:
    relays = relay(STANDARD, overlapping())
    packet = request()
    decision = relays.decide(packet, VLAN10, NOBODY)
    told = Narrator(relays).tell(Facts(packet), "vlan10", NOBODY, decision)
    assert told.endswith("sent to ris 10.20.0.10 with giaddr 10.10.10.1 in VRF red")
