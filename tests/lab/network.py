"""Hosts as network namespaces, segments as bridges, and the cables between them."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, final

from tests.lab import ownership
from tests.lab.command import ip_batch, run


class LabError(RuntimeError):
    """The lab cannot do what was asked of it."""


@dataclass(frozen=True)
class Segment:
    """One Ethernet segment (one VLAN): a bridge in the lab's `net` namespace."""

    name: str
    namespace: str


_FAR = 1 << 20
"""What is added to the index of one end of a cable to have one for the other that nothing else has."""


class Host:
    """One machine: a network namespace, and the processes that run in it."""

    def __init__(self, lab: "Lab", name: str) -> None:
        self.lab = lab
        self.name = name
        self.namespace = lab.namespace(name)

    def attach(
        self,
        segment: Segment,
        ifname: str,
        *,
        mac: str | None = None,
        index: int | None = None,
        addresses: Iterable[str] = (),
        up: bool = True,
    ) -> None:
        """Plug a new interface into the segment, with addresses written as `10.10.10.1/24`.

        `mac` and `index` are the kernel's to choose if they are not given.
        """
        port = "p" + hashlib.sha256(f"{self.name}/{ifname}".encode()).hexdigest()[:10]
        address = (f" address {mac}" if mac else "") + (f" index {index}" if index else "")
        other = f" index {_FAR + index}" if index else ""  # veth takes both, or neither
        link = f"link add name {port}{other} type veth peer name {ifname}{address} netns {self.namespace}"
        ip_batch([link, f"link set {port} master {segment.name} up"], segment.namespace)
        lines = [f"address add {item} broadcast + dev {ifname}" for item in addresses]
        if up:
            lines.append(f"link set {ifname} up")
        ip_batch(lines, self.namespace)

    def connect(self, ifname: str, other: "Host", other_ifname: str) -> None:
        """Lay a cable to another host, with no segment in between; both ends are up and have no address."""
        peer = f"peer name {other_ifname} netns {other.namespace}"
        self.ip(f"link add name {ifname} type veth {peer}", f"link set {ifname} up")
        other.ip(f"link set {other_ifname} up")

    def detach(self, ifname: str) -> None:
        """Remove the interface and its cable."""
        ip_batch([f"link delete {ifname}"], self.namespace)

    def ip(self, *lines: str) -> None:
        """Do `ip` commands here, each written as one line without the leading `ip`."""
        ip_batch(lines, self.namespace)

    def route(self, destination: str, via: str) -> None:
        """Send packets for the destination to a gateway."""
        self.ip(f"route replace {destination} via {via}")

    def sysctl(self, key: str, value: str | int) -> None:
        """Set a `net.…` value of this host, named with dots; an interface's own dots are written as `/`."""
        path = Path("/proc/sys", *[part.replace("/", ".") for part in key.split(".")])
        self.run(["tee", str(path)], stdin=f"{value}\n")

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        timeout: float | None = 60,
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on this host to its end."""
        return run(self._here(argv), check=check, timeout=timeout, stdin=stdin)

    def popen(self, argv: Sequence[str], *, log: str | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start a command on this host; it ends with the lab at the latest.

        With `log`, both outputs go to that file in the lab's state directory. Other options are Popen's.
        """
        options = {"stdin": subprocess.DEVNULL, "text": True, "start_new_session": True, **options}
        if log is None:
            process = subprocess.Popen(self._here(argv), **options)
        else:
            with (self.lab.state_dir / log).open("a") as file:
                options |= {"stdout": file, "stderr": subprocess.STDOUT}
                process = subprocess.Popen(self._here(argv), **options)
        self.lab.started.append(process)
        return process

    def _here(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *argv]


@final
class Lab:
    """A network that vanishes at the end of its `with` block, or with the next lab if its owner was killed.

    `persistent` labs (demo, Molecule) live on until they are destroyed by name; `Lab.existing` opens one.
    """

    def __init__(self, name: str, state_dir: Path | None = None, *, persistent: bool = False) -> None:
        self._name_it(name, state_dir)
        ownership.sweep()
        if ownership.owner_alive(name):
            raise LabError(f"lab {name} belongs to a running process; choose another name")
        ownership.destroy(name)
        if state_dir is None:
            shutil.rmtree(self.state_dir, ignore_errors=True)
        self.state_dir.mkdir(parents=True, exist_ok=True)
        ownership.record(name, persistent=persistent)
        self.host("net")

    def _name_it(self, name: str, state_dir: Path | None) -> None:
        if not re.fullmatch(r"[a-z0-9_]{1,30}", name):
            raise ValueError(f"{name!r}: a lab's name is lower-case letters, digits and _")
        self.name = name
        self.state_dir = state_dir or ownership.LABS / name
        self.started: list[subprocess.Popen[str]] = []

    @classmethod
    def existing(cls, name: str) -> "Lab":
        """Open a persistent lab that another process made."""
        lab = cls.__new__(cls)
        lab._name_it(name, None)
        if not ownership.namespaces_of(name):
            raise LabError(f"there is no lab {name}")
        return lab

    def namespace(self, host: str) -> str:
        """Name the namespace of a host."""
        return f"pxr-{self.name}-{host}"

    def host(self, name: str) -> Host:
        """Return the host of that name; the first call makes it."""
        host = Host(self, name)
        if not (ownership.NAMESPACES / host.namespace).exists():
            ip_batch([f"netns add {host.namespace}"])
            host.ip("link set lo up")
        return host

    def segment(self, name: str) -> Segment:
        """Make one Ethernet segment; forwards from the first moment, floods multicast."""
        namespace = self.namespace("net")
        bridge = f"link add name {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        ip_batch([bridge, f"link set {name} up"], namespace)
        return Segment(name, namespace)

    def destroy(self) -> None:
        """End its processes and remove its namespaces; logs stay until a lab of this name is made again."""
        for process in self.started:
            process.terminate()  # also what is only on its way into its namespace
        ownership.destroy(self.name)
        for process in self.started:
            process.wait(timeout=5)
            for stream in (process.stdin, process.stdout, process.stderr):
                _close(stream)
        self.started.clear()

    @staticmethod
    def destroy_named(name: str) -> None:
        """Destroy a lab, whoever made it; no error if there is none."""
        ownership.destroy(name)

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.destroy()


def _close(stream: IO[str] | None) -> None:
    if stream is not None:
        stream.close()
