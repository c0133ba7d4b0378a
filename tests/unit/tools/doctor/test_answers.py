"""`doctor` as it judges answers, whom it asks, and how it reports: facts in, findings out."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import Any

import pytest

from pxerelay.policy.resolved import ResolvedNames
from pxerelay.relay.survey_request import ServerQuery, Survey, SurveyError, read
from pxerelay.tools.doctor import answers, plan, report
from pxerelay.tools.doctor.facts import Asked, Facts, ServerAnswer, Service, Sighting
from pxerelay.tools.doctor.verdict import Code, Finding, Severity
from tests.unit.configs import build
from tests.unit.tools.doctor.facts import ALTIRIS, CONFIG, GIADDR, NICS, RIS, changed, facts, nic, way

# ResolvedNames


def asked(*given: ServerAnswer, **more: Any) -> Asked:
    server, interface = more.pop("server", RIS), more.pop("interface", "vlan10")
    return Asked(server, interface, GIADDR, answers=given, **more)


def answer(**more: Any) -> ServerAnswer:
    usual: dict[str, Any] = {
        "source": RIS,
        "destination": GIADDR,
        "interface": "core",
        "milliseconds": 3.0,
        "octets": 300,
        "giaddr": GIADDR,
    }
    return ServerAnswer(**{**usual, **more})


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
        (asked(answer(dropped="not-from-port-67")), ["error answer-from-other-port"]),
        (asked(answer(dropped="server-on-client-interface")), ["error answer-by-client-vlan"]),
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


TWO = "servers: {{wds: {wds}}}\ndefault: wds\n{more}interfaces: {{vlan10: {{}}, vlan20: {{}}}}\n"
LIST = "[10.20.0.10, 10.20.0.20]"


@pytest.mark.parametrize(
    ("wds", "more", "others", "found"),
    [
        (f"{{addresses: {LIST}, strategy: failover}}", "", [asked(answer(), server=ALTIRIS)], "warning"),
        (f"{{addresses: {LIST}, strategy: hash}}", "", [asked(answer(), server=ALTIRIS)], "warning"),
        (LIST, "", [asked(answer(), server=ALTIRIS)], "warning"),
        (LIST, "dhcp_servers: wds\n", [asked(answer(), server=ALTIRIS)], "warning"),
        (LIST, "", [asked(answer(), server=ALTIRIS, interface="vlan20")], "warning"),
        (LIST, "", [], "error"),
        (LIST, "", [asked(server=ALTIRIS)], "error"),
        (LIST, "", [asked(answer(dropped="no-interface"), server=ALTIRIS)], "error"),
        (
            LIST,
            "",
            [asked(server=ALTIRIS), asked(answer(), server=ALTIRIS, interface="vlan20")],
            "error",
        ),
        (LIST, "rules: {00:80:64: 10.20.0.10}\n", [asked(answer(), server=ALTIRIS)], "error"),
        (LIST, "rules: {00:80:64:00:00:01: 10.20.0.10}\n", [asked(answer(), server=ALTIRIS)], "error"),
        (LIST, "rules: {00:80:64: 10.20.0.20}\n", [asked(answer(), server=ALTIRIS)], "warning"),
        ("[10.20.0.10]", "dhcp_servers: 10.20.0.20\n", [asked(answer(), server=ALTIRIS)], "error"),
        (f"{LIST}, ris: 10.20.0.10", "", [asked(answer(), server=ALTIRIS)], "error"),
    ],
)
def test_silence_is_a_warning_where_another_address_of_the_server_answers(
    wds: str, more: str, others: list[Asked], found: str
) -> None:
    host_ = facts(TWO.format(wds=wds, more=more))
    for silent, code in ((asked(), "server-silent"), (asked(no_arp=True), "next-hop-silent")):
        (one,) = answers.findings(host_, silent, [silent, *others])
        assert (one.severity.value, one.code.value) == (found, code)
        assert one.message.endswith("; 10.20.0.20 of the same server answers") == (found == "warning")


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
    assert plan.chosen(config, ResolvedNames(), ["altiris", "10.20.0.10"]) == (RIS, ALTIRIS)
    with pytest.raises(plan.UnknownNameError, match="did you mean 'altiris'"):
        plan.chosen(config, ResolvedNames(), ["altirs"])


# Errands on the control socket


def test_a_survey_is_read_as_it_was_written() -> None:
    survey = Survey(
        bytes.fromhex("02707865726c"),
        b"PXEClient",
        (0, 7),
        2.5,
        (ServerQuery(RIS, "vlan10"), ServerQuery(ALTIRIS, None, GIADDR)),
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
