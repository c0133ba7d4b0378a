"""Ethernet addresses and the patterns that rules match them by.

Spellings, for addresses and patterns alike, in either case:

    00:11:22:33:44:55   00-11-22-33-44-55   0011.2233.4455

A pattern is one of

    a whole address     00:11:22:33:44:55
    an IEEE block       00:80:64 (MA-L, 24 bits), 70:b3:d5:1 (MA-M, 28), 70:b3:d5:12:3 (MA-S, 36)
    a wildcard          52:54:00:12:3?:*      ? is one hex digit, * is the rest of the address

Whatever its spelling, a pattern becomes two 48-bit numbers: `mask` has a one for each bit that is
fixed, `value` holds the fixed bits. Two spellings of one pattern are therefore equal.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pxerelay.wire.text import ends

MAC_DIGITS = 12
"""Hex digits of an Ethernet address (IEEE 802-2014, 8.2)."""

MAC_OCTETS = 6
"""Octets of an Ethernet address, the hlen of every client that a MAC rule can name."""

_BLOCK_DIGITS = frozenset({6, 7, 9})
"""Hex digits of the IEEE blocks that may be written without a star: MA-L, MA-M and MA-S."""

_ALL = (1 << 48) - 1

_DIGITS = re.compile(
    r"(?:x{2}(?::x{2})*(?::x)?|x):?"
    r"|(?:x{2}(?:-x{2})*(?:-x)?|x)-?"
    r"|(?:x{4}(?:\.x{4})*(?:\.x{1,3})?|x{1,3})\.?".replace("x", "[0-9a-f?]")
)
"""Digits in groups with one kind of separator; one may stand at the end, in front of a star."""

_SEPARATORS = str.maketrans("", "", ":-.")
_MASK_OF_DIGIT = str.maketrans("0123456789abcdef?", "ffffffffffffffff0")


class MacError(ValueError):
    """A text that is no address or pattern; the message says what would be right."""


class Pattern(NamedTuple):
    """What a rule matches: an address, a block or a wildcard. Compare and hash by `mask` and `value`."""

    mask: int
    value: int

    @classmethod
    def of(cls, octets: bytes) -> Pattern:
        """Return the pattern of all addresses that begin with these octets; with 6, of one address."""
        free = 8 * (MAC_OCTETS - len(octets))
        return cls(_ALL >> free << free, int.from_bytes(octets, "big") << free)

    @property
    def exact(self) -> bool:
        """Whether only one address matches."""
        return self.mask == _ALL

    @property
    def fixed_digits(self) -> int:
        """Hex digits that must agree: 12 for an address, 6 for an OUI. More digits win."""
        return self.mask.bit_count() // 4

    @property
    def chaddr(self) -> bytes:
        """The 6 octets of an exact pattern's address."""
        return self.value.to_bytes(MAC_OCTETS, "big")

    def overlaps(self, other: Pattern) -> bool:
        """Whether some address matches both."""
        return not (self.value ^ other.value) & self.mask & other.mask

    def common(self, other: Pattern) -> Pattern:
        """Return the pattern of what both match, which must overlap."""
        return Pattern(self.mask | other.mask, self.value | other.value)

    def matches(self, chaddr: bytes) -> bool:
        """Whether the 6 octets of `chaddr` match."""
        return int.from_bytes(chaddr, "big") & self.mask == self.value

    def __str__(self) -> str:
        """Return the canonical spelling: lower case with colons, a star for what is not fixed."""
        digits = "".join(
            "?" if fixed == "0" else digit
            for digit, fixed in zip(f"{self.value:012x}", f"{self.mask:012x}", strict=True)
        )
        return _grouped(digits) if self.exact else _starred(digits.rstrip("?"))


def _grouped(digits: str) -> str:
    return ":".join(digits[start : start + 2] for start in range(0, len(digits), 2))


def _starred(digits: str) -> str:
    return f"{_grouped(digits)}{':' if digits and len(digits) % 2 == 0 else ''}*"


def format_mac(chaddr: bytes) -> str:
    """Spell the octets of a hardware address with colons, in lower case."""
    return ":".join(f"{octet:02x}" for octet in chaddr)


def parse_mac(text: str) -> bytes:
    """Return the 6 octets of an address in any spelling; MacError if it is none."""
    pattern = parse_pattern(text)
    if not pattern.exact:
        raise MacError(f"'{ends(text)}' is not one address; write all six groups, as in 00:11:22:33:44:55")
    return pattern.chaddr


def parse_pattern(text: str) -> Pattern:
    """Return the pattern that a rule's key stands for; MacError if it is none."""
    lowered = text.lower()
    digits = lowered.replace(":", "")
    if len(digits) == MAC_DIGITS and _grouped(digits) == lowered and digits.isascii() and digits.isalnum():
        try:  # by far the most common spelling: worth a short way
            return Pattern(_ALL, int(digits, 16))
        except ValueError:
            pass  # a letter past f: the long way says so
    return _parse_any(text, lowered)


def rule_kind(text: str, pattern: Pattern) -> str:
    """Name the kind of a rule by its pattern and how it is spelled: `mac`, `oui` or `wildcard`."""
    if pattern.exact:
        return "mac"
    return "wildcard" if "*" in text or "?" in text else "oui"


def _parse_any(text: str, lowered: str) -> Pattern:
    starred = lowered.endswith("*")
    body = lowered[:-1] if starred else lowered
    if body and (not _DIGITS.fullmatch(body) or (not starred and body.endswith((":", "-", ".")))):
        raise MacError(_what_is_wrong(text, lowered))
    if not body and not starred:
        raise MacError("an empty text is no MAC; write it as in 00:11:22:33:44:55")
    digits = body.translate(_SEPARATORS)
    count = len(digits)
    if count > MAC_DIGITS:
        raise MacError(f"'{ends(text)}' has {count} hex digits; a MAC has 12, as in 00:11:22:33:44:55")
    if not starred and count < MAC_DIGITS and (count not in _BLOCK_DIGITS or "?" in digits):
        raise MacError(
            f"'{ends(text)}' has {count} of a MAC's 12 hex digits; "
            f"write {_starred(digits)} for every address that begins so"
        )
    shift = 4 * (MAC_DIGITS - count)
    mask = int(digits.translate(_MASK_OF_DIGIT) or "0", 16) << shift
    value = int(digits.replace("?", "0") or "0", 16) << shift
    return Pattern(mask, value)


def _what_is_wrong(text: str, lowered: str) -> str:
    bare = lowered.translate(_SEPARATORS)
    form = "a MAC is written 00:11:22:33:44:55, 00-11-22-33-44-55 or 0011.2233.4455"
    if "*" in bare[:-1]:
        what = f"'{ends(text)}' has a * before its end"
        return f"{what}; * stands for the rest of the address, ? for one hex digit"
    wrong = next((character for character in bare if character not in "0123456789abcdef?*"), None)
    if wrong is not None:
        return f"'{ends(text)}' is no MAC: '{wrong}' is no hex digit; {form}"
    if len(bare) == MAC_DIGITS and lowered == bare:
        return f"'{ends(text)}' is no MAC without separators; write {_grouped(bare)}"
    groups = re.split(r"[:-]", lowered)
    if len(groups) == MAC_OCTETS and all(1 <= len(group) <= 2 for group in groups):
        padded = ":".join(group.rjust(2, "0") for group in groups)
        return f"'{ends(text)}' has a group of one digit or mixed separators; write {padded}"
    return f"'{ends(text)}' is no MAC; {form}"
