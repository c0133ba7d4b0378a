"""Real DHCP/PXE servers on hosts of the lab: Debian's dnsmasq, ISC dhcpd and ISC Kea.

They serve subnets they are not on, as servers behind a relay do: the request's giaddr picks the pool.
"""

import json
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Protocol

from tests.lab import debian
from tests.lab.network import Host, LabError

START_SECONDS = 10.0
ANY_ADDRESS_PORT_67 = " 00000000:0043 "


@dataclass(frozen=True)
class Pool:
    """Addresses to lease in one subnet."""

    subnet: IPv4Network
    first: str
    last: str


class Server(ABC):
    """A server process on a host: start it, stop it, read its log."""

    kind: str
    port = 67

    def __init__(self, host: Host) -> None:
        self.host = host
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server; returns when it listens on its port."""
        argv = self.command()
        said = len(self.log)
        self.process = self.host.popen(argv, log=self.log_path.name)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self._listens(self.process.pid, self.log[said:]):
                return
            time.sleep(0.02)
        raise LabError(f"{self.kind} on {self.host.name} does not listen on port {self.port}:\n{self.log}")

    def stop(self) -> None:
        """End the server; leases and log stay."""
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=5)
            self.process = None

    @property
    def log(self) -> str:
        """What the server has said so far."""
        return _read(self.log_path)

    @property
    def log_path(self) -> Path:
        """Where the server's log is."""
        return self.path("log")

    def path(self, suffix: str) -> Path:
        """Name one of the server's files in the lab's state directory."""
        return self.host.lab.state_dir / f"{self.host.name}-{self.kind}.{suffix}"

    @abstractmethod
    def _listens(self, pid: int, said: str) -> bool:
        """Tell whether it takes requests, by its sockets or by what it has said since its start."""

    @abstractmethod
    def command(self) -> list[str]:
        """Write the configuration and return the command that serves it."""


class DhcpServer(Server):
    """A DHCP server: which addresses and boot file it gives."""

    def __init__(
        self,
        host: Host,
        *,
        address: str,
        pools: Sequence[Pool],
        bootfile: str | None,
        next_server: str | None = None,
        interface: str = "eth0",
        extra: Sequence[str] = (),
    ) -> None:
        super().__init__(host)
        self.address = address
        self.pools = pools
        self.bootfile = bootfile
        self.next_server = next_server or address
        self.interface = interface
        self.extra = extra  # further lines of the server's own configuration language

    def _listens(self, pid: int, said: str) -> bool:  # noqa: ARG002  # other servers tell
        return sockets_of(pid, "udp", ANY_ADDRESS_PORT_67)


class Dnsmasq(DhcpServer):
    """Debian's dnsmasq, as a DHCP server only."""

    kind = "dnsmasq"

    def command(self) -> list[str]:
        """Write dnsmasq's configuration and return its command."""
        lines = [
            "port=0",
            "user=root",
            "log-dhcp",
            "dhcp-authoritative",
            "no-ping",
            f"interface={self.interface}",
            f"dhcp-leasefile={self.path('leases')}",
        ]
        lines += [f"dhcp-range={pool.first},{pool.last},{pool.subnet.netmask},1h" for pool in self.pools]
        if self.bootfile:
            lines.append(f"dhcp-boot={self.bootfile},,{self.next_server}")
        lines += self.extra
        self.path("conf").write_text("\n".join(lines) + "\n")
        argv = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file"]
        return [*argv, f"--conf-file={self.path('conf')}"]


