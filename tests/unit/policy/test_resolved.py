"""Servers known by DNS name."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from ipaddress import IPv4Address
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
