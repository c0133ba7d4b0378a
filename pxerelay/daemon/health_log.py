"""Log lines about servers' states, at a bounded rate for each server.

Clients that a server has no answer for can make it doubtful again and again. Changes beyond the rate are not
logged, but the last line about a server always is its present state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pxerelay.policy.servers import Address
from pxerelay.relay.health import News

_BURST, _EVERY = 6, 20.0
"""Lines about one server at once, as many as two falls have, and seconds until one more may follow."""


@dataclass
class _Lines:
    """How many lines there may be, as of when; the newest change that was not told, how many there are."""

    left: float
    since: float
    held: News | None = None
    count: int = 0

    def take(self, now: float) -> bool:
        self.left = min(self.left + (now - self.since) / _EVERY, float(_BURST))
        self.since = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class HealthLog:
    """Bounds the rate of lines. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._servers: dict[Address, _Lines] = {}

    def lines(self, news: Iterable[News], now: float) -> Iterator[tuple[bool, str]]:
        """Yield what is to be logged now, of this news and of what was kept back: whether to warn, the text.

        Called now and then also without news, so that what was kept back is told.
        """
        for one in news:
            lines = self._servers.setdefault(one.server, _Lines(float(_BURST), now))
            if lines.held is None and lines.take(now):
                yield one.warn, one.text
            else:
                lines.held, lines.count = one, lines.count + 1
        for lines in self._servers.values():
            if lines.held and lines.take(now):
                others = lines.count - 1
                more = f" ({others} changes before this one were not told)" if others else ""
                yield lines.held.warn, lines.held.text + more
                lines.held, lines.count = None, 0

    def keep(self, servers: Iterable[Address]) -> None:
        """Forget all servers but these."""
        wanted = set(servers)
        self._servers = {server: lines for server, lines in self._servers.items() if server in wanted}
