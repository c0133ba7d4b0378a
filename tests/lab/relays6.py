"""Other relay agents of DHCPv6 on the relay host of the standard network."""

from __future__ import annotations

from collections.abc import Sequence

from tests.lab import debian
from tests.lab.relays import RelayAgent
from tests.lab.topology6 import CLIENT_VLANS6, RIS6

MAX_HOPS = 8
"""As many relay agents as hop-count has room for (RFC 9915, 7.6)."""


class Isc6(RelayAgent):
    """ISC dhcrelay -6 4.4, taken from Debian's package without installing it."""

    kind = "isc6"
    interfaces: Sequence[str] = ("vlan10",)

    def command(self) -> list[str]:
        """Return the command; -I has it say an Interface-Id also where clients are on one interface only."""
        relay = str(debian.program("isc-dhcp-relay", "usr/sbin/dhcrelay"))
        lower = [word for name in self.interfaces for word in ("-l", name)]
        return [relay, "-6", "-d", "--no-pid", "-I", "-c", str(MAX_HOPS), *lower, "-u", f"{RIS6}%core"]


class IscOfTwo6(Isc6):
    """The same, with clients on two interfaces."""

    kind = "isc6_two"
    interfaces = ("vlan10", "vlan20")


class Dnsmasq6Relay(RelayAgent):
    """Debian's dnsmasq as a relay agent only, for clients on two interfaces."""

    kind = "dnsmasq6"

    def command(self) -> list[str]:
        """Return the command."""
        argv = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file", "--user=root"]
        relays = [f"--dhcp-relay={subnet[1]},{RIS6}" for subnet in CLIENT_VLANS6.values()]
        return [*argv, "--conf-file=/dev/null", "--port=0", *relays]
