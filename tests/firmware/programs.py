"""What boot servers hand out: a program for each firmware, which says on the console whose it is."""

from __future__ import annotations

from pathlib import Path

from tests.firmware import efi
from tests.firmware.machine import boot_text

BIOS_ARCH, UEFI_X64_ARCH, UEFI_X64_HTTP_ARCH = 0, 7, 16
"""What firmware says in options 93 and 61 (RFC 4578, 2.1; 7 and 16 as the registry of IANA has them)."""

PROGRAMS = {BIOS_ARCH: "bios.ipxe", UEFI_X64_ARCH: "uefi.efi"}
"""The boot file for each."""

IPXE_SCRIPT = """\
#!ipxe
echo {text}
sleep 1
reboot
"""
"""The console of a BIOS runs behind what is printed: the pause lets it catch up."""


def write_programs(folder: Path, server: str) -> Path:
    """Write the boot programs of a server into a new folder and return the folder."""
    folder.mkdir()
    (folder / PROGRAMS[BIOS_ARCH]).write_text(IPXE_SCRIPT.format(text=boot_text("bios", server)))
    (folder / PROGRAMS[UEFI_X64_ARCH]).write_bytes(efi.program(boot_text("uefi", server)))
    return folder
