"""`replay`: what becomes of each packet of a capture, in recordings of real firmware and frames made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware.setups import BIOS, PLAIN, SETTINGS, UEFI, configuration
from tests.lab import pcap as lab_pcap
from tests.lab.topology import ALTIRIS, RIS
from tests.unit import written
from tests.unit.messages import NAK, OFFER, reply, request
from tests.unit.tools.simulate.conftest import DROPPED, FOLDER, OTHER, THIN, on_vlan, replay
from tests.unit.written import ETHERNET, SLL2, asked, tagged


@pytest.mark.parametrize("setup", [name for name in sorted(SETTINGS) if name != "behind-a-router"])
def test_clients_side_of_a_recording(setup: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each request goes where it went on the wire, and what we sent to clients is known as ours."""
    config.write_text(configuration(setup))
    told = replay(capsys, FOLDER / f"{setup}-clients.pcap", config)
    assert told.code == 0
    sides = {"request": "relayed", "reply": "already relayed"}
    assert all(one["verdict"] == sides[one["direction"]] for one in told.packets)
    then = [
        one
        for one in lab_pcap.read(FOLDER / f"{setup}-servers.pcap")
        if one.payload[0] == 1 and (one.source_port, one.port) == (67, 67)
    ]
    now = [(one["mac"], server) for one in told.packets for server in one["servers"]]
    assert sorted(now) == sorted((one.payload[28:34].hex(":"), one.destination) for one in then)
    assert {one["set_giaddr"] for one in told.packets if one["servers"]} == {"10.10.10.1"}


