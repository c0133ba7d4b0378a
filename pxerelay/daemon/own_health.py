"""Tells whoever asks how well this relay does (`relay.own_health`), and takes it out of rotation and back.

A relay that is out of rotation goes on relaying: who asks for its health is told to send clients elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from pxerelay.daemon.control import Handler, Response
from pxerelay.daemon.healthcheck import HealthCheck
from pxerelay.daemon.traffic import Traffic
from pxerelay.linux.drain_mark import DrainMark
from pxerelay.linux.log import LOGGER
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.relay import own_health
from pxerelay.relay.any_relay import AnyRelay
from pxerelay.relay.own_health import Finding, Reached, Trouble
from pxerelay.relay.recent import Recent


class InForce(NamedTuple):
    """The relays in force, of each family that is on, what moves their datagrams, and of which configuration.

    `answers` are for DNS names of servers; `named`: the first questions for these have ended.
    """

    relays: Sequence[AnyRelay[Any]]
    traffics: Sequence[Traffic[Any, Any]]
    answers: ResolvedNames
    sha256: str
    named: bool


class OwnHealth:
    """Judges by what is `in_force` when somebody asks; `reached` says whether a route leads to a server."""

    def __init__(
        self,
        in_force: Callable[[], InForce],
        recent: Recent,
        healthcheck: HealthCheck,
        reached: Reached,
        mark: DrainMark,
    ) -> None:
        self._in_force = in_force
        self._recent = recent
        self._healthcheck = healthcheck
        self._reached = reached
        self._mark = mark
        if self._mark.since() is not None:
            LOGGER.warning("%s: pxerelay undrain ends it", self._drained_text())

    def told(self) -> dict[str, Any]:
        """Return the state and its reasons, as `status --json` has them under `health`."""
        return own_health.described(list(self._findings()))

    def handlers(self) -> dict[str, Handler]:
        """Return what answers which command."""
        return {"health": self._health, "drain": self._drain, "undrain": self._undrain}

    def _findings(self) -> Iterator[Finding]:
        force = self._in_force()
        if self._mark.since() is not None:
            yield Finding(Trouble.DRAINED, self._drained_text())
        if not self._healthcheck.judged:
            yield Finding(
                Trouble.PROBES_OUTSTANDING, "the first answers of servers to our questions are awaited"
            )
        standing = self._healthcheck.standing
        yield from own_health.troubles_of_names(force.answers, named=force.named)
        for relay in force.relays:
            yield from own_health.troubles_of_servers(relay, standing, self._reached)
        for traffic in force.traffics:
            traffic.notice_overflow()
        yield from own_health.troubles_of_traffic(self._recent, asyncio.get_running_loop().time())

    def _drained_text(self) -> str:
        when = datetime.fromtimestamp(self._mark.since() or 0.0, timezone.utc)
        return f"out of rotation since {when.isoformat(timespec='seconds')}"

    async def _health(self, _: Mapping[str, Any]) -> Response:
        """Answer `pxerelay healthy`."""
        return {**self.told(), "sha256": self._in_force().sha256}

    async def _drain(self, _: Mapping[str, Any]) -> Response:
        before = self._mark.since()
        try:
            self._mark.set()
        except OSError as error:
            return self._refused(error)
        if before is None:
            LOGGER.info("taken out of rotation: it goes on relaying, and its health is `degraded`")
        return {"changed": before is None, "text": self._drained_text()}

    async def _undrain(self, _: Mapping[str, Any]) -> Response:
        before = self._mark.since()
        try:
            self._mark.remove()
        except OSError as error:
            return self._refused(error)
        if before is not None:
            LOGGER.info("back in rotation")
        return {"changed": before is not None, "text": "in rotation"}

    def _refused(self, error: OSError) -> dict[str, Any]:
        return {"error": f"nothing changed: {self._mark.path}: {error.strerror}"}
