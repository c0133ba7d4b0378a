"""FRR as the router of relays that share an address: BGP, BFD and equal-cost paths.

Out of Debian's package, unpacked and not installed; the routes that it learns are in its host's kernel.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import debian
from tests.lab.network import Host, LabError

_START_SECONDS, _END_SECONDS = 20.0, 10.0

_WITH_GROUP = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"')
"""Debian's FRR wants a group frrvty, which this machine need not have: there is one where the daemons look,
and root is in it."""


@dataclass(frozen=True)
class Neighbors:
    """The relays that may open BGP to the router: from these networks, of this system, with this password.

    `bfd` says whether BFD watches the way to each, 3 x 100 ms. Else only the hold time of 9 s ends a session.
    """

    networks: Sequence[str]
    asn: int
    password: str
    bfd: bool = True


class Frr:
    """FRR's daemons on a host, of autonomous system 65000, that spread over equal paths of both families."""

    asn = 65000

    def __init__(self, host: Host, router_id: str, neighbors: Neighbors) -> None:
        self.host = host
        self._router_id = router_id
        self._neighbors = neighbors

    def configuration(self) -> dict[str, str]:
        """Return each daemon's configuration, in the order in which they start."""
        bfd = " neighbor RELAYS bfd profile fast\n" if self._neighbors.bfd else ""
        listen = "".join(
            f" bgp listen range {network} peer-group RELAYS\n" for network in self._neighbors.networks
        )
        families = "".join(
            f" address-family {family} unicast\n  neighbor RELAYS activate\n  maximum-paths 16\n"
            " exit-address-family\n"
            for family in ("ipv4", "ipv6")
        )
        return {
            "zebra": "",
            "bfdd": "bfd\n profile fast\n  receive-interval 100\n  transmit-interval 100\n",
            "bgpd": (
                f"router bgp {self.asn}\n"
                f" bgp router-id {self._router_id}\n"
                " no bgp ebgp-requires-policy\n"
                " bgp bestpath as-path multipath-relax\n"
                " neighbor RELAYS peer-group\n"
                f" neighbor RELAYS remote-as {self._neighbors.asn}\n"
                f" neighbor RELAYS password {self._neighbors.password}\n"
                f" neighbor RELAYS timers 3 9\n{bfd}{listen}{families}"
            ),
        }

    def start(self) -> None:
        """Start the daemons; returns when each takes questions."""
        folder = self.host.lab.state_dir / "frr"
        folder.mkdir(exist_ok=True)
        groups = folder / "group"
        groups.write_text(Path("/etc/group").read_text() + "frrvty:x:64999:root\n")
        for name, text in self.configuration().items():
            config, socket = folder / f"{name}.conf", folder / f"{name}.vty"
            config.write_text(text)
            socket.unlink(missing_ok=True)
            argv = debian.program_with_libraries("frr", f"usr/lib/frr/{name}")
            argv += ["--user", "root", "--group", "root", "--vty_port", "0", "--config_file", str(config)]
            argv += ["--vty_socket", str(folder), "--socket", str(folder / "zserv.api"), "--log", "stdout"]
            argv += ["--pid_file", str(folder / f"{name}.pid")]
            if name == "bfdd":
                argv += ["--bfdctl", str(folder / "bfdd.sock")]
            log = f"{self.host.name}-{name}.log"
            process = self.host.popen([*_WITH_GROUP, str(groups), *argv], log=log)
            deadline = time.monotonic() + _START_SECONDS
            while not socket.is_socket():
                if process.poll() is not None or time.monotonic() > deadline:
                    said = (self.host.lab.state_dir / log).read_text()
                    raise LabError(f"{name} on {self.host.name} does not start:\n{said}")
                time.sleep(0.05)

    def stop(self) -> None:
        """End the daemons, whoever started them."""
        folder = self.host.lab.state_dir / "frr"
        pids = [(folder / f"{name}.pid").read_text().strip() for name in self.configuration()]
        self.host.run(["kill", *reversed(pids)])
        deadline = time.monotonic() + _END_SECONDS
        while any(_runs(pid) for pid in pids):
            if time.monotonic() > deadline:
                raise LabError(f"FRR on {self.host.name} does not end")
            time.sleep(0.05)


def _runs(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def next_hops(host: Host, prefix: str) -> list[str]:
    """Return by whom a host's kernel sends what is for a prefix, or by which device; none without a route.

    Of IPv6 that may be a neighbour's link-local address.
    """
    family = "-6" if ":" in prefix else "-4"
    said = host.run(["ip", "-json", family, "route", "show", "exact", prefix]).stdout
    routes = json.loads(said or "[]")
    hops = [hop for route in routes for hop in route.get("nexthops", [route])]
    return sorted(hop.get("gateway") or hop.get("via", {}).get("host") or hop["dev"] for hop in hops)
