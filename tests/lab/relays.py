"""Relay agents on the relay host of the standard network: pxerelay and the peers it is compared with.

All are told the same: relay what clients of vlan10 ask to one server, at most MAX_HOPS relay agents deep.
"""

import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tests.lab import debian
from tests.lab.topology import RELAY_CORE, RIS, Network

CLIENT_INTERFACE, SERVER_INTERFACE = "vlan10", "core"
GIADDR = "10.10.10.1"
MAX_HOPS = 4
"""The highest hops of a request that is still relayed (RFC 1542, 4.1.1: the default)."""

STOP_SECONDS = 5.0


class RelayAgent(ABC):
    """A relay agent's process: start it, stop it, read its log."""

    kind: str

    def __init__(self, network: Network) -> None:
        self.network = network
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process; it may take a moment until it relays."""
        self.process = self.network.relay.popen(self.command(), log=self.log_path.name)

    def stop(self) -> None:
        """End the process."""
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=STOP_SECONDS)
            self.process = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def log_path(self) -> Path:
        """Where the log is."""
        return self.path("log")

    def path(self, suffix: str) -> Path:
        """Name one of its files in the lab's state directory."""
        return self.network.lab.state_dir / f"{self.kind}.{suffix}"

    @abstractmethod
    def command(self) -> list[str]:
        """Write the configuration, if it has one, and return the command that relays."""


class IscDhcrelay(RelayAgent):
    """ISC dhcrelay 4.4, taken from Debian's package without installing it."""

    kind = "isc"
    options: Sequence[str] = ()

    def command(self) -> list[str]:
        """Return the command; its -c names the first value of hops that is refused."""
        relay = str(debian.program("isc-dhcp-relay", "usr/sbin/dhcrelay"))
        sides = ["-id", CLIENT_INTERFACE, "-iu", SERVER_INTERFACE]
        return [relay, "-4", "-d", "--no-pid", "-c", str(MAX_HOPS + 1), *self.options, *sides, RIS]


class IscDhcrelayOption82(IscDhcrelay):
    """ISC dhcrelay that adds option 82, and refuses requests that have one."""

    kind = "isc_option82"
    options = ("-a", "-m", "discard")


class DnsmasqRelay(RelayAgent):
    """Debian's dnsmasq as a relay agent only; its limit of hops is fixed."""

    kind = "dnsmasq"

    def command(self) -> list[str]:
        """Return the command; the third part of --dhcp-relay names where replies may come from."""
        argv = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file", "--user=root"]
        relay = f"--dhcp-relay={GIADDR},{RIS},{SERVER_INTERFACE}"
        return [*argv, "--conf-file=/dev/null", "--port=0", relay]


class Pxerelay(RelayAgent):
    """The daemon under test, with a mapping that sends everybody to the one server."""

    kind = "pxerelay"
    routers = "10.10.10.250/32"
    """Who may relay to us; the peers let everybody."""
    max_hops = MAX_HOPS
    source_address = "route"
    option82 = "false"

    def command(self) -> list[str]:
        """Write the configuration and return the command."""
        lines = [
            "max_requests: 0",
            f"default: {RIS}",
            f"interfaces: {{{CLIENT_INTERFACE}: {{}}}}",
            f"accept_relayed_from: [{self.routers}]",
            f"max_hops: {self.max_hops}",
            f"source_address: {self.source_address}",
            f"option82: {self.option82}",
        ]
        self.path("yml").write_text("\n".join(lines) + "\n")
        files = ["--config", str(self.path("yml")), "--socket", str(self.path("sock"))]
        return [sys.executable, "-m", "pxerelay", "run", *files]


class PxerelayOption82(Pxerelay):
    """pxerelay that adds what `dhcrelay -a` adds: the interface's name as circuit id."""

    kind = "pxerelay_option82"
    option82 = '{circuit_id: "{interface}"}'


class PxerelayLikeDnsmasq(Pxerelay):
    """pxerelay with the two settings that dnsmasq has built in, as near as ours come to them."""

    kind = "pxerelay_like_dnsmasq"
    max_hops = 16
    """dnsmasq lets 20 pass."""
    source_address = GIADDR


__all__ = [
    "GIADDR",
    "MAX_HOPS",
    "RELAY_CORE",
    "DnsmasqRelay",
    "IscDhcrelay",
    "IscDhcrelayOption82",
    "Pxerelay",
    "PxerelayLikeDnsmasq",
    "PxerelayOption82",
    "RelayAgent",
]
