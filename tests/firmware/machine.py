"""Machines without a disk: qemu with a PC's firmware, one network card, and the console in a file.

The processor is emulated, so that a machine needs no KVM and boots everywhere alike.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.lab import Lab, LabError, Segment

UEFI_FIRMWARE = Path("/usr/share/OVMF")
BOOT_SECONDS = 90.0
"""Enough for an emulated processor on a busy machine; idle, it takes 20, of which iPXE waits 15 for IPv6."""
TERMINAL_CONTROL = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|c)")
BOOTED = re.compile(r"^booted the (\w+) program of (\w+)$", re.MULTILINE)


def boot_text(firmware: str, server: str) -> str:
    """Return what the boot program of a server for a firmware prints on the console."""
    return f"booted the {firmware} program of {server}"


@dataclass(frozen=True)
class Card:
    """A network card, and the firmware that boots from it: `bios` with iPXE in a ROM, or `uefi`.

    UEFI boots by its own driver and PXE, or by iPXE in the card's ROM (`ipxe`). With `ipv6`, it does no PXE
    over IPv4; iPXE always tries. With `http`, it does no PXE at all, and boots by HTTP. `uuid` is whether the
    machine has one, which DUIDs are made of. `name` tells machines apart that boot together.
    """

    firmware: str
    mac: str
    name: str = ""
    ipxe: bool = False
    ipv6: bool = False
    http: bool = False
    uuid: bool = True


class Machine:
    """A machine that boots from the network and ends when its boot program has run."""

    def __init__(self, lab: Lab, segment: Segment, card: Card) -> None:
        self.card = card
        name = card.name or card.firmware
        self._console = lab.state_dir / f"{name}.console"
        tap = f"tap-{name}"
        wires = lab.host("net")
        wires.ip(f"tuntap add dev {tap} mode tap", f"link set {tap} master {segment.name} up")
        argv = ["qemu-system-x86_64", "-accel", "tcg", "-nodefaults", "-no-user-config", "-no-reboot"]
        argv += ["-display", "none", "-serial", f"file:{self._console}"]
        argv += ["-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no"]
        if card.uuid:
            argv += ["-uuid", f"00000000-0000-4000-8000-{card.mac.replace(':', '')}"]
        argv += _bios(card) if card.firmware == "bios" else _uefi(card)
        self._qemu: subprocess.Popen[str] = wires.popen(argv, log=f"{name}.log")

    @property
    def running(self) -> bool:
        """Whether the machine has not ended yet."""
        return self._qemu.poll() is None

    @property
    def console(self) -> str:
        """What the machine has written on its console, without the terminal's control sequences."""
        try:
            text = self._console.read_bytes().decode("ascii", errors="replace")
        except FileNotFoundError:
            return ""
        return TERMINAL_CONTROL.sub("", text).replace("\r", "")

    @property
    def booted(self) -> list[tuple[str, str]]:
        """Firmware and server of each boot program that ran."""
        return BOOTED.findall(self.console)

    def stop(self) -> None:
        """Switch the machine off."""
        if self.running:
            self._qemu.terminate()
        self._qemu.wait(timeout=10)


def run_to_end(machines: Iterable[Machine], seconds: float = BOOT_SECONDS) -> None:
    """Wait until every machine has ended, but no longer than a slow one needs; then switch off the rest."""
    waiting = list(machines)
    deadline = time.monotonic() + seconds
    while any(machine.running for machine in waiting) and time.monotonic() < deadline:
        time.sleep(0.1)
    for machine in waiting:
        machine.stop()


def _bios(card: Card) -> list[str]:
    # graphics=off makes SeaBIOS write its console, and that of the card's ROM, to the serial line
    return ["-machine", "q35,graphics=off", "-m", "64", "-device", _device(card)]


def _uefi(card: Card) -> list[str]:
    code, variables = UEFI_FIRMWARE / "OVMF_CODE_4M.fd", UEFI_FIRMWARE / "OVMF_VARS_4M.fd"
    if not code.exists():
        raise LabError(f"{code} is not there: it comes with Debian's package ovmf")
    # without iPXE's ROM: UEFI's own driver and PXE
    argv = ["-machine", "q35", "-m", "256", "-device", _device(card) + ("" if card.ipxe else ",romfile=")]
    argv += ["-device", "virtio-rng-pci"]  # newer releases of OVMF have no network without random numbers
    for family in (["IPv4"] if card.ipv6 else []) + (["IPv6"] if card.http else []):
        argv += ["-fw_cfg", f"name=opt/org.tianocore/{family}PXESupport,string=n"]
    argv += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"]
    return [*argv, "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={variables}"]


def _device(card: Card) -> str:
    return f"virtio-net-pci,netdev=net,mac={card.mac},bootindex=0"
