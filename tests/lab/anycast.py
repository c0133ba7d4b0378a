"""Three relay hosts that share an address by routing, and what clients notice while something happens to one.

64 VLANs 10.64.N.0/24 --- router (FRR) -+- core 10.20.0.0/24 --- relay1, relay2, relay3, all 192.0.2.67
                                        +- servers 10.21.0.0/24 --- boot1 dnsmasq, boot2 ISC dhcpd

IPv6 beside it: 2001:db8:64:N::/64, 2001:db8:20::/64, 2001:db8:21::/64, 2001:db8::67. The relays reach the
servers through the router, and servers' answers of IPv4 go straight there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from ipaddress import IPv4Network, IPv6Network

from tests.lab.frr import Frr, Neighbors, next_hops
from tests.lab.helper import Helper, Helper4, Helper6
from tests.lab.network import Host, Lab, LabError, Segment
from tests.lab.relayhost import RelayHost
from tests.lab.servers import Dnsmasq, IscDhcpServer, Pool, Server
from tests.lab.servers6 import Dnsmasq6, IscDhcpServer6
from tests.lab.topology6 import add_address, pools6

SHARED, SHARED6 = "192.0.2.67", "2001:db8::67"
RELAYS = ("relay1", "relay2", "relay3")
VLANS = {number: IPv4Network(f"10.64.{number}.0/24") for number in range(1, 65)}
VLANS6 = {number: IPv6Network(f"2001:db8:64:{number:x}::/64") for number in range(1, 65)}
CORE, CORE6 = IPv4Network("10.20.0.0/24"), IPv6Network("2001:db8:20::/64")
SERVERS, SERVERS6 = IPv4Network("10.21.0.0/24"), IPv6Network("2001:db8:21::/64")
ROUTER_PLACE = 254
SERVER_PLACES = {"boot1": 10, "boot2": 20}
NEIGHBORS = Neighbors((str(CORE), str(CORE6)), 65010, "lab")

_SETTLE_SECONDS = 60.0


class AnycastNetwork:
    """The network of a lab: `build` makes it, and the next process finds it again by the lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.router = Host(lab, "router")
        self.core, self.servers_lan = (Segment(name, lab.namespace("net")) for name in ("core", "servers"))
        subnets, subnets6 = [*VLANS.values(), CORE], [*VLANS6.values(), CORE6]
        boot1, boot2 = (Host(lab, name) for name in SERVER_PLACES)
        self.servers: tuple[Server, ...] = (
            Dnsmasq(boot1, address=_server(boot1), pools=_pools(subnets, 100), bootfile="ris/pxeboot.n12"),
            IscDhcpServer(boot2, address=_server(boot2), pools=_pools(subnets, 150), bootfile="altiris/b.0"),
            Dnsmasq6(boot1, address=_server6(boot1), pools=pools6(subnets6, 0x100), boot_url="tftp://a/b"),
            IscDhcpServer6(
                boot2, address=_server6(boot2), pools=pools6(subnets6, 0x200), boot_url="tftp://c/d"
            ),
        )

    def build(self) -> AnycastNetwork:
        """Make the network and start servers and FRR; the relay hosts have links, and nothing else yet."""
        self.lab.segment("core")
        self.lab.segment("servers")
        router = self.lab.host("router")
        for segment, subnet, subnet6 in ((self.core, CORE, CORE6), (self.servers_lan, SERVERS, SERVERS6)):
            router.attach(segment, segment.name, addresses=[f"{subnet[ROUTER_PLACE]}/24"])
            add_address(router, segment.name, f"{subnet6[ROUTER_PLACE]}/64")
        lines = []
        for number, subnet in VLANS.items():
            vlan, end = f"vlan{number}", f"end{number}"
            lines += [
                f"link add {vlan} type veth peer name {end}",
                f"link set {end} up",
                f"link set {vlan} up",
            ]
            lines.append(f"address add {subnet[1]}/24 dev {vlan}")
            lines.append(f"address add {VLANS6[number][1]}/64 dev {vlan} nodad")
        router.ip(*lines)
        router.sysctl("net.ipv4.ip_forward", 1)
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        for name, place in SERVER_PLACES.items():
            host = self.lab.host(name)
            _attach(host, self.servers_lan, "eth0", SERVERS, SERVERS6, place)
        for relay in RELAYS:
            self.plug_in(self.lab.host(relay))
        for server in self.servers:
            server.start()
        self.frr().start()
        return self

    def frr(self, *, bfd: bool = True) -> Frr:
        """Return the router's FRR, which may or may not watch relays by BFD."""
        neighbors = Neighbors(NEIGHBORS.networks, NEIGHBORS.asn, NEIGHBORS.password, bfd)
        return Frr(self.router, str(CORE[ROUTER_PLACE]), neighbors)

    def plug_in(self, relay: Host) -> None:
        """Give a relay host its link to the core, and the way to all else."""
        _attach(relay, self.core, "core", CORE, CORE6, place_of(relay.name))

    def announced(self) -> tuple[list[str], list[str]]:
        """Return by how many ways the router sends to the shared addresses of each family, and by which."""
        return next_hops(self.router, SHARED), next_hops(self.router, SHARED6)

    def uses(self, relay: str) -> bool:
        """Whether the router sends requests of IPv4 to a relay."""
        return str(CORE[place_of(relay)]) in next_hops(self.router, SHARED)

    def settled(self, count: int = len(RELAYS)) -> None:
        """Wait until the router spreads over so many relays in both families."""
        wait_for(lambda: [len(hops) for hops in self.announced()] == [count, count], self.announced)

    @contextmanager
    def helpers(self) -> Iterator[tuple[Helper, Helper]]:
        """Be the router's helper of both families on all VLANs."""
        with ExitStack() as stack:
            four = Helper4(self.router, [str(subnet[1]) for subnet in VLANS.values()], SHARED)
            stack.enter_context(closing(four))
            six = Helper6(self.router, [str(subnet[1]) for subnet in VLANS6.values()], SHARED6)
            stack.enter_context(closing(six))
            yield four, six

    @contextmanager
    def cut(self, *rules: str) -> Iterator[None]:
        """Have the router drop what it forwards `from A to B`, of either family, without a word."""
        done = []
        try:
            for rule in rules:
                family = "-6 " if ":" in rule else ""
                self.router.run(["ip", *f"{family}rule add {rule} blackhole".split()])
                done.append((family, rule))
            yield
        finally:
            for family, rule in done:
                self.router.run(["ip", *f"{family}rule del {rule} blackhole".split()])


