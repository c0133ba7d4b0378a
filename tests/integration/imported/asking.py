"""A real DHCP server on one segment with what asks it as relay agents do, and the relay beside it."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from pxerelay.cli import main
from pxerelay.config.load import load
from pxerelay.relay.decision import Dropped, ToServers
from pxerelay.tools.simulate.offline import Offline
from pxerelay.wire.facts import Facts
from tests.lab import Lab
from tests.lab.network import Host
from tests.lab.servers import DhcpServer, Dnsmasq, IscDhcpServer, Kea, isc_dhcpd
from tests.lab.wire import inside
from tests.unit.messages import message, option

SERVER, ASKER = "10.20.0.2", "10.20.0.5"
SENTINEL, SENTINEL_GIADDR = "02:5e:00:00:00:01", "10.1.99.1"
"""A client that every server answers: with its answer all earlier ones have been dealt with."""

VLANS = {f"vlan{number}": f"10.1.{number}" for number in (1, 2, 3, 4)}
"""Client interfaces, and what the addresses of their /24 begin with; .1 is the relay's."""

PATIENCE = 20.0
"""Seconds that a server may take."""


class Kind(NamedTuple):
    """What a client says of itself."""

    vendor: bytes = b""
    arch: int | None = None
    user_class: bytes = b""


BIOS = Kind(b"PXEClient:Arch:00000:UNDI:002001", 0)
UEFI = Kind(b"PXEClient:Arch:00007:UNDI:003016", 7)
ARM = Kind(b"PXEClient:Arch:00011:UNDI:003000", 11)
HTTP = Kind(b"HTTPClient:Arch:00016:UNDI:003001", 16)
PLAIN = Kind(b"udhcp 1.36")


class Client(NamedTuple):
    """A client on a VLAN."""

    vlan: str
    mac: str
    kind: Kind = BIOS

    def discover(self, number: int, giaddr: str) -> bytearray:
        """Return its DISCOVER."""
        options = option(53, b"\x01") + option(55, bytes((1, 3, 66, 67, 150)))
        if self.kind.vendor:
            options += option(60, self.kind.vendor)
        if self.kind.arch is not None:
            options += option(93, struct.pack("!H", self.kind.arch))
        if self.kind.user_class:
            options += option(77, self.kind.user_class)
        made = message(options=options + b"\xff", chaddr=self.mac, giaddr=giaddr)
        made[4:8] = struct.pack("!I", number)
        return made


class GivenDhcpd(IscDhcpServer):
    """dhcpd with a file of ours in its configuration."""

    text_file: Path

    def command(self) -> list[str]:
        """Write what must be there besides, and return the command."""
        self.path("conf").write_text(
            "authoritative; ping-check off; default-lease-time 3600; max-lease-time 3600;\n"
            "subnet 10.20.0.0 netmask 255.255.255.0 { }\n"
            "subnet 10.1.99.0 netmask 255.255.255.0 { range 10.1.99.10 10.1.99.200; allow unknown-clients; "
            "}\n"
            f'include "{self.text_file}";\n'
        )
        leases = self.path("leases")
        leases.write_text("")
        files = ["-cf", str(self.path("conf")), "-lf", str(leases), "--no-pid"]
        return [str(isc_dhcpd()), "-4", "-f", "-d", *files, self.interface]


class GivenDnsmasq(Dnsmasq):
    """dnsmasq with a file of ours in its configuration, and the file `ethers` beside that as /etc/ethers."""

    text_file: Path

    def command(self) -> list[str]:
        """Write what must be there besides, and return the command."""
        self.path("leases").write_text("")
        self.path("conf").write_text(
            f"port=0\nuser=root\nno-ping\nlog-dhcp\ninterface={self.interface}\n"
            f"dhcp-leasefile={self.path('leases')}\n"
            "dhcp-range=set:sentinel-net,10.1.99.10,10.1.99.200,255.255.255.0,1h\n"
        )
        argv = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file"]
        argv += [f"--conf-file={self.path('conf')}", f"--conf-file={self.text_file}"]
        ethers = self.text_file.with_name("ethers")
        if not ethers.exists():
            return argv
        etc = self.text_file.with_name("etc")
        script = f'cp -a /etc {etc} && cp {ethers} {etc} && mount --bind {etc} /etc && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", *argv]


class GivenKea(Kea):
    """Kea with a file of ours, which is all of its configuration."""

    text_file: Path

    def command(self) -> list[str]:
        """Return the command that the lab has, with our file."""
        *command, _ = super().command()
        return [*command, str(self.text_file)]


