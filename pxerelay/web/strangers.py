"""Clients that fell to a default, as the page shows them and as YAML to copy."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pxerelay.linux.vendors import vendors
from pxerelay.relay.unknown import as_yaml
from pxerelay.wire.mac import MacError, parse_mac

MOST_SHOWN = 500
"""Clients of one page; a filter finds others."""


def shown(
    answer: Mapping[str, Any], text: str, *, pxe: bool, age: float = 0.0
) -> tuple[list[dict[str, Any]], int]:
    """Return clients that a text is in, newest first, and how many there are of them.

    The text is looked for in MAC, DUID, interface, router, vendor class and vendor, in any case. Those whose
    MAC nobody told are among them. The answer is `age` seconds old.
    """
    lowered = text.lower().strip()
    both = sorted((*answer["clients"], *answer["without_mac"]), key=lambda client: float(client["last_ago"]))
    found = [client for client in both if client["pxe"] or not pxe]
    if lowered:
        names = _vendors(found)
        found = [client for client in found if _has(client, lowered, names.get(client["mac"], ""))]
    listed = found[:MOST_SHOWN]
    names = _vendors(listed)
    aged = [
        {
            **client,
            "vendor": names.get(client["mac"], ""),
            "first_ago": client["first_ago"] + round(age),
            "last_ago": client["last_ago"] + round(age),
        }
        for client in listed
    ]
    return aged, len(found)


def yaml_of(clients: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """Return rules that say what applies already, to be changed and put in the mapping."""
    dated = []
    for client in clients:
        times = {
            f"{when}_seen": f"{now - timedelta(seconds=client[f'{when}_ago']):%Y-%m-%d %H:%M}"
            for when in ("first", "last")
        }
        dated.append({**client, **times})
    what = "fell to a default, newest first; put the right server in" if dated else "nobody fell to a default"
    known = [client for client in dated if client["mac"]]
    nameless = [client for client in dated if not client["mac"]]
    return as_yaml(known, f"{what}; pxerelay web, {now:%Y-%m-%d %H:%M}", nameless)


def _vendors(clients: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the vendors of clients by MAC, where this host has a copy of their registry."""
    octets: dict[bytes, str] = {}
    for client in clients:
        if client["mac"]:
            with contextlib.suppress(MacError):
                octets[parse_mac(client["mac"])] = client["mac"]
    return {octets[address]: name for address, name in vendors(octets).items()}


def _has(client: Mapping[str, Any], lowered: str, vendor: str) -> bool:
    digits = lowered.replace(":", "").replace("-", "").replace(".", "")
    if digits and digits in str(client["mac"] or "").replace(":", ""):
        return True
    texts = (client["interface"], client["router"], client["vendor_class"], vendor, client["duid"])
    return any(text and lowered in str(text).lower() for text in texts)
