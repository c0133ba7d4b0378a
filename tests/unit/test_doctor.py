"""`doctor` as it judges: facts in, findings out."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from pxerelay.answers import Answer as DnsAnswer
from pxerelay.answers import Answers
from pxerelay.doctor import answers, host, network, plan, report
from pxerelay.doctor.facts import Answer, Arrival, Asked, Facts, Holder, Nic, Running, Service, Sighting, Way
from pxerelay.doctor.verdict import Code, Finding, Severity
from pxerelay.errands import Errand, Survey, SurveyError, read
from pxerelay.ports import Link, assign
from tests.unit.configs import build

DOCS = Path(__file__).parents[2] / "docs" / "doctor.md"

CONFIG = """
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
"""
RIS, ALTIRIS = IPv4Address("10.20.0.10"), IPv4Address("10.20.0.20")
GIADDR = IPv4Address("10.10.10.1")
ALL = (1 << 40) - 1


def nic(index: int, name: str, *addresses: str, **more: Any) -> Nic:
    return Nic(index, name, addresses=tuple(map(IPv4Interface, addresses)), **more)


NICS = (
    nic(2, "core", "10.20.0.1/24"),
    nic(10, "vlan10", "10.10.10.1/24"),
    nic(20, "vlan20", "10.10.20.1/24"),
)
RUNNING = Running(4711, "/etc/p.yml", "abc", None, {}, 0, ALL)


def facts(
    text: str = CONFIG, nics: tuple[Nic, ...] = NICS, vrfs: dict[int, int] | None = None, **more: Any
) -> Facts:
    """Return the facts of a healthy host, but for what is said."""
    config = build(text)
    vrfs = vrfs or {}
    links = [
        Link(
            one.index,
            one.name,
            up=one.up and one.carrier,
            mtu=1500,
            addresses=tuple(address.ip for address in one.addresses),
            vrf=vrfs.get(one.index, 0),
        )
        for one in nics
    ]
    known = more.pop("answers", Answers())
    ways = [Way(server, 0, "core", None, IPv4Address("10.20.0.1")) for server in plan.servers(config, known)]
    given: dict[str, Any] = {
        "config": config,
        "sha256": "abc",
        "path": "/etc/p.yml",
        "answers": known,
        "running": RUNNING,
        "no_daemon": "",
        "denied": False,
        "capabilities": ALL,
        "holders": (Holder("0.0.0.0", "pxerelay", 4711, "pxerelay run", ours=True),),
        "links": tuple(links),
        "nics": {one.name: one for one in nics},
        "ports": assign(config, links, "h"),
        "ways": tuple(ways),
    }
    return Facts(**{**given, **more})


def of_host(given: Facts) -> list[str]:
    return [spelled(one) for one in host.findings(given)]


def of_network(given: Facts, interface: str | None = None) -> list[str]:
    servers = tuple(dict.fromkeys(way.server for way in given.ways))
    return [spelled(one) for one in network.findings(given, servers, interface)]


def spelled(finding: Finding) -> str:
    return f"{finding.severity.value} {finding.subject} {finding.code.value}"


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


def changed(name: str, **more: Any) -> tuple[Nic, ...]:
    return tuple(replace(one, **more) if one.name == name else one for one in NICS)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (facts(nics=changed("vlan10", up=False, carrier=False)), ["error vlan10 interface-down"]),
        (facts(nics=changed("vlan10", carrier=False)), ["error vlan10 no-carrier"]),
        (facts(nics=changed("vlan10", addresses=())), ["error vlan10 no-address"]),
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
        (
            facts(running=replace(RUNNING, waiting={"vlan10": "it sleeps"})),
            ["error vlan10 interface-waits"],
        ),
        (
            facts(
                CONFIG.replace("10.20.0.20", "boot.example.net"),
                answers=Answers({"boot.example.net": DnsAnswer((), "not known")}),
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


def way(server: IPv4Address = RIS, vrf: int = 0, interface: str = "core", **more: Any) -> Way:
    return Way(server, vrf, interface, **more)


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
def test_routes(ways: list[Way], found: list[str]) -> None:
    nics = (*NICS, nic(30, "dead", carrier=False), nic(5, "red"), nic(6, "red-core"))
    assert of_network(facts(nics=nics, vrfs={5: 5, 6: 5}, ways=tuple(ways))) == found


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


# Answers


def asked(*given: Answer, **more: Any) -> Asked:
    return Asked(RIS, more.pop("interface", "vlan10"), GIADDR, answers=given, **more)


def answer(**more: Any) -> Answer:
    usual: dict[str, Any] = {
        "source": RIS,
        "destination": GIADDR,
        "interface": "core",
        "milliseconds": 3.0,
        "octets": 300,
        "giaddr": GIADDR,
    }
    return Answer(**{**usual, **more})


def sight(**more: Any) -> Sighting:
    usual: dict[str, Any] = {
        "source": RIS,
        "destination": GIADDR,
        "port": 67,
        "interface": "core",
        "octets": 300,
    }
    return Sighting(**{**usual, **more})


EVERYONE = IPv4Address("255.255.255.255")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (asked(answer()), []),
        (asked(answer(), seen=(sight(),), watched=True), []),
        (asked(error="it waits"), ["note not-checked"]),
        (asked(failures=("could not send: Operation not permitted",)), ["error not-sent"]),
        (asked(), ["error server-silent"]),
        (asked(interface=None), ["warning server-silent"]),
        (asked(no_arp=True), ["error next-hop-silent"]),
        (asked(seen=(sight(),)), ["error answer-lost-here"]),
        (asked(seen=(sight(fragmented=True),)), ["error answer-too-large"]),
        (asked(seen=(sight(port=68),)), ["error answer-to-wrong-port"]),
        (asked(seen=(sight(port=68, destination=EVERYONE),)), ["error answers-by-broadcast"]),
        (asked(answer(destination=EVERYONE)), ["warning answers-by-broadcast"]),
        (asked(answer(destination=IPv4Address("10.20.0.255"))), ["warning answers-by-broadcast"]),
        (asked(answer(destination=IPv4Address("10.99.0.255"))), ["warning answer-not-to-giaddr"]),
        (asked(answer(dropped="not-a-server", source=ALTIRIS)), ["error answer-from-stranger"]),
        (
            asked(answer(), answer(dropped="not-a-server", source=ALTIRIS)),
            ["error answer-from-stranger"],
        ),
        (asked(answer(dropped="not-our-giaddr")), ["error answer-dropped"]),
        (asked(answer(dropped="not-our-giaddr"), interface=None), []),
        (asked(answer(dropped="no-interface")), ["error answer-dropped"]),
        (asked(answer(milliseconds=2500.0)), ["warning server-slow"]),
        (asked(answer(octets=1472)), []),
        (asked(answer(octets=1473), mtu=9000), ["error answer-too-large"]),
        (asked(answer(octets=1300), mtu=1300), ["error answer-too-large"]),
        (asked(answer(octets=1300), seen=(sight(fragmented=True),)), ["warning answer-too-large"]),
        (asked(answer(), services=(Service(RIS, "answered"),)), []),
        (asked(answer(), services=(Service(RIS, "closed"),)), ["error port-4011-closed"]),
        (asked(answer(), services=(Service(RIS, "silent"),)), ["warning port-4011-silent"]),
        (asked(answer(), services=(Service(RIS, "Network is down"),)), ["warning port-4011-silent"]),
    ],
)
def test_answers(given: Asked, found: list[str]) -> None:
    assert [f"{one.severity.value} {one.code.value}" for one in answers.findings(facts(), given)] == found


@pytest.mark.parametrize(
    ("mode", "given", "found"),
    [
        (1, asked(seen=(sight(interface="vlan10", refused=True, back="core"),)), ["rp-filter"]),
        (0, asked(seen=(sight(interface="vlan10", refused=True, back="core"),)), ["answer-lost-here"]),
        (1, asked(filtered=2), ["rp-filter", "server-silent"]),
        (1, asked(filtered=2, watched=True), ["server-silent"]),
        (0, asked(filtered=2), ["server-silent"]),
    ],
)
def test_answers_that_rp_filter_took(mode: int, given: Asked, found: list[str]) -> None:
    host_ = facts(nics=changed("vlan10", rp_filter=mode))
    assert [one.code.value for one in answers.findings(host_, given)] == found


# Whom to ask


def errands(given: Facts, interface: str | None = None, *, everywhere: bool = False) -> list[str]:
    servers = plan.servers(given.config, given.answers)
    found = plan.errands(given, servers, interface, everywhere=everywhere)
    return [f"{one.server} {one.interface or one.giaddr}" for one in found]


MANY = """
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces:
  "vlan*": {}
  vlan20: {default: altiris}
