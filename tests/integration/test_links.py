"""Interfaces that come, go and change under a running daemon (packet rules 23 and 24)."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from pxerelay.linux import interfaces
from pxerelay.linux.interfaces import watch
from tests.lab.command import CommandError
from tests.lab.daemon import Daemon
from tests.lab.network import Segment
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station, inside
from tests.unit.messages import ip, request

Start = Callable[..., Daemon]
CONFIG = "max_requests: 0\ndefault: 10.20.0.10\ninterfaces: {}\n"
ADDRESS = "10.10.70.1"


class Lan:
    """A segment with a client on it, and the relay's interface there, which tests change."""

    def __init__(self, network: Network, segment: Segment, station: Station, server: FakeServer) -> None:
        self.relay = network.relay
        self._segment = segment
        self._station = station
        self._server = server

    def attach(self, name: str = "lan0") -> None:
        """Make the relay's interface."""
        self.relay.attach(self._segment, name, addresses=[f"{ADDRESS}/24"])

    def detach(self) -> None:
        """Remove it, whatever it is called by now."""
        for name in ("lan0", "other0"):
            with suppress(CommandError):
                self.relay.detach(name)

    def giaddr(self) -> bytes | None:
        """Have the client ask, and return the giaddr of what reaches the server."""
        self._station.send(request())
        arrived = self._server.receive(0.5)
        return arrived[0][24:28] if arrived else None


@pytest.fixture(scope="module")
def lan_station(network: Network) -> Iterator[tuple[Segment, Station]]:
    segment = network.lab.segment("lanwire")
    host = network.lab.host("client-lan")
    host.attach(segment, "eth0")
    with closing(Station(host)) as station:
        yield segment, station


@pytest.fixture
def lan(network: Network, lan_station: tuple[Segment, Station], server: FakeServer) -> Iterator[Lan]:
    lan = Lan(network, *lan_station, server)
    lan.attach()
    yield lan
    lan.detach()


def port(daemon: Daemon, name: str = "lan0") -> dict[str, Any]:
    """Return what `status` says of an interface; nothing if it does not name it."""
    found: dict[str, Any] = daemon.status()["interfaces"].get(name, {})
    return found


def works(daemon: Daemon, name: str = "lan0", giaddr: str = ADDRESS) -> bool:
    return port(daemon, name) == {"state": "active", "giaddr": giaddr, "waiting": None}


def waits(daemon: Daemon, reason: str, name: str = "lan0") -> bool:
    return reason in (port(daemon, name).get("waiting") or "")


def with_interfaces(text: str) -> str:
    return CONFIG.replace("interfaces: {}", f"interfaces: {{{text}}}")


def test_rule_23_24_interfaces_come_and_go_without_a_restart(
    start: Start, network: Network, station: Station, server: FakeServer
) -> None:
    daemon = start()
    relay = network.relay
    relay.ip("link set vlan20 down")
    daemon.wait_for(lambda: waits(daemon, "down", "vlan20"), 1)
    relay.ip("link set vlan20 up")
    daemon.wait_for(lambda: works(daemon, "vlan20", "10.10.20.1"), 1)
    relay.ip("address flush dev vlan20")
    daemon.wait_for(lambda: waits(daemon, "no IPv4 address", "vlan20"), 1)
    relay.detach("vlan20")
    daemon.wait_for(lambda: waits(daemon, "not there", "vlan20"), 1)
    station.send(request())
    assert server.receive() is not None, "vlan10 was never disturbed"
    relay.attach(network.segments["vlan20"], "vlan20", addresses=["10.10.20.1/24"])
    daemon.wait_for(lambda: works(daemon, "vlan20", "10.10.20.1"), 1)


def test_rule_23_an_interface_that_is_down_waits_and_works_when_up_again(start: Start, lan: Lan) -> None:
    daemon = start(with_interfaces("lan0: {}"))
    assert lan.giaddr() == ip(ADDRESS)
    lan.relay.ip("link set lan0 down")
    daemon.wait_for(lambda: waits(daemon, "down"))
    lan.relay.ip("link set lan0 up")
    daemon.wait_for(lambda: works(daemon))
    assert lan.giaddr() == ip(ADDRESS)


def test_rule_23_a_glob_takes_interfaces_that_appear(start: Start, lan: Lan) -> None:
    lan.detach()
    daemon = start(with_interfaces('"lan*": {}'))
    assert waits(daemon, "no interface matches", "lan*")
    lan.attach()
    daemon.wait_for(lambda: works(daemon))
    assert lan.giaddr() == ip(ADDRESS)
    assert "lan*" not in daemon.status()["interfaces"]


