"""`explain` of many clients: lists of MACs, captures, and the packets that would leave."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pxerelay.cli import main
from pxerelay.relay.decision import ToServers
from tests.firmware.setups import BIOS, PLAIN, UEFI, configuration
from tests.lab.command import REPOSITORY
from tests.unit import written
from tests.unit.configs import STANDARD, VLAN10, relay
from tests.unit.messages import ip, message, request
from tests.unit.written import asked, tagged

FOLDER = REPOSITORY / "tests" / "captures"
THIN, OTHER = "00:11:22:33:44:55", "02:00:00:00:00:99"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pxerelay.yml"
    path.write_text(STANDARD.strip())
    return path


def explain(
    capsys: pytest.CaptureFixture[str], config: Path, *arguments: str
) -> tuple[int, list[dict[str, Any]], str]:
    code = main(["explain", *arguments, "--config", str(config), "--format", "json"])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


LIST = f"""\
# thin clients
{THIN}   # by the door
0200.0000.0099

00:80:64
nonsense # and a comment
{THIN}
de-ad-be-ef-00-01
"""


def test_a_list_of_macs(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad lines are named, the others done, each address once."""
    path = tmp_path / "inventory"
    path.write_text(LIST)
    code, found, errors = explain(capsys, config, "52:54:00:12:34:56", "--file", str(path))
    assert code == 2
    assert [one["mac"] for one in found] == ["52:54:00:12:34:56", THIN, OTHER, "de:ad:be:ef:00:01"]
    first, second = errors.splitlines()
    assert first.startswith(f"{path}:5: ")
    assert second.startswith(f"{path}:6: ")


