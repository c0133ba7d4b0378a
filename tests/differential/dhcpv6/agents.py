"""pxerelay as a relay agent of DHCPv6, told the same as its peers, as far as these can be told."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.differential.dhcpv6.cases import FAR_ROUTER, NEAR_ROUTER
from tests.lab.relays import RelayAgent
from tests.lab.relays6 import MAX_HOPS, Dnsmasq6Relay, Isc6, IscOfTwo6
from tests.lab.topology6 import RIS6


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