def test_rule_24_another_address_is_followed(start: Start, lan: Lan) -> None:
    daemon = start(with_interfaces("lan0: {}"))
    lan.relay.ip("address delete 10.10.70.1/24 dev lan0", "address add 10.10.70.2/24 dev lan0")
    daemon.wait_for(lambda: works(daemon, giaddr="10.10.70.2"))
    assert lan.giaddr() == ip("10.10.70.2")


@pytest.mark.parametrize("more", ["10.10.70.3/24", "10.10.71.1/24"])
def test_rule_24_the_primary_address_stays_giaddr_beside_others(start: Start, lan: Lan, more: str) -> None:
    daemon = start(with_interfaces("lan0: {}"))
    lan.relay.ip(f"address add {more} dev lan0", "link set lan0 mtu 1400")
    lan.relay.ip("link add marker type veth peer name marked")
    lan.relay.ip("link delete marker")
    daemon.wait_for(lambda: daemon.log.count("interface lan0 active") == 2)  # now it knows
    assert works(daemon)
    assert lan.giaddr() == ip(ADDRESS)
    if more.startswith("10.10.71"):  # its own primary: it takes over when the first one goes
        lan.relay.ip("address delete 10.10.70.1/24 dev lan0")
        daemon.wait_for(lambda: works(daemon, giaddr="10.10.71.1"))


def test_rule_24_a_configured_giaddr_wins_as_soon_and_as_long_as_it_is_there(start: Start, lan: Lan) -> None:
    daemon = start(with_interfaces("lan0: {giaddr: 10.10.70.5}"))
    assert waits(daemon, "its giaddr 10.10.70.5 is no address of this host")
    lan.relay.ip("address add 10.10.70.5/24 dev lan0")
    daemon.wait_for(lambda: works(daemon, giaddr="10.10.70.5"))
    assert lan.giaddr() == ip("10.10.70.5")
    lan.relay.ip("address delete 10.10.70.5/24 dev lan0")
    daemon.wait_for(lambda: waits(daemon, "its giaddr 10.10.70.5 is no address of this host"))


def test_rule_24_a_new_name_is_followed(start: Start, lan: Lan) -> None:
    daemon = start(with_interfaces("lan0: {}"))
    lan.relay.ip("link set lan0 down", "link set lan0 name other0", "link set other0 up")
    daemon.wait_for(lambda: waits(daemon, "not there"))
    assert lan.giaddr() is None
    lan.relay.ip("link set other0 down", "link set other0 name lan0", "link set lan0 up")
    daemon.wait_for(lambda: works(daemon))
    assert lan.giaddr() == ip(ADDRESS)


def test_rule_24_a_new_name_makes_a_glob_match(start: Start, lan: Lan) -> None:
    daemon = start(with_interfaces('"other*": {}'))
    assert lan.giaddr() is None
    lan.relay.ip("link set lan0 down", "link set lan0 name other0", "link set other0 up")
    daemon.wait_for(lambda: works(daemon, "other0"))
    assert lan.giaddr() == ip(ADDRESS)


def test_rule_24_an_interface_made_anew_has_another_index_and_works(start: Start, lan: Lan) -> None:
    daemon = start(with_interfaces("lan0: {}"))
    index = lan.relay.run(["cat", "/sys/class/net/lan0/ifindex"]).stdout
    lan.detach()
    lan.attach()
    assert lan.relay.run(["cat", "/sys/class/net/lan0/ifindex"]).stdout != index
    daemon.wait_for(lambda: works(daemon) and lan.giaddr() == ip(ADDRESS))


