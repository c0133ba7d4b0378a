"""A network in namespaces on this machine: segments, hosts, real DHCP servers, real clients.

Used by the integration tests, by `make demo` and by Molecule. Everything is named after its lab
(`pxr-<lab>-<host>`), so that whatever a killed run leaves behind can be found and removed.
"""

from tests.lab.clients import Lease, udhcpc
from tests.lab.command import CommandError
from tests.lab.network import Host, Lab, LabError, Segment
from tests.lab.servers import DhcpServer, Dnsmasq, IscDhcpServer, Kea, Pool

__all__ = [
    "CommandError",
    "DhcpServer",
    "Dnsmasq",
    "Host",
    "IscDhcpServer",
    "Kea",
    "Lab",
    "LabError",
    "Lease",
    "Pool",
    "Segment",
    "udhcpc",
]
