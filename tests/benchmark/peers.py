"""The relays that are measured: ours with a mapping, and peers that are told to relay to one server."""

from __future__ import annotations

from collections.abc import Iterable

from tests.benchmark.mappings import rule
from tests.benchmark.messages import CLIENTS, macs
from tests.benchmark.programs import program
from tests.lab import debian
from tests.lab.relays import CLIENT_INTERFACE, GIADDR, Pxerelay, RelayAgent
from tests.lab.relays6 import Dnsmasq6Relay, Isc6
from tests.lab.topology import ALTIRIS, RIS
from tests.lab.topology6 import ALTIRIS6, CLIENT_VLANS6, RIS6


class Floor(RelayAgent):
    """The least a relay could do, in C: receive, patch two fields, send."""

    kind = "floor"

    def command(self) -> list[str]:
        """Return the command."""
        return [str(program("floor")), RIS, GIADDR]


class DhcpHelper(RelayAgent):
    """Debian's dhcp-helper, not installed."""

    kind = "dhcp-helper"

    def command(self) -> list[str]:
        """Return the command."""
        helper = str(debian.program("dhcp-helper", "usr/sbin/dhcp-helper"))
        return [helper, "-d", "-s", RIS, "-i", CLIENT_INTERFACE]


class Mapped(Pxerelay):
    """pxerelay with a mapping: rules of every kind, classes, pxe_only, defaults, two servers."""

    kind = "pxerelay"

    def command(self) -> list[str]:
        """Write the configuration and return the command."""
        command = super().command()
        with self.path("yml").open("w") as file:
            file.writelines(f"{line}\n" for line in self.lines())
        return command

    def lines(self) -> Iterable[str]:
        """Yield the configuration's lines."""
        yield from (
            f"servers: {{ris: {RIS}, altiris: {ALTIRIS}}}",
            "default: ris",
            "pxe_only: true",
            f"interfaces: {{{CLIENT_INTERFACE}: {{default: ris}}}}",
            "accept_relayed_from: [10.30.0.0/16]",
            "classes:",
            "  - {name: http, vendor_class: HTTPClient, server: altiris}",
            "  - {name: arm, arch: [11, 19], server: altiris}",
            "rules:",
        )
        yield from self.rules()

    def rules(self) -> Iterable[str]:
        """Yield the rules: an OUI, a wildcard, and every third client."""
        yield "  02:80:64: altiris"
        yield "  52:54:00:12:3?:*: altiris"
        yield from map(rule, macs(CLIENTS)[::3])


class Mapped6(Mapped):
    """The same mapping in DHCPv6."""

    kind = "pxerelay6"

    def lines(self) -> Iterable[str]:
        """Yield the configuration's lines."""
        yield from (
            f"servers: {{ris: '{RIS6}', altiris: '{ALTIRIS6}'}}",
            "default: ris",
            "pxe_only: true",
            "dhcpv4: false",
            "dhcpv6: true",
            f"interfaces: {{{CLIENT_INTERFACE}: {{default: ris}}}}",
            "classes:",
            "  - {name: http, vendor_class: HTTPClient, server: altiris}",
            "  - {name: arm, arch: [11, 19], server: altiris}",
            "rules:",
        )
        yield from self.rules()


class Floor6(RelayAgent):
    """The least a relay of DHCPv6 could do, in C: receive, put a header in front, send."""

    kind = "floor6"

    def command(self) -> list[str]:
        """Return the command."""
        return [str(program("floor6")), RIS6, str(CLIENT_VLANS6["vlan10"][1]), CLIENT_INTERFACE]


class IscOfOne6(Isc6):
    """ISC dhcrelay -6 with clients on one interface, which replies need not name then."""

    kind = "isc6_one"

    def command(self) -> list[str]:
        """Return the command, without an Interface-Id."""
        return [word for word in super().command() if word != "-I"]


class DnsmasqOfOne6(Dnsmasq6Relay):
    """dnsmasq with clients on one interface."""

    kind = "dnsmasq6_one"

    def command(self) -> list[str]:
        """Return the command."""
        first, *_ = CLIENT_VLANS6.values()
        return [
            *(word for word in super().command() if "dhcp-relay" not in word),
            f"--dhcp-relay={first[1]},{RIS6}",
        ]


class Thousand(Pxerelay):
    """pxerelay with a thousand rules, and a default for everybody else."""

    kind = "pxerelay"

    def command(self) -> list[str]:
        """Write the configuration and return the command."""
        command = super().command()
        rules = "\n".join(f"  {mac.hex(':')}: {ALTIRIS}" for mac in macs(3 * 1_000)[::3])
        with self.path("yml").open("a") as file:
            file.write(f"rules:\n{rules}\n")
        return command
