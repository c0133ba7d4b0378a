"""Fields in a real journal: a daemon whose stderr journald reads, and journalctl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.conftest import BASE, BASE6
from tests.lab import dhcp6
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import RIS
from tests.lab.wire import FakeServer, Station
from tests.lab.wire6 import FakeServer6, Station6
from tests.unit.messages import reply, request

Start = Callable[..., Daemon]

JOURNAL = Path(__file__).parents[1] / "lab" / "journal"
LISTED, DROPPED = "02:00:00:10:00:01", "02:00:00:de:ad:01"


def entries(folder: Path, *matches: str) -> list[dict[str, Any]]:
    """Return what journalctl finds."""
    command = ["journalctl", "--directory", str(folder / "journal"), "--output=json", "--no-pager", *matches]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [json.loads(line) for line in found.splitlines()]


def test_the_journal_is_asked_by_client_interface_server_rule_and_reason(
    start: Start, station: Station, server: FakeServer, tmp_path: Path
) -> None:
    folder = tmp_path / "journal"
    config = BASE.replace("altiris: 10.20.0.20", "altiris: 203.0.113.9").replace("requests: 0", "requests: 3")
    daemon = start(config, command=[str(JOURNAL), str(folder), *PXERELAY])

    def found(*matches: str, count: int = 1) -> list[dict[str, Any]]:
        daemon.wait_for(lambda: len(entries(folder, *matches)) >= count, 15)
        return entries(folder, *matches)

    station.send(request(chaddr=LISTED))
    station.send(request(chaddr=DROPPED))
    for _ in range(4):
        station.send(request())
    assert server.receive() is not None
    server.send(reply(), "10.20.0.1")
    station.send(reply(), ports=(67, 67))

    warning, decision = sorted(found(f"PXERELAY_MAC={LISTED}", count=2), key=lambda one: one["PRIORITY"])
    assert decision["MESSAGE"].startswith(
        f"{LISTED} on vlan10: DISCOVER (PXEClient, x86 BIOS), rule {LISTED} ("
    )
    assert (decision["PRIORITY"], decision["SYSLOG_IDENTIFIER"]) == ("7", "pxerelay")
    assert (decision["PXERELAY_INTERFACE"], decision["PXERELAY_RULE"]) == ("vlan10", LISTED)
    assert decision["PXERELAY_SERVER"] == ["altiris", "203.0.113.9"]
    assert decision["_TRANSPORT"] == "journal"
    assert warning["MESSAGE"].startswith("could not send to 203.0.113.9: Network is unreachable")
    assert (warning["PRIORITY"], warning["PXERELAY_SERVER"]) == ("4", ["altiris", "203.0.113.9"])

    (drop,) = found("PXERELAY_REASON=mapped-to-drop")
    assert (drop["PXERELAY_MAC"], drop["PXERELAY_RULE"]) == (DROPPED, DROPPED)
    assert {one["PRIORITY"] for one in found("PXERELAY_REASON=flood", count=2)} == {"4", "7"}
    for fake in found("PXERELAY_REASON=not-a-server", count=2):
        assert (fake["PXERELAY_SERVER"], fake["PXERELAY_INTERFACE"]) == ("0.0.0.0", "vlan10")
    offer = found(f"PXERELAY_SERVER={RIS}", "PXERELAY_INTERFACE=vlan10")[-1]
    assert "OFFER from ris 10.20.0.10" in offer["MESSAGE"]
    (state,) = found("PXERELAY_INTERFACE=vlan20")
    assert state["MESSAGE"] == "interface vlan20 active, giaddr 10.10.20.1"

    assert daemon.stop() == 0
    started, stopped = (found("_TRANSPORT=stdout")[at] for at in (0, -1))
    assert (started["PRIORITY"], started["SYSLOG_IDENTIFIER"]) == ("6", "pxerelay")
    assert "relays by" in started["MESSAGE"]
    assert stopped["MESSAGE"] == "stopped"


def test_lines_of_dhcpv6_are_found_by_family_duid_and_peer_besides(
    start: Start, station6: Station6, server6: FakeServer6, tmp_path: Path
) -> None:
    folder = tmp_path / "journal"
    config = BASE6.replace('"2001:db8:20::20"', '"2001:db8:ffff::9"')
    daemon = start(config, command=[str(JOURNAL), str(folder), *PXERELAY])

    def found(*matches: str, count: int = 1) -> list[dict[str, Any]]:
        daemon.wait_for(lambda: len(entries(folder, *matches)) >= count, 30)
        return entries(folder, *matches)

    duid = dhcp6.duid_ll(station6.mac)
    station6.send(dhcp6.solicit(duid))
    asked = server6.receive(30.0)
    assert asked is not None
    advertise = dhcp6.message(dhcp6.ADVERTISE, (dhcp6.CLIENT_ID, duid), (dhcp6.SERVER_ID, b"\0\3\0\1ris"))
    server6.send(dhcp6.answer(asked[0], advertise), asked[1])
    station6.send(advertise)
    listed = bytes.fromhex(LISTED.replace(":", ""))
    station6.send(dhcp6.solicit(dhcp6.duid_ll(listed)), sender=listed, source="fe80::ff:fe10:1")

    mac = station6.mac.hex(":")
    for one in found("PXERELAY_FAMILY=6", f"PXERELAY_DUID={duid.hex()}", count=3):
        assert (one["PXERELAY_MAC"], one["PXERELAY_PEER"]) == (mac, station6.address)
        assert one["PXERELAY_INTERFACE"] == "vlan10"
    for one in found("PXERELAY_REASON=not-for-servers", count=2):
        assert (one["PXERELAY_FAMILY"], one["PXERELAY_PEER"]) == ("6", station6.address)
    decision = found(f"PXERELAY_MAC={LISTED}")[0]
    assert decision["PXERELAY_SERVER"] == ["altiris", "2001:db8:ffff::9"]
    warning = found("PXERELAY_FAMILY=6", "PXERELAY_SERVER=altiris", "PRIORITY=4")[0]
    assert warning["MESSAGE"].startswith("could not send to 2001:db8:ffff::9: ")
    states = found("PXERELAY_FAMILY=6", "PXERELAY_INTERFACE=vlan20")
    assert states[-1]["MESSAGE"] == "interface vlan20 DHCPv6 active, link-address 2001:db8:10:20::1"


def test_no_journal_no_fields(start: Start, station: Station, server: FakeServer) -> None:
    """Elsewhere the log is what it was."""
    daemon = start()
    station.send(request(chaddr=LISTED))
    daemon.wait_for(lambda: f"<7>{LISTED} on vlan10: DISCOVER" in daemon.log)
    assert server.receive(0.1) is None
    assert "PXERELAY_" not in daemon.log
