"""Servers known by DNS name."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from pxerelay.cli import main
from pxerelay.linux import names
from pxerelay.policy.ports import assign
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.relay.decision import Drop, ToClient, ToServers
from pxerelay.relay.relay import Relay
from tests.unit.configs import CORE, LINKS, VLAN10, build, way, why
from tests.unit.messages import ip, reply, request

TEXT = """
servers: {wds: WDS.example.net., mixed: [wds.example.net, 10.20.0.30]}
default: wds
interfaces: {vlan10: {}}
rules: {00:80:64: mixed}
"""
ONE, TWO = IPv4Address("10.20.0.10"), IPv4Address("10.20.0.11")


def relay(answers: ResolvedNames) -> Relay:
    config = build(TEXT)
    return Relay(config, assign(config, LINKS), LINKS, answers)


def known(*addresses: IPv4Address) -> ResolvedNames:
    return ResolvedNames({"wds.example.net": ResolvedName(addresses)})


def test_names_are_listed_in_one_spelling() -> None:
    assert build(TEXT).dns_names == {"wds.example.net"}


def test_a_request_goes_to_every_address_of_a_name() -> None:
    decision = relay(known(ONE, TWO)).decide(request(), VLAN10, ip("0.0.0.0"))
    assert way(decision) == ToServers((ONE.packed, TWO.packed), None)


def test_until_it_is_resolved_a_name_is_a_drop_with_its_own_reason() -> None:
    assert why(relay(ResolvedNames()).decide(request(), VLAN10, ip("0.0.0.0"))) is Drop.NOT_RESOLVED
    other = relay(ResolvedNames()).decide(request(chaddr="00:80:64:00:00:01"), VLAN10, ip("0.0.0.0"))
    assert way(other) == ToServers((ip("10.20.0.30"),), None)


def test_replies_are_taken_from_the_addresses_of_a_name() -> None:
    assert isinstance(relay(known(ONE)).decide(reply(), CORE, ONE.packed), ToClient)
    assert why(relay(known(ONE)).decide(reply(), CORE, TWO.packed)) is Drop.NOT_A_SERVER


def test_a_failed_question_keeps_the_last_answer_and_tells_why() -> None:
    before = known(ONE)
    failed = before.renewed({"wds.example.net": ResolvedName(error="no answer within 5 s")})
    assert failed.by_name["wds.example.net"] == ResolvedName((ONE,), "no answer within 5 s")
    mended = failed.renewed({"wds.example.net": ResolvedName((TWO,))})
    assert mended == known(TWO)


def test_names_that_are_no_longer_configured_are_forgotten() -> None:
    assert known(ONE).renewed({}) == ResolvedNames()


def test_questions_are_asked_of_the_systems_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, each failure an answer of its own."""

    def getaddrinfo(name: str, *_: object, **__: object) -> list[object]:
        if name == "gone.example.net":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        told = ("0.0.0.0",) if name == "sink.example.net" else (TWO, ONE, TWO, "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", (str(address), 0)) for address in told]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert asked_for({"wds.example.net", "gone.example.net", "sink.example.net"}) == {
        "wds.example.net": ResolvedName((ONE, TWO)),
        "gone.example.net": ResolvedName(error="Name or service not known"),
        "sink.example.net": ResolvedName(error="the answer is 0.0.0.0, which can't be a server"),
    }


def asked_for(wanted: set[str]) -> dict[str, ResolvedName]:
    async def ask() -> dict[str, ResolvedName]:
        return await names.DnsClient(lambda *_: None).resolve(wanted)

    return asyncio.run(ask())


SIX, SEVEN = IPv6Address("2001:db8:20::10"), IPv6Address("2001:db8:20::11")
ERRORS = {
    "none": socket.gaierror(socket.EAI_NODATA, "No address associated with hostname"),
    "late": socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
}
NONE, LATE = ERRORS["none"].strerror or "", ERRORS["late"].strerror or ""


@pytest.mark.parametrize(
    ("a", "aaaa", "expected"),
    [
        ("10.20.0.10", "2001:db8:20::11 2001:db8:20::10", ResolvedName((ONE,), "", (SIX, SEVEN))),
        ("10.20.0.10", "none", ResolvedName((ONE,))),
        ("none", "2001:db8:20::10", ResolvedName((), "", (SIX,))),
        ("none", "none", ResolvedName((), NONE, (), NONE)),
        ("10.20.0.10", "late", ResolvedName((ONE,), "", (), LATE)),
        ("late", "2001:db8:20::10", ResolvedName((), LATE, (SIX,))),
        ("late", "none", ResolvedName((), LATE, (), NONE)),
        ("10.20.0.10", "fe80::1 2001:db8:20::10 ::ffff:10.20.0.1", ResolvedName((ONE,), "", (SIX,))),
        ("10.20.0.10", "::1", ResolvedName((ONE,), "", (), "the answer is ::1, which can't be a server")),
    ],
)
def test_with_dhcpv6_both_families_are_asked_for_and_one_is_enough(
    monkeypatch: pytest.MonkeyPatch, a: str, aaaa: str, expected: ResolvedName
) -> None:
    def getaddrinfo(*_: object, family: socket.AddressFamily, **__: object) -> list[object]:
        text = {socket.AF_INET: a, socket.AF_INET6: aaaa}[family]
        if text in ERRORS:
            raise ERRORS[text]
        return [(family, socket.SOCK_DGRAM, 0, "", (address, 0)) for address in text.split()]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    config = build(TEXT + "dhcpv6: true\n")
    found = asyncio.run(names.DnsClient(lambda *_: None).resolve_for(config))
    assert found == {"wds.example.net": expected}


