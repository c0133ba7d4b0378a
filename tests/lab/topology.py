"""The one network that demo, Molecule and integration tests use, and who must boot from where in it."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from tests.lab.network import Host, Lab, Segment
from tests.lab.servers import DhcpServer, Dnsmasq, IscDhcpServer, Pool

# clients -- vlan10 10.10.10.0/24 --+
#                                   +-- relay -- core 10.20.0.0/24 --+-- boot1 "ris"     dnsmasq
#            vlan20 10.10.20.0/24 --+                                +-- boot2 "altiris" ISC dhcpd

CLIENT_VLANS = {"vlan10": IPv4Network("10.10.10.0/24"), "vlan20": IPv4Network("10.10.20.0/24")}
CLIENT_SUPERNET = "10.10.0.0/16"
RELAY_CORE = "10.20.0.1"
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


class Network:
    """The standard network of a lab: `build` makes it, and the next process finds it again by the lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.relay = Host(lab, "relay")
        self.segments = {name: Segment(name, lab.namespace("net")) for name in (*CLIENT_VLANS, "core")}
        self.ris = Dnsmasq(Host(lab, "boot1"), address=RIS, pools=_pools(100, 149), bootfile=BOOT_FILES[RIS])
        self.altiris = IscDhcpServer(
            Host(lab, "boot2"), address=ALTIRIS, pools=_pools(150, 199), bootfile=BOOT_FILES[ALTIRIS]
        )

    @property
    def servers(self) -> tuple[DhcpServer, DhcpServer]:
        """Both servers."""
        return self.ris, self.altiris

    def build(self) -> "Network":
        """Make segments, relay host and server hosts, addressed and routed; no daemon runs yet."""
        for name in self.segments:
            self.lab.segment(name)
        relay = self.lab.host(self.relay.name)
        for vlan, subnet in CLIENT_VLANS.items():
            relay.attach(self.segments[vlan], vlan, addresses=[f"{subnet[1]}/{subnet.prefixlen}"])
        relay.attach(self.segments["core"], "core", addresses=[f"{RELAY_CORE}/24"])
        relay.sysctl("net.ipv4.ip_forward", 1)
        for server in self.servers:
            host = self.lab.host(server.host.name)
            host.attach(self.segments["core"], server.interface, addresses=[f"{server.address}/24"])
            host.route(CLIENT_SUPERNET, RELAY_CORE)
        return self

    def add_client(self, name: str, mac: str, vlan: str = "vlan10") -> Host:
        """Add a client: a host with `eth0` on the VLAN."""
        host = self.lab.host(f"client-{name}")
        host.attach(self.segments[vlan], "eth0", mac=mac)
        return host

    def client(self, name: str) -> Host:
        """Find a client that was added, by this process or another."""
        return Host(self.lab, f"client-{name}")


def _pools(first: int, last: int) -> list[Pool]:
    return [Pool(subnet, str(subnet[first]), str(subnet[last])) for subnet in CLIENT_VLANS.values()]
