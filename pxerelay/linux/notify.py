"""The service manager's notification protocol (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time

_PATIENCE = 1.0
"""Seconds that packets may wait for a manager whose queue is full, where it waits for what it is told."""

_FOR_PEOPLE = "STATUS="
"""How what is only shown begins: packets do not wait for that."""


def notify(*assignments: str) -> None:
    """Tell the service manager, if one listens, such as `READY=1`; without one do nothing."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            only_shown = all(one.startswith(_FOR_PEOPLE) for one in assignments)
            sock.settimeout(0 if only_shown else _PATIENCE)
            sock.sendto("\n".join(assignments).encode(), address)
    except OSError:
        return  # a manager that went away is no reason to stop relaying


def reloading() -> None:
    """Tell that a reload begins; READY=1 ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
