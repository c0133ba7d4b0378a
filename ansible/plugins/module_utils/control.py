# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The daemon's control socket: a line of JSON there, a line of JSON back."""

from __future__ import annotations

import json
import os
import socket
import time

TIMEOUT = 5.0
"""Seconds in which a daemon answers that is well."""

RELOAD_TIMEOUT = 90.0
"""Seconds for a reload: all rules are read and checked."""

_LARGEST = 16 << 20


class NoDaemonError(Exception):
    """Nobody answers at the control socket; the message says why."""


def ask(path: str, command: str, timeout: float = TIMEOUT, **more: object) -> dict:
    """Send the daemon a command with its arguments, and return its answer; NoDaemonError if there is none."""
    end = time.monotonic() + timeout
    octets = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(timeout)
            sock.connect(path)
            sock.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
            while not octets.endswith(b"\n"):
                sock.settimeout(max(end - time.monotonic(), 0.01))
                piece = sock.recv(1 << 16)
                if not piece:
                    raise NoDaemonError(f"the daemon at {path} hung up")
                octets += piece
                if len(octets) > _LARGEST:
                    raise NoDaemonError(f"what answers at {path} is no pxerelay")
        except socket.timeout:
            raise NoDaemonError(f"the daemon at {path} has not answered within {timeout:g} s") from None
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise NoDaemonError(
                f"no daemon answers at {path} ({reason}); journalctl -u pxerelay tells why"
            ) from None
    try:
        answer = json.loads(octets)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NoDaemonError(f"what answers at {path} is no pxerelay")
    return answer


def status(path: str, seconds: float = 0.0) -> dict:
    """Return what the daemon says of itself; with `seconds`, as soon as it answers in that time."""
    end = time.monotonic() + seconds
    while True:
        try:
            return ask(path, "status")
        except NoDaemonError:
            if time.monotonic() >= end:
                raise
        time.sleep(0.2)
