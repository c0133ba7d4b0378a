"""The whole stage for a relay host: network, servers, clients and an empty relay host, up and down."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.image import RELEASE, image, wheelhouse
from tests.lab.network import Lab, LabError
from tests.lab.relayhost import RelayHost
from tests.lab.topology import CLIENTS, PARTNER, Network
from tests.lab.topology6 import Network6


class Progress:
    """One line per step, each with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def step(self, text: str) -> None:
        """Say what is being done now."""
        print(f"[{self.seconds:6.1f} s] {text}", flush=True)


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Be the only one on this machine who builds, uses or removes the lab of that name; else LabError.

    Names of namespaces are the machine's, not the repository's, so two clones share them.
    """
    with Path(f"/run/lock/pxerelay-lab-{name}").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"the lab {name} is in use by another process; wait for its end") from None
        yield


def up(
    name: str,
    progress: Progress,
    releases: Sequence[str] = (RELEASE,),
    *,
    pair: bool = False,
    ssh: bool = False,
    apt: bool = False,
) -> tuple[Network, RelayHost]:
    """Build everything up to the point where Ansible takes over the relay hosts; return the first of them.

    There is a relay host for each of the Debian releases. With `pair` there are two of them, and both are on
    the same VLANs; else each has a VLAN of its own. The first one, or both of a pair, have IPv6 too.
    With `ssh` an OpenSSH server runs on each; with `apt` each lacks what the daemon depends on, and apt has
    that at hand.
    """
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and containers: run this as root")
    progress.step("remove what an earlier run left")
    down(name)
    progress.step("network: vlan10, vlan20, core; relay host, two servers, clients")
    branches = 0 if pair else len(releases) - 1
    network = Network(Lab(name, persistent=True), branches, pair=pair).build()
    for client in CLIENTS:
        network.add_client(client.name, client.mac)
    for branch in network.branches:
        for client in branch.clients:
            network.add_client(client.name, client.mac, branch.segment)
    progress.step("servers: dnsmasq as ris 10.20.0.10, ISC dhcpd as altiris 10.20.0.20")
    for server in network.servers:
        server.start()
    progress.step("IPv6 beside it: the same hosts, 2001:db8:10:10::/64 and so on, the same two programs")
    network6 = Network6(network).build()
    for server6 in network6.servers:
        server6.start()
    for release in dict.fromkeys(releases):
        progress.step(f"image of a relay host, Debian {release} (the first time: about half a minute)")
        image(release, ssh=ssh, apt=apt)
    progress.step("wheels for a host without internet")
    wheelhouse()
    host = RelayHost(name)
    others = [RelayHost(name, PARTNER)] if pair else [RelayHost(name, one.relay) for one in network.branches]
    for relay, release in zip((host, *others), releases, strict=True):
        progress.step(f"{relay.name}: systemd boots")
        relay.start(release, image=image(release, ssh=ssh, apt=apt))
    return network, host


def down(name: str) -> None:
    """Remove everything of that name, whoever made it."""
    RelayHost.remove_all(name)
    Lab.destroy_named(name)
