"""What servers are asked, by which address, and what programs and people are told of them."""

from __future__ import annotations

from ipaddress import IPv4Address

from pxerelay.commands.status import _server_text
from pxerelay.daemon import healthcheck4, stats
from pxerelay.policy.links import Link
from pxerelay.relay.counters import Counters
from pxerelay.relay.decision import ToServers
from pxerelay.relay.transactions import Transactions
from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from tests.unit.configs import LINKS, STANDARD, relay
from tests.unit.messages import ip, mac

A, B = IPv4Address("10.20.0.20"), IPv4Address("10.20.0.21")
POOL = "{addresses: [10.20.0.20, 10.20.0.21], strategy: failover, probe: true}"
POOLED = STANDARD.replace("[10.20.0.20, 10.20.0.21]", POOL)
NOBODY = mac("02:70:78:65:00:00")


def question(text: str, links: tuple[object, ...] = LINKS) -> tuple[bytearray, ToServers]:
    one = relay(text, links)  # type: ignore[arg-type]  # they are links
    return healthcheck4.question(one, one.config.pools["altiris"], A, NOBODY)


def test_a_server_is_asked_as_by_a_client_that_goes_there_by_default() -> None:
    """Of vlan20, whose default it is; the server has a subnet for it for sure."""
    message, decision = question(POOLED)
    assert decision == ToServers((A.packed,), None)
    assert message[packet.GIADDR] == ip("10.10.20.1")
    assert packet.ethernet_chaddr(message) == NOBODY
    found = Facts(message).options
    assert packet.message_type(found) == packet.DHCPDISCOVER
    assert packet.is_pxe(packet.vendor_class(found))
    assert message[packet.HOPS] == 1


def test_any_vlan_will_do_where_none_goes_there_by_default() -> None:
    message, _ = question(POOLED.replace("{default: altiris}", "{}"))
    assert message[packet.GIADDR] == ip("10.10.10.1")


def test_a_vlan_whose_clients_a_class_sends_there_is_better_than_any() -> None:
    text = POOLED.replace("{default: altiris}", "{}")
    here = "classes: [{name: arm, arch: [11], interfaces: ['vlan2?'], server: altiris}]\n"
    assert question(text + here)[0][packet.GIADDR] == ip("10.10.20.1")
    everywhere = here.replace("interfaces: ['vlan2?'], ", "")
    assert question(text + everywhere)[0][packet.GIADDR] == ip("10.10.10.1")


def asked_from(text: str, *reached: int) -> str | None:
    """Return the interface that is asked from, of vlan10 in VRF 100 and vlan20 in none, by where a way is."""
    links = tuple(link._replace(vrf=100) if link.name == "vlan10" else link for link in LINKS)
    one = relay(text, (*links, Link(100, "red", up=True, mtu=65575, addresses=(), vrf=100)))
    port = healthcheck4.asked_from(one, one.config.pools["altiris"], reached.__contains__)
    return port.name if port else None


def test_of_vlans_in_several_vrfs_it_is_one_that_a_way_leads_from() -> None:
    text = POOLED.replace("{default: altiris}", "{}")
    assert asked_from(text, 0) == "vlan20"
    assert asked_from(text, 100) == "vlan10"
    assert asked_from(text, 0, 100) == "vlan10"
    assert asked_from(text) == "vlan10", "somebody's is better than nobody's"
    assert asked_from(POOLED, 100) == "vlan20", "whose default it is, whatever else there may be"


def test_a_vlan_that_waits_is_passed_over() -> None:
    links = tuple(link._replace(up=link.name != "vlan20") for link in LINKS)
    message, _ = question(POOLED, links)
    assert message[packet.GIADDR] == ip("10.10.10.1")


def test_a_question_has_what_requests_of_its_vlan_have() -> None:
    message, decision = question(
        POOLED + "source_address: giaddr\noption82: {circuit_id: '{interface}', link_selection: true}\n"
    )
    (info,) = Facts(message).agents
    assert b"vlan20" in info.value
    assert decision.source == ip("10.10.20.1")


def test_behind_routers_the_question_comes_from_where_the_route_leaves() -> None:
    """And so the answer comes to port 67 of this host. No link is active, 127.0.0.1 has a route."""
    one = relay(POOLED, LINKS[:1])
    address = IPv4Address("127.0.0.1")
    message, decision = healthcheck4.question(one, one.config.pools["altiris"], address, NOBODY)
    assert decision == ToServers((address.packed,), address.packed)
    assert message[packet.GIADDR] == address.packed


def test_behind_routers_a_fixed_source_address_is_the_one_to_answer_to() -> None:
    one = relay(POOLED + "source_address: 192.0.2.1\n", LINKS[:1])
    message, decision = healthcheck4.question(one, one.config.pools["altiris"], A, NOBODY)
    assert decision == ToServers((A.packed,), ip("192.0.2.1"))
    assert message[packet.GIADDR] == ip("192.0.2.1")


STATES = {
    "altiris": {
        "10.20.0.20": {
            "state": "down",
            "since": "2027-01-20T10:00:00+00:00",
            "doubtful": False,
            "returns_in": 0,
        },
        "10.20.0.21": {
            "state": "up",
            "since": "2027-01-20T09:00:00+00:00",
            "doubtful": False,
            "returns_in": 0,
        },
    }
}


def rows(states: dict[str, dict[str, dict[str, object]]]) -> dict[str, str]:
    """Return what `status` says of the servers."""
    one = relay(POOLED)
    family = stats.Counted(one, one.answers.of, Counters(), Transactions())
    found = stats.servers([family], 0.0, states)
    return {
        address: _server_text(address, row)
        for addresses in found.values()
        for address, row in addresses.items()
    }


def test_status_tells_the_state_of_those_that_have_one() -> None:
    told = rows(STATES)
    assert told["10.20.0.20"].startswith("10.20.0.20 down since 2027-01-20T10:00:00+00:00, 0 requests")
    assert told["10.20.0.21"].startswith("10.20.0.21 up since 2027-01-20T09:00:00+00:00, 0 requests")
    assert told["10.20.0.10"].startswith("10.20.0.10, 0 requests")


def test_status_tells_of_doubt_and_of_who_returns() -> None:
    one, other = STATES["altiris"].values()
    told = rows(
        {
            "altiris": {
                "10.20.0.20": {**one, "state": "up", "returns_in": 29},
                "10.20.0.21": {**other, "doubtful": True},
            }
        }
    )
    assert "10.20.0.20 up since 2027-01-20T10:00:00+00:00, clients return in 29 s, " in told["10.20.0.20"]
    doubted = "up since 2027-01-20T09:00:00+00:00, but has not answered lately: the next one gets a copy, "
    assert f"10.20.0.21 {doubted}" in told["10.20.0.21"]
