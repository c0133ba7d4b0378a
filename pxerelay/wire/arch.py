"""Client system architectures of option 93: IANA's numbers and names.

From the registry "Processor Architecture Types" of the DHCPv6 parameters, which DHCPv4's option 93
(RFC 4578, 2.1) shares (RFC 5970, 3.3).
"""

from __future__ import annotations

ARCHITECTURES = {
    0: "x86 BIOS",
    1: "NEC/PC98",
    2: "Itanium",
    3: "DEC Alpha",
    4: "Arc x86",
    5: "Intel Lean Client",
    6: "x86 UEFI",
    7: "x64 UEFI",
    8: "EFI Xscale",
    9: "EBC",
    10: "ARM 32-bit UEFI",
    11: "ARM 64-bit UEFI",
    12: "PowerPC Open Firmware",
    13: "PowerPC ePAPR",
    14: "POWER OPAL v3",
    15: "x86 UEFI HTTP",
    16: "x64 UEFI HTTP",
    17: "EBC HTTP",
    18: "ARM 32-bit UEFI HTTP",
    19: "ARM 64-bit UEFI HTTP",
    20: "PC/AT BIOS HTTP",
    21: "ARM 32-bit U-Boot",
    22: "ARM 64-bit U-Boot",
    23: "ARM 32-bit U-Boot HTTP",
    24: "ARM 64-bit U-Boot HTTP",
    25: "RISC-V 32-bit UEFI",
    26: "RISC-V 32-bit UEFI HTTP",
    27: "RISC-V 64-bit UEFI",
    28: "RISC-V 64-bit UEFI HTTP",
    29: "RISC-V 128-bit UEFI",
    30: "RISC-V 128-bit UEFI HTTP",
    31: "s390 Basic",
    32: "s390 Extended",
    33: "MIPS 32-bit UEFI",
    34: "MIPS 64-bit UEFI",
    35: "Sunway 32-bit UEFI",
    36: "Sunway 64-bit UEFI",
    37: "LoongArch 32-bit UEFI",
    38: "LoongArch 32-bit UEFI HTTP",
    39: "LoongArch 64-bit UEFI",
    40: "LoongArch 64-bit UEFI HTTP",
    41: "ARM rpiboot",
}
"""Names by number."""

NUMBER_OF = {name.casefold(): number for number, name in ARCHITECTURES.items()}
"""Numbers by case-folded name."""

EXPECTED = "; give a number or IANA's name, such as 7 or 'x64 UEFI'"
"""What is right in the place of something that is no architecture, and not nearly one."""


def arch_name(number: int) -> str:
    """Return the name of an architecture, or its number where IANA has given it none."""
    return ARCHITECTURES.get(number, f"architecture {number}")
