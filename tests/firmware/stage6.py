"""The standard network with clients that boot over IPv6, and two boot servers that give addresses too.

There is nobody who answers over IPv4: what a client boots, it has over IPv6.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from tests.firmware.capture6 import Capture6
from tests.firmware.machine import Card, Machine, run_to_end
from tests.firmware.programs import BIOS_ARCH, PROGRAMS, UEFI_X64_ARCH, UEFI_X64_HTTP_ARCH, write_programs
from tests.firmware.setups6 import DHCP6, configuration6
from tests.firmware.stage import DNSMASQ, AnyBoots
from tests.lab import Lab, Segment, debian
from tests.lab.daemon import Daemon
from tests.lab.servers6 import DhcpServer6, Dnsmasq6, IscDhcpServer6, Kea6
from tests.lab.topology import Network
from tests.lab.topology6 import CLIENT_VLANS6, SERVER_NAMES6, Network6, Radvd, pools6
from tests.lab.wire import finish_checksums

BOOT_SECONDS = 180.0
"""Enough on a busy machine; idle, three machines take 31, of which iPXE spends 15 on IPv4."""

LOADER = "loader.efi"
"""iPXE as a UEFI program, which UEFI loads before it asks once more."""


class Boots6(AnyBoots[Capture6]):
    """What became of the clients, and what the servers heard, by the servers' names."""

    @property
    def booted(self) -> dict[str, list[str]]:
        """The servers of the boot programs that ran, by the machine's name."""
        return {machine.card.name: [server for _, server in machine.booted] for machine in self._machines}

    @property
    def heard(self) -> dict[str, set[str]]:
        """The clients that each server was asked for by the relay, by their MAC addresses in option 79."""
        return {name: capture.relayed_for() for name, capture in self._servers.items()}

    @property
    def served(self) -> dict[str, set[str]]:
        """The clients that each server was asked for files by; an address where no client has it."""
        leases = self.sides["clients"].leases()
        owners = {address: mac for mac, addresses in leases.items() for address in addresses}
        return {
            name: {owners.get(address, address) for address in capture.asked_for_files()}
            for name, capture in self._servers.items()
        }


class Stage6:
    """The network: dnsmasq is ris, ISC dhcpd is altiris; let clients boot by a mapping.

    `managed` is whether clients get their addresses by DHCPv6, else they make them. `loader` is whether UEFI
    loads iPXE first. With `http`, clients boot by HTTP too, and Kea is ris. For recordings
    to keep, all kernels finish the checksums of what they send.
    """

    def __init__(
        self,
        lab: Lab,
        *,
        managed: bool = True,
        loader: bool = False,
        http: bool = False,
        recording: bool = False,
    ) -> None:
        self.lab = lab
        self.network = Network(lab).build()
        self.network6 = Network6(self.network).build()
        self._radvd = Radvd(self.network.relay, {"vlan10": CLIENT_VLANS6["vlan10"]}, managed=managed)
        self._servers: dict[str, DhcpServer6] = {}
        ris, altiris = self.network6.servers
        self._http = http
        self._recording = recording
        self._serve(Kea6 if http else Dnsmasq6, ris, _dnsmasq_loader(ris.address) if loader else [])
        self._serve(IscDhcpServer6, altiris, _dhcpd_loader(altiris.address) if loader else [])

    def separate_dhcp_server(self) -> None:
        """Have a third server, Kea, give addresses only."""
        host = self.lab.host("dhcp")
        host.attach(self.network.segments["core"], "eth0")
        self.network6.attach_server(host, "eth0", DHCP6)
        server = Kea6(host, address=DHCP6, pools=pools6([CLIENT_VLANS6["vlan10"]], 0x300), boot_url=None)
        server.start()
        self._servers["dhcp"] = server

    def boot(self, mapping: Mapping[Card, str], more: str = "") -> Boots6:
        """Run the relay with a mapping, and let its clients boot at once; `more` is of its configuration."""
        relay = self.network.relay
        if self._recording:
            finish_checksums(relay, "vlan10")
            for host, interface in ((relay, "core"), *((one.host, "eth0") for one in self._servers.values())):
                finish_checksums(host, interface)
        segment = Segment("vlan10", self.lab.namespace("net"))
        with ExitStack() as stack:
            recordings = {name: Capture6(server.host, "eth0") for name, server in self._servers.items()}
            sides = {"clients": Capture6(relay, "vlan10"), "servers": Capture6(relay, "core")}
            for capture in (*recordings.values(), *sides.values()):
                stack.callback(capture.stop)
            self._radvd.start()
            stack.callback(self._radvd.stop)
            daemon = Daemon(self.network, self.lab.state_dir, configuration6(mapping, more))
            stack.callback(daemon.stop)
            machines = [Machine(self.lab, segment, card) for card in mapping]
            run_to_end(machines, BOOT_SECONDS)
            counters = daemon.status()["counters6"]
        return Boots6(machines, recordings, sides, counters, daemon.log)

    def _serve(self, kind: Callable[..., DhcpServer6], like: DhcpServer6, extra: Sequence[str]) -> None:
        """Start a server in the place of a bare one, and the files that it names, by TFTP and HTTP."""
        name = SERVER_NAMES6[like.address]
        folder = write_programs(self.lab.state_dir / f"files-{name}", name)
        files = f"tftp://[{like.address}]"
        uefi = PROGRAMS[UEFI_X64_ARCH]
        server = kind(
            like.host,
            address=like.address,
            pools=like.pools,
            boot_url=f"{files}/{PROGRAMS[BIOS_ARCH]}",
            boot_urls={
                UEFI_X64_ARCH: f"{files}/{uefi}",
                UEFI_X64_HTTP_ARCH: f"http://[{like.address}]/{uefi}",
            },
            # who boots by HTTP takes no other answer; by PXE it would mean port 4011 (UEFI 2.10, 24.7.2)
            vendor_classes={UEFI_X64_HTTP_ARCH: "HTTPClient"} if self._http else {},
            extra=extra,
        )
        server.start()
        self._servers[name] = server
        (folder / LOADER).symlink_to(debian.program("ipxe", "usr/lib/ipxe/snponly.efi"))
        like.host.popen([*DNSMASQ, "--enable-tftp", f"--tftp-root={folder}"], log=f"tftp-{name}.log")
        http = [sys.executable, "-m", "http.server", "--bind", "::", "--directory", str(folder), "80"]
        like.host.popen(http, log=f"http-{name}.log")


def _dnsmasq_loader(address: str) -> list[str]:
    return [
        "dhcp-userclass=set:ipxe,iPXE",
        f"dhcp-option=tag:arch{UEFI_X64_ARCH},tag:!ipxe,option6:bootfile-url,tftp://[{address}]/{LOADER}",
    ]


def _dhcpd_loader(address: str) -> list[str]:
    return [
        "option dhcp6.ipxe-class code 15 = string;",
        f"if option dhcp6.client-arch-type = 00:{UEFI_X64_ARCH:02x} and not exists dhcp6.ipxe-class",
        f'{{ option dhcp6.bootfile-url "tftp://[{address}]/{LOADER}"; }}',
    ]