def place_of(relay: str) -> int:
    """Return the number of a relay host on the core."""
    return RELAYS.index(relay) + 1


def relay_host(lab: Lab, relay: str) -> RelayHost:
    """Return the container of a relay host."""
    return RelayHost(lab.name, relay)


def wait_for(condition: Callable[[], bool], told: Callable[[], object]) -> float:
    """Wait for a condition and return the seconds it took; LabError, with what is `told`, if it does not."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > _SETTLE_SECONDS:
            raise LabError(f"not within {_SETTLE_SECONDS:.0f} s; now: {told()}")
        time.sleep(0.02)
    return time.monotonic() - start


def _attach(
    host: Host, segment: Segment, interface: str, subnet: IPv4Network, subnet6: IPv6Network, place: int
) -> None:
    host.attach(segment, interface, addresses=[f"{subnet[place]}/24"])
    add_address(host, interface, f"{subnet6[place]}/64")
    host.route("default", str(subnet[ROUTER_PLACE]))
    host.route("default", str(subnet6[ROUTER_PLACE]))


def _server(host: Host) -> str:
    return str(SERVERS[SERVER_PLACES[host.name]])


def _server6(host: Host) -> str:
    return str(SERVERS6[SERVER_PLACES[host.name]])


def _pools(subnets: Sequence[IPv4Network], first: int) -> list[Pool]:
    return [Pool(subnet, str(subnet[first]), str(subnet[first + 49])) for subnet in subnets]
