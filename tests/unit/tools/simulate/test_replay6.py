"""`replay` of DHCPv6: what becomes of each packet, by which interface, whose MAC; and what would differ."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from pxerelay.cli import main
from pxerelay.wire import eui64
from tests.lab.command import REPOSITORY
from tests.unit import written
from tests.unit.messages import request
from tests.unit.messages6 import (
    ADVERTISE,
    GROUP,
    RELAY_FORW,
    RELAY_REPL,
    RELEASE,
    REPLY,
    SERVER_DUID,
    boot,
    ip6,
    message,
    option,
    plain,
)
from tests.unit.tools.simulate.conftest import Told, replay

THIN, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:99"
RELAY, ROUTER = "2001:db8:20::1", "2001:db8:10:7::1"
RIS, ALTIRIS = "2001:db8:20::10", "2001:db8:20::20"
CONFIG = f"""\
servers:
  ris: [10.20.0.10, {RIS}]
  altiris: [10.20.0.20, {ALTIRIS}]
  wds: wds.example.net
default: ris
dhcpv6: true
interfaces:
  vlan10: {{}}
  vlan20: {{link_address: "2001:db8:10:20::1", default: wds}}
accept_relayed_from: [2001:db8:10::/48]
rules:
  {THIN}: altiris
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pxerelay.yml"
    path.write_text(CONFIG)
    return path


def frame(
    payload: bytes, source: str, destination: bytes, ports: tuple[int, int], mac: str = OTHER, *tags: int
) -> bytes:
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    packet = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + ip6(source) + destination + udp
    octets = bytes.fromhex("333300010002" + mac.replace(":", "")) + b"\x86\xdd" + packet
    return written.tagged(octets, *tags) if tags else octets


def local(mac: str) -> str:
    octets = eui64.link_local(bytes.fromhex(mac.replace(":", "")))
    return ":".join(octets[at : at + 2].hex() for at in range(0, 16, 2))


def asked(payload: bytes, mac: str = OTHER, *tags: int) -> bytes:
    """Return what a client sends to all relay agents and servers."""
    return frame(payload, local(mac), GROUP, (546, 547), mac, *tags)


def relayed(kind: int, inside: bytes, link: str, peer: str, extra: bytes = b"") -> bytes:
    return bytes((kind, 0)) + ip6(link) + ip6(peer) + extra + option(9, inside)


def to_server(inside: bytes, link: str, mac: str = OTHER, extra: bytes = b"", server: str = RIS) -> bytes:
    """Return what our relay sends to a server."""
    return frame(relayed(RELAY_FORW, inside, link, local(mac), extra), RELAY, ip6(server), (547, 547))


def from_server(inside: bytes, link: str, mac: str = OTHER, extra: bytes = b"", server: str = RIS) -> bytes:
    """Return what a server answers our relay."""
    return frame(relayed(RELAY_REPL, inside, link, local(mac), extra), server, ip6(RELAY), (547, 547))


def told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path, frames: list[bytes], *more: str
) -> Told:
    path = tmp_path / "capture.pcap"
    path.write_bytes(written.pcap(frames))
    return replay(capsys, path, config, *more)


Run = tuple[pytest.CaptureFixture[str], Path, Path]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path) -> Run:
    return capsys, tmp_path, config


ANSWER = message(ADVERTISE, option(2, SERVER_DUID))


def test_a_request_goes_where_the_mapping_says_by_the_mac_of_its_frame(run: Run) -> None:
    found = told(*run, [asked(boot(), THIN, 10), asked(boot(), OTHER, 10)])
    assert found.code == 0
    thin, other = found.packets
    assert (thin["family"], thin["mac"], thin["mac_told_by"]) == (6, THIN, "frame")
    assert thin["interface"] == "vlan10"
    assert (thin["verdict"], thin["servers"], thin["rule"]) == ("relayed", [ALTIRIS], THIN)
    assert thin["source"].endswith("pxerelay.yml:12")
    assert (thin["kind"], thin["duid"][:7]) == ("PXEClient, x64 UEFI", "DUID-LL")
    assert (other["servers"], other["rule_kind"]) == ([RIS], "default")


