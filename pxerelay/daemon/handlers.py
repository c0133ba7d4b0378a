"""What the daemon does when it is asked over its control socket, but for reloading and telling its state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pxerelay.daemon import hearing, prober, probes, trace_stream
from pxerelay.daemon.control import Handler, Response
from pxerelay.daemon.flow import Flow
from pxerelay.daemon.traffic4 import Traffic4
from pxerelay.relay import survey_request
from pxerelay.relay.relay import Relay
from pxerelay.relay.unknown import described

_PIECE = 32
"""Clients that are told of at once: less than a millisecond's work."""


class Handlers:
    """Answers by `traffic`, and by the relay that is in force when somebody asks.

    `flows` returns the families that are on.
    """

    def __init__(
        self, traffic: Traffic4, relay: Callable[[], Relay], flows: Callable[[], Sequence[Flow]]
    ) -> None:
        self._traffic = traffic
        self._relay = relay
        self._flows = flows

    def handlers(self) -> dict[str, Handler]:
        """Return what answers which command."""
        return {
            "probe": self._probe,
            "survey": self._survey,
            "hear": self._hear,
            "trace": self._trace,
            "client": self._client,
            "unknown": self._unknown,
        }

    async def _probe(self, request: Mapping[str, Any]) -> Response:
        """Ask servers in the name of a client, as `pxerelay probe` wants it."""
        try:
            return await probes.ask(self._flows(), prober.question(request))
        except prober.ProbeError as error:
            return {"error": str(error)}

    async def _survey(self, request: Mapping[str, Any]) -> Response:
        """Ask servers whatever the mapping says, as `pxerelay doctor` wants it."""
        try:
            asked = survey_request.read(request)
            flows = {flow.family: flow for flow in self._flows()}
            found: dict[survey_request.ServerQuery, dict[str, Any]] = {}
            for family in dict.fromkeys(one.server.version for one in asked.errands):
                if family not in flows:
                    raise survey_request.SurveyError(f"DHCPv{family} is off here")
                part = asked.of(family)
                found |= zip(part.errands, await flows[family].survey(part), strict=True)
            return {"asked": [found[one] for one in asked.errands]}
        except survey_request.SurveyError as error:
            return {"error": str(error)}

    async def _hear(self, request: Mapping[str, Any]) -> Response:
        """Listen for a message of `pxerelay doctor`."""
        try:
            sound = hearing.read(request)
            flow = next((one for one in self._flows() if one.family == sound.family), None)
            if flow is None:
                raise hearing.HearingError(f"DHCPv{sound.family} is off here")
            return {"heard": await flow.hear(sound)}
        except hearing.HearingError as error:
            return {"error": str(error)}

    async def _trace(self, request: Mapping[str, Any]) -> Response:
        """Follow clients, as `pxerelay trace` wants it."""
        return trace_stream.begin(self._traffic.ledger.watches, request)

    async def _client(self, request: Mapping[str, Any]) -> Response:
        """Tell what the mapping says of a client now, as `pxerelay web` wants it."""
        return trace_stream.look(self._traffic.ledger.watches, request)

    async def _unknown(self, _: Mapping[str, Any]) -> Response:
        """Return what `pxerelay unknown` asks for, as JSON; between its pieces packets have their turn."""
        found, loop, relay = self._traffic.ledger.unknown, asyncio.get_running_loop(), self._relay()
        strangers = found.newest_first()
        pieces: dict[bool, list[str]] = {True: [], False: []}  # with a MAC, and without
        for start in range(0, len(strangers), _PIECE):
            for one in strangers[start : start + _PIECE]:
                client = described(relay, one, loop.time())
                if client:
                    pieces[one.chaddr is not None].append(json.dumps(client))
            await asyncio.sleep(0)
        return (
            f'{{"clients": [{", ".join(pieces[True])}], "without_mac": [{", ".join(pieces[False])}], '
            f'"most": {found.most}, '
            f'"forgotten": {found.forgotten}, "overlooked": {found.overlooked}}}'
        ).encode()
