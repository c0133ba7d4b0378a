"""`replay --against`, and whatever a capture may hold: properties."""

from __future__ import annotations

import json
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pxerelay.cli import main
from pxerelay.config import document
from pxerelay.tools.simulate import replay_text
from pxerelay.tools.simulate.dual_stack import differences as replay_differences
from pxerelay.tools.simulate.offline import Hints
from pxerelay.tools.simulate.replay import Replayer, replayer
from pxerelay.tools.simulate.verdict import Fate
from pxerelay.wire.dissect import Datagram
from tests.lab import frames as ethernet
from tests.unit import written
from tests.unit.configs import STANDARD, build
from tests.unit.messages import ip, reply, request
from tests.unit.tools.simulate.conftest import DROPPED, OTHER, THIN, on_vlan, replay
from tests.unit.written import asked, tagged


def test_against_shows_what_would_differ(
    config: Path, capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.yml"
    text = config.read_text().replace(f"{THIN}: altiris", f"{THIN}: ris")
    other.write_text(text.replace(f"  {DROPPED}: drop", ""))
    capture.write_bytes(
        written.pcap([on_vlan(10), on_vlan(10, THIN), on_vlan(10, THIN), on_vlan(20, DROPPED)])
    )
    told = replay(capsys, capture, config, "--against", str(other), json=False)
    assert told.code == 0
    assert told.out == (
        "altiris 10.20.0.20, altiris 10.20.0.21 -> ris 10.20.0.10\n"
        f"  {THIN} on vlan10 (PXEClient, x86 BIOS): rule {THIN} ({config}:11) -> "
        f"rule {THIN} ({other}:11); 2 requests\n"
        "dropped (mapped-to-drop) -> altiris 10.20.0.20, altiris 10.20.0.21\n"
        f"  {DROPPED} on vlan20 (PXEClient, x86 BIOS): rule {DROPPED} ({config}:14) -> "
        f"the default of vlan20 ({other}:8); 1 request\n"
    )
    same = replay(capsys, capture, config, "--against", str(config), json=False)
    assert (same.code, same.out) == (0, "nothing would differ\n")


def test_another_name_for_a_server_is_no_difference(
    config: Path, capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.yml"
    other.write_text(config.read_text().replace("altiris", "thin"))
    capture.write_bytes(written.pcap([on_vlan(10, THIN), on_vlan(20)]))
    assert replay(capsys, capture, config, "--against", str(other)).out == ""


MACS = [THIN, DROPPED, OTHER, "00:80:64:00:00:01", "52:54:00:12:34:56"]
RULES = st.dictionaries(
    st.sampled_from([*MACS, "00:80:64", "52:54:00:12:3?:*", "02:*"]),
    st.sampled_from(["ris", "altiris", "dhcp", "drop", "{server: dhcp, until: 2020-01-01}"]),
)


def mapping(rules: dict[str, str], default: str, *, pxe_only: bool) -> str:
    head = f"servers: {{ris: 10.20.0.10, altiris: 10.20.0.20, dhcp: 10.20.0.2}}\ndefault: {default}\n"
    head += f"pxe_only: {str(pxe_only).lower()}\ninterfaces: {{vlan10: {{}}, vlan20: {{default: altiris}}}}\n"
    classes = "classes: [{name: arm, arch: 11, server: dhcp}]\n"
    entries = ", ".join(f"'{key}': {value}" for key, value in rules.items())
    return f"{head}{classes}rules: {{{entries}}}\n"


CLIENTS = st.lists(
    st.tuples(
        st.sampled_from(MACS),
        st.sampled_from([10, 20]),
        st.sampled_from([b"PXEClient:Arch:00007", b"MSFT 5.0", None]),
        st.sampled_from([7, 11, None]),
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    one=RULES,
    other=RULES,
    defaults=st.tuples(*[st.sampled_from(["ris", "drop"])] * 2),
    pxe_only=st.booleans(),
    clients=CLIENTS,
)
def test_against_agrees_with_explain(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    one: dict[str, str],
    other: dict[str, str],
    defaults: tuple[str, str],
    pxe_only: bool,
    clients: list[tuple[str, int, bytes | None, int | None]],
) -> None:
    """A client is shown exactly if `explain` sends it elsewhere by the other file, and to the same place."""
    first, second, capture = tmp_path / "one.yml", tmp_path / "other.yml", tmp_path / "capture.pcap"
    first.write_text(mapping(one, defaults[0], pxe_only=pxe_only))
    second.write_text(mapping(other, defaults[1], pxe_only=False))
    frames = [
        tagged(asked(request(chaddr=mac, vendor=vendor, arch=arch)), vlan)
        for mac, vlan, vendor, arch in clients
    ]
    capture.write_bytes(written.pcap(frames))

    def explained(path: Path) -> list[frozenset[str]]:
        found = []
        for mac, vlan, vendor, arch in clients:
            given_ = ["--interface", f"vlan{vlan}", "--vendor-class", (vendor or b"").decode()]
            given_ += ["--arch", str(arch)] if arch is not None else []
            code = main(["explain", mac, "--config", str(path), "--format", "json", *given_])
            assert code == 0
            found.append(frozenset(json.loads(capsys.readouterr().out)["sent_to"]))
        return found

    before, after = explained(first), explained(second)
    told = replay(capsys, capture, first)
    assert [frozenset(packet["servers"]) for packet in told.packets] == before
    shown = replay(capsys, capture, first, "--against", str(second)).objects
    moved = {
        (mac, f"vlan{vlan}", *sets)
        for (mac, vlan, _, _), *sets in zip(clients, before, after, strict=True)
        if sets[0] != sets[1]
    }
    told_of = {
        (
            entry["mac"],
            entry["interface"],
            *(frozenset(entry[side]["servers"]) for side in ("before", "after")),
        )
        for entry in shown
    }
    dropped_for_another_reason = {entry for entry in told_of if entry[2] == entry[3] == frozenset()}
    assert told_of - dropped_for_another_reason == moved


BUILT = build(STANDARD)
DOCUMENTS = (document.parse("pxerelay.yml", STANDARD),)
ADDRESSES = st.sampled_from([ip(text) for text in ("0.0.0.0", "10.20.0.10", "10.30.0.1", "255.255.255.255")])


@settings(max_examples=200)
@given(
    start=st.sampled_from([request(), request(giaddr="10.30.0.1"), reply(), request(giaddr="10.10.10.1")]),
    changes=st.lists(st.tuples(st.integers(0, 299), st.integers(0, 255)), max_size=12),
    size=st.integers(0, 300),
    ends=st.tuples(ADDRESSES, ADDRESSES),
    ports=st.tuples(*[st.sampled_from([67, 68, 4011])] * 2),
    tags=st.sampled_from([(), (10,), (30,), (100, 20)]),
)
def test_whatever_comes_has_a_verdict(
    start: bytearray,
    changes: list[tuple[int, int]],
    size: int,
    ends: tuple[bytes, bytes],
    ports: tuple[int, int],
    tags: tuple[int, ...],
) -> None:
    octets = bytearray(start)
    for place, value in changes:
        octets[place] = value
    datagram = Datagram(1, 0.0, None, tags, *ends, *ports, bytes(octets[: max(size, 200)]), 300)
    for one in (datagram, datagram._replace(size=len(datagram.payload))):
        replayer = replayer_for([one])
        verdict = replayer.verdict(one)
        assert (verdict.sent is not None) is (verdict.fate is Fate.RELAYED)
        assert bool(verdict.reason) is (verdict.fate is not Fate.RELAYED)
        assert replay_text.line(verdict, "now").isprintable()
        assert json.loads(replay_text.as_json(verdict, "now"))["verdict"] == verdict.fate.value
        assert replay_text.packet_text(verdict)
        assert replay_differences([one], replayer, replayer_for([one])) == []


def replayer_for(datagrams: list[Datagram]) -> Replayer:
    return replayer(BUILT, DOCUMENTS, datagrams, Hints(giaddrs={"vlan10": IPv4Address("10.10.10.1")}))


def test_fragments_and_standard_input(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    frames = ethernet.frames(bytes(request()).ljust(2000, b"\0"))
    capture = tmp_path / "piped"
    capture.write_bytes(written.pcap([tagged(frame, 10) for frame in frames]))
    with capture.open() as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        told = replay(capsys, Path("-"), config)
    assert (told.code, len(told.packets), told.packets[0]["packet"]) == (0, 1, 2)
