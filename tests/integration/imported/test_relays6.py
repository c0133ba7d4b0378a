"""Real relays of DHCPv6, and their settings imported: the same servers are asked, with one link-address."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from pxerelay.cli import main
from pxerelay.config.load import load
from pxerelay.relay.decision6 import ToServers6
from pxerelay.tools.simulate.review6 import Reviewer6, heard
from pxerelay.wire import packet6
from tests.lab import Host, Lab, debian, dhcp6
from tests.lab.topology6 import add_address
from tests.lab.wire6 import FakeServer6, Station6, settled

PATIENCE = 40.0
"""Seconds until a relay that was started must have relayed; a client asks again meanwhile."""

CORE, SERVERS = "2001:db8:20::1", ("2001:db8:20::10", "2001:db8:20::20")
VLANS = {"vlan10": "2001:db8:10:10", "vlan20": "2001:db8:10:20"}
LOCAL = {name: f"{prefix}::1" for name, prefix in VLANS.items()}

Asked = dict[str, set[tuple[str, str]]]
"""By VLAN: which servers are asked, each with the link-address."""


class Wires:
    """A relay's host between two VLANs with a client each and a segment with two servers."""

    def __init__(self, lab: Lab) -> None:
        core = lab.segment("core")
        self.relay: Host = lab.host("relay")
        self.relay.attach(core, "core")
        add_address(self.relay, "core", f"{CORE}/64")
        self.servers = {}
        for name, address in zip(("ris", "altiris"), SERVERS, strict=True):
            host = lab.host(name)
            host.attach(core, "eth0")
            add_address(host, "eth0", f"{address}/64")
            self.servers[address] = FakeServer6(host)
        self.stations = {}
        for name, address in LOCAL.items():
            segment = lab.segment(name)
            self.relay.attach(segment, name)
            add_address(self.relay, name, f"{address}/64")
            client = lab.host(f"c{name}")
            client.attach(segment, "eth0")
            self.stations[name] = Station6(client)
        for name in ("core", *LOCAL):
            settled(self.relay, name)

    def asked(self, argv: Sequence[str], wanted: int) -> Asked:
        """Run a relay; return whom it asks for a client of each VLAN, of which there are so many."""
        process = self.relay.popen(list(argv), log="relay6.log")
        try:
            stations = enumerate(self.stations.items(), 1)
            return {name: self._asked(station, wanted, number) for number, (name, station) in stations}
        finally:
            process.terminate()
            process.wait(timeout=20)

    def _asked(self, station: Station6, wanted: int, number: int) -> set[tuple[str, str]]:
        message = dhcp6.solicit(dhcp6.duid_ll(station.mac), xid=number)
        found: set[tuple[str, str]] = set()
        end = time.monotonic() + PATIENCE
        while len(found) < wanted and time.monotonic() < end:
            station.send(message)
            for address, server in self.servers.items():
                while received := server.receive(0.2):
                    relayed = dhcp6.read_relayed(received[0])
                    if relayed.inside == message:
                        found.add((address, str(IPv6Address(relayed.link))))
        return found


@pytest.fixture(scope="module")
def wires() -> Iterator[Wires]:
    with Lab(f"it_relays6_{os.getpid()}") as lab:
        found = Wires(lab)
        yield found
        for server in found.servers.values():
            server.close()
        for station in found.stations.values():
            station.close()


def imported(wires: Wires, folder: Path, *arguments: str) -> Asked:
    """Import, and return whom the relay would ask for these clients."""
    out, err = io.StringIO(), io.StringIO()
    where = [f"--interface={prefix}::/64={name}" for name, prefix in VLANS.items()]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["import", *where, *arguments])
    assert code == 0, err.getvalue()
    path = folder / "pxerelay.yml"
    path.write_text(out.getvalue())
    config = load(path).config
    reviewer = Reviewer6(config, LOCAL, "", {name: IPv6Address(text) for name, text in LOCAL.items()})
    found: Asked = {}
    for name, station in wires.stations.items():
        if config.setting_for(name) is None:
            found[name] = set()
            continue
        said = heard(station.mac, name, dhcp6.solicit(dhcp6.duid_ll(station.mac)))
        decision = reviewer.decide(said)
        assert isinstance(decision, ToServers6)
        link = str(IPv6Address(decision.header[packet6.LINK_ADDRESS]))
        found[name] = {(server, link) for server in reviewer.servers(decision)}
    return found


def test_dhcrelay_6(wires: Wires, tmp_path: Path) -> None:
    words = ["-6", "-l", f"{LOCAL['vlan10']}%vlan10", "-l", "vlan20"]
    words += [part for server in SERVERS for part in ("-u", f"{server}%core")]
    relay = str(debian.program("isc-dhcp-relay", "usr/sbin/dhcrelay"))
    asked = wires.asked([relay, *words, "-d", "--no-pid"], 2)
    assert asked == {name: {(server, local) for server in SERVERS} for name, local in LOCAL.items()}
    assert imported(wires, tmp_path, "--dhcrelay", "--", *words) == asked


def test_dnsmasq_with_another_server_on_each_vlan(wires: Wires, tmp_path: Path) -> None:
    lines = [f"dhcp-relay={local},{server}" for local, server in zip(LOCAL.values(), SERVERS, strict=True)]
    file = tmp_path / "dnsmasq.conf"
    file.write_text("\n".join(["port=0", "user=root", *lines]) + "\n")
    argv = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file", f"--conf-file={file}"]
    asked = wires.asked(argv, 1)
    assert asked == {"vlan10": {(SERVERS[0], LOCAL["vlan10"])}, "vlan20": {(SERVERS[1], LOCAL["vlan20"])}}
    assert imported(wires, tmp_path, str(file), "--default", SERVERS[0]) == asked
