"""Log entries with fields, by the journal's own protocol.

An entry is one datagram to journald's socket (systemd.io, Native Journal Protocol): a line `NAME=value` for
each field; of a value with line breaks the name, a line break, its length in 64 bits, little-endian, and the
value. Messages are bounded, so none needs the memory file that the protocol has for those too large for a
datagram.

python-systemd and logging-journald do the same, but wait where journald does not read.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from pxerelay.linux.fields import ATTRIBUTE, Fields

SOCKET = Path("/run/systemd/journal/socket")

PRIORITY = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
"""Severities of syslog (RFC 5424, 6.2.1)."""

_IDENTIFIER = "pxerelay"

_FACILITY_DAEMON = 3
"""A facility of syslog (RFC 5424, 6.2.1)."""

_LENGTH = struct.Struct("<Q")


def is_journal(descriptor: int) -> bool:
    """Whether journald reads what is written there: $JOURNAL_STREAM names that file (systemd.exec(5))."""
    found = os.fstat(descriptor)
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def entry(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return the datagram of an entry with these fields."""
    octets = bytearray()
    for name, value in pairs:
        text = value.encode("utf-8", "backslashreplace")
        if b"\n" in text:
            octets += name.encode() + b"\n" + _LENGTH.pack(len(text)) + text + b"\n"
        else:
            octets += name.encode() + b"=" + text + b"\n"
    return bytes(octets)


class JournalHandler(logging.Handler):
    """Gives messages with `Fields` to journald; what has none, or can't be given to it, goes to `plain`.

    So the last words of a daemon that can't start go the old way: journald knows whose they are also once
    we have ended. Entries that journald does not take without waiting are dropped and counted.
    """

    def __init__(self, plain: logging.Handler, path: Path = SOCKET) -> None:
        super().__init__()
        self._plain = plain
        self._path = str(path)  # by name each time, for a journald that was started again has another socket
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send a message, or count it."""
        fields = getattr(record, ATTRIBUTE, None)
        try:
            if not isinstance(fields, Fields):
                self._plain.handle(record)
                return
            if self._dropped:
                lost = f"{self._dropped} messages were not logged: the journal did not take them"
                self._send(logging.WARNING, lost)
                self._dropped = 0
            self._send(record.levelno, self.format(record), fields)
        except BlockingIOError:
            self._dropped += 1
        except OSError:  # nobody is there
            self._plain.handle(record)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()

    def _send(self, level: int, text: str, fields: Fields = Fields()) -> None:  # noqa: B008  # it is immutable
        known = (
            ("MESSAGE", text),
            ("PRIORITY", str(PRIORITY.get(level, PRIORITY[logging.INFO]))),
            ("SYSLOG_IDENTIFIER", _IDENTIFIER),
            ("SYSLOG_FACILITY", str(_FACILITY_DAEMON)),
        )
        self._socket.sendto(entry((*known, *fields.pairs())), self._path)