class IscDhcpServer(DhcpServer):
    """ISC dhcpd 4.4, taken from Debian's package without installing it."""

    kind = "dhcpd"

    def command(self) -> list[str]:
        """Write dhcpd's configuration and return its command."""
        lines = ["authoritative;", "ping-check off;", "default-lease-time 3600;", "max-lease-time 3600;"]
        if self.bootfile:
            lines += [f'filename "{self.bootfile}";', f"next-server {self.next_server};"]
        lines += self.extra
        for pool in self.pools:
            lines.append(_subnet(pool.subnet, f"range {pool.first} {pool.last};"))
        lines.append(_subnet(self._own_subnet()))
        self.path("conf").write_text("\n".join(lines) + "\n")
        self.path("leases").touch()
        files = ["-cf", str(self.path("conf")), "-lf", str(self.path("leases")), "--no-pid"]
        return [str(isc_dhcpd()), "-4", "-f", "-d", *files, self.interface]

    def _own_subnet(self) -> IPv4Network:
        """Find the subnet the server itself is on: dhcpd listens only where it knows the subnet."""
        shown = self.host.run(["ip", "-4", "-oneline", "address", "show", "dev", self.interface]).stdout
        own = IPv4Network(shown.split(" inet ")[1].split()[0], strict=False)
        if own in [pool.subnet for pool in self.pools]:
            raise LabError(f"{own}: a pool on the server's own segment is not for a relay")
        return own


class Kea(DhcpServer):
    """ISC Kea's kea-dhcp4, taken from Debian's package without installing it.

    It listens as it does by default, at a raw socket on its interface. `extra` are objects in JSON, whose
    members replace those of `Dhcp4`.
    """

    kind = "kea"

    def command(self) -> list[str]:
        """Write Kea's configuration and return its command."""
        folder = self.path("files")
        serving = kea_basics(4, folder, self.pools)
        serving |= {"interfaces-config": {"interfaces": [self.interface]}, "authoritative": True}
        if self.bootfile:
            serving |= {"boot-file-name": self.bootfile, "next-server": self.next_server}
        return kea_command(4, folder, self.path("conf"), serving, self.extra)

    def _listens(self, pid: int, said: str) -> bool:  # noqa: ARG002
        return "DHCP4_STARTED" in said


class _OnePool(Protocol):
    """Addresses of a subnet, of either family."""

    @property
    def subnet(self) -> object:
        """The subnet."""

    @property
    def first(self) -> object:
        """The first of the addresses."""

    @property
    def last(self) -> object:
        """The last of them."""


def kea_basics(family: int, folder: Path, pools: Sequence[_OnePool]) -> dict[str, Any]:
    """Return what Kea's configuration of a family has whatever it serves, with a folder for leases."""
    folder.mkdir(exist_ok=True)
    return {
        "lease-database": {"type": "memfile", "name": str(folder / "leases.csv"), "lfc-interval": 0},
        "valid-lifetime": 3600,
        f"subnet{family}": [
            {"id": number, "subnet": str(pool.subnet), "pools": [{"pool": f"{pool.first} - {pool.last}"}]}
            for number, pool in enumerate(pools, 1)
        ],
        "loggers": [
            {
                "name": f"kea-dhcp{family}",
                "severity": "DEBUG",
                "debuglevel": 50,
                "output_options": [{"output": "stdout", "flush": True}],
            }
        ],
    }


def kea_command(
    family: int, folder: Path, file: Path, serving: dict[str, Any], extra: Sequence[str]
) -> list[str]:
    """Write Kea's configuration, with objects in JSON whose members replace its own; return its command."""
    for line in extra:
        serving |= json.loads(line)
    file.write_text(json.dumps({f"Dhcp{family}": serving}, indent=2) + "\n")
    places = ("KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_DHCP_DATA_DIR")
    name = f"kea-dhcp{family}"
    env, *rest = debian.program_with_libraries(f"{name}-server", f"usr/sbin/{name}")
    return [env, *(f"{place}={folder}" for place in places), *rest, "-c", str(file)]


def _subnet(subnet: IPv4Network, inside: str = "") -> str:
    return f"subnet {subnet.network_address} netmask {subnet.netmask} {{ {inside} }}"


def isc_dhcpd() -> Path:
    """Return the dhcpd program, unpacked out of Debian's package."""
    return debian.program("isc-dhcp-server", "usr/sbin/dhcpd")


def sockets_of(pid: int, table: str, line: str) -> bool:
    """Tell whether a table of sockets, as /proc/PID/net has it for a process's network, holds a text."""
    return line in _read(Path(f"/proc/{pid}/net/{table}"))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
