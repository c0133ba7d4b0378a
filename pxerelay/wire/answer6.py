"""What a DHCPv6 server's message gives its client: addresses, a boot file, or why it gives none."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import NamedTuple

from pxerelay.wire import packet6
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.text import printable

_IA_NA, _IA_TA, _IA_PD = 3, 4, 25
_IA_ADDRESS, _IA_PREFIX = 5, 26
"""Identity associations, and what is in them (RFC 9915, 21.4, 21.5, 21.6, 21.21 and 21.22)."""

_FIXED = {_IA_NA: 12, _IA_TA: 4, _IA_PD: 12}
"""Octets in front of the options of an identity association."""

_ADDRESS_SIZE, _PREFIX_SIZE, _PREFIX_AT = 24, 25, 8
"""Octets of an address with its lifetimes; of a prefix, and where its length stands."""

_MOST = 32
"""Options of an identity association that are read."""

_STATUS = {
    0: "success",
    1: "unspecified failure",
    2: "no addresses available",
    3: "no binding",
    4: "not on link",
    5: "use multicast",
    6: "no prefixes available",
}
"""Status codes in words (RFC 9915, 21.13)."""

_LONGEST = 400
"""Characters that are kept of what a server says."""


NO_ADDRESSES = 2
"""The status code of a server that has no address to give (NoAddrsAvail; RFC 9915, 21.13)."""

_PREFERENCE = 7
"""One octet; clients take the server with the highest (RFC 9915, 21.8)."""


class Answer6(NamedTuple):
    """What a message gives. `leases` are addresses and prefixes as text, `status` is empty for success.

    `codes` are the status codes but for success, `preference` is None where the server tells none.
    """

    leases: tuple[str, ...]
    boot_file: str
    status: str
    codes: tuple[int, ...] = ()
    preference: int | None = None


def answer(facts: Facts6) -> Answer6:
    """Return what a server's message gives, as far as it can be read."""
    leases: list[str] = []
    statuses = list(facts.legible.get(packet6.STATUS_CODE, ()))
    for code, fixed in _FIXED.items():
        for value in facts.legible.get(code, ()):
            for inner, start, end in packet6.walk(value, fixed, len(value), _MOST)[0]:
                octets = value[start:end]
                if inner == _IA_ADDRESS and len(octets) >= _ADDRESS_SIZE:
                    leases.append(str(IPv6Address(octets[:16])))
                elif inner == _IA_PREFIX and len(octets) >= _PREFIX_SIZE:
                    leases.append(f"{IPv6Address(octets[9:25])}/{octets[_PREFIX_AT]}")
                elif inner == packet6.STATUS_CODE:
                    statuses.append(octets)
    url = next(iter(facts.legible.get(packet6.BOOT_FILE_URL, ())), b"")
    told = [status for status in dict.fromkeys(map(_status, statuses)) if status]
    codes = dict.fromkeys(int.from_bytes(one[:2], "big") for one in statuses if len(one) > 1 and any(one[:2]))
    preference = next(iter(facts.legible.get(_PREFERENCE, ())), b"")
    return Answer6(
        tuple(dict.fromkeys(leases)),
        _text(url),
        "; ".join(told)[:_LONGEST],
        tuple(codes),
        preference[0] if len(preference) == 1 else None,
    )


def _status(value: bytes) -> str:
    """Return a status code in words, with what the server says; empty for success or what is no status."""
    if len(value) < 2:
        return ""
    code, text = int.from_bytes(value[:2], "big"), _text(value[2:])
    if not code:
        return ""
    name = _STATUS.get(code, f"status {code}")
    return f"{name}: {text}" if text else name


def _text(octets: bytes) -> str:
    return printable(octets[:_LONGEST].decode("utf-8", "backslashreplace"))[:_LONGEST]
