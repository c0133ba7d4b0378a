"""DHCPv6 relay agents before ours: a router with ISC dhcrelay or dnsmasq, and a switch with RFC 6221."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv6Address, IPv6Network

import pytest

from tests.integration.conftest import BASE6
from tests.lab import Host, debian, dhcp6
from tests.lab.clients6 import dhclient6
from tests.lab.daemon import Daemon
from tests.lab.servers6 import DhcpServer6, Dnsmasq6, IscDhcpServer6, Kea6
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, RELAY_CORE6, Network6, add_address, pools6
from tests.lab.wire6 import Station6, settled

Start = Callable[..., Daemon]
Kind = Callable[..., DhcpServer6]

LAN = IPv6Network("2001:db8:30::/64")
ROUTER = "2001:db8:20::30"
URL = "tftp://[2001:db8:20::20]/far.efi"
CONFIG = f'{BASE6}accept_relayed_from: ["{ROUTER}", 2001:db8:30::/64]\n'
FAR = "02:80:64:00:00:36"
"""A rule sends it to altiris; without its MAC it would be asked of ris."""


@pytest.fixture(scope="module")
def router(network: Network, network6: Network6) -> Host:
    """Put a client behind a router; its relay agent is not started."""
    assert network6
    router, client = network.lab.host("router"), network.lab.host("far")
    lan = network.lab.segment("lan")
    router.attach(network.segments["core"], "core")
    router.attach(lan, "lan")
    router.sysctl("net.ipv6.conf.all.forwarding", 1)
    add_address(router, "core", f"{ROUTER}/64")
    add_address(router, "lan", f"{LAN[1]}/64")
    client.attach(lan, "eth0", mac=FAR)
    for interface in ("core", "lan"):
        settled(router, interface)
    for host in (network.relay, network6.altiris.host):
        host.route(str(LAN), ROUTER)
    return router


def isc() -> list[str]:
    """Return ISC dhcrelay's command."""
    relay = str(debian.program("isc-dhcp-relay", "usr/sbin/dhcrelay"))
    return [relay, "-6", "-d", "--no-pid", "-l", "lan", "-u", f"{RELAY_CORE6}%core"]


def dnsmasq() -> list[str]:
    """Return dnsmasq's command, as a relay agent; it says the MAC in option 79."""
    argv = [
        "dnsmasq",
        "--keep-in-foreground",
        "--port=0",
        "--user=root",
        "--conf-file=/dev/null",
        "--pid-file",
    ]
    return [*argv, "--log-facility=-", f"--dhcp-relay={LAN[1]},{RELAY_CORE6}"]


AGENTS = {"isc": isc, "dnsmasq": dnsmasq}
KINDS: Mapping[str, Kind] = {"kea": Kea6, "dhcpd": IscDhcpServer6, "dnsmasq": Dnsmasq6}


RECEIVED = "DHCP6_BUFFER_RECEIVED"
"""What Kea logs of each message."""


def refused(daemon: Daemon) -> int:
    """Return how many messages were dropped that were relayed by nobody who may."""
    count: int = daemon.status()["counters6"]["dropped"]["relay-not-accepted"]
    return count


@contextmanager
def running(host: Host, argv: list[str], log: str) -> Iterator[subprocess.Popen[str]]:
    process = host.popen(argv, log=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=5)


@contextmanager
def altiris(network6: Network6, kind: Kind, *subnets: IPv6Network) -> Iterator[DhcpServer6]:
    like = network6.altiris
    server = kind(like.host, address=ALTIRIS6, pools=pools6(subnets, 0x200), boot_url=URL)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_behind_a_router_boots_from_its_own_server(
    start: Start, network: Network, network6: Network6, router: Host, agent: str, kind: str
) -> None:
    """ISC's relay says no MAC: it is in the client's link-local address. The answer comes back through us."""
    daemon = start(CONFIG)
    client = network.lab.host("far")
    with (
        altiris(network6, KINDS[kind], LAN),
        running(router, AGENTS[agent](), f"{agent}.log"),
    ):
        lease = dhclient6(client, arch=7)
    assert lease, daemon.log
    assert lease.boot_url == URL
    assert IPv6Address(lease.address) in LAN


def test_a_router_that_is_not_named_may_not_relay_to_us(
    start: Start, network: Network, network6: Network6, router: Host
) -> None:
    daemon = start(BASE6)
    with altiris(network6, Kea6, LAN), running(router, isc(), "isc.log"):
        for _ in range(5):
            assert dhclient6(network.lab.host("far"), arch=7, seconds=4) is None
            if refused(daemon):
                break
    assert refused(daemon) >= 1


def test_rule_130_a_switch_with_rfc_6221_relays_on_a_trusted_interface(
    start: Start, network6: Network6, station6: Station6
) -> None:
    """What comes from its port 7 goes back to it, with its Interface-Id, as Kea's echo of it."""
    start(
        BASE6.replace("dhcpv6: true", "dhcpv6: {trusted: [vlan10]}").replace(
            "default: ris", "default: altiris"
        )
    )
    solicit = dhcp6.solicit(dhcp6.duid_ll(station6.mac), arch=7)
    forward = dhcp6.relayed(dhcp6.RELAY_FORW, solicit, (dhcp6.INTERFACE_ID, b"port7"), peer=station6.address)
    with altiris(network6, Kea6, IPv6Network("2001:db8:10:10::/64")):
        station6.send(forward, ports=(547, 547))
        answer = station6.answer()
    assert (answer.port, answer.destination) == (547, station6.address)
    outer = dhcp6.read_relayed(answer.payload)
    assert (outer.kind, outer.hops, outer.link, outer.peer) == (
        dhcp6.RELAY_REPL,
        0,
        "::",
        station6.address,
    )
    assert outer.one(dhcp6.INTERFACE_ID) == b"port7"
    assert dhcp6.read(outer.inside).boot_url == URL


def test_rule_130_on_other_interfaces_nobody_may_pretend_to_be_one(
    start: Start, network6: Network6, station6: Station6
) -> None:
    daemon = start(BASE6.replace("default: ris", "default: altiris"))
    forward = dhcp6.relayed(dhcp6.RELAY_FORW, dhcp6.solicit(b"\0\4" + bytes(16)), peer=station6.address)
    with altiris(network6, Kea6, IPv6Network("2001:db8:10:10::/64")) as server:
        said = len(server.log)
        station6.send(forward, ports=(547, 547))
        daemon.wait_for(lambda: refused(daemon) == 1, 10)
        station6.send(dhcp6.solicit(b"\0\4" + bytes(16)))
        assert dhcp6.read(station6.answer().payload).kind == dhcp6.ADVERTISE
        assert server.log[said:].count(RECEIVED) == 1, "of the second alone"
