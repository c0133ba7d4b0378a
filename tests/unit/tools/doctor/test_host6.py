"""`doctor` as it judges a host in DHCPv6 by what it sees of itself: facts in, findings out."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest

from pxerelay.policy.addresses6 import Address6
from pxerelay.tools.doctor import gather6, network, network6
from pxerelay.tools.doctor.facts import Holder
from pxerelay.tools.doctor.facts6 import Advertised, HostFacts6, Settings6
from pxerelay.tools.doctor.verdict import Code
from tests.unit.configs6 import LINKS
from tests.unit.tools.doctor.facts6 import ALTIRIS6, CONFIG6, RIS6, facts6, of_network6

VLAN10 = next(link for link in LINKS if link.name == "vlan10")
GLOBAL, LINK_LOCAL = VLAN10.addresses6
OTHER = Holder("::", "root", 99, "dhcrelay -6", ours=False)
ERROR = "error vlan10 "


def vlan10(**more: Any) -> HostFacts6:
    return facts6(like={"vlan10": more})


def test_a_healthy_host_has_none() -> None:
    assert of_network6(facts6()) == []


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (facts6(holders=(OTHER,)), ["error host port-547-taken"]),
        (facts6(holders=(OTHER,), daemon=False), ["error host port-547-taken"]),
        (facts6(holders=(replace(OTHER, command="pxerelay run"),), daemon=False), []),
        (facts6(holders=(replace(OTHER, command="pxerelay run"),)), ["error host port-547-taken"]),
        (facts6(holders=()), []),
        (vlan10(has_ipv6=False, addresses6=()), [ERROR + "ipv6-disabled"]),
        (vlan10(addresses6=(GLOBAL,)), [ERROR + "no-link-local"]),
        (vlan10(addresses6=(LINK_LOCAL,)), [ERROR + "no-global-address"]),
        (vlan10(addresses6=(LINK_LOCAL,), up=False), []),
        (vlan10(addresses6=(GLOBAL,), up=False), []),
        (vlan10(addresses6=(GLOBAL._replace(duplicate=True), LINK_LOCAL)), [ERROR + "address-duplicate"]),
        (vlan10(addresses6=(GLOBAL, LINK_LOCAL._replace(duplicate=True))), [ERROR + "address-duplicate"]),
        (
            facts6(CONFIG6.replace("vlan10: {}", 'vlan10: {link_address: "2001:db8:99::1"}')),
            [ERROR + "link-address-not-ours"],
        ),
        (facts6(CONFIG6.replace("vlan10: {}", 'vlan10: {link_address: "2001:db8:20::1"}')), []),
        (
            facts6(waiting={"vlan10": "it could not join ff02::1:2: Cannot allocate memory"}),
            [ERROR + "groups-exhausted"],
        ),
        (
            facts6(waiting={"vlan10": "it could not join ff02::1:2: No such device"}),
            [ERROR + "interface-waits"],
        ),
        (facts6(by_kernel=3), ["warning host neighbours-few"]),
        (facts6(by_kernel=3, most_neighbours=16384), []),
        (facts6(leaves_by={(RIS6, 0): "", (ALTIRIS6, 0): "core"}), [f"error ris {RIS6} no-route"]),
        (facts6(leaves_by={(RIS6, 0): "", (RIS6, 5): "core"}), []),
    ],
)
def test_what_is_wrong(given: HostFacts6, found: list[str]) -> None:
    assert of_network6(given) == found


@pytest.mark.parametrize(
    ("keeps", "managed", "found"),
    [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
def test_addresses_that_nobody_puts_back(keeps: bool, managed: bool, found: bool) -> None:
    given = facts6(settings={"vlan10": Settings6(keeps_addresses=keeps, managed=managed)})
    assert of_network6(given) == (["note vlan10 addresses-lost-on-down"] if found else [])


def test_of_an_interface_that_does_not_serve_it_is_not_told() -> None:
    """One thing at a time: it may be configured once it has an address."""
    given = replace(vlan10(addresses6=(LINK_LOCAL,)), settings={"vlan10": Settings6(False, False)})
    assert of_network6(given) == [ERROR + "no-global-address"]


@pytest.mark.parametrize(
    ("forwarding", "accepts", "where", "code"),
    [
        (True, 1, "core", "no-route-learnt"),
        (True, 2, "core", "no-route"),
        (False, 1, "core", "no-route"),
        (True, 1, "vlan10", "no-route"),
    ],
)
def test_routes_that_a_router_does_not_learn(forwarding: bool, accepts: int, where: str, code: str) -> None:
    """What clients' own routers advertise is no way to servers."""
    settings = {where: Settings6(accept_ra=accepts)}
    given = facts6(leaves_by={(RIS6, 0): ""}, forwarding=forwarding, settings=settings)
    (found,) = network6.findings(given)
    assert (found.code.value, found.subject) == (code, f"ris {RIS6}")
    if code == "no-route-learnt":
        assert found.advice[0].startswith("sysctl -w net.ipv6.conf.core.accept_ra=2")


