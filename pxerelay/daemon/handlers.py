"""What the daemon does when it is asked over its control socket, but for reloading and telling its state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pxerelay.daemon import hearing, prober, probes, trace_stream
from pxerelay.daemon.control import Handler, Response
from pxerelay.daemon.flow import Flow
from pxerelay.daemon.slices import Slices
from pxerelay.daemon.traffic4 import Traffic4
from pxerelay.relay import survey_request
from pxerelay.relay.relay import Relay
from pxerelay.relay.trace import mapping_steps
from pxerelay.relay.unknown import described
from pxerelay.wire.mac import MacError, parse_mac

MOST_CLIENTS = 64
"""Clients that one question may be about."""


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
            "clients": self._clients,
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

    async def _clients(self, request: Mapping[str, Any]) -> Response:
        """Tell what the mapping says of some clients now, as `pxerelay web` wants it.

        By MAC: `mapping` (`relay.trace.mapping_of`), and `unknown` of one that fell to a default. For all of
        them once: `config`, and where clients are heard (`Watches.heard_at`). `seconds` is the processor time
        that it took, by which the page knows when it may ask again.
        """
        try:
            wanted = _macs(request.get("macs"))
        except MacError as error:
            return {"error": str(error)}
        slices, now = Slices(), asyncio.get_running_loop().time()
        ledger, relay = self._traffic.ledger, self._relay()
        views, strangers = list(ledger.watches.views.values()), ledger.unknown
        about = {"config": ledger.watches.config, **ledger.watches.heard_at()}
        pieces = []
        for mac, chaddr in wanted.items():
            mapping: list[Any] = []
            for view in views:
                found: list[Any] = []
                for step in mapping_steps(view, chaddr):
                    found = step
                    await slices.pause()
                mapping += found
            stranger = strangers.find(chaddr)
            told = {"mapping": mapping, "unknown": stranger and described(relay, stranger, now)}
            pieces.append(f"{json.dumps(mac)}: {json.dumps(told)}")
            await slices.pause()
        head = json.dumps(about)[:-1]
        return [f'{head}, "clients": {{{", ".join(pieces)}}}, "seconds": {slices.spent:.6f}}}'.encode()]

    async def _unknown(self, _: Mapping[str, Any]) -> Response:
        """Return what `pxerelay unknown` asks for, as JSON, and the processor time that it took."""
        slices, now = Slices(), asyncio.get_running_loop().time()
        found, relay = self._traffic.ledger.unknown, self._relay()
        pieces: dict[bool, list[bytes]] = {True: [], False: []}  # with a MAC, and without
        for one in found.newest_first():
            client = described(relay, one, now)
            if client:
                some = pieces[one.chaddr is not None]
                some.append((", " if some else "").encode() + json.dumps(client).encode())
            await slices.pause()
        rest = f'"most": {found.most}, "forgotten": {found.forgotten}, "overlooked": {found.overlooked}'
        return [
            b'{"clients": [',
            *pieces[True],
            b'], "without_mac": [',
            *pieces[False],
            f'], {rest}, "seconds": {slices.spent:.6f}}}'.encode(),
        ]


def _macs(names: object) -> dict[str, bytes]:
    """Return the octets of MACs by how they are spelled; MacError if they are none, or too many."""
    if not isinstance(names, list) or not 0 < len(names) <= MOST_CLIENTS:
        raise MacError(f"`macs` is a list of 1 to {MOST_CLIENTS} MACs")
    return {str(name): parse_mac(str(name)) for name in names}
