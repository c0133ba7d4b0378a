"""Log lines to stderr: with journald's priority prefix, or without one on a terminal (sd-daemon(3))."""

from __future__ import annotations

import logging
import sys

LOGGER = logging.getLogger("pxerelay")

_PRIORITY = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


class _JournalFormatter(logging.Formatter):
    """`<N>text`, each line of it, with the syslog priority N (RFC 5424, 6.2.1)."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def set_up(*, debug: bool) -> None:
    """Log to stderr; with `debug` each decision too."""
    handler = logging.StreamHandler(sys.stderr)
    if not sys.stderr.isatty():
        handler.setFormatter(_JournalFormatter())
    LOGGER.addHandler(handler)
    LOGGER.propagate = False
    LOGGER.setLevel(logging.DEBUG if debug else logging.INFO)


class Limiter:
    """Lets a kind of message through once per interval and counts what it kept back."""

    def __init__(self, interval: float = 10.0) -> None:
        self._interval = interval
        self._next: dict[object, float] = {}
        self._held: dict[object, int] = {}

    def allow(self, kind: object, now: float) -> int | None:
        """Return None to keep silent, else how many of this kind were kept back before.

        `now` is a monotonic time in seconds. Kinds must come from a bounded set.
        """
        if now < self._next.get(kind, 0.0):
            self._held[kind] = self._held.get(kind, 0) + 1
            return None
        self._next[kind] = now + self._interval
        return self._held.pop(kind, 0)
