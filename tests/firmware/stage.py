"""The standard network with two firmware clients on one VLAN, and servers in each of the set-ups.

Every boot server has a program for every firmware, which says on the console whose it is. So a client that
was sent to the wrong server would boot there, and the test would see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar

from tests.firmware.capture import BOOT_PORTS, TFTP_PORT, Capture
from tests.firmware.machine import Machine, run_to_end
from tests.firmware.programs import BIOS_ARCH, PROGRAMS, UEFI_X64_ARCH, write_programs
from tests.firmware.setups import BRANCH, CARDS, DHCP, ROUTER, configuration
from tests.lab import DhcpServer, Dnsmasq, Host, IscDhcpServer, Lab, Pool, Segment
from tests.lab.daemon import Daemon
from tests.lab.topology import CLIENT_VLANS, RELAY_CORE, SERVER_NAMES, Network
from tests.lab.wire import finish_checksums

SERVER_PORTS = f"{BOOT_PORTS} or udp port {TFTP_PORT}"
"""What is recorded at a server: who asks it, for what and for files."""

DNSMASQ = [
    *("dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file"),
    *("--user=root", "--conf-file=/dev/null", "--port=0"),
]
"""dnsmasq with nothing to do yet."""


_Capture = TypeVar("_Capture")


class AnyBoots(Generic[_Capture]):
    """What became of the clients of one set-up, in one family."""

    def __init__(
        self,
        machines: Sequence[Machine],
        servers: Mapping[str, _Capture],
        sides: Mapping[str, _Capture],
        counters: Mapping[str, Any],
        log: str,
    ) -> None:
        self._machines = machines
        self._servers = servers
        self._log = log
        self.counters = counters
        """What the daemon counted until all had booted, as `status` has it."""
        self.sides = sides
        """The recordings of the relay's client side and server side."""

    @property
    def story(self) -> str:
        """The consoles and the daemon's log, for whoever reads why a test failed."""
        consoles = [
            f"--- console of {machine.card.name or machine.card.firmware}\n{machine.console}"
            for machine in self._machines
        ]
        return "\n".join([*consoles, f"--- log of the daemon\n{self._log}"])


class Boots(AnyBoots[Capture]):
    """What became of the clients, and what the servers heard, by the servers' names."""

    @property
    def programs(self) -> list[tuple[str, str]]:
        """Firmware and server of each boot program that ran, as the consoles show it."""
        return [program for machine in self._machines for program in machine.booted]

    @property
    def heard(self) -> dict[str, set[str]]:
        """The clients that each server heard a DHCP or PXE request of."""
        return {name: capture.asked_for_boot() for name, capture in self._servers.items()}

    @property
    def served(self) -> dict[str, set[str]]:
        """The clients that each server was asked for files by; an address where no client has it."""
        owners = {address: mac for mac, address in self.leases.items()}
        return {
            name: {owners.get(address, address) for address in capture.asked_for_files()}
            for name, capture in self._servers.items()
        }

    @property
    def leases(self) -> dict[str, str]:
        """The address that each client was given."""
        return self.sides["clients"].leases()