def test_dns_names_are_told_as_they_are(run: Run) -> None:
    (packet,) = told(*run, [asked(boot(), OTHER, 20)]).packets
    assert (packet["servers"], packet["server_names"]) == (["wds.example.net"], ["wds"])
    assert packet["set_link_address"] == "2001:db8:10:20::1"


def test_both_families_are_one_stream(run: Run) -> None:
    four = written.tagged(written.asked(request(chaddr=THIN)), 10)
    found = told(*run, [asked(boot(), THIN, 10), four, asked(boot(), THIN, 10)])
    assert [one.get("family", 4) for one in found.packets] == [6, 4, 6]
    assert found.summary["clients"] == 1
    assert found.summary["relayed"] == {"requests": 3, "replies": 0}


def test_where_dhcpv6_is_off_nothing_is_told_of_it(run: Run) -> None:
    run[2].write_text(CONFIG.replace("dhcpv6: true\n", ""))
    found = told(*run, [asked(boot(), THIN, 10)])
    assert found.packets == []
    assert found.summary["other_kinds"] == {"IPv6": 1}


@pytest.mark.parametrize("link", [written.SLL, written.SLL2])
def test_a_cooked_frame_tells_the_mac(run: Run, link: int) -> None:
    wrapped = {written.SLL: written.sll, written.SLL2: written.sll2}[link]
    path = run[1] / "capture.pcap"
    path.write_bytes(written.pcap([wrapped(asked(boot(), THIN))], link))
    (packet,) = replay(run[0], path, run[2], "--interface", "vlan10").packets
    assert (packet["mac"], packet["servers"]) == (THIN, [ALTIRIS])


def test_without_a_frame_the_mac_is_unknown(run: Run) -> None:
    """Its address may have one in it, which the daemon would not go by, either."""
    path = run[1] / "capture.pcap"
    path.write_bytes(written.pcap([written.raw(asked(boot(), THIN))], written.RAW))
    found = replay(run[0], path, run[2], "--interface", "vlan10")
    (packet,) = found.packets
    assert (found.code, packet["mac"], packet["verdict"]) == (2, None, "undecided")
    assert packet["reason"].startswith("its MAC is not known, and there are rules")
    assert packet["reason"] in found.err
    run[2].write_text(CONFIG.partition("rules:")[0])
    found = replay(run[0], path, run[2], "--interface", "vlan10")
    assert (found.code, found.packets[0]["servers"]) == (0, [RIS])
    text = replay(run[0], path, run[2], "--interface", "vlan10", json=False).out
    assert "(MAC unknown) fe80::ff:fe00:1 on vlan10: SOLICIT" in text


def test_an_interface_that_nothing_tells_is_asked_for(run: Run) -> None:
    found = told(*run, [asked(boot(), THIN)])
    assert (found.code, found.packets[0]["verdict"]) == (2, "undecided")
    assert "which interface was it heard on? say so by --interface NAME" in found.err
    found = told(*run, [asked(boot(), THIN, 33)], "--vlan", "33=vlan10")
    assert found.packets[0]["servers"] == [ALTIRIS]


VLAN10 = "2001:db8:10:10::1"


@pytest.mark.parametrize(
    ("link", "extra", "interface"),
    [
        (VLAN10, option(18, b"vlan10"), "vlan10"),
        ("2001:db8:10:20::1", b"", "vlan20"),
        ("2001:db8:10:20::1", option(18, b"vlan20"), "vlan20"),
    ],
)
def test_interface_id_or_link_address_tell_the_interface(
    run: Run, link: str, extra: bytes, interface: str
) -> None:
    both = [to_server(boot(), link, OTHER, extra), from_server(ANSWER, link, OTHER, extra)]
    found = told(*run, both)
    assert found.code == 0, found.err
    sent, answer = found.packets
    assert (sent["verdict"], sent["interface"]) == ("already relayed", interface)
    assert (answer["verdict"], answer["interface"], answer["mac"]) == ("relayed", interface, OTHER)
    assert answer["message"] == f"ADVERTISE from ris {RIS}"
    assert answer["target"] == f"fe80::ff:fe00:99 at {OTHER} on {interface}"