@pytest.mark.parametrize("setup", [name for name in sorted(SETTINGS) if name != "behind-a-router"])
def test_servers_side_of_a_recording(setup: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(configuration(setup))
    told = replay(capsys, FOLDER / f"{setup}-servers.pcap", config)
    assert told.code == 0
    sides = {"reply": "relayed", "request": "already relayed"}
    assert all(one["verdict"] == sides[one["direction"]] for one in told.packets)
    assert {one["interface"] for one in told.packets} == {"vlan10"}
    replies = [one for one in told.packets if one["direction"] == "reply"]
    assert all(one["target"].endswith("on vlan10") for one in replies)
    assert {one["mac"] for one in replies} >= {BIOS.mac, UEFI.mac}


def test_behind_a_router(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(configuration("behind-a-router"))
    told = replay(capsys, FOLDER / "behind-a-router-servers.pcap", config)
    relayed = [one for one in told.packets if one["verdict"] == "relayed"]
    copies = [one for one in told.packets if one["verdict"] == "already relayed"]
    assert told.code == 0
    assert len(relayed) == len(copies) == len(told.packets) / 2
    assert {(one["mac"], *one["servers"]) for one in relayed} == {(BIOS.mac, RIS), (UEFI.mac, ALTIRIS)}
    assert {(one["interface"], one["giaddr"]) for one in told.packets} == {(None, "10.30.0.1")}


def test_text_tells_all_of_it(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(configuration("pxe-only"))
    told = replay(capsys, FOLDER / "pxe-only-clients.pcap", config, json=False)
    assert (
        f"{UEFI.mac} on vlan10: DISCOVER (PXEClient, x64 UEFI) -> altiris {ALTIRIS}, dhcp 10.20.0.2, "
        f"rule 02:80:64 ({config}:5), giaddr 10.10.10.1\n" in told.out
    )
    assert f"{PLAIN} on vlan10: DISCOVER (not booting from the network) -> dhcp 10.20.0.2, " in told.out
    assert "DHCP packets of 3 clients, 2 others\n  relayed            " in told.out


def test_vlans_are_told_by_their_tags(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(written.pcap([on_vlan(10), on_vlan(20), on_vlan(10, THIN), on_vlan(20, DROPPED)]))
    told = replay(capsys, capture, config)
    assert told.code == 0
    assert [(one["interface"], one["rule_kind"], one["rule"], one["servers"]) for one in told.packets] == [
        ("vlan10", "default", "default", ["10.20.0.10"]),
        ("vlan20", "interface-default", "vlan20", ["10.20.0.20", "10.20.0.21"]),
        ("vlan10", "mac", THIN, ["10.20.0.20", "10.20.0.21"]),
        ("vlan20", "mac", DROPPED, []),
    ]
    assert told.packets[3]["drop"] == "mapped-to-drop"
    assert {one["set_giaddr"] for one in told.packets[:3]} == {"?"}


def test_a_vlan_that_no_interface_is_known_for(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(written.pcap([on_vlan(10), on_vlan(30), asked(request())]))
    told = replay(capsys, capture, config)
    assert told.code == 2
    assert [one["verdict"] for one in told.packets] == ["relayed", "undecided", "undecided"]
    assert told.err.splitlines() == [
        "which interface has VLAN 30? say so by --vlan 30=NAME",
        "which interface was it heard on? say so by --interface NAME",
    ]
    told = replay(capsys, capture, config, "--vlan", "30=vlan20", "--interface", "vlan10")
    assert told.code == 0
    assert [one["interface"] for one in told.packets] == ["vlan10", "vlan20", "vlan10"]


def test_an_interface_that_serves_no_clients(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(written.pcap([on_vlan(30)]))
    told = replay(capsys, capture, config, "--vlan", "30=guests")
    assert (told.code, told.packets[0]["drop"]) == (0, "not-a-client-interface")


def test_two_tags_and_globs(config: Path, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("default: 10.0.0.1\ninterfaces: {vlan*: {}, qinq: {default: 10.0.0.2}}\n")
    both = tagged(asked(request()), 100, 10)
    capture.write_bytes(written.pcap([both, on_vlan(30)]))
    told = replay(capsys, capture, config)
    assert [one["interface"] for one in told.packets] == ["vlan10", "vlan30"]
    assert [one["vlans"] for one in told.packets] == [[100, 10], [30]]
    told = replay(capsys, capture, config, "--vlan", "100.10=qinq")
    assert [(one["interface"], *one["servers"]) for one in told.packets] == [
        ("qinq", "10.0.0.2"),
        ("vlan30", "10.0.0.1"),
    ]


def test_names_of_interfaces_in_pcapng(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = asked(request())
    capture.write_bytes(
        written.pcapng([(ETHERNET, "vlan20"), (SLL2, "any")], [(0, frame), (1, written.sll2(on_vlan(10)))])
    )
    told = replay(capsys, capture, config)
    assert (told.code, [one["interface"] for one in told.packets]) == (0, ["vlan20", "vlan10"])


def from_server(message: bytearray, source: str = "10.20.0.10", destination: str = "10.10.10.1") -> bytes:
    return asked(message, source=source, destination=destination, ports=(67, 67))


def test_giaddr_from_the_capture_the_command_and_the_file(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer = bytearray(reply(OFFER))
    offer[28:34] = bytes.fromhex(OTHER.replace(":", ""))
    capture.write_bytes(written.pcap([on_vlan(10), from_server(offer)]))
    learnt = replay(capsys, capture, config)
    assert (learnt.code, learnt.packets[0]["set_giaddr"]) == (0, "10.10.10.1")
    assert learnt.packets[1]["target"] == f"10.10.10.100 at {OTHER} on vlan10"
    capture.write_bytes(written.pcap([from_server(offer)]))
    unknown = replay(capsys, capture, config)
    assert unknown.code == 2
    assert unknown.err == (
        "whose giaddr is 10.10.10.1? if it is ours, say so by --giaddr INTERFACE=10.10.10.1\n"
    )
    told = replay(capsys, capture, config, "--giaddr", "vlan10=10.10.10.1")
    assert (told.code, told.packets[0]["target"]) == (0, f"10.10.10.100 at {OTHER} on vlan10")
    config.write_text(config.read_text().replace("vlan10: {}", "vlan10: {giaddr: 10.10.10.1}"))
    assert replay(capsys, capture, config).packets == told.packets


def test_giaddr_is_not_learnt_from_a_client_or_a_router(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretends = tagged(asked(request(chaddr=OTHER, giaddr="10.66.6.6")), 10)
    by_router = from_server(request(chaddr=OTHER, giaddr="10.30.0.1"), "10.30.0.1", "10.20.0.10")
    capture.write_bytes(written.pcap([on_vlan(10), pretends, by_router]))
    told = replay(capsys, capture, config)
    assert [(one["verdict"], one["drop"]) for one in told.packets] == [
        ("relayed", None),
        ("dropped", "relay-not-accepted"),
        ("already relayed", None),
    ]
    assert told.packets[0]["set_giaddr"] == "?"


def test_replies_that_are_not_relayed(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straight = asked(reply(giaddr="0.0.0.0"), source="10.20.0.10", ports=(67, 68))
    routers = from_server(reply(giaddr="10.30.0.1"), destination="10.30.0.1")
    capture.write_bytes(
        written.pcap(
            [
                from_server(reply(), source="10.99.0.1"),
                from_server(reply(giaddr="10.77.0.1"), destination="10.10.10.1"),
                from_server(reply(NAK)),
                straight,
                routers,
            ]
        )
    )
    giaddrs = ("--giaddr", "vlan10=10.10.10.1", "--giaddr", "vlan20=10.10.20.1")
    told = replay(capsys, capture, config, *giaddrs)
    assert [(one["verdict"], one["drop"], one["target"]) for one in told.packets] == [
        ("dropped", "not-a-server", None),
        ("dropped", "not-our-giaddr", None),
        ("relayed", None, "everyone on vlan10"),
        ("not for the relay", None, None),
        ("not for the relay", None, None),
    ]
    assert told.summary["dropped"] == {"requests": 0, "replies": 2}


def test_requests_that_pass_us_by(config: Path, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = asked(request(giaddr="10.10.10.1"), source="10.10.10.1", ports=(67, 67))
    ours = asked(request(giaddr="10.10.10.1"), source="10.10.10.1", destination="10.99.0.9", ports=(67, 67))
    renewal = asked(request(), source="10.10.10.100", destination="10.20.0.10")
    binl = asked(request(), source="10.10.10.100", destination="10.20.0.10", ports=(68, 4011))
    other = asked(b"?" * 40, ports=(5353, 5353))
    capture.write_bytes(written.pcap([loop, ours, renewal, binl, other, asked(b"\1" * 20)]))
    told = replay(capsys, capture, config, "--giaddr", "vlan10=10.10.10.1")
    assert [(one["verdict"], one["drop"]) for one in told.packets] == [
        ("dropped", "from-this-host"),
        ("already relayed", None),
        ("not for the relay", None),
        ("not for the relay", None),
        ("dropped", "truncated"),
    ]
    assert told.summary["others"] == 1


def test_servers_by_dns_name_are_named_and_not_looked_up(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("servers: {ris: ris.example.net}\ndefault: ris\ninterfaces: {eth0: {}}\n")
    capture.write_bytes(written.pcap([asked(request())]))
    told = replay(capsys, capture, config)
    assert (told.packets[0]["servers"], told.packets[0]["server_names"]) == (["ris.example.net"], ["ris"])


def test_a_time_that_no_calendar_has(config: Path, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = bytearray(written.pcapng([(ETHERNET, "vlan10")], [(0, asked(request()))]))
    at = whole.index(b"\x06\0\0\0") + 12
    whole[at : at + 4] = b"\xff" * 4
    capture.write_bytes(bytes(whole))
    for as_json in (False, True):
        assert replay(capsys, capture, config, json=as_json).code == 0


def test_a_damaged_capture_is_told_as_far_as_it_goes(
    config: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = written.pcap([on_vlan(10), on_vlan(20)])
    capture.write_bytes(whole[:-5])
    told = replay(capsys, capture, config)
    assert (told.code, len(told.packets)) == (2, 1)
    assert told.err == f"{capture} was cut short: it ends within what follows packet 1\n"
    capture.write_bytes(written.pcap([on_vlan(10)[:200]]))
    told = replay(capsys, capture, config, json=False)
    assert told.code == 2
    assert "has 154 of its 300 octets; tcpdump -s 0 keeps all" in told.err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--interface", "vlan99"], "means 'vlan99'; there are: vlan10, vlan20"),
        (["--vlan", "vlan10"], "write TAG=INTERFACE"),
        (["--vlan", "4095=vlan10"], "write TAG=INTERFACE"),
        (["--giaddr", "vlan10=here"], "write INTERFACE=ADDRESS"),
        (["--giaddr", "vlan99=10.0.0.1"], "means 'vlan99'"),
        (["--against", "nowhere.yml"], "nowhere.yml: can't be read"),
    ],
)
def test_nonsense_could_not_run(
    config: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    told = replay(capsys, FOLDER / "proxydhcp-clients.pcap", config, *more)
    assert (told.code, told.out) == (2, "")
    assert says in told.err