class Stage:
    """The network of one set-up: choose its servers, then let the clients boot.

    For recordings to keep, all kernels finish the checksums of what they send.
    """

    def __init__(self, lab: Lab, *, recording: bool = False) -> None:
        self.lab = lab
        self._recording = recording
        self.network = Network(lab).build()
        self.vlan, self.subnet = "vlan10", CLIENT_VLANS["vlan10"]
        self.client_side: tuple[Host, str] = (self.network.relay, "vlan10")
        self._hosts: dict[str, Host] = {}
        self._senders = [(self.network.relay, "core"), (self.network.relay, "vlan10")]

    def put_behind_a_router(self) -> None:
        """Move the clients' VLAN behind a router, whose relay agent, dnsmasq's, asks our relay host."""
        router = self.lab.host("router")
        lan = self.lab.segment("branch")
        router.attach(self.network.segments["core"], "core", addresses=["10.20.0.30/24"])
        router.attach(lan, "branch", addresses=[f"{ROUTER}/24"])
        router.sysctl("net.ipv4.ip_forward", 1)
        router.popen([*DNSMASQ, f"--dhcp-relay={ROUTER},{RELAY_CORE}"], log="router.log")
        for server in self.network.servers:
            server.host.route(str(BRANCH), "10.20.0.30")
        self.vlan, self.subnet = "branch", BRANCH
        self.client_side = (router, "branch")
        self._senders += [(router, "core"), (router, "branch")]

    def full_servers(self) -> None:
        """Have both boot servers give addresses too: dnsmasq is ris, ISC dhcpd is altiris."""
        ris, altiris = self.network.servers
        self._start(
            Dnsmasq(
                ris.host,
                address=ris.address,
                pools=[self._pool(100)],
                bootfile=None,
                extra=[
                    f"dhcp-option=option:router,{self._gateway}",
                    *_tftp_lines(self._programs("ris")),
                    *_boot_lines(ris.address),
                ],
            ),
            "ris",
        )
        self._start(
            IscDhcpServer(
                altiris.host,
                address=altiris.address,
                pools=[self._pool(150)],
                bootfile=None,
                extra=[
                    f"option routers {self._gateway};",
                    "option client-arch code 93 = unsigned integer 16;",
                    f"if option client-arch = 00:{UEFI_X64_ARCH:02x}",
                    f'{{ filename "{PROGRAMS[UEFI_X64_ARCH]}"; }}',
                    f'else {{ filename "{PROGRAMS[BIOS_ARCH]}"; }}',
                    f"next-server {altiris.address};",
                ],
            ),
            "altiris",
        )
        tftp = [f"--{line}" for line in _tftp_lines(self._programs("altiris"))]
        altiris.host.popen([*DNSMASQ, *tftp], log="boot2-tftp.log")

    def separate_dhcp_server(self) -> None:
        """Have a third server give addresses only, and both boot servers be proxyDHCP servers (PXE 2.1, 2.2).

        One of them says the boot file in its offer; the other says it when it is asked on port 4011.
        """
        host = self.lab.host("dhcp")
        host.attach(self.network.segments["core"], "eth0", addresses=[f"{DHCP}/24"])
        host.route(str(self.subnet), RELAY_CORE)
        router = [f"option routers {self._gateway};"]
        self._start(
            IscDhcpServer(host, address=DHCP, pools=[self._pool(200)], bootfile=None, extra=router), "dhcp"
        )
        proxy = f"dhcp-range={self.subnet.network_address},proxy,{self.subnet.netmask}"
        for server in self.network.servers:
            name = SERVER_NAMES[server.address]
            if name == "ris":
                lines = [*_boot_lines(server.address), "pxe-prompt=ris,0"]
            else:
                lines = [f"pxe-service={arch},{name},{program}" for arch, program in PROGRAMS.items()]
            extra = [proxy, *lines, *_tftp_lines(self._programs(name))]
            self._start(
                Dnsmasq(server.host, address=server.address, pools=[], bootfile=None, extra=extra), name
            )

    def boot(self, setup: str, others: Iterable[Callable[[], object]] = ()) -> Boots:
        """Run the relay as a set-up configures it, and let both clients boot at once.

        `others` are called while they do.
        """
        segment = Segment(self.vlan, self.lab.namespace("net"))
        if self._recording:
            for host, interface in self._senders:
                finish_checksums(host, interface)
        with ExitStack() as stack:
            recordings = {name: Capture(host, "eth0", SERVER_PORTS) for name, host in self._hosts.items()}
            sides = {"clients": Capture(*self.client_side), "servers": Capture(self.network.relay, "core")}
            for capture in (*recordings.values(), *sides.values()):
                stack.callback(capture.stop)
            daemon = Daemon(self.network, self.lab.state_dir, configuration(setup))
            stack.callback(daemon.stop)
            machines = [Machine(self.lab, segment, card) for card in CARDS]
            for other in others:
                other()
            run_to_end(machines)
            counters = daemon.status()["counters"]
        return Boots(machines, recordings, sides, counters, daemon.log)

    def _start(self, server: DhcpServer, name: str) -> None:
        server.start()
        self._hosts[name] = server.host
        self._senders.append((server.host, "eth0"))

    @property
    def _gateway(self) -> str:
        return str(self.subnet[1])

    def _pool(self, first: int) -> Pool:
        return Pool(self.subnet, str(self.subnet[first]), str(self.subnet[first + 49]))

    def _programs(self, server: str) -> Path:
        return write_programs(self.lab.state_dir / f"tftp-{server}", server)


def _boot_lines(server: str) -> list[str]:
    """Tell dnsmasq which boot file each firmware gets."""
    return [
        f"dhcp-match=set:uefi,option:client-arch,{UEFI_X64_ARCH}",
        f"dhcp-boot=tag:uefi,{PROGRAMS[UEFI_X64_ARCH]},,{server}",
        f"dhcp-boot=tag:!uefi,{PROGRAMS[BIOS_ARCH]},,{server}",
    ]


def _tftp_lines(folder: Path) -> list[str]:
    """Tell dnsmasq to serve the files of a folder."""
    return ["enable-tftp", f"tftp-root={folder}"]