def test_without_dhcpv6_names_are_asked_for_a_records_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def getaddrinfo(*_: object, family: int, **__: object) -> list[object]:
        asked.append(family)
        return [(family, socket.SOCK_DGRAM, 0, "", (str(ONE if family == socket.AF_INET else SIX), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    asyncio.run(names.DnsClient(lambda *_: None).resolve_for(build(TEXT)))
    assert asked == [socket.AF_INET]
    only6 = build(TEXT.replace(", 10.20.0.30", "") + "dhcpv4: false\ndhcpv6: true\n")
    found = asyncio.run(names.DnsClient(lambda *_: None).resolve_for(only6))
    assert found == {"wds.example.net": ResolvedName((), "", (SIX,))}
    assert asked == [socket.AF_INET, socket.AF_INET6]


def test_a_family_that_can_not_be_asked_for_keeps_its_addresses_and_the_other_is_renewed() -> None:
    before = ResolvedNames({"wds.example.net": ResolvedName((ONE,), "", (SIX,))})
    fresh = before.renewed({"wds.example.net": ResolvedName((TWO,), "", (), LATE)})
    assert fresh.by_name["wds.example.net"] == ResolvedName((TWO,), "", (SIX,), LATE)
    assert fresh.of("wds.example.net") == (TWO,)
    assert fresh.of6("wds.example.net") == (SIX,)
    gone = before.renewed({"wds.example.net": ResolvedName((TWO,))})
    assert gone.of6("wds.example.net") == ()
    assert gone.is_known("wds.example.net")
    assert not ResolvedNames({"wds.example.net": names.NOT_YET}).is_known("wds.example.net")


def test_targets_have_addresses_by_family() -> None:
    config = build(
        """
        servers:
          pool: {addresses: [10.20.0.10, 2001:db8:20::11, wds.example.net, 10.20.0.11], strategy: failover}
          both: [10.20.0.10, 2001:db8:20::10]
        default: pool
        """
    )
    answers = ResolvedNames({"wds.example.net": ResolvedName((TWO,), "", (SIX,))})
    (pool,) = config.servers["pool"]
    assert answers.of(pool) == (ONE, TWO)
    assert answers.of6(pool) == (SEVEN, SIX)
    assert [answers.of(target) for target in config.servers["both"]] == [(ONE,), ()]
    assert [answers.of6(target) for target in config.servers["both"]] == [(), (SIX,)]
    assert answers.names(config.servers, ONE) == ["pool", "both"]
    assert answers.names(config.servers, SEVEN) == ["pool"]
    assert str(answers.named(config.servers, SIX)) == "pool 2001:db8:20::10"


def test_an_answer_that_comes_late_is_told_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and the name is not asked for again while it is being waited for."""
    questions: list[str] = []
    go_on = threading.Event()

    def getaddrinfo(name: str, *_: object, **__: object) -> list[object]:
        questions.append(name)
        go_on.wait(5)
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", (str(ONE), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(names, "TIMEOUT", 0.05)
    late: list[tuple[str, ResolvedName]] = []

    async def ask() -> None:
        questioner = names.DnsClient(lambda name, answer: late.append((name, answer)))
        for _ in range(2):
            found = await questioner.resolve({"wds.example.net"})
            assert found["wds.example.net"].error == "no answer within 0 s"
        go_on.set()
        while not late:
            await asyncio.sleep(0.01)
        assert (await questioner.resolve({"wds.example.net"}))["wds.example.net"] == ResolvedName((ONE,))

    asyncio.run(ask())
    assert late == [("wds.example.net", ResolvedName((ONE,)))]
    assert questions == ["wds.example.net"] * 2


def test_explain_tells_the_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "pxerelay.yml"
    config.write_text(TEXT)
    assert main(["explain", "02:00:00:00:00:01", "--config", str(config), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["servers"] == told["sent_to"] == ["wds.example.net"]
    assert main(["explain", "02:00:00:00:00:01", "--config", str(config)]) == 0
    assert "-> wds wds.example.net" in capsys.readouterr().out
