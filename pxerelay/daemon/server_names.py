"""DNS names of servers: asked for again and again; what they stand for is put into force when it differs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pxerelay.linux import names
from pxerelay.linux.tasks import end
from pxerelay.policy.model import Config
from pxerelay.policy.resolved import ResolvedName, ResolvedNames

_WAITED_FOR = 1.0
"""Seconds that the end of the start waits for DNS answers; packets do not wait for it."""


class ServerNames:
    """Asks for the names of the configuration in force, which `config` returns.

    `obey` puts answers into force; `answers` are those that are.
    """

    def __init__(self, config: Callable[[], Config], obey: Callable[[ResolvedNames], None]) -> None:
        self.answers = ResolvedNames()
        self._config = config
        self._obey = obey
        self._client = names.DnsClient(self._take_late_answer)
        self._log = names.DnsLog()
        self._has_names = asyncio.Event()
        self._first: asyncio.Task[None] | None = None

    @property
    def asked(self) -> bool:
        """Whether the first questions have ended."""
        return self._first is not None and self._first.done()

    def unasked(self, config: Config) -> ResolvedNames:
        """Return the answers before the first ones."""
        return self.answers.renewed(dict.fromkeys(config.dns_names, names.NOT_YET))

    def in_force(self, config: Config, answers: ResolvedNames) -> None:
        """Take what is in force from now on."""
        self.answers = answers
        if config.dns_names:
            self._has_names.set()
        else:
            self._has_names.clear()  # nothing to ask for, and so no reason to wake up

    async def begin(self) -> None:
        """Ask for the first time, and wait for the answers a while."""
        self._first = asyncio.get_running_loop().create_task(self._renew())
        await asyncio.wait((self._first,), timeout=_WAITED_FOR)

    async def close(self) -> None:
        """Wait for no first answers any more."""
        if self._first is not None:
            await end((self._first,))

    async def follow(self) -> None:
        """Ask again and again."""
        if self._first is not None:
            await self._first
        while True:
            await self._has_names.wait()
            await asyncio.sleep(names.INTERVAL)
            await self._renew()

    async def ask(self, config: Config) -> ResolvedNames:
        """Return what the names of a configuration stand for now."""
        fresh = self.answers.renewed(await self._client.resolve_for(config))
        self._log.tell(fresh, self.answers)
        return fresh

    async def _renew(self) -> None:
        """Ask; what is in force stays until an answer differs."""
        config = self._config()
        answers = await self.ask(config)
        if answers != self.answers and config is self._config():  # no reload came in between
            self._obey(answers)

    def _take_late_answer(self, name: str, answer: ResolvedName) -> None:
        """Put an answer into force that came after its round, if the name is still one of a server."""
        if name in self.answers.by_name:
            fresh = self.answers.updated(name, answer)
            self._log.tell(fresh, self.answers)
            if fresh != self.answers:
                self._obey(fresh)