def test_a_service_manager_that_reads_nothing_holds_up_no_packets(
    start: Start, lan: Lan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change of a client interface is told to it, and its queue is full after ten or so."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        daemon = start(with_interfaces("lan0: {}"))
        for number in range(20):
            lan.relay.ip(f"link set lan0 mtu {1400 + number}")
            told = number + 2
            daemon.wait_for(lambda: daemon.log.count("interface lan0 active") == told)  # noqa: B023
            begun = time.monotonic()
            assert lan.giaddr() == ip(ADDRESS)
            assert time.monotonic() - begun < 0.4


def overflowed(lan: Lan) -> bool:
    """Whether a socket that listens for changes has lost some (the 9th column of /proc/net/netlink)."""
    rows = [line.split() for line in lan.relay.run(["cat", "/proc/net/netlink"]).stdout.splitlines()[1:]]
    return any(row[1] == "0" and int(row[3], 16) and int(row[8]) for row in rows)


def test_rule_24_more_changes_than_the_kernel_keeps_are_followed(start: Start, lan: Lan) -> None:
    daemon = start(with_interfaces("lan0: {}"))
    pairs = range(200)
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        lan.relay.ip(*[f"link add many{n} type veth peer name more{n}" for n in pairs])
        lan.relay.ip(*[f"link set many{n} up" for n in pairs], *[f"link delete many{n}" for n in pairs])
        assert overflowed(lan)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    lan.relay.ip("address delete 10.10.70.1/24 dev lan0", "address add 10.10.70.2/24 dev lan0")
    daemon.wait_for(lambda: works(daemon, giaddr="10.10.70.2"))
    assert lan.giaddr() == ip("10.10.70.2")
    lan.relay.ip("address delete 10.10.70.2/24 dev lan0")
    daemon.wait_for(lambda: waits(daemon, "no IPv4 address"))


def test_a_burst_of_changes_is_listed_a_few_times_only(network: Network) -> None:
    host = network.lab.host("burst")
    pairs = range(100)

    async def listings() -> list[int]:
        states = watch()
        links = (await anext(states)).links
        host.ip(*[f"link add many{n} type veth peer name more{n}" for n in pairs])
        seen = [len(links)]
        while seen[-1] < 2 * len(pairs) + 1:
            await asyncio.wait_for(anext(states), 5)
            seen.append(len(links))
        await states.aclose()
        return seen

    with inside(host):
        assert len(asyncio.run(listings())) < 10


def test_one_link_that_flaps_is_no_burst(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it changes: it is asked for alone. A list is made where it changes meanwhile."""
    host, listed = network.lab.host("flapping"), interfaces._listed
    host.ip("link add flap0 type veth peer name flap1", "link set flap0 up")
    monkeypatch.setattr(interfaces, "_BURST_SECONDS", 600.0)
    monkeypatch.setattr(interfaces, "_EXTRA", 0.0)
    lists = 0

    async def counted(**wanted: Any) -> Any:
        nonlocal lists
        lists += 1
        return await listed(**wanted)

    async def flap() -> None:
        states = watch()
        links = (await anext(states)).links
        for at in range(80):
            up = at % 2 == 0
            host.ip(f"link set flap1 {'up' if up else 'down'}")
            while not any(link.name == "flap0" and link.up == up for link in links.values()):
                await asyncio.wait_for(anext(states), 10)
        await states.aclose()

    monkeypatch.setattr(interfaces, "_listed", counted)
    with inside(host):
        asyncio.run(flap())
    assert lists < 5


@pytest.mark.parametrize("scope", ["link", "host"])
def test_rule_32_an_address_of_narrow_scope_darkens_no_vlan(start: Start, lan: Lan, scope: str) -> None:
    """As systemd-networkd adds one with `LinkLocalAddressing=ipv4`; the kernel lists it first."""
    daemon = start(with_interfaces("lan0: {}"))
    lan.relay.ip(f"address add 169.254.7.7/16 scope {scope} dev lan0", "link set lan0 mtu 1400")
    daemon.wait_for(lambda: daemon.log.count("interface lan0 active") == 2)  # by now it knows
    assert works(daemon)
    assert lan.giaddr() == ip(ADDRESS)
    lan.relay.ip(f"address delete {ADDRESS}/24 dev lan0")
    daemon.wait_for(lambda: waits(daemon, "169.254.7.7 is not of global scope"))
    assert lan.giaddr() is None


def test_rule_32_unless_giaddr_names_it(start: Start, lan: Lan) -> None:
    lan.relay.ip("address add 169.254.7.7/16 scope link dev lan0")
    daemon = start(with_interfaces("lan0: {giaddr: 169.254.7.7}"))
    assert works(daemon, giaddr="169.254.7.7")
    assert lan.giaddr() == ip("169.254.7.7")


def test_an_alternative_name_is_followed(start: Start, lan: Lan) -> None:
    daemon = start(with_interfaces("clients70: {}"))
    assert waits(daemon, "the interface is not there", "clients70")
    lan.relay.ip("link property add dev lan0 altname clients70")
    daemon.wait_for(lambda: works(daemon, "clients70"))
    assert lan.giaddr() == ip(ADDRESS)
    counted = daemon.status()["traffic"]["requests"]
    assert [row["interface"] for row in counted] == ["clients70"]
    lan.relay.ip("link property del dev lan0 altname clients70")
    daemon.wait_for(lambda: waits(daemon, "the interface is not there", "clients70"))


def test_the_loopback_interface_is_no_client_interface_by_a_glob_either(start: Start, lan: Lan) -> None:
    lan.relay.ip("link set lo up")
    daemon = start(with_interfaces('"l*": {}'))
    assert works(daemon)
    assert port(daemon, "lo") == {}
