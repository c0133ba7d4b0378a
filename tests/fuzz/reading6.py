"""DHCPv6 messages read a second time, in other words than the relay's, to hold it against."""

from __future__ import annotations

from typing import NamedTuple

Options = list[tuple[int, bytes]]
"""Codes and values, in order."""


class Layer(NamedTuple):
    """A RELAY-FORW around a message."""

    link: bytes
    peer: bytes
    options: Options


def options_of(octets: bytes, start: int, most: int = 64) -> tuple[Options, bool]:
    """Return the options that are whole, at most so many, and whether there was nothing else."""
    found: Options = []
    rest = octets[start:]
    while len(rest) >= 4 and len(found) < most:
        end = 4 + (rest[2] << 8 | rest[3])
        if len(rest) < end:
            return found, False
        found.append((rest[0] << 8 | rest[1], rest[4:end]))
        rest = rest[end:]
    return found, not rest


def layers_of(octets: bytes) -> tuple[list[Layer], tuple[bytes, Options | None]]:
    """Return what is around the innermost message, and this, with its options if they can all be read."""
    layers: list[Layer] = []
    left = 64
    while octets[:1] == b"\x0c" and len(octets) >= 34:
        options, _ = options_of(octets, 34, left)
        left -= len(options)
        layers.append(Layer(octets[2:18], octets[18:34], options))
        octets = next((value for code, value in options if code == 9), b"")
    options, whole = options_of(octets, 34 if octets[:1] in (b"\x0c", b"\x0d") else 4, left)
    return layers, (octets, options if whole else None)


def names_a_server(before: bytes) -> bool:
    """Whether the innermost message has a server identifier, as far as it can be read."""
    _, (inside, _) = layers_of(before)
    options, _ = options_of(inside, 4)
    return any(code == 2 for code, _ in options)


def eui64_mac(address: bytes) -> str:
    """Return the MAC that a link-local address says, as hex digits; nothing if it says none (RFC 4291, A)."""
    if address[:8] != bytes.fromhex("fe80000000000000") or address[11:13] != b"\xff\xfe":
        return ""
    first = address[8] ^ 2
    return "" if first & 1 else (bytes((first,)) + address[9:11] + address[13:16]).hex()


def strings_of(value: bytes) -> list[bytes]:
    """Return the whole strings of a vendor class, option 16 (RFC 8415, 21.16)."""
    found, rest = [], value[4:]
    while len(rest) >= 2 and len(rest) >= 2 + (rest[0] << 8 | rest[1]):
        end = 2 + (rest[0] << 8 | rest[1])
        found.append(rest[2:end])
        rest = rest[end:]
    return found


def numbers_of(options: Options, wanted: int) -> set[int]:
    """Return the numbers of 16 bits that options of one code have between them."""
    raw = b"".join(value for code, value in options if code == wanted)
    return {raw[at] << 8 | raw[at + 1] for at in range(0, len(raw) - 1, 2)}
