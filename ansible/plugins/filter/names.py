"""Names in a host's variables that are nowhere defined, found before any host is touched."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

_NEAR = 0.9
"""How alike two names of variables are that one may be meant by the other, as difflib has it."""

_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")


def probe_faults(probes: Iterable[Mapping[str, Any]], interfaces: Any, servers: Any) -> list[str]:
    """Return one line for each probe of an interface or a server that the host's variables do not name."""
    lines = []
    names = list(interfaces or ())
    for number, probe in enumerate(probes, 1):
        said = f"pxerelay_probes: number {number}, {probe.get('mac')}"
        interface, server = probe.get("interface"), str(probe.get("server"))
        if interface and not any(fnmatchcase(str(interface), str(name)) for name in names):
            lines.append(
                f"{said}: {interface} is no entry of pxerelay_interfaces"
                f"{_did_you_mean(str(interface), map(str, names))}"
            )
        if not _ADDRESS.fullmatch(server) and server not in (servers or {}):
            lines.append(
                f"{said}: {server} is no entry of pxerelay_servers{_did_you_mean(server, servers or ())}"
            )
    return lines


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def misspelled(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Return one line for each name of a variable that is none of the role's, and nearly one."""
    lines = []
    for name in sorted(names):
        if name not in known and not name.startswith(("pxerelay_rule_", "pxerelay_rules_")):
            near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
            lines += [f"{name}: there is no such variable; did you mean {near[0]}?"] if near else []
    return lines


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {"misspelled": misspelled, "probe_faults": probe_faults}