"""
MORE_NICS = (*NICS, nic(30, "vlan30", "10.10.30.1/24"))


def test_each_server_is_asked_from_one_vlan_whose_default_it_is() -> None:
    assert errands(facts(MANY, MORE_NICS)) == ["10.20.0.10 vlan10", "10.20.0.20 vlan20"]


def test_or_from_all_of_them() -> None:
    assert errands(facts(MANY, MORE_NICS), everywhere=True) == [
        "10.20.0.10 vlan10",
        "10.20.0.10 vlan30",
        "10.20.0.20 vlan20",
    ]


def test_one_that_only_rules_name_from_the_first() -> None:
    text = f"{CONFIG}rules:\n  00:80:64: 10.20.0.30\n"
    assert errands(facts(text))[-1] == "10.20.0.30 vlan10"
    assert errands(facts(text), "vlan20")[-1] == "10.20.0.30 vlan20"
    assert errands(facts(text), everywhere=True)[-2:] == ["10.20.0.30 vlan10", "10.20.0.30 vlan20"]


def test_a_vlan_of_a_vrf_that_leads_there_is_preferred() -> None:
    ways = (way(refused="no"), way(vrf=5))
    given = facts(
        f"{CONFIG}".replace("altiris}", "ris}"), nics=(*NICS, nic(5, "red")), vrfs={5: 5, 20: 5}, ways=ways
    )
    assert errands(given)[0] == "10.20.0.10 vlan20"


def test_without_client_interfaces_the_answer_comes_to_the_address_that_the_route_picks() -> None:
    text = "servers: {ris: 10.20.0.10}\ndefault: ris\naccept_relayed_from: [10.30.0.0/16]\n"
    assert errands(facts(text)) == ["10.20.0.10 10.20.0.1"]


def test_servers_by_name_or_address() -> None:
    config = build(CONFIG)
    assert plan.chosen(config, Answers(), ["altiris", "10.20.0.10"]) == (RIS, ALTIRIS)
    with pytest.raises(plan.UnknownNameError, match="did you mean 'altiris'"):
        plan.chosen(config, Answers(), ["altirs"])


# Errands on the control socket


def test_a_survey_is_read_as_it_was_written() -> None:
    survey = Survey(
        bytes.fromhex("02707865726c"),
        b"PXEClient",
        (0, 7),
        2.5,
        (Errand(RIS, "vlan10"), Errand(ALTIRIS, None, GIADDR)),
    )
    assert read(json.loads(json.dumps(survey.plain()))) == survey


@pytest.mark.parametrize(
    "change",
    [
        {"mac": "02:00"},
        {"seconds": "nan"},
        {"seconds": None},
        {"architectures": 7},
        {"errands": [["10.20.0.300", None, None]]},
        {"errands": [["10.20.0.1", None]]},
        {"errands": [["10.20.0.1", None, None]] * 33},
        {"errands": None},
    ],
)
def test_what_is_no_survey_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SurveyError):
        read({**Survey(bytes(6), b"", (), 1.0, ()).plain(), **change})


# The report


def test_the_worst_comes_first_and_every_step_is_told() -> None:
    found = [
        Finding(Severity.NOTE, Code.NOT_CHECKED, "wire", "not seen"),
        Finding(Severity.ERROR, Code.NO_CARRIER, "vlan10", "it has none", ("look", "look again")),
    ]
    text = report.text(facts(), [asked(answer(address="10.10.10.9"))], found)
    assert text.splitlines() == [
        "error   vlan10: it has none [no-carrier]",
        "        -> look",
        "        -> look again",
        "note    wire: not seen [not-checked]",
        "ok      ris 10.20.0.10: from vlan10 answered after 3.0 ms: address 10.10.10.9, boot file none; "
        "port 4011 not needed",
        "errors: 1, warnings: 0; 2 of 2 client interfaces active, 1 servers asked",
    ]
    told = json.loads(report.as_json(facts(), [asked(answer())], found))
    assert [one["code"] for one in told["findings"]] == ["no-carrier", "not-checked"]
    assert told["interfaces"]["vlan10"] == {"state": "active", "giaddr": "10.10.10.1", "waiting": None}


def test_a_stranger_is_no_answer() -> None:
    text = report.text(facts(), [asked(answer(dropped="not-a-server"))], [])
    assert "answered after" not in text
