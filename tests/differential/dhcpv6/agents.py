"""Relay agents of DHCPv6 on the relay host: pxerelay and its peers, told the same as far as they can be."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.differential.dhcpv6.cases import FAR_ROUTER, NEAR_ROUTER
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
    """Debian's dnsmasq as a relay agent only."""

    kind = "dnsmasq6"

    def command(self) -> list[str]:
        """Return the command."""
        argv = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file", "--user=root"]
        relays = [f"--dhcp-relay={subnet[1]},{RIS6}" for subnet in CLIENT_VLANS6.values()]
        return [*argv, "--conf-file=/dev/null", "--port=0", *relays]


class Pxerelay6(RelayAgent):
    """The daemon under test, with a mapping that sends everybody to the one server."""

    kind = "pxerelay6"
    interfaces: Sequence[str] = ("vlan10",)
    dhcpv6 = "client_mac: false"

    def command(self) -> list[str]:
        """Write the configuration and return the command."""
        lines = [
            "max_requests: 0",
            f'default: "{RIS6}"',
            "dhcpv4: false",
            f"dhcpv6: {{{self.dhcpv6}, trusted: [vlan10]}}",
            f"interfaces: {{{', '.join(f'{name}: {{}}' for name in self.interfaces)}}}",
            f'accept_relayed_from: ["{NEAR_ROUTER}", "{FAR_ROUTER}"]',
            f"max_hops: {MAX_HOPS}",
        ]
        self.path("yml").write_text("\n".join(lines) + "\n")
        files = ["--config", str(self.path("yml")), "--socket", str(self.path("sock"))]
        return [sys.executable, "-m", "pxerelay", "run", *files]


class PxerelayOfTwo6(Pxerelay6):
    """The same, with clients on two interfaces."""

    kind = "pxerelay6_two"
    interfaces = ("vlan10", "vlan20")


class PxerelayLikeDnsmasq6(PxerelayOfTwo6):
    """pxerelay that says what dnsmasq says around messages."""

    kind = "pxerelay6_like_dnsmasq"
    dhcpv6 = "interface_id: false"


PAIRS: Sequence[tuple[type[RelayAgent], type[RelayAgent]]] = (
    (Pxerelay6, Isc6),
    (PxerelayOfTwo6, IscOfTwo6),
    (PxerelayLikeDnsmasq6, Dnsmasq6Relay),
)
"""Which of ours is compared with which peer."""
