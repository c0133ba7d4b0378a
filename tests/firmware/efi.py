"""A UEFI program made of bytes: prints one line on the firmware's console and switches the machine off.

So the test needs no compiler, and what ran is told apart by its text. A UEFI program is a PE32+ image
(UEFI 2.10, 2.1.1); this one has one section, and code that does not care where it is loaded.
"""

import struct

SECTION_ALIGNMENT, FILE_ALIGNMENT = 0x1000, 0x200
DOS_HEADER_SIZE = 0x40
MACHINE_X64 = 0x8664
EXECUTABLE, LARGE_ADDRESS_AWARE = 0x0002, 0x0020
PE32_PLUS = 0x20B
EFI_APPLICATION = 10
DATA_DIRECTORIES = 16
CODE_READ_EXECUTE = 0x6000_0020

# Entered as efi_main(image handle in rcx, system table in rdx), in Microsoft's x64 calling convention
# (UEFI 2.10, 2.3.4). Offsets are those of EFI_SYSTEM_TABLE (4.3), EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL
# (12.4) and EFI_RUNTIME_SERVICES (4.5).
CODE = bytes.fromhex(
    "53"  # push rbx
    "48 83 ec 20"  # sub rsp, 32              room for the callee, as the convention asks
    "48 89 d3"  # mov rbx, rdx             the system table
    "48 8b 4b 40"  # mov rcx, [rbx + 0x40]    ConOut
    "48 8d 15 16 00 00 00"  # lea rdx, [rip + 22]      the text, behind the code
    "ff 51 08"  # call [rcx + 8]           OutputString(ConOut, text)
    "48 8b 43 58"  # mov rax, [rbx + 0x58]    RuntimeServices
    "6a 02 59"  # push 2; pop rcx          EfiResetShutdown
    "31 d2"  # xor edx, edx             EFI_SUCCESS
    "45 31 c0"  # xor r8d, r8d             no data
    "45 31 c9"  # xor r9d, r9d
    "ff 50 68"  # call [rax + 0x68]        ResetSystem; does not come back
    "f4"  # hlt
)


def program(text: str) -> bytes:
    """Return a UEFI application for x64 that prints the text and switches the machine off."""
    body = CODE + f"\r\n{text}\r\n\0".encode("utf-16-le")
    on_disk = _round_up(len(body), FILE_ALIGNMENT)
    headers = _headers(len(body), on_disk)
    return headers.ljust(FILE_ALIGNMENT, b"\0") + body.ljust(on_disk, b"\0")


def _headers(size: int, on_disk: int) -> bytes:
    """Return the headers of an image whose one section has `size` octets, `on_disk` of them in the file."""
    dos = b"MZ".ljust(DOS_HEADER_SIZE - 4, b"\0") + struct.pack("<I", DOS_HEADER_SIZE)
    optional = struct.pack("<HBBIIIII", PE32_PLUS, 0, 0, on_disk, 0, 0, SECTION_ALIGNMENT, SECTION_ALIGNMENT)
    optional += struct.pack("<QII", 0, SECTION_ALIGNMENT, FILE_ALIGNMENT)
    optional += struct.pack("<HHHHHHI", 0, 0, 0, 0, 0, 0, 0)  # versions
    image_size = SECTION_ALIGNMENT + _round_up(size, SECTION_ALIGNMENT)
    optional += struct.pack("<IIIHH", image_size, FILE_ALIGNMENT, 0, EFI_APPLICATION, 0)
    optional += struct.pack("<QQQQII", 0, 0, 0, 0, 0, DATA_DIRECTORIES)
    optional += bytes(8 * DATA_DIRECTORIES)  # none: nothing to import, nothing to relocate
    coff = struct.pack("<HHIIIHH", MACHINE_X64, 1, 0, 0, 0, len(optional), EXECUTABLE | LARGE_ADDRESS_AWARE)
    section = struct.pack("<8sIIII", b".text", size, SECTION_ALIGNMENT, on_disk, FILE_ALIGNMENT)
    section += struct.pack("<IIHHI", 0, 0, 0, 0, CODE_READ_EXECUTE)
    return dos + b"PE\0\0" + coff + optional + section


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
