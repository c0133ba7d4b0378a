"""`doctor` as it judges a host and its network: facts in, findings out."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

import pytest

from pxerelay.policy.resolved import ResolvedName as DnsAnswer
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.tools.doctor import host, network
from pxerelay.tools.doctor.facts import Arrival, Facts, Holder, ServerRoute
from pxerelay.tools.doctor.verdict import Code
from tests.unit.tools.doctor.facts import (
    ALL,
    CONFIG,
    DOCS,
    GIADDR,
    NICS,
    RIS,
    RUNNING,
    changed,
    facts,
    nic,
    of_host,
    of_network,
    way,
)


def test_every_finding_has_a_page() -> None:
    assert re.findall("^### (.*)$", DOCS.read_text("utf-8"), re.MULTILINE) == [code.value for code in Code]


def test_a_healthy_host_has_none() -> None:
    assert of_host(facts()) == []
    assert of_network(facts()) == []


# The host


def without_daemon(**more: Any) -> Facts:
    return facts(**{"running": None, "no_daemon": "nobody answers", "holders": (), **more})


OTHER = Holder("0.0.0.0", "root", 5, "/usr/sbin/dnsmasq -C /x", "dnsmasq.service")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (without_daemon(), ["error daemon no-daemon"]),
        (without_daemon(denied=True), ["warning daemon not-checked"]),
        (
            without_daemon(denied=True, holders=(Holder("0.0.0.0", "pxerelay"),)),
            ["warning daemon not-checked"],
        ),
        (
            without_daemon(holders=(Holder("0.0.0.0", "root", 5, "python /opt/x/bin/pxerelay run"),)),
            ["warning daemon not-checked"],
        ),
        (without_daemon(capabilities=0), ["error daemon no-daemon", "note doctor capabilities"]),
        (
            without_daemon(capabilities=1 << host.CAP_NET_RAW, unprivileged_ports=67),
            ["error daemon no-daemon"],
        ),
        (without_daemon(holders=(OTHER,)), ["error daemon no-daemon", "error host port-67-taken"]),
        (facts(holders=(OTHER,)), ["error host port-67-taken"]),
        (facts(sha256="other"), ["warning daemon config-not-in-force"]),
        (
            facts(running=replace(RUNNING, last_error="x:1:1: no"), sha256="other"),
            ["error daemon config-not-in-force"],
        ),
        (
            facts(running=replace(RUNNING, capabilities=1 << host.CAP_NET_RAW)),
            ["warning daemon capabilities"],
        ),
        (facts(running=replace(RUNNING, capabilities=None)), []),
        (facts(running=replace(RUNNING, no_metrics="in use")), ["warning daemon metrics-not-served"]),
        (facts(running=replace(RUNNING, not_received=3)), ["warning host receive-buffer"]),
        (facts(receive_limit=212992), []),  # with CAP_NET_ADMIN it takes what it wants
        (
            facts(running=replace(RUNNING, capabilities=ALL & ~(1 << 12)), receive_limit=212992),
            ["warning host receive-buffer"],
        ),
        (facts(now=1e9, newest_file=1e9 + 7200), []),  # no rule ends
    ],
)
def test_the_host(given: Facts, found: list[str]) -> None:
    assert of_host(given) == found


def test_a_clock_that_is_behind_matters_where_rules_end() -> None:
    dated = f"{CONFIG}rules:\n  00:80:64: {{server: ris, until: 2031-01-01}}\n"
    assert of_host(facts(dated, now=1e9, newest_file=1e9 + 7200)) == ["warning host clock-behind"]
    assert of_host(facts(dated, now=1e9, newest_file=1e9)) == []


@pytest.mark.parametrize(
    ("holder", "advice"),
    [
        (OTHER, "systemctl disable --now dnsmasq.service"),
        (
            replace(OTHER, command="dnsmasq --conf-file=/var/lib/libvirt/dnsmasq/default.conf"),
            "virsh net-destroy",
        ),
        (replace(OTHER, unit="systemd-networkd.service", command="x"), "DHCPServer=no"),
        (replace(OTHER, unit="", command="dhcrelay"), "systemctl status 5"),
        (Holder("10.0.0.1", "root"), "ss -lunp"),
    ],
)
def test_how_to_end_another_relay(holder: Holder, advice: str) -> None:
    (finding,) = host.findings(facts(holders=(holder,)))
    assert advice in finding.advice[0]


# The network


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (facts(nics=changed("vlan10", up=False, carrier=False)), ["error vlan10 interface-down"]),
        (facts(nics=changed("vlan10", carrier=False)), ["error vlan10 no-carrier"]),
        (facts(nics=changed("vlan10", addresses=())), ["error vlan10 no-address"]),
        (
            facts(like={"vlan10": {"narrow": (IPv4Address("10.10.10.1"),)}}),
            ["error vlan10 address-scope"],
        ),
        (
            facts(CONFIG.replace("{}", "{giaddr: 10.10.10.1}"), like={"vlan10": {"narrow": (GIADDR,)}}),
            [],
        ),
        (facts(like={"vlan10": {"hardware": b""}}), ["note vlan10 no-ethernet"]),
        (facts(like={"vlan20": {"loopback": True}}), ["error vlan20 loopback"]),
        (
            facts(CONFIG.replace("vlan20", "clients10"), like={"vlan10": {"altnames": ("clients10",)}}),
            ["warning clients10 already-named"],
        ),
        (
            facts(nics=changed("vlan10", addresses=(IPv4Interface("10.10.10.1/32"),))),
            ["warning vlan10 host-netmask"],
        ),
        (facts(nics=NICS[:2]), ["error vlan20 interface-missing"]),
        (facts(CONFIG.replace("vlan20", '"eth*"')), ["warning eth* glob-matches-nothing"]),
        (facts("servers: {ris: 10.20.0.10}\ndefault: ris\n"), ["warning configuration nothing-to-relay"]),
        (facts(CONFIG.replace("{}", "{giaddr: 10.9.9.9}")), ["error vlan10 giaddr-not-ours"]),
        (
            facts(nics=changed("vlan20", addresses=(IPv4Interface("10.10.10.1/24"),))),
            ["error vlan20 giaddr-shared"],
        ),
        (facts(f"{CONFIG}source_address: 10.9.9.9\n"), ["error configuration source-not-ours"]),
        (facts(f"{CONFIG}source_ports: any\n"), ["warning configuration any-source-port"]),
        (facts(f"{CONFIG}source_ports: server\n"), []),
        (
            facts(running=replace(RUNNING, waiting={"vlan10": "it sleeps"})),
            ["error vlan10 interface-waits"],
        ),
        (
            facts(
                CONFIG.replace("10.20.0.20", "boot.example.net"),
                answers=ResolvedNames({"boot.example.net": DnsAnswer((), "not known")}),
            ),
            ["error altiris server-not-resolved"],
        ),
    ],
)
def test_interfaces_and_addresses(given: Facts, found: list[str]) -> None:
    assert of_network(given) == found


def test_a_vlan_is_down_with_the_device_beneath_it() -> None:
    eth0 = nic(3, "eth0", up=False, carrier=False)
    given = facts(nics=(*changed("vlan10", carrier=False, lower=3), eth0))
    (finding,) = network.findings(given, ())
    assert finding.code is Code.INTERFACE_DOWN
    assert finding.advice == ("ip link set eth0 up; ip link set vlan10 up",)


def test_a_vrf_that_is_down_takes_its_interfaces_with_it() -> None:
    red = nic(5, "red", up=False, carrier=False)
    given = facts(nics=(*changed("vlan10", master=5), red), vrfs={5: 5, 10: 5})
    assert of_network(given) == ["error vlan10 interface-down"]
    assert of_network(facts(nics=(*changed("vlan10", master=5), nic(5, "red")), vrfs={5: 5, 10: 5})) == []


def test_a_part_of_a_bridge_hears_nothing() -> None:
    assert of_network(facts(nics=(*changed("vlan10", master=5), nic(5, "br0")))) == [
        "error vlan10 interface-enslaved"
    ]


def test_only_one_interface_is_of_interest() -> None:
    given = facts(nics=changed("vlan10", carrier=False))
    assert of_network(given, "vlan20") == []
    assert of_network(given, "vlan10") == ["error vlan10 no-carrier"]


@pytest.mark.parametrize(
    ("ways", "found"),
    [
        ([way(refused="no route leads there")], ["error ris 10.20.0.10 no-route"]),
        ([way(local=True, interface="lo")], ["error ris 10.20.0.10 server-is-this-host"]),
        ([way(interface="vlan10")], ["warning ris 10.20.0.10 route-into-client-vlan"]),
        (
            [way(interface="vlan10", gateway=IPv4Address("10.10.10.9"))],
            ["warning ris 10.20.0.10 route-into-client-vlan"],
        ),
        ([way(interface="dead")], ["error ris 10.20.0.10 route-without-carrier"]),
        # a VRF without clients that need it
        ([way(), way(vrf=5, refused="no")], []),
        ([way(vrf=5)], ["warning ris 10.20.0.10 route-leaves-vrf"]),
        ([way(vrf=5, interface="red-core")], []),
        ([way(refused="no"), way(vrf=5, interface="red-core")], ["error ris 10.20.0.10 no-route"]),
        ([way(vrf=5, refused="no")], ["error ris 10.20.0.10 no-route"]),
    ],
)
def test_routes(ways: list[ServerRoute], found: list[str]) -> None:
    nics = (*NICS, nic(30, "dead", carrier=False), nic(5, "red"), nic(6, "red-core"))
    assert of_network(facts(nics=nics, vrfs={5: 5, 6: 5}, ways=tuple(ways))) == found


@pytest.mark.parametrize(
    ("option82", "mtu", "found"),
    [
        ("{circuit_id: abcd, required: true}", 583, ["warning ris 10.20.0.10 no-room-for-option82"]),
        ("{circuit_id: abcd, required: true}", 584, []),
        ("{circuit_id: abcd, required: true}", 0, []),
        ("{circuit_id: abcd}", 576, []),
        ("false", 576, []),
    ],
)
def test_rule_38_firmwares_requests_have_room_for_an_option_82_that_is_required(
    option82: str, mtu: int, found: list[str]
) -> None:
    """2 octets for option 82, 2 for the circuit id, 4 that this has, 548 of the message, 28 of headers."""
    assert of_network(facts(f"{CONFIG}option82: {option82}\n", ways=(way(mtu=mtu),))) == found


def test_where_clients_are_a_looser_rp_filter_does_not_help() -> None:
    """Answers that come in there are dropped by the relay (rule 28)."""
    nics = (*changed("vlan10", rp_filter=1), nic(30, "up", rp_filter=1))
    for interface, advices in (("vlan10", 1), ("up", 2)):
        arrival = Arrival(RIS, GIADDR, interface, "core")
        (finding,) = network.findings(facts(nics=nics, refused_replies=(arrival,)), ())
        assert len(finding.advice) == advices
        assert ("sysctl" in finding.advice[0]) == (interface == "up")


@pytest.mark.parametrize(
    ("mode", "back", "found"),
    [
        (1, "core", ["error vlan10 rp-filter"]),
        (1, "vlan10", []),
        (0, "core", []),
        (2, "core", []),
        (2, "", ["error vlan10 rp-filter"]),
    ],
)
def test_rp_filter_is_the_reason_only_where_it_may_be(mode: int, back: str, found: list[str]) -> None:
    nics = changed("vlan10", rp_filter=mode)
    refused = (Arrival(RIS, GIADDR, "vlan10", back),)
    assert of_network(facts(nics=nics, refused_replies=refused)) == found
    assert of_network(facts(nics=nics, refused_clients=refused)) == found


def test_the_setting_of_an_interface_with_a_dot_in_its_name() -> None:
    given = facts(nics=(*NICS, nic(40, "eth0.40", rp_filter=1)))
    given = replace(given, refused_clients=(Arrival(RIS, GIADDR, "eth0.40", "core"),))
    (finding,) = network.findings(given, ())
    assert finding.advice[0].startswith("sysctl -w net.ipv4.conf.eth0/40.rp_filter=2")


@pytest.mark.parametrize(
    ("managers", "advice"),
    [
        (("firewalld",), ["firewall-cmd --permanent"]),
        (("ufw",), ["ufw allow 67/udp"]),
        (("firewalld", "ufw"), ["firewall-cmd --permanent", "ufw allow 67/udp"]),
        ((), ["in each chain with `hook input`"]),
    ],
)
def test_how_to_open_a_firewall_goes_by_who_manages_it(managers: tuple[str, ...], advice: list[str]) -> None:
    (found,) = network.closed(["vlan10"], managers)
    assert (found.code, found.subject, len(found.advice)) == (Code.INPUT_CLOSED, "vlan10", len(advice))
    assert all(map(str.startswith, found.advice, advice))
