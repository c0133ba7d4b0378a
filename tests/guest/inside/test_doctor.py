"""`pxerelay doctor` where interfaces are VLANs on a trunk, and in a VRF."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guest.inside.conftest import Relay, running, sockets_on_port_67
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import RIS, Network

CONFIG = f"""\
servers: {{ris: {RIS}}}
default: ris
interfaces: {{vlan10: {{}}}}
"""
RED_CORE = "10.20.0.3"


def examined(network: Network, daemon: Daemon, *arguments: str, socket: Path | None = None) -> dict[str, Any]:
    """Return the report."""
    files = ("--config", str(daemon.config), "--socket", str(socket or daemon.socket))
    command = [*PXERELAY, "doctor", "--json", "--seconds", "3", *files, *arguments]
    done = network.relay.run(command, check=False, timeout=120)
    assert not done.stderr, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def found(network: Network, daemon: Daemon, *arguments: str) -> list[tuple[str, str]]:
    """Return code and subject of what is wrong; the guest's own small limits are not."""
    findings = examined(network, daemon, *arguments)["findings"]
    return [(one["code"], one["subject"]) for one in findings if one["code"] != "receive-buffer"]


@pytest.fixture
def red(network: Network, daemon: Daemon) -> Iterator[None]:
    """Have vlan10, and an interface at the servers, in a VRF."""
    relay = network.relay
    relay.ip("link add red type vrf table 100", "link set red up")
    relay.attach(network.segments["core"], "core-red", addresses=[f"{RED_CORE}/24"])
    relay.ip("link set core-red master red", "link set vlan10 master red")
    network.ris.host.route("10.10.10.0/24", RED_CORE)
    daemon.wait_for(lambda: sockets_on_port_67(daemon) == 2 and daemon.states() == {"vlan10": "active"})
    yield
    relay.run(["ip", "link", "delete", "red"], check=False)
    relay.detach("core-red")
    network.ris.host.route("10.10.10.0/24", "10.20.0.1")
    daemon.wait_for(lambda: sockets_on_port_67(daemon) == 1 and daemon.states() == {"vlan10": "active"})


@pytest.mark.usefixtures("red")
def test_a_server_in_a_vrf_is_asked_there(network: Network, daemon: Daemon) -> None:
    with running(network.ris):
        report = examined(network, daemon)
    assert [one["code"] for one in report["findings"] if one["code"] != "receive-buffer"] == []
    (route,) = report["routes"]
    assert (route["vrf"], route["interface"], route["source"]) == ("red", "core-red", RED_CORE)
    (server,) = report["servers"]
    assert [answer["source"] for answer in server["answers"]] == [RIS]


@pytest.mark.usefixtures("red")
def test_a_vrf_without_a_route_and_one_that_is_down(network: Network, daemon: Daemon) -> None:
    network.relay.ip("link set core-red nomaster")
    assert found(network, daemon) == [("server-silent", f"ris {RIS}"), ("route-leaves-vrf", f"ris {RIS}")]
    network.relay.ip("route add unreachable default metric 4278198272 vrf red")
    assert found(network, daemon) == [("no-route", f"ris {RIS}")]
    network.relay.ip("link set core-red master red", "link set red down")
    daemon.wait_for(lambda: daemon.states() == {"vlan10": "waiting"})
    assert ("interface-down", "vlan10") in found(network, daemon, "--no-probe")


def test_a_vlan_on_a_trunk_and_the_device_beneath_it(network: Network, relay: Relay) -> None:
    host, segment, daemon = network.relay, network.lab.segment("trunk"), relay.daemon
    host.attach(segment, "eth0")
    host.ip("link add link eth0 name eth0.30 type vlan id 30", "link set eth0.30 up")
    host.ip("address add 10.10.30.1/24 dev eth0.30")
    network.ris.host.route("10.10.30.0/24", "10.20.0.1")
    relay.configure(CONFIG.replace("vlan10", "eth0.30"))
    try:
        host.ip("link set eth0 down")
        daemon.wait_for(lambda: daemon.states() == {"eth0.30": "waiting"})
        (finding,) = (
            one
            for one in examined(network, daemon, "--no-probe")["findings"]
            if one["code"] != "receive-buffer"
        )
        assert (finding["code"], finding["subject"]) == ("interface-down", "eth0.30")
        assert finding["advice"] == ["ip link set eth0 up; ip link set eth0.30 up"]
    finally:
        host.detach("eth0")
