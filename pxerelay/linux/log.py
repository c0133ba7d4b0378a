"""Log lines to stderr: with journald's priority prefix, or without one on a terminal (sd-daemon(3)).

Where journald reads stderr, messages about a client, an interface or a server go to it with fields that say
so (`fields`, `journal`).

Logging must never hold up packets: where stderr is a pipe or a socket that nobody empties, or a file on a
disk that is full, lines are dropped and counted.
"""

from __future__ import annotations

import logging
import os
import select

from pxerelay.linux import journal
from pxerelay.linux.streams import STDERR
from pxerelay.wire.text import printable_lines

LOGGER = logging.getLogger("pxerelay")

_LONGEST = 16384
"""Characters of one message; of a longer one the rest is not told."""

_PIECE = 4096
"""Octets that a pipe with room takes at once, without waiting (PIPE_BUF, pipe(7))."""


class _Formatter(logging.Formatter):
    """Bounds a message, and leaves nothing but text in it.

    `journal`: each line of it is `<N>text`, N the syslog priority (RFC 5424, 6.2.1).
    """

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = printable_lines(super().format(record))
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}\n... and {len(text) - _LONGEST} characters more"
        if not self._journal:
            return text
        prefix = f"<{journal.PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in text.splitlines())


class PatientHandler(logging.Handler):
    """Writes what a pipe, socket or file takes without waiting; drops and counts messages beyond that."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._rest = b""
        self._dropped = 0
        self._reason = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message, or count it if one before it is not through yet."""
        if not self._through():
            self._dropped += 1
            return
        lost = ""
        if self._dropped:
            text = f"{self._dropped} messages were not logged: {self._reason}"
            lost = (
                self.format(logging.LogRecord(LOGGER.name, logging.WARNING, "", 0, text, None, None)) + "\n"
            )
            self._dropped = 0
        self._rest = f"{lost}{self.format(record)}\n".encode("utf-8", "backslashreplace")
        self._through()

    def _through(self) -> bool:
        """Write what is left of the last message; whether all of it is written."""
        while self._rest:
            if not any(event & select.POLLOUT for _, event in self._poll.poll(0)):
                self._reason = "nobody was reading them"
                return False
            try:
                self._rest = self._rest[os.write(self._descriptor, self._rest[:_PIECE]) :]
            except OSError as error:
                self._reason = os.strerror(error.errno or 0)
                return False
        return True


def set_up(*, debug: bool) -> None:
    """Log to stderr; with `debug` each decision too."""
    handler: logging.Handler = PatientHandler(STDERR)
    handler.setFormatter(_Formatter(journal=not os.isatty(STDERR)))
    if journal.is_journal(STDERR):
        handler = journal.JournalHandler(handler)
        handler.setFormatter(_Formatter(journal=False))
    logging.getLogger().addHandler(handler)  # so that what asyncio has to say does not wait for stderr either
    LOGGER.setLevel(logging.DEBUG if debug else logging.INFO)


class Limiter:
    """Lets a kind of message through once per interval and counts what it kept back."""

    KINDS = 1024
    """Kinds that are told apart; when there are more, all are forgotten, and may speak again."""

    def __init__(self, interval: float = 10.0) -> None:
        self._interval = interval
        self._next: dict[object, float] = {}
        self._active: dict[object, int] = {}

    def allow(self, kind: object, now: float) -> int | None:
        """Return None to keep silent, else how many of this kind were kept back before.

        `now` is a monotonic time in seconds.
        """
        if now < self._next.get(kind, 0.0):
            self._active[kind] = self._active.get(kind, 0) + 1
            return None
        if len(self._next) >= self.KINDS:
            self._next.clear()
            self._active.clear()
        self._next[kind] = now + self._interval
        return self._active.pop(kind, 0)
