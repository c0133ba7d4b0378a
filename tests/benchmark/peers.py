"""The relays that are measured: ours with a mapping, and peers that are told to relay to one server."""

from __future__ import annotations

from collections.abc import Iterable

from tests.benchmark.mappings import rule
from tests.benchmark.messages import CLIENTS, macs
from tests.benchmark.programs import program
from tests.lab import debian
from tests.lab.relays import CLIENT_INTERFACE, GIADDR, Pxerelay, RelayAgent
from tests.lab.topology import ALTIRIS, RIS


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