def test_a_link_address_is_learnt_from_what_was_heard_before(run: Run) -> None:
    """The relay that sent it had no Interface-Id in it."""
    frames = [asked(boot(), THIN, 10), to_server(boot(), VLAN10, THIN), from_server(ANSWER, VLAN10, THIN)]
    found = told(*run, frames)
    assert [one["interface"] for one in found.packets] == ["vlan10"] * 3
    assert found.packets[0]["set_link_address"] == VLAN10
    assert found.packets[2]["verdict"] == "relayed"


def test_a_link_address_that_nothing_tells_is_asked_for(run: Run) -> None:
    answer = [from_server(ANSWER, VLAN10)]
    found = told(*run, answer)
    assert found.code == 2
    assert f"whose link-address is {VLAN10}? if it is ours, say so by --link-address INTERFACE=" in found.err
    found = told(*run, answer, "--link-address", f"vlan10={VLAN10}")
    assert (found.code, found.packets[0]["verdict"]) == (0, "relayed")
    wrong = told(*run, answer, "--link-address", "vlan10=10.1.1.1")
    assert "write INTERFACE=ADDRESS, such as vlan10=2001:db8:10::1" in wrong.err


def from_router(inside: bytes, extra: bytes = b"", *, source: str = ROUTER, to: str = RELAY) -> bytes:
    octets = relayed(RELAY_FORW, inside, "2001:db8:10:7::1", local(OTHER), extra)
    return frame(octets, source, ip6(to), (547, 547))


def test_what_a_router_relays_to_us_goes_by_option_79(run: Run) -> None:
    mac = b"\0\1" + bytes.fromhex(THIN.replace(":", ""))
    found = told(*run, [from_router(boot(), option(79, mac)), from_router(boot())])
    thin, other = found.packets
    assert (thin["mac"], thin["mac_told_by"], thin["servers"]) == (THIN, "option79", [ALTIRIS])
    assert (thin["relay_agent"], thin["interface"]) == (ROUTER, None)
    assert (other["mac"], other["mac_told_by"], other["servers"]) == (OTHER, "eui64", [RIS])


@pytest.mark.parametrize(
    ("octets", "verdict", "reason"),
    [
        (from_router(boot(), source="2001:db8:66::1"), "dropped", "relay-not-accepted"),
        (from_router(boot(), to=RIS), "already relayed", f"goes to ris {RIS}"),
        (frame(boot(), local(OTHER), ip6(RIS), (546, 547)), "not for the relay", "goes straight to ris"),
        (frame(boot(), local(OTHER), ip6("ff05::1:3"), (546, 547)), "not for the relay", "a group that"),
        (frame(ANSWER, RIS, ip6(local(OTHER)), (547, 546)), "not for the relay", "straight to the client"),
        (frame(ANSWER, "fe80::7", ip6(local(OTHER)), (547, 546)), "already relayed", "goes to the client"),
        (frame(boot()[:3], local(OTHER), GROUP, (546, 547)), "dropped", "truncated"),
        (asked(message(REPLY), OTHER, 10), "dropped", "not-for-servers"),
        (
            frame(relayed(RELAY_REPL, ANSWER, "::", ROUTER), RIS, ip6(ROUTER), (547, 547)),
            "not for the relay",
            f"goes to the relay agent {ROUTER}",
        ),
    ],
)
def test_other_ways(run: Run, octets: bytes, verdict: str, reason: str) -> None:
    found = told(*run, [octets])
    (packet,) = found.packets
    assert packet["verdict"] == verdict
    assert reason in (packet["drop"] or packet["reason"])


def test_a_release_goes_to_all_that_its_client_may_have_asked(run: Run) -> None:
    (packet,) = told(*run, [asked(message(RELEASE, option(2, SERVER_DUID)), OTHER, 10)]).packets
    assert packet["servers"] == [RIS]


def test_packets_cut_short_say_whose_they_are(run: Run) -> None:
    whole = asked(boot(), THIN, 10)
    found = told(*run, [whole[:-10]])
    (packet,) = found.packets
    assert (found.code, packet["mac"], packet["verdict"]) == (2, THIN, "undecided")
    assert "tcpdump -s 0 keeps all" in packet["reason"]