Given = GivenDhcpd | GivenDnsmasq | GivenKea


class Segment:
    """The server's host and the asker's."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        segment = lab.segment("core")
        self.server: Host = lab.host("server")
        self.asker: Host = lab.host("asker")
        self.server.attach(segment, "eth0", addresses=[f"{SERVER}/24"])
        self.asker.attach(segment, "eth0", addresses=[f"{ASKER}/24"])
        self.server.route("10.1.0.0/16", ASKER)
        giaddrs = [f"{prefix}.1" for prefix in VLANS.values()]
        self.asker.ip(*(f"address add {one}/32 dev lo" for one in (*giaddrs, SENTINEL_GIADDR)))

    @contextmanager
    def serving(self, kind: type[Given], file: Path) -> Iterator[DhcpServer]:
        """Run a server with a file."""
        server = kind(self.server, address=SERVER, pools=(), bootfile=None)
        server.text_file = file
        server.log_path.unlink(missing_ok=True)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def ask(self, clients: Sequence[Client]) -> dict[Client, str | None]:
        """Ask in the name of clients; return where each boots from: empty for nowhere, None for no answer."""
        found: dict[Client, str | None] = dict.fromkeys(clients)
        with (
            inside(self.asker),
            contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asking,
        ):
            asking.bind(("0.0.0.0", 67))
            for number, client in enumerate(clients):
                asking.sendto(client.discover(number, f"{VLANS[client.vlan]}.1"), (SERVER, 67))
                if number % 16 == 15:
                    self._until(asking, 1_000_000 + number, found, clients)
            self._until(asking, 2_000_000, found, clients)
        return found

    def _until(
        self, asking: socket.socket, number: int, found: dict[Client, str | None], clients: Sequence[Client]
    ) -> None:
        """Take answers until the one to the sentinel is there."""
        asking.sendto(Client("", SENTINEL, Kind()).discover(number, SENTINEL_GIADDR), (SERVER, 67))
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            asking.settimeout(max(end - time.monotonic(), 0.01))
            answer = asking.recv(4096)
            (told,) = struct.unpack("!I", answer[4:8])
            if told == number:
                return
            if told < len(clients):
                found[clients[told]] = _boots_from(answer)
        raise AssertionError("the server does not answer the sentinel")


def _boots_from(answer: bytes) -> str:
    """Return where an answer says to boot from."""
    siaddr = str(IPv4Address(answer[20:24]))
    options = Facts(bytearray(answer)).options
    name = bytes(options.get(66, b"")).rstrip(b"\0").decode()
    file = bytes(options.get(67, b"")) or answer[108:236].rstrip(b"\0")
    if siaddr not in ("0.0.0.0", SERVER):
        return siaddr
    if name and (siaddr != SERVER or not file):
        return name
    return SERVER if file else ""


@dataclass(frozen=True)
class Imported:
    """What `pxerelay import` made of files, and a relay with that."""

    code: int
    out: str
    err: str
    offline: Offline

    def of(self, client: Client) -> str:
        """Return the server that the relay sends a client to; empty for none."""
        message = client.discover(1, "0.0.0.0")
        decision = self.offline.relay.decide(message, self.offline.indexes[client.vlan], b"\0\0\0\0")
        if isinstance(decision, Dropped):
            return ""
        assert isinstance(decision, ToServers)
        return ",".join(str(IPv4Address(one)) for one in decision.servers)


def imported(files: Sequence[Path], folder: Path, more: Sequence[str] = ()) -> Imported:
    """Import files with all that may be asked for."""
    out, err = io.StringIO(), io.StringIO()
    interfaces = [f"--interface={prefix}.0/24={name}" for name, prefix in VLANS.items()]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["import", *map(str, files), *interfaces, "--self", SERVER, *more])
    text = out.getvalue()
    if "\ndefault: " not in text:
        text += "default: drop\n"
    path = folder / "pxerelay.yml"
    path.write_text(text)
    if "\ninterfaces:" not in text:
        path.write_text(f'{text}interfaces: {{"vlan*": {{}}}}\n')
    config = load(path).config
    giaddrs: Mapping[str, IPv4Address] = {name: IPv4Address(f"{prefix}.1") for name, prefix in VLANS.items()}
    missing = "".join(f"  {name}: {{}}\n" for name in VLANS if config.setting_for(name) is None)
    if missing:
        path.write_text(path.read_text().replace("\ninterfaces:\n", f"\ninterfaces:\n{missing}"))
        config = load(path).config
    return Imported(code, text, err.getvalue(), Offline(config, VLANS, giaddrs))
