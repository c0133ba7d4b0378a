# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Proof that the daemon runs what was written, and that servers answer through it."""

from __future__ import annotations

import re
import time
from fnmatch import fnmatchcase

from ansible_collections.pxerelay.pxerelay.plugins.module_utils import package
from ansible_collections.pxerelay.pxerelay.plugins.module_utils.host import run

SETTLES = 5.0
"""Seconds in which interfaces that are there become active after a start, and a pair has agreed."""

TRIES = 4
"""Of a probe; firmware asks as often (PXE 2.1, 2.2.3)."""

_GLOB = re.compile(r"[*?\[]")


def mismatches(running: dict, wanted: dict) -> list:
    """Return one line for each way in which the daemon's `config` part of `status --json` is not WANTED.

    WANTED are checksums by path.
    """
    held = running.get("files") or {}
    lines = [f"its last reload was refused: {running['last_error']}"] if running.get("last_error") else []
    for path in sorted({*held, *wanted}):
        if path not in held:
            lines.append(f"{path}: not loaded")
        elif path not in wanted:
            lines.append(f"{path}: loaded, though this play does not write it")
        elif held[path] != wanted[path]:
            lines.append(f"{path}: sha256 {held[path]} is loaded, {wanted[path]} was written")
    return lines


def other_than(running: dict, wanted: dict, release: str | None) -> list:
    """Return lines on a daemon that runs another configuration than WANTED, or is of another build than RELEASE.

    RUNNING is its `status --json`, WANTED checksums by path; without RELEASE any build will do.
    """
    other = mismatches(running["config"], wanted)
    if other:
        return ["The daemon does not run the configuration of this play.", *other]
    if release and not package.is_running(release, running):
        return [f"The daemon that runs is {running['prefix']}, and not {release}."]
    return []


def waiting(interfaces: dict) -> dict:
    """Return the client interfaces that are not active, in a family that is relayed there, and why not."""
    found = {}
    for name, port in interfaces.items():
        reasons = []
        if port.get("state") not in ("active", "off"):
            reasons.append(str(port.get("waiting") or port.get("state")))
        of6 = port.get("ipv6")
        if of6 and of6.get("state") not in ("active", "off"):
            reasons.append(f"DHCPv6: {of6.get('waiting') or of6.get('state')}")
        if reasons:
            found[name] = "; ".join(reasons)
    return found


class Idle:
    """Whom the relay does not serve: lines for people.

    `names` are the entries of `interfaces` in its configuration, `routers` whether it takes what routers relay.
    """

    def __init__(self, status: dict, names: list, routers: bool) -> None:
        ports = status.get("interfaces") or {}
        waits = waiting(ports)
        globs = [name for name in names if _GLOB.search(name)]
        plain = set(names) - set(globs)
        self.named = [f"{name} waits: {why}" for name, why in sorted(waits.items()) if name in plain]
        self.others = [f"{name} waits: {why}" for name, why in sorted(waits.items()) if name not in plain]
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in ports):
                self.others.append(f'"{glob}" of pxerelay_interfaces stands for no interface of this host')
        self.nothing = []
        if not routers and not _any_active(ports):
            self.nothing.append(
                "nothing is relayed: no client interface is active, and pxerelay_accept_relayed_from names no router"
            )

    def lines(self) -> list:
        """Return all of them."""
        return [*self.named, *self.others, *self.nothing]

    def faults(self, required: bool | None) -> list:
        """Return those that are a failure: with True all, with False none, with None named interfaces."""
        if required is None:
            return self.named
        return self.lines() if required else []


def _any_active(ports: dict) -> bool:
    return any(
        port.get("state") == "active" or (port.get("ipv6") or {}).get("state") == "active"
        for port in ports.values()
    )


def stands_by(status: dict, addresses: list) -> bool:
    """Tell whether a host of a pair has the other one relay: an interface of the pair waits."""
    interfaces = status.get("interfaces") or {}
    of_pair = [interfaces.get(name, {}) for name in addresses]
    return any("waiting" in (one.get("state"), (one.get("ipv6") or {}).get("state")) for one in of_pair)


class Probes:
    """Asks servers in the name of clients, through the running daemon."""

    def __init__(self, socket: str, program: str) -> None:
        self._socket = socket
        self._program = program

    def unanswered(self, probes: list) -> list:
        """Return one line for each that was not answered by its server, however often it was tried."""
        lines = []
        for probe in probes:
            told = ""
            for attempt in range(TRIES):
                if attempt:
                    time.sleep(1)
                fine, told = self._ask(probe)
                if fine:
                    break
            else:
                lines.append(f"{probe['server']} did not answer: {told}")
        return lines

    def _ask(self, probe: dict) -> tuple:
        argv = [self._program, "probe", probe["mac"], "--expect", probe["server"], "--socket", self._socket]
        for key in ("interface", "arch", "family", "link_address"):
            if probe.get(key):
                argv += [f"--{key.replace('_', '-')}", str(probe[key])]
        code, out, err = run(argv)
        return code == 0, "; ".join(line.strip() for line in (out + err).strip().splitlines())
