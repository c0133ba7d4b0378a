"""A DNS server on a host of its own, and the relay host's resolver pointed at it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.lab.topology import Network
from tests.lab.wire import FakeServer


class Dns:
    """dnsmasq as a DNS server, which says where wds.example.net is."""

    def __init__(self, network: Network) -> None:
        self.host = network.lab.host("dns")
        self.host.attach(network.segments["core"], "eth0", addresses=["10.20.0.53/24"])
        self._process: subprocess.Popen[str] | None = None
        self.etc = Path("/etc/netns", network.relay.namespace)
        self.etc.mkdir(parents=True)
        self.point(timeout=1)

    def point(self, timeout: int) -> None:
        """Have the resolver ask here, once, and wait for so many seconds."""
        options = f"options timeout:{timeout} attempts:1"
        (self.etc / "resolv.conf").write_text(f"nameserver 10.20.0.53\n{options}\n")

    def point_first_at_nobody(self) -> None:
        """Have the resolver ask a name server that is not there, and after a second the one that is."""
        servers = "nameserver 10.20.0.54\nnameserver 10.20.0.53\n"
        (self.etc / "resolv.conf").write_text(f"{servers}options timeout:1 attempts:1\n")

    def serve(self, address: str) -> None:
        """Answer with an address from now on."""
        self.stop()
        command = ["dnsmasq", "--keep-in-foreground", "--user=root", "--conf-file=/dev/null", "--pid-file"]
        options = [
            "--no-resolv",
            "--no-hosts",
            f"--host-record=wds.example.net,{address}",
            "--log-facility=-",
        ]
        self._process = self.host.popen([*command, *options], log="dns.log")

    def silence(self) -> FakeServer:
        """Take questions and answer none; the resolver asks for half a minute before it gives up."""
        self.stop()
        self.point(timeout=30)
        return FakeServer(self.host, port=53)

    def stop(self) -> None:
        """Answer nothing any more."""
        if self._process:
            self._process.terminate()
            self._process.wait(5)
            self._process = None

    def close(self) -> None:
        """End, and leave the resolver as it was."""
        self.stop()
        shutil.rmtree(self.etc)