def test_with_an_interface_the_others_are_not_looked_at() -> None:
    given = facts6(like={name: {"addresses6": (LINK_LOCAL,)} for name in ("vlan10", "vlan20")})
    assert of_network6(given, "vlan20") == ["error vlan20 no-global-address"]


def test_settings_of_an_interface_with_a_dot_in_its_name() -> None:
    link = VLAN10._replace(name="eth0.40", has_ipv6=False, addresses6=())
    given = facts6()
    port = replace(given.ports[0], name="eth0.40", link=link, waiting="IPv6 is disabled")
    (found,) = network6.findings(replace(given, ports=(port,)))
    assert found.advice[0].startswith("sysctl -w net.ipv6.conf.eth0/40.disable_ipv6=0")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (Advertised("vlan10", True, managed=True), []),
        (Advertised("vlan10", True, other=True), []),
        (Advertised("vlan10", True), ["warning advertisements-without-dhcpv6"]),
        (Advertised("vlan10"), ["warning no-advertisements"]),
        (Advertised("vlan10", error="Operation not permitted"), ["note not-checked"]),
    ],
)
def test_what_routers_say(said: Advertised, found: list[str]) -> None:
    told = [f"{one.severity.value} {one.code.value}" for one in network6.advertised([said])]
    assert told == found


@pytest.mark.parametrize(
    ("managers", "advice"),
    [
        (("firewalld",), "--add-port=547/udp"),
        (("ufw",), "ufw allow 547/udp"),
        ((), "ip6tables -I INPUT -p udp --dport 547 -j ACCEPT"),
    ],
)
def test_how_port_547_is_opened(managers: tuple[str, ...], advice: str) -> None:
    (found,) = network.closed(["vlan10"], managers, 547)
    assert (found.code, found.subject) == (Code.INPUT_CLOSED, "vlan10")
    assert "UDP port 547" in found.message
    assert advice in found.advice[0]
    assert "67" not in found.advice[0]


def test_each_server_is_asked_from_one_vlan_whose_default_it_is() -> None:
    asked = gather6.errands(facts6(), None, everywhere=False)
    assert [(one.server, one.interface) for one in asked] == [(RIS6, "vlan10"), (ALTIRIS6, "vlan20")]


def test_one_that_only_rules_name_from_the_first_or_from_all() -> None:
    text = CONFIG6.replace("vlan20: {default: altiris}", "vlan20: {}")
    given = facts6(text + "rules: {00:80:64: altiris}\n")
    asked = gather6.errands(given, None, everywhere=False)
    assert [(one.server, one.interface) for one in asked] == [(RIS6, "vlan10"), (ALTIRIS6, "vlan10")]
    everywhere = gather6.errands(given, None, everywhere=True)
    assert {(one.server, one.interface) for one in everywhere} == {
        (server, name) for server in (RIS6, ALTIRIS6) for name in ("vlan10", "vlan20")
    }
    only = gather6.errands(given, "vlan20", everywhere=False)
    assert {one.interface for one in only} == {"vlan20"}


def test_a_server_that_no_route_leads_to_is_not_asked() -> None:
    given = facts6(leaves_by={(RIS6, 0): "", (ALTIRIS6, 0): "core"})
    assert [one.server for one in gather6.errands(given, None, everywhere=True)] == [ALTIRIS6]


def test_an_address_that_is_tentative_is_no_duplicate() -> None:
    tentative = Address6(IPv6Address("2001:db8:10::5"), tentative=True)
    assert of_network6(vlan10(addresses6=(*VLAN10.addresses6, tentative))) == []
