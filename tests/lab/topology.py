"""The one network that demo, Molecule and integration tests use, and who must boot from where in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from tests.lab.network import Host, Lab, Segment
from tests.lab.servers import DhcpServer, Dnsmasq, IscDhcpServer, Pool

# clients -- vlan10 10.10.10.0/24 --+
#                                   +-- relay1 - core 10.20.0.0/24 --+-- boot1 "ris"     dnsmasq
#            vlan20 10.10.20.0/24 --+                                +-- boot2 "altiris" ISC dhcpd
#
# A branch, where some are wanted, is one more relay host with a vlan10 of its own, on the same core:
# clients -- branch2 10.10.102.0/24 ---- relay2 -- core
#
# In a pair, two relay hosts stand side by side. Each has addresses of its own, .2 and .3, and the one that
# relays has, besides, those that are else relay1's, .1: the servers' routes lead there.

CLIENT_VLANS = {"vlan10": IPv4Network("10.10.10.0/24"), "vlan20": IPv4Network("10.10.20.0/24")}
CLIENT_SUPERNET = "10.10.0.0/16"
CORE = IPv4Network("10.20.0.0/24")
_RELAY_LINKS = {**CLIENT_VLANS, "core": CORE}
RELAY_CORE = "10.20.0.1"
RELAY, PARTNER = "relay1", "relay2"
RIS = "10.20.0.10"
ALTIRIS = "10.20.0.20"
BOOT_FILES = {RIS: "ris/pxeboot.n12", ALTIRIS: "altiris/bstrap.0"}
SERVER_NAMES = {RIS: "ris", ALTIRIS: "altiris"}


@dataclass(frozen=True)
class Client:
    """A client of vlan10, and what inventories/lab says about it."""

    name: str
    mac: str
    kind: str
    server: str | None
    """The address that must answer; None: nobody may."""
    rule: str | None
    """The mapping's key that names it, if one does."""


CLIENTS = (
    Client("listed", "02:00:00:10:00:01", "listed MAC", ALTIRIS, "02:00:00:10:00:01"),
    Client("oui", "02:80:64:aa:bb:01", "OUI", ALTIRIS, "02:80:64"),
    Client("wildcard", "52:54:00:12:34:56", "wildcard", ALTIRIS, "52:54:00:12:3?:*"),
    Client("dropped", "02:00:00:de:ad:01", "drop", None, "02:00:00:de:ad:01"),
    Client("default", "02:00:00:10:00:99", "default", RIS, None),
)


@dataclass(frozen=True)
class Branch:
    """A further relay host of a network, and what it is attached to. The first one has the number 2."""

    number: int

    @property
    def relay(self) -> str:
        """The relay host's name."""
        return f"relay{self.number}"

    @property
    def segment(self) -> str:
        """The name of the segment of its clients; the relay host's interface is called vlan10."""
        return f"branch{self.number}"

    @property
    def subnet(self) -> IPv4Network:
        """The clients' subnet."""
        return IPv4Network(f"10.10.{100 + self.number}.0/24")

    @property
    def core(self) -> str:
        """The relay host's address on the core."""
        return f"10.20.0.{100 + self.number}"

    @property
    def clients(self) -> tuple[Client, Client]:
        """A client that a rule names, and one that none does."""
        return (
            Client(f"oui{self.number}", f"02:80:64:00:{self.number:02x}:01", "OUI", ALTIRIS, "02:80:64"),
            Client(f"default{self.number}", f"02:00:00:10:{self.number:02x}:99", "default", RIS, None),
        )


class Network:
    """The standard network of a lab: `build` makes it, and the next process finds it again by the lab."""

    def __init__(self, lab: Lab, branches: int = 0, *, pair: bool = False) -> None:
        self.lab = lab
        self.relay = Host(lab, RELAY)
        self.places = {RELAY: 2, PARTNER: 3} if pair else {RELAY: 1}
        """The relay hosts on the same VLANs, each with the number of its own address in every subnet."""
        self.branches = [Branch(number) for number in range(2, 2 + branches)]
        self.segments = {
            name: Segment(name, lab.namespace("net"))
            for name in (*CLIENT_VLANS, "core", *(branch.segment for branch in self.branches))
        }
        subnets = [*CLIENT_VLANS.values(), *(branch.subnet for branch in self.branches)]
        self.ris = Dnsmasq(
            Host(lab, "boot1"), address=RIS, pools=_pools(subnets, 100, 149), bootfile=BOOT_FILES[RIS]
        )
        self.altiris = IscDhcpServer(
            Host(lab, "boot2"), address=ALTIRIS, pools=_pools(subnets, 150, 199), bootfile=BOOT_FILES[ALTIRIS]
        )

    @property
    def servers(self) -> tuple[DhcpServer, DhcpServer]:
        """Both servers."""
        return self.ris, self.altiris

    def build(self) -> "Network":
        """Make segments, relay host and server hosts, addressed and routed; no daemon runs yet."""
        for name in self.segments:
            self.lab.segment(name)
        for name in self.places:
            self.plug_in(self.lab.host(name))
        for server in self.servers:
            host = self.lab.host(server.host.name)
            host.attach(self.segments["core"], server.interface, addresses=[f"{server.address}/24"])
            host.route(CLIENT_SUPERNET, RELAY_CORE)
            for place in set(self.places.values()) - {1}:
                for subnet in CLIENT_VLANS.values():
                    host.route(f"{subnet[place]}/32", str(CORE[place]))
            for branch in self.branches:
                host.route(str(branch.subnet), branch.core)
        for branch in self.branches:
            relay = self.lab.host(branch.relay)
            address = f"{branch.subnet[1]}/{branch.subnet.prefixlen}"
            relay.attach(self.segments[branch.segment], "vlan10", addresses=[address])
            relay.attach(self.segments["core"], "core", addresses=[f"{branch.core}/24"])
            relay.sysctl("net.ipv4.ip_forward", 1)
        return self

    def plug_in(self, relay: Host) -> None:
        """Give a relay host its links, with the addresses that are its own."""
        place = self.places[relay.name]
        for segment, subnet in _RELAY_LINKS.items():
            relay.attach(self.segments[segment], segment, addresses=[f"{subnet[place]}/{subnet.prefixlen}"])
        relay.sysctl("net.ipv4.ip_forward", 1)

    def unplug(self, relay: Host) -> None:
        """Take a relay host's links away, with all addresses; the core first, so that it can tell nobody."""
        for segment in reversed(_RELAY_LINKS):
            relay.detach(segment)

    def add_client(self, name: str, mac: str, vlan: str = "vlan10") -> Host:
        """Add a client: a host with `eth0` on the VLAN."""
        host = self.lab.host(f"client-{name}")
        host.attach(self.segments[vlan], "eth0", mac=mac)
        return host

    def client(self, name: str) -> Host:
        """Find a client that was added, by this process or another."""
        return Host(self.lab, f"client-{name}")


def _pools(subnets: Sequence[IPv4Network], first: int, last: int) -> list[Pool]:
    return [Pool(subnet, str(subnet[first]), str(subnet[last])) for subnet in subnets]
