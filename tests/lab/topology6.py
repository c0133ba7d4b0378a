"""IPv6 on the standard network: its addresses, routes and servers, beside those of IPv4.

As in IPv4, where 10.10.10.1 is 2001:db8:10:10::1 and 10.20.0.10 is 2001:db8:20::10:

clients -- vlan10 2001:db8:10:10::/64 --+
                                        +-- relay1 - core 2001:db8:20::/64 --+-- boot1 "ris"     dnsmasq
           vlan20 2001:db8:10:20::/64 --+                                    +-- boot2 "altiris" ISC dhcpd
"""

from collections.abc import Sequence
from ipaddress import IPv6Network

from tests.lab import debian
from tests.lab.network import Host
from tests.lab.servers import Server
from tests.lab.servers6 import DhcpServer6, Dnsmasq6, IscDhcpServer6, Pool6
from tests.lab.topology import Network

CLIENT_VLANS6 = {
    "vlan10": IPv6Network("2001:db8:10:10::/64"),
    "vlan20": IPv6Network("2001:db8:10:20::/64"),
}
CLIENT_SUPERNET6 = "2001:db8:10::/48"
CORE6 = IPv6Network("2001:db8:20::/64")
RELAY_CORE6 = "2001:db8:20::1"
RIS6 = "2001:db8:20::10"
ALTIRIS6 = "2001:db8:20::20"
SERVER_NAMES6 = {RIS6: "ris", ALTIRIS6: "altiris"}
BOOT_URLS = {
    RIS6: f"tftp://[{RIS6}]/ris/pxeboot.n12",
    ALTIRIS6: f"tftp://[{ALTIRIS6}]/altiris/bstrap.0",
}


class Network6:
    """IPv6 of the standard network: `build` adds it to one that stands."""

    def __init__(self, network: Network) -> None:
        self.network = network
        subnets = list(CLIENT_VLANS6.values())
        self.ris = Dnsmasq6(
            network.ris.host, address=RIS6, pools=pools6(subnets, 0x100), boot_url=BOOT_URLS[RIS6]
        )
        self.altiris = IscDhcpServer6(
            network.altiris.host, address=ALTIRIS6, pools=pools6(subnets, 0x200), boot_url=BOOT_URLS[ALTIRIS6]
        )

    @property
    def servers(self) -> tuple[DhcpServer6, DhcpServer6]:
        """Both servers; none of them runs yet."""
        return self.ris, self.altiris

    def build(self) -> "Network6":
        """Give the relay hosts and the servers their addresses and routes; the relay hosts are routers.

        Their link-local addresses are the kernel's, so clients' interfaces serve once these are no longer
        tentative. The global ones are not tried for duplicates, and hold when this returns.
        """
        for name in self.network.places:
            self.plug_in(Host(self.network.lab, name))
        for server in self.servers:
            self.attach_server(server.host, server.interface, server.address)
        return self

    def plug_in(self, relay: Host) -> None:
        """Give a relay host the addresses that are its own, on the links that it has."""
        place = self.network.places[relay.name]
        relay.sysctl("net.ipv6.conf.all.forwarding", 1)
        for interface, subnet in {**CLIENT_VLANS6, "core": CORE6}.items():
            add_address(relay, interface, f"{subnet[place]}/{subnet.prefixlen}")

    def attach_server(self, host: Host, interface: str, address: str) -> None:
        """Give a host on the core an address there, and the way to the clients."""
        add_address(host, interface, f"{address}/{CORE6.prefixlen}")
        host.route(CLIENT_SUPERNET6, RELAY_CORE6)


class Radvd(Server):
    """Debian's radvd on a router: tells clients of a link that there is DHCPv6, and by whom they leave.

    `managed` is the flag M (RFC 4861, 4.2): addresses by DHCPv6; `other` is O: all else by DHCPv6. Clients
    make addresses of their own where there is no M.
    """

    kind = "radvd"

    def __init__(
        self, host: Host, links: dict[str, IPv6Network], *, managed: bool = True, other: bool = True
    ) -> None:
        super().__init__(host)
        self.links = links
        self.managed, self.other = managed, other

    def command(self) -> list[str]:
        """Write radvd's configuration and return its command."""
        flags = f"AdvManagedFlag {_on(self.managed)}; AdvOtherConfigFlag {_on(self.other)};"
        text = "".join(
            f"interface {interface} {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; {flags}\n"
            f"  prefix {subnet} {{ AdvOnLink on; AdvAutonomous {_on(not self.managed)}; }}; }};\n"
            for interface, subnet in self.links.items()
        )
        self.path("conf").write_text(text)
        program = debian.program("radvd", "usr/sbin/radvd")
        files = ["--config", str(self.path("conf")), "--pidfile", str(self.path("pid"))]
        return [str(program), "--nodaemon", "--username", "root", "--logmethod", "stderr", *files]

    def _listens(self, pid: int, said: str) -> bool:  # noqa: ARG002
        return "version" in said and "started" in said


def add_address(host: Host, interface: str, address: str) -> None:
    """Give an interface an address, written as `2001:db8::1/64`, that holds at once."""
    host.ip(f"address add {address} dev {interface} nodad")


def pools6(subnets: Sequence[IPv6Network], first: int) -> list[Pool6]:
    """Return 256 addresses of each subnet, from its address of that number on."""
    return [Pool6(subnet, str(subnet[first]), str(subnet[first + 255])) for subnet in subnets]


def _on(flag: bool) -> str:
    return "on" if flag else "off"
