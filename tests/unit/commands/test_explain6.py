"""`explain` of both families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pxerelay.cli import main
from tests.lab.command import REPOSITORY
from tests.unit.configs import STANDARD

DUAL = """
servers:
  ris: [10.20.0.10, 2001:db8:20::10]
  altiris:
    addresses: [10.20.0.20, 10.20.0.21, 2001:db8:20::20, 2001:db8:20::21]
    strategy: failover
  old: 10.20.0.30
  new: 2001:db8:20::40
  wds: wds.example.net
  dhcp: [10.20.0.2, 2001:db8:20::2]
default: ris
dhcpv6: true
interfaces:
  vlan10: {}
  vlan20: {dhcpv6: false, default: altiris}
  vlan30: {dhcpv4: false, link_address: 2001:db8:10:30::1, default: wds}
accept_relayed_from: [2001:db8:10::/48]
rules:
  00:11:22:33:44:55: altiris
  00:80:64: old
  00:90:64: new
  de:ad:be:ef:00:01: drop
"""
THIN, OTHER = "00:11:22:33:44:55", "02:00:00:00:00:99"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pxerelay.yml"
    path.write_text(DUAL)
    return path


def text(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> list[str]:
    assert main(["explain", *arguments, "--config", str(config)]) == 0
    return capsys.readouterr().out.splitlines()


def plain(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> dict[str, Any]:
    assert main(["explain", *arguments, "--config", str(config), "--format", "json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_both_families_have_a_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert text(capsys, config, THIN)[:3] == [
        f"{THIN} -> altiris 10.20.0.20 (failover; then 10.20.0.21)",
        "  DHCPv6 -> altiris 2001:db8:20::20 (failover; then 2001:db8:20::21)",
        f"  wins  mac      {THIN}: altiris  ({config}:19)",
    ]
    told = plain(capsys, config, THIN)
    assert (told["servers"], told["servers6"]) == (
        ["10.20.0.20", "10.20.0.21"],
        ["2001:db8:20::20", "2001:db8:20::21"],
    )
    assert (told["sent_to"], told["sent_to6"]) == (["10.20.0.20"], ["2001:db8:20::20"])
    assert (told["dropped6"], told["mac_told_by"]) == (None, None)


def test_rule_116_a_server_without_the_family_gets_nothing_and_that_is_told(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = text(capsys, config, "00:80:64:00:00:01")
    assert first == "00:80:64:00:00:01 -> old 10.20.0.30"
    assert second == "  DHCPv6 -> nobody: old has no IPv6 address"
    told = plain(capsys, config, "00:80:64:00:00:01")
    assert (told["servers"], told["servers6"], told["sent_to6"]) == (["10.20.0.30"], [], [])
    assert told["dropped6"] == "old has no IPv6 address"
    first, second, *_ = text(capsys, config, "00:90:64:00:00:01")
    assert first == "00:90:64:00:00:01 -> nobody: new has no IPv4 address"
    assert second == "  DHCPv6 -> new 2001:db8:20::40"


def test_drop_is_for_both(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = text(capsys, config, "de:ad:be:ef:00:01")
    assert lines[:2] == ["de:ad:be:ef:00:01 -> dropped", "  DHCPv6 -> dropped"]
    assert lines[-1] == "  note: the mapping says drop"
    assert plain(capsys, config, "de:ad:be:ef:00:01")["dropped6"] == "the mapping says drop"


def test_each_interface_has_the_families_that_are_on_there(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on = ["--interface"]
    assert [line for line in text(capsys, config, OTHER, *on, "vlan10") if "->" in line] == [
        f"{OTHER} -> ris 10.20.0.10",
        "  DHCPv6 -> ris 2001:db8:20::10",
    ]
    assert [line for line in text(capsys, config, OTHER, *on, "vlan20") if "->" in line] == [
        f"{OTHER} -> altiris 10.20.0.20 (failover; then 10.20.0.21)"
    ]
    assert [line for line in text(capsys, config, OTHER, *on, "vlan30") if "->" in line] == [
        f"{OTHER} DHCPv6 -> wds wds.example.net"
    ]
    assert "servers6" not in plain(capsys, config, OTHER, *on, "vlan20")


def test_without_dhcpv6_nothing_is_said_of_it(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(STANDARD)
    assert not [line for line in text(capsys, config, THIN) if "DHCPv6" in line]
    assert not [key for key in plain(capsys, config, THIN) if "6" in key or key == "mac_told_by"]
    assert main(["explain", "--peer", "fe80::1", "--config", str(config)]) == 2
    assert "does not relay DHCPv6" in capsys.readouterr().err


def test_rule_117_dhcp_servers_get_what_boot_servers_do_not(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(DUAL + "dhcp_servers: [dhcp]\n")
    assert text(capsys, config, OTHER)[1] == "  DHCPv6 -> ris 2001:db8:20::10"
    assert text(capsys, config, OTHER, "--vendor-class", "")[1] == (
        "  DHCPv6 -> ris 2001:db8:20::10, dhcp 2001:db8:20::2"
    )
    lines = text(capsys, config, "00:80:64:00:00:01")
    assert lines[1] == "  DHCPv6 -> dhcp 2001:db8:20::2"
    assert lines[-1] == "  note: old has no IPv6 address"
    config.write_text(DUAL.replace("dhcpv6: true", "dhcpv6: {dhcp_servers: all}") + "dhcp_servers: [dhcp]\n")
    assert text(capsys, config, OTHER)[1] == "  DHCPv6 -> ris 2001:db8:20::10, dhcp 2001:db8:20::2"


@pytest.mark.parametrize(
    ("arguments", "mac", "told_by", "rule"),
    [
        (["--option79", THIN, "--peer", "fe80::280:64ff:fe00:1"], THIN, "option 79", THIN),
        (["--peer", "fe80::280:64ff:fe00:1"], "00:80:64:00:00:01", "the EUI-64 in its address", "00:80:64"),
        (["--peer", "2001:db8::280:64ff:fe00:1"], None, "nobody", "default"),
        (["--peer", "fe80::1", "--duid", "00030001001122334455"], None, "nobody", "default"),
        (["--duid", "00:03:00:01:00:11:22:33:44:55"], None, "nobody", "default"),
    ],
)
def test_rule_122_124_what_tells_the_mac_of_a_client_behind_a_router(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    mac: str | None,
    told_by: str,
    rule: str,
) -> None:
    told = plain(capsys, config, *arguments)
    assert (told["mac"], told["mac_told_by"], told["rule"]) == (mac, told_by, rule)
    first = text(capsys, config, *arguments)[0]
    if mac:
        assert first.startswith(f"{mac} behind a router (MAC told by {told_by}) DHCPv6 -> ")
    else:
        assert first.startswith("a client whose MAC is not known behind a router DHCPv6 -> ris")


def test_rule_125_a_client_without_a_mac_has_its_server_by_its_duid(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(DUAL.replace("failover", "hash").replace("default: ris", "default: altiris"))
    found = {
        plain(capsys, config, "--peer", "fe80::1", "--duid", f"0003000102000000{number:04x}")["sent_to6"][0]
        for number in range(20)
    }
    assert found == {"2001:db8:20::20", "2001:db8:20::21"}
    duid = ["--duid", "00030001020000000001"]
    assert (
        plain(capsys, config, *duid, "--peer", "fe80::1")["sent_to6"]
        == (plain(capsys, config, *duid, "--peer", "fe80::2")["sent_to6"])
    )


def test_classes_and_vendor_classes_mean_the_same(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(DUAL + "classes: [{name: arm, arch: 11, vendor_class: HTTPClient, server: new}]\n")
    arguments = ["--arch", "11", "--vendor-class", "HTTPClient:Arch:00011"]
    for who in (["--peer", "fe80::1"], [OTHER]):
        told = plain(capsys, config, *who, *arguments)
        assert (told["rule"], told["sent_to6"]) == ("arm", ["2001:db8:20::40"])
    assert plain(capsys, config, "--peer", "fe80::1", "--arch", "11")["rule"] == "default"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--peer", "fe80::1%eth0"], "without a zone"),
        (["--peer", "ff02::1"], "the address of one host"),
        (["--peer", "10.0.0.1"], "write an IPv6 address such as fe80::ff:fe12:3456"),
        (["--option79", "00:11:22"], "--option79: '00:11:22' is not one address"),
        (["--duid", "00"], "write 3 to 130 octets in hex"),
        (["--duid", "00" * 131], "write 3 to 130 octets in hex"),
        (["--peer", "fe80::1", THIN], "go without MACs"),
        (["--peer", "fe80::1", "--interface", "vlan10"], "go without MACs"),
    ],
)
def test_nonsense(config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert main(["explain", *arguments, "--config", str(config)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


def test_rule_107_108_the_packet_that_would_leave(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = text(capsys, config, THIN, "--interface", "vlan10", "--packet")
    assert "  SOLICIT to 2001:db8:20::20 port 547" in lines
    assert "  link-address stands for that of vlan10, which is not known here; give --link-address" in lines
    shown = [line.split(maxsplit=2) for line in lines if line.startswith("  + ") and "option" not in line]
    assert ["+", "peer-address", "fe80::211:22ff:fe33:4455"] in shown
    told = plain(capsys, config, THIN, "--interface", "vlan30", "--packet")
    assert "packet" not in told, "DHCPv4 is off there"
    found = {one["name"]: one["text"] for one in told["packet6"]["fields"] if one["new"]}
    assert found == {
        "msg-type": "12 RELAY-FORW",
        "hop-count": "0",
        "link-address": "2001:db8:10:30::1",
        "peer-address": "fe80::211:22ff:fe33:4455",
        "option 18 interface id": '"vlan30"',
        "option 79 client's MAC": THIN,
        "option 9 relay message": "23 octets",
    }
    assert [one["name"] for one in told["packet6"]["fields"] if not one["new"]] == [
        "msg-type",
        "transaction-id",
        "option 16 vendor class",
    ]
    assert bytes.fromhex(told["packet6"]["octets"]).endswith(b"\0\x09PXEClient")


def test_the_packet_of_a_client_behind_a_router(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = plain(capsys, config, "--option79", THIN, "--packet")
    new = [(one["name"], one["text"]) for one in told["packet6"]["fields"] if one["new"]]
    assert ("hop-count", "1") in new
    assert ("link-address", "::") in new
    old = [(one["name"], one["text"]) for one in told["packet6"]["fields"] if not one["new"]]
    assert ("option 79 client's MAC", THIN) in old
    config.write_text(DUAL.replace("accept_relayed_from: [2001:db8:10::/48]\n", ""))
    told = plain(capsys, config, "--option79", THIN, "--packet")
    assert told["packet6"]["drop"] == "relay-not-accepted"
    assert "nothing leaves in DHCPv6" in "\n".join(text(capsys, config, "--option79", THIN, "--packet"))


RECORDED = REPOSITORY / "tests" / "captures" / "ipv6"
BIOS, UEFI, IPXE = "02:00:00:b1:05:6a", "02:80:64:0e:f1:6b", "02:00:00:0e:f1:6c"


def heard(
    capsys: pytest.CaptureFixture[str], config: Path, capture: Path, *more: str
) -> tuple[int, list[dict[str, Any]], str]:
    code = main(["explain", "--capture", str(capture), "--config", str(config), "--format", "json", *more])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


@pytest.mark.parametrize("side", ["clients", "servers"])
def test_the_clients_of_a_recording(config: Path, side: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What they are and where they were heard is told on either side of the relay."""
    config.write_text(DUAL + f"  {UEFI}: altiris\ndhcp_servers: [dhcp]\npxe_only: true\n")
    hint = ["--interface", "vlan10"] if side == "clients" else []
    code, found, errors = heard(capsys, config, RECORDED / f"one-mapping-{side}.pcap", *hint)
    assert (code, errors) == (0, "")
    told = {(one["mac"], one["interface"], tuple(one["arch"]), tuple(one["sent_to6"])) for one in found}
    assert told == {
        (BIOS, "vlan10", (0,), ("2001:db8:20::10",)),
        (IPXE, "vlan10", (7,), ("2001:db8:20::10",)),
        (UEFI, "vlan10", (7,), ("2001:db8:20::20",)),
        (UEFI, "vlan10", (), ("2001:db8:20::2",)),
    }
    main(["explain", "--capture", str(RECORDED / f"one-mapping-{side}.pcap"), "--config", str(config), *hint])
    assert f"{UEFI} on vlan10 (PXEClient, x64 UEFI) DHCPv6 -> altiris 2001" in capsys.readouterr().out


def test_the_packets_of_a_recording(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = RECORDED / "without-m-clients.pcap"
    code, found, _ = heard(capsys, config, capture, BIOS, "--interface", "vlan10", "--packet")
    assert (code, [one["mac"] for one in found]) == (0, [BIOS])
    inside = [one for one in found[0]["packet6"]["fields"] if not one["new"]]
    assert inside[0]["text"] == "11 INFORMATION-REQUEST"
    _, found, errors = heard(capsys, config, capture, OTHER, "--interface", "vlan10")
    assert found == []
    assert f"{OTHER}: no request of it in" in errors


def test_a_recording_whose_interface_is_not_known(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(DUAL.replace("  vlan10: {}\n", "  vlan10: {}\n  vlan11: {}\n"))
    code, found, errors = heard(capsys, config, RECORDED / "one-mapping-clients.pcap")
    assert (code, found) == (2, [])
    assert f"{BIOS}: which interface was it heard on? say so by --interface NAME" in errors


def test_without_dhcpv6_a_recording_has_no_clients(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(STANDARD)
    code, found, errors = heard(
        capsys, config, RECORDED / "one-mapping-clients.pcap", "--interface", "vlan10"
    )
    assert (code, found, errors) == (0, [], "")
