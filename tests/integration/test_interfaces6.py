"""Client interfaces in DHCPv6: what they wait for, and that they work once it is there (rules 160 to 166)."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from tests.integration.conftest import BASE, BASE6
from tests.lab import Host, dhcp6
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.frames import Checksum
from tests.lab.topology import Network
from tests.lab.topology6 import CLIENT_VLANS6, Network6, add_address
from tests.lab.wire import FakeServer, Station, inside
from tests.lab.wire6 import FakeServer6, Station6, settled
from tests.unit.messages import request

Start = Callable[..., Daemon]

PATIENCE = 20.0
"""Seconds: duplicate address detection takes 2, and the machine may be busy."""

TRIES = 5
"""Times that a client asks; firmware does so too."""

VLAN10 = f"{CLIENT_VLANS6['vlan10'][1]}/64"


def state6(daemon: Daemon, name: str = "vlan10") -> dict[str, Any]:
    """Return what `status` says of a client interface in DHCPv6."""
    found: dict[str, Any] = daemon.interface(name)["ipv6"]
    return found


def waits_for(daemon: Daemon, what: str) -> None:
    """Wait until the interface waits for something in these words."""
    daemon.wait_for(lambda: what in (state6(daemon)["waiting"] or ""), PATIENCE)


def is_active(daemon: Daemon, link_address: str = "2001:db8:10:10::1") -> None:
    """Wait until the interface serves with a link-address."""
    daemon.wait_for(lambda: state6(daemon)["state"] == "active", PATIENCE)
    assert state6(daemon)["link_address"] == link_address


def relays(station: Station6, server: FakeServer6, link_address: str = "2001:db8:10:10::1") -> None:
    """Check that a SOLICIT arrives, and the answer to it; clients ask again, on a slow machine too."""
    solicit, heard = b"", None
    for _ in range(TRIES):
        solicit = dhcp6.solicit(dhcp6.duid_ll(station.mac), xid=int.from_bytes(os.urandom(3), "big"))
        station.arrivals()
        while server.receive(0.0001):
            pass
        station.send(solicit)
        heard = server.receive(PATIENCE / TRIES)
        if heard:
            break
    assert heard
    forward = dhcp6.read_relayed(heard[0])
    assert forward.inside == solicit
    assert (forward.link, forward.peer, forward.mac) == (link_address, station.address, station.mac.hex(":"))
    advertise = bytes([dhcp6.ADVERTISE]) + solicit[1:4] + os.urandom(8)
    server.send(dhcp6.answer(heard[0], advertise), heard[1])
    assert [one.payload for one in station.datagrams(PATIENCE, 1)] == [advertise]


@contextmanager
def interface_as_before(network: Network) -> Iterator[Host]:
    """Give vlan10 of the relay host its addresses back afterwards."""
    relay = network.relay
    try:
        yield relay
    finally:
        relay.sysctl("net.ipv6.conf.vlan10.disable_ipv6", 0)
        relay.ip("link set vlan10 up", "address replace 10.10.10.1/24 broadcast + dev vlan10")
        relay.ip("address flush dev vlan10 scope global to 2001:db8::/32")
        add_address(relay, "vlan10", VLAN10)
        settled(relay, "vlan10")


@contextmanager
def optmem_max(network: Network, octets: int) -> Iterator[None]:
    """Bound what a socket of the relay host may keep beside its buffers, as its memberships of groups."""
    before = network.relay.run(["cat", "/proc/sys/net/core/optmem_max"]).stdout.strip()
    network.relay.sysctl("net.core.optmem_max", octets)
    try:
        yield
    finally:
        network.relay.sysctl("net.core.optmem_max", before)


def test_rule_160_one_family_serves_while_the_other_waits(
    start: Start,
    network: Network,
    station: Station,
    server: FakeServer,
    station6: Station6,
    server6: FakeServer6,
) -> None:
    daemon = start(BASE6)
    is_active(daemon)
    with interface_as_before(network) as relay:
        relay.ip("address del 10.10.10.1/24 dev vlan10")
        daemon.wait_for(lambda: daemon.interface("vlan10")["state"] == "waiting", PATIENCE)
        assert state6(daemon)["state"] == "active"
        relays(station6, server6)
        relay.ip("address add 10.10.10.1/24 broadcast + dev vlan10", f"address del {VLAN10} dev vlan10")
        waits_for(daemon, "no global IPv6 address")
        daemon.wait_for(lambda: daemon.interface("vlan10")["state"] == "active", PATIENCE)
        station.send(request())
        assert server.receive()
        station6.send(dhcp6.solicit(dhcp6.duid_ll(station6.mac)))
        assert server6.receive(0.5) is None
    is_active(daemon)
    relays(station6, server6)


def test_rule_161_ipv6_that_is_disabled_is_waited_for(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6)
    with interface_as_before(network) as relay:
        relay.sysctl("net.ipv6.conf.vlan10.disable_ipv6", 1)
        waits_for(daemon, "IPv6 is disabled")
        relay.sysctl("net.ipv6.conf.vlan10.disable_ipv6", 0)
        add_address(relay, "vlan10", VLAN10)
        is_active(daemon)
        relays(station6, server6)


def test_rule_161_a_link_local_address_is_waited_for(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    """That which is tentative counts only once nobody else has it."""
    daemon = start(BASE6)
    with interface_as_before(network) as relay:
        own = settled(relay, "vlan10")
        relay.ip(f"address del {own}/64 dev vlan10")
        waits_for(daemon, "no link-local address")
        relay.ip(f"address add {own}/64 dev vlan10")
        waits_for(daemon, "tentative")
        is_active(daemon)
        relays(station6, server6)


def test_rule_161_an_address_that_another_host_has_is_none(
    start: Start, network: Network, client: Host, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6)
    with interface_as_before(network) as relay:
        own = settled(relay, "vlan10")
        client.ip(f"address add {own}/64 dev eth0 nodad")
        try:
            relay.ip(f"address del {own}/64 dev vlan10", f"address add {own}/64 dev vlan10")
            waits_for(daemon, "duplicate")
        finally:
            client.ip(f"address del {own}/64 dev eth0")
        relay.ip(f"address del {own}/64 dev vlan10", f"address add {own}/64 dev vlan10")
        is_active(daemon)
        relays(station6, server6)


def test_rule_161_a_link_address_that_is_not_ours_is_waited_for(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    wanted = "2001:db8:10:10::5"
    daemon = start(BASE6.replace("vlan10: {}", f'vlan10: {{link_address: "{wanted}"}}'))
    with interface_as_before(network) as relay:
        waits_for(daemon, f"its link_address {wanted} is no address of this host")
        add_address(relay, "vlan10", f"{wanted}/64")
        is_active(daemon, wanted)
        relays(station6, server6, wanted)


def test_rule_161_membership_of_the_group_is_waited_for(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6)
    with interface_as_before(network) as relay, optmem_max(network, 0):
        relay.ip("link set vlan10 down")
        waits_for(daemon, "down or has no carrier")
        relay.ip("link set vlan10 up")
        add_address(relay, "vlan10", VLAN10)
        waits_for(daemon, "could not join ff02::1:2: Cannot allocate memory")
    is_active(daemon)
    relays(station6, server6)


def test_rule_162_an_interface_that_was_down_serves_again(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    """Its global addresses are gone by then, and with them what servers find the subnet by."""
    daemon = start(BASE6)
    with interface_as_before(network) as relay:
        relay.ip("link set vlan10 down")
        waits_for(daemon, "down or has no carrier")
        relay.ip("link set vlan10 up")
        waits_for(daemon, "no global IPv6 address")
        add_address(relay, "vlan10", VLAN10)
        is_active(daemon)
        relays(station6, server6)


def test_rule_162_an_address_that_was_replaced_is_followed(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6)
    fresh = "2001:db8:10:10::7"
    with interface_as_before(network) as relay:
        relay.ip(f"address add {fresh}/64 dev vlan10 nodad", f"address del {VLAN10} dev vlan10")
        daemon.wait_for(lambda: state6(daemon)["link_address"] == fresh, PATIENCE)
        relays(station6, server6, fresh)
    daemon.wait_for(lambda: state6(daemon)["link_address"] == "2001:db8:10:10::1", PATIENCE)


def test_rule_163_an_interface_that_is_made_anew_is_joined_anew(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6)
    network.relay.detach("vlan10")
    waits_for(daemon, "not there")
    network.relay.attach(network.segments["vlan10"], "vlan10", addresses=["10.10.10.1/24"])
    add_address(network.relay, "vlan10", VLAN10)
    is_active(daemon)
    relays(station6, server6)


def test_rule_163_one_that_was_made_anew_while_nobody_looked_is_joined_anew(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    """With the same index, Ethernet address and addresses: nothing tells it from the one before."""
    daemon, relay = start(BASE6), network.relay
    is_active(daemon)
    relays(station6, server6)
    with inside(relay):
        index = socket.if_nametoindex("vlan10")
    mac = relay.run(["cat", "/sys/class/net/vlan10/address"]).stdout.strip()
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        relay.detach("vlan10")
        addresses = ["10.10.10.1/24"]
        relay.attach(network.segments["vlan10"], "vlan10", mac=mac, index=index, addresses=addresses)
        add_address(relay, "vlan10", VLAN10)
        settled(relay, "vlan10")
        with inside(relay):
            assert socket.if_nametoindex("vlan10") == index
        shown = relay.run(["ip", "-6", "maddress", "show", "dev", "vlan10"]).stdout
        assert "ff02::1:2" not in shown, "the kernel took the membership away with the interface"
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)

    def member() -> bool:
        return "ff02::1:2" in relay.run(["ip", "-6", "maddress", "show", "dev", "vlan10"]).stdout

    daemon.wait_for(member, PATIENCE)
    is_active(daemon)
    relays(station6, server6)


def test_rule_164_a_thousand_interfaces_are_members_of_the_group(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    """Where sockets may be members of as few groups as in Debian 12."""
    relay, pairs = network.relay, range(500)
    names = [f"many{at}{side}" for at in pairs for side in "ab"]
    with optmem_max(network, 20480):
        try:
            relay.ip(
                *(f"link add name many{at}a type veth peer name many{at}b" for at in pairs),
                *(f"link set dev {name} up" for name in names),
                *(f"address add 2001:db8:77:{at:x}::1/64 dev {name} nodad" for at, name in enumerate(names)),
            )
            daemon = start(BASE6.replace("  vlan10: {}", '  vlan10: {}\n  "many*": {}'), options=())

            def serving() -> int:
                ports = daemon.status()["interfaces"].values()
                return sum(port["ipv6"]["state"] == "active" for port in ports)

            daemon.wait_for(lambda: serving() == len(names) + 2, 120)
            members = relay.run(["ip", "-6", "maddress", "show"]).stdout.split()
            assert members.count("ff02::1:2") == len(names) + 2
            relays(station6, server6)
        finally:
            relay.ip(*(f"link delete many{at}a" for at in pairs))


def test_rule_165_the_kernel_checks_what_is_heard(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    """A frame alone makes no message: what is damaged, or for another port, brings none."""
    daemon = start(BASE6)
    solicit = dhcp6.solicit(dhcp6.duid_ll(station6.mac))
    station6.send(solicit, checksum=Checksum.BAD)
    station6.send(solicit, checksum=Checksum.NONE)
    station6.send(solicit, ports=(546, 548))
    assert server6.receive(1.0) is None
    assert daemon.status()["counters6"]["requests"] == 0
    relays(station6, server6)


def test_without_dhcpv6_no_ipv6_socket_is_opened(
    start: Start, network: Network, station6: Station6, server6: FakeServer6, tmp_path: Path
) -> None:
    """And port 547 stays free for another relay; `dhcpv6` opens them at a reload, and closes them again."""
    trace = tmp_path / "trace"
    daemon = start(
        BASE, command=("strace", "-f", "-e", "trace=socket,bind", "-o", str(trace), *PXERELAY), options=()
    )

    def opened() -> bool:
        return "AF_INET6" in trace.read_text()

    daemon.wait_for(lambda: "AF_NETLINK" in trace.read_text(), PATIENCE)
    assert daemon.reload(BASE)["sha256"]
    assert not opened()
    with inside(network.relay), closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as other:
        other.bind(("::", 547))
        assert "ipv6" not in daemon.interface("vlan10")
        refused = daemon.reload(BASE6)
        assert "port 547 is taken" in refused["error"]
        assert "ipv6" not in daemon.interface("vlan10")
    assert daemon.reload(BASE6)["sha256"]
    assert opened()
    is_active(daemon)
    relays(station6, server6)
    assert daemon.reload(BASE)["sha256"]
    with inside(network.relay), closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as other:
        other.bind(("::", 547))
    tracer = int(daemon.process.pid)
    children = Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    assert daemon.process.wait(timeout=PATIENCE) == 0


def test_dhcpv6_alone_leaves_port_67_to_others(
    start: Start, network: Network, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6.replace("dhcpv6: true\n", "dhcpv6: true\ndhcpv4: false\n"))
    with inside(network.relay), closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind(("", 67))
        is_active(daemon)
        assert daemon.interface("vlan10")["state"] == "off"
        relays(station6, server6)
    assert daemon.reload(BASE6)["sha256"]
    assert daemon.interface("vlan10")["state"] == "active"


def test_status_tells_the_addresses_of_an_interface(
    start: Start, network: Network, network6: Network6
) -> None:
    assert network6
    daemon = start(BASE6)
    is_active(daemon)
    told = state6(daemon)
    assert IPv6Address(told["link_local"]).is_link_local
    assert told["link_local"] == settled(network.relay, "vlan10")
    assert "DHCPv6 active, link-address 2001:db8:10:10::1" in daemon.log


def test_status_tells_what_servers_got_and_sent(
    start: Start, station6: Station6, server6: FakeServer6
) -> None:
    daemon = start(BASE6)
    for _ in range(3):
        relays(station6, server6)
    servers = daemon.status()["servers"]
    assert {name: list(rows) for name, rows in servers.items()} == {
        "ris": ["10.20.0.10", "2001:db8:20::10"],
        "altiris": ["10.20.0.20", "2001:db8:20::20"],
    }
    row = servers["ris"]["2001:db8:20::10"]
    assert row["configured"]
    assert row["requests"] >= row["replies"] == 3
    assert servers["ris"]["10.20.0.10"]["requests"] == 0
