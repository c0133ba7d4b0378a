"""The whole stage for a relay host: network, servers, clients and an empty relay host, up and down."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.image import image, wheelhouse
from tests.lab.network import Lab, LabError
from tests.lab.relayhost import RelayHost
from tests.lab.topology import CLIENTS, Network


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


def up(name: str, progress: Progress, branches: int = 0) -> tuple[Network, RelayHost]:
    """Build everything up to the point where Ansible takes over the relay hosts; return the first of them."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and containers: run this as root")
    progress.step("remove what an earlier run left")
    down(name)
    progress.step("network: vlan10, vlan20, core; relay host, two servers, clients")
    network = Network(Lab(name, persistent=True), branches).build()
    for client in CLIENTS:
        network.add_client(client.name, client.mac)
    for branch in network.branches:
        for client in branch.clients:
            network.add_client(client.name, client.mac, branch.segment)
    progress.step("servers: dnsmasq as ris 10.20.0.10, ISC dhcpd as altiris 10.20.0.20")
    for server in network.servers:
        server.start()
    progress.step("image of the relay host (the first time: about half a minute)")
    image()
    progress.step("wheels for a host without internet")
    wheelhouse()
    progress.step("relay host: systemd boots")
    host = RelayHost(name)
    host.start()
    for branch in network.branches:
        progress.step(f"{branch.relay}: systemd boots")
        RelayHost(name, branch.relay).start()
    return network, host


def down(name: str) -> None:
    """Remove everything of that name, whoever made it."""
    RelayHost.remove_all(name)
    Lab.destroy_named(name)