def test_against_another_configuration(run: Run) -> None:
    other = run[1] / "other.yml"
    other.write_text(CONFIG.replace(f"{THIN}: altiris", f"{THIN}: ris"))
    frames = [asked(boot(), THIN, 10), asked(plain(), THIN, 10), asked(boot(), OTHER, 10)]
    path = run[1] / "capture.pcap"
    path.write_bytes(written.pcap(frames))
    found = replay(run[0], path, run[2], "--against", str(other), json=False)
    assert found.code == 0
    assert found.out.startswith(f"altiris {ALTIRIS} -> ris {RIS}\n  {THIN} on vlan10 (PXEClient, x64 UEFI): ")
    (first, second) = replay(run[0], path, run[2], "--against", str(other)).objects
    assert (first["family"], first["requests"], second["kind"]) == (6, 1, "not booting from the network")
    assert replay(run[0], path, run[2], "--against", str(run[2])).out == ""


def test_against_one_that_does_not_relay_dhcpv6(run: Run) -> None:
    other = run[1] / "other.yml"
    other.write_text(CONFIG.replace("dhcpv6: true\n", ""))
    path = run[1] / "capture.pcap"
    path.write_bytes(written.pcap([asked(boot(), THIN, 10)]))
    off = "dropped (this configuration does not relay DHCPv6)"
    found = replay(run[0], path, run[2], "--against", str(other), json=False)
    assert found.out.startswith(f"altiris {ALTIRIS} -> {off}\n")
    found = replay(run[0], path, other, "--against", str(run[2]), json=False)
    assert found.out.startswith(f"{off} -> altiris {ALTIRIS}\n")


def test_the_sum_counts_both_families(run: Run) -> None:
    path = run[1] / "capture.pcap"
    path.write_bytes(written.pcap([asked(boot(), THIN, 10), from_router(plain(), source="2001:db8:66::1")]))
    text = replay(run[0], path, run[2], json=False).out
    assert "2 DHCP packets of 2 clients, 0 others\n" in text
    assert "    1 relay-not-accepted\n" in text


FOLDER = REPOSITORY / "tests" / "captures" / "ipv6"
RECORDED = """\
servers: {ris: [10.20.0.10, "2001:db8:20::10"], altiris: [10.20.0.20, "2001:db8:20::20"]}
default: ris
dhcpv6: true
interfaces: {vlan10: {link_address: "2001:db8:10:10::1"}}
rules: {"02:80:64:0e:f1:6b": altiris, "02:00:00:0e:f1:6c": altiris}
"""


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.pcap")))
def test_recordings_of_real_firmware(run: Run, name: str) -> None:
    """One that was made by this mapping on the clients' side was relayed so, and answered on the other."""
    run[2].write_text(RECORDED)
    found = replay(run[0], FOLDER / name, run[2])
    assert found.code == 0, found.err
    if name.endswith("clients.pcap"):
        asking = [one for one in found.packets if one["direction"] == "request" and one.get("family") == 6]
        assert asking
        for one in asking:
            assert one["servers"] == (["2001:db8:20::10"] if one["mac"] == "02:00:00:b1:05:6a" else [ALTIRIS])
    else:
        answers = [one for one in found.packets if one["direction"] == "reply" and one.get("family") == 6]
        assert answers
        assert {(one["verdict"], one["interface"]) for one in answers} == {("relayed", "vlan10")}
        assert all(one["mac"] for one in answers)


ANY_FRAME = some.one_of(
    some.binary(max_size=90).map(lambda octets: asked(octets, THIN, 10)),
    some.binary(max_size=90).map(lambda octets: asked(bytes((RELAY_FORW, 0)) + octets, THIN)),
    some.binary(max_size=90).map(lambda octets: from_server(octets, VLAN10)),
    some.binary(max_size=90).map(lambda octets: asked(boot(), THIN, 10)[:62] + octets),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=some.lists(ANY_FRAME, max_size=6))
def test_no_octets_end_in_a_traceback(frames: list[bytes], tmp_path: Path, config: Path) -> None:
    path = tmp_path / "any.pcap"
    path.write_bytes(written.pcap(frames))
    assert main(["replay", str(path), "--config", str(config)]) in (0, 2)
    assert main(["explain", "--capture", str(path), "--config", str(config)]) in (0, 2)