def test_a_list_on_standard_input(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf02:00:00:00:00:99\r\n\xff\n"))
    )
    code, found, errors = explain(capsys, config, "--file", "-")
    assert (code, [one["mac"] for one in found]) == (2, [OTHER])
    assert errors.startswith("standard input:2: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "which clients?"),
        (["--file", "/nowhere/list"], "/nowhere/list can't be read: No such file"),
        (["--capture", "/nowhere/boot.pcap"], "/nowhere/boot.pcap can't be read: No such file"),
        (["--capture", str(FOLDER / "pxe-only-clients.pcap"), "--arch", "7"], "go without --capture"),
        ([OTHER, "--packet"], "--packet needs --interface"),
        ([OTHER, "--vlan", "x=y"], "write TAG=INTERFACE"),
    ],
)
def test_nonsense(config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    code, found, errors = explain(capsys, config, *arguments)
    assert (code, found) == (2, [])
    assert says in errors


@pytest.mark.parametrize("side", ["clients", "servers"])
def test_the_clients_of_a_capture(config: Path, side: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What they are and where they were heard is what they sent, on either side of the relay."""
    config.write_text(configuration("pxe-only"))
    code, found, _ = explain(capsys, config, "--capture", str(FOLDER / f"pxe-only-{side}.pcap"))
    assert code == 0
    assert {(one["mac"], one["interface"], tuple(one["arch"])) for one in found} == {
        (BIOS.mac, "vlan10", (0,)),
        (UEFI.mac, "vlan10", (7,)),
        (PLAIN, "vlan10", ()),
    }
    sent_to = {one["mac"]: one["sent_to"] for one in found}
    assert sent_to[PLAIN] == ["10.20.0.2"]
    assert sent_to[UEFI.mac] == ["10.20.0.20", "10.20.0.2"]


def test_clients_behind_a_router(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(configuration("behind-a-router"))
    capture = str(FOLDER / "behind-a-router-servers.pcap")
    code, found, _ = explain(capsys, config, "--capture", capture, "--packet")
    assert code == 0
    assert {(one["mac"], one["interface"]) for one in found} == {(BIOS.mac, None), (UEFI.mac, None)}
    changes = [{field["name"] for field in one["packet"]["fields"] if field["was"]} for one in found]
    assert changes == [{"hops"}] * len(found)
    main(["explain", "--capture", capture, "--config", str(config)])
    assert (
        f"{UEFI.mac} behind a router (PXEClient, x64 UEFI) -> altiris 10.20.0.20\n" in capsys.readouterr().out
    )


def test_named_clients_of_a_capture(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = tmp_path / "boot.pcap"
    frames = [tagged(asked(request(chaddr=mac)), vlan) for mac in (THIN, OTHER) for vlan in (10, 20, 30)]
    frames.append(asked(message(htype=6, options=b"\xff")))
    capture.write_bytes(written.pcap(frames)[:-1])
    code, found, errors = explain(capsys, config, OTHER, BIOS.mac, "--capture", str(capture))
    assert code == 2
    assert [(one["mac"], one["interface"], one["rule"]) for one in found] == [
        (OTHER, "vlan10", "default"),
        (OTHER, "vlan20", "vlan20"),
    ]
    assert errors.splitlines() == [
        f"{OTHER}: which interface has VLAN 30? say so by --vlan 30=NAME",
        f"{BIOS.mac}: no request of it in {capture}",
        f"{capture} was cut short: it ends within what follows packet 6",
    ]


def test_the_packet_that_would_leave(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(f'{STANDARD.strip()}\noption82: {{circuit_id: "{{interface}}"}}\n')
    arguments = [THIN, "--interface", "vlan10", "--arch", "7", "--packet"]
    code, (one,), _ = explain(capsys, config, *arguments, "--giaddr", "vlan10=10.10.10.1")
    sent = one["packet"]
    octets = bytes.fromhex(sent["octets"])
    assert code == 0
    assert sent["servers"] == one["sent_to"] == ["10.20.0.20", "10.20.0.21"]
    assert (octets[3], octets[24:28], octets[28:34].hex(":")) == (1, bytes((10, 10, 10, 1)), THIN)
    assert b"\x52\x08\x01\x06vlan10\xff" in octets
    changed = {field["name"]: (field["was"], field["text"]) for field in sent["fields"] if field["was"]}
    assert changed == {"hops": ("0", "1"), "giaddr": ("0.0.0.0", "10.10.10.1")}
    assert [field["name"] for field in sent["fields"] if field["new"]] == [
        "option 82 relay agent information",
        "option 82.1 circuit id",
    ]
    assert main(["explain", *arguments, "--config", str(config)]) == 0
    text = capsys.readouterr().out
    assert "  DISCOVER to altiris 10.20.0.20 port 67, altiris 10.20.0.21 port 67\n" in text
    assert "  giaddr stands for that of vlan10, which is not known here; give --giaddr\n" in text
    assert "  + option 82.1 circuit id" in text
    assert "  * 0000  01 01 06 01 12 34 56 78" in text


def test_no_packet_leaves_for_a_dropped_client(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["de:ad:be:ef:00:01", "--interface", "vlan10", "--packet"]
    assert main(["explain", *arguments, "--config", str(config)]) == 0
    assert (
        "  nothing leaves: dropped: the mapping says drop, rule de:ad:be:ef:00:01 ("
        in capsys.readouterr().out
    )
    code, (one,), _ = explain(capsys, config, *arguments)
    assert (code, one["packet"]["drop"], "octets" in one["packet"]) == (0, "mapped-to-drop", False)


POOLED = """\
servers:
  altiris: {addresses: [10.20.0.20, 10.20.0.21], strategy: failover}
  wds: {addresses: [10.20.0.30, 10.20.0.31, 10.20.0.32], strategy: hash, probe: true}
  fog: {addresses: [fog.example.net, 10.20.0.40], strategy: hash}
default: [altiris, fog]
rules: {00:80:64: wds}
"""


def test_of_several_servers_the_client_s_own_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sent_to` is who gets the requests while all are up, and what the daemon sends."""
    path = tmp_path / "pxerelay.yml"
    path.write_text(POOLED)
    code, (one,), _ = explain(capsys, path, OTHER)
    assert code == 0
    assert one["sent_to"] == ["10.20.0.20", "10.20.0.40", "fog.example.net"]
    assert one["servers"] == ["10.20.0.20", "10.20.0.21", "10.20.0.40", "fog.example.net"]
    assert one["pools"][0] == {
        "name": "altiris",
        "strategy": "failover",
        "servers": ["10.20.0.20", "10.20.0.21"],
    }
    for last in range(5):
        mac = f"00:80:64:00:00:0{last}"
        code, (one,), _ = explain(capsys, path, mac)
        (sent,) = one["sent_to"]
        order = one["pools"][0]["servers"]
        assert order[0] == sent
        assert sorted(order) == ["10.20.0.30", "10.20.0.31", "10.20.0.32"]
        decision = relay(POOLED + "interfaces: {vlan10: {}}\n").decide(
            request(chaddr=mac), VLAN10, ip("0.0.0.0")
        )
        assert isinstance(decision, ToServers)
        assert decision.servers == (ip(sent),)


def test_who_comes_next_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pxerelay.yml"
    path.write_text(POOLED)
    assert main(["explain", OTHER, "--config", str(path)]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == (
        f"{OTHER} -> altiris 10.20.0.20 (failover; then 10.20.0.21), fog 10.20.0.40 or fog.example.net (hash)"
    )
