"""What to do where nothing came: by what was heard of a client, in the words of docs/troubleshooting.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTHING_HEARD = (
    "The request does not get here, or this host's firewall drops it. Is the machine on and trying? Is its "
    "switch port in this VLAN, and does the VLAN end at this host?"
)
DEFAULT_SAYS = "No rule names it: is the MAC in the mapping this card's?"
NOT_ANSWERED = (
    "The server does not answer, or its answer does not get here. Is it up, has it a scope for the subnet of "
    "giaddr, a route to giaddr that leads here?"
)
BY_ROUTER = "Its requests come through a router, so servers answer that router; replies can't be seen here"
NO_BOOT_FILE = (
    "The machine does not take it: no boot file (another server's offer may have it), or the reply does not "
    "reach it: look on the wire"
)
ANSWERED = (
    "The relay's work is done. TFTP or HTTP from next_server, or port 4011, is between machine and server: "
    "firewall, route, the file itself."
)
WAITING = "Link or address is missing on this host"

_DEFAULTS = frozenset({"default", "interface-default"})

_LATER = 4.0
"""Seconds after which firmware asks again, if nothing came (PXE 2.1, 2.2.3)."""


def advice(seen: Mapping[int, Mapping[str, Any]], start: Mapping[str, Any], now: float) -> list[str]:
    """Return what to look at, of a client that was seen, or not; `start` is the daemon's word on it.

    `now` is seconds since 1970.
    """
    if not seen:
        behind = " Behind a router: is this host its ip helper-address, and is it in accept_relayed_from?"
        return [NOTHING_HEARD + behind, *(f"{state}: {WAITING}" for state in start.get("waiting", ()))]
    lines = list[str]()
    for family, known in sorted(seen.items()):
        head = "DHCPv6: " if family == 6 else ""
        lines += [head + line for line in _of_family(known, now)]
    return list(dict.fromkeys(lines))


def _of_family(known: Mapping[str, Any], now: float) -> list[str]:
    asked, answered = known.get("asked"), known.get("answered")
    lines = []
    if asked and asked["dropped"]:
        return [f"dropped: {asked['meaning']}"]
    if asked and asked["reason"] in _DEFAULTS:
        lines.append(DEFAULT_SAYS)
    if answered and (not asked or answered["at"] >= asked["at"] - _LATER):
        if answered["dropped"]:
            lines.append(f"dropped: {answered['meaning']}")
        elif answered["boot_file"]:
            lines.append(ANSWERED)
        elif answered["message"] in {"OFFER", "ADVERTISE"}:
            lines.append(NO_BOOT_FILE)
    elif asked and asked["router"]:
        lines.append(BY_ROUTER)
    elif asked and now - asked["at"] > _LATER:
        lines.append(NOT_ANSWERED)
    return lines
