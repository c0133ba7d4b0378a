"""Answers `pxerelay doctor`: sends a DISCOVER to each of the given servers, and collects the answers.

The mapping is not consulted. Each request has an xid of its own: so an answer belongs to the server that was
asked, whatever address it comes from.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from pxerelay.daemon.own_requests import Sender, answers_to, happens
from pxerelay.relay.decision import Drop, Dropped, ToServers
from pxerelay.relay.questions import ReceivedReply
from pxerelay.relay.relay import Relay
from pxerelay.relay.survey_request import MOST, ServerQuery, Survey, SurveyError
from pxerelay.wire import bootserver, packet, probe
from pxerelay.wire.facts import Facts

_ASKER = "survey"

_MOST_ANSWERS = 8
"""Answers that are returned of each server at most."""

_AT_ONCE = 2 * MOST
"""Requests of surveys that may be on their way at a time."""


class _Asked:
    """One request, and what came of it. `sent` is when it was, in monotonic seconds."""

    def __init__(self, errand: ServerQuery, xid: bytes) -> None:
        self.answered = False
        self.sent = 0.0
        self.told: dict[str, Any] = {
            "server": str(errand.server),
            "interface": errand.interface,
            "giaddr": None,
            "xid": xid.hex(),
            "error": None,
            "failures": [],
            "answers": [],
        }


async def ask(way: Sender, relay: Relay, survey: Survey) -> list[dict[str, Any]]:
    """Send a DISCOVER to each server, and return who answered what in time, in the order of the errands.

    Ends as soon as each server has answered. Raises SurveyError if too much is being asked already.
    """
    if way.questions.of(_ASKER) + len(survey.errands) > _AT_ONCE:
        raise SurveyError("others are asking already; try again in a moment")
    loop = asyncio.get_running_loop()
    complete, asked = asyncio.Event(), []
    requests: list[tuple[_Asked, bytearray, ToServers]] = []

    def take(one: _Asked, reply: ReceivedReply) -> bool:
        if len(one.told["answers"]) < _MOST_ANSWERS:
            one.told["answers"].append(_plain(reply, (loop.time() - one.sent) * 1000))
        dropped = reply.decision.reason if isinstance(reply.decision, Dropped) else None
        through_us = one.told["interface"] is not None
        one.answered |= dropped is None or (dropped is Drop.NOT_OUR_GIADDR and not through_us)
        if all(other.answered for other, *_ in requests):
            complete.set()
        return True

    for errand in survey.errands:
        xid = os.urandom(4)
        one = _Asked(errand, xid)
        asked.append(one)
        message = probe.discover(survey.chaddr, xid, survey.vendor_class, survey.architectures)
        decision = _addressed(relay, errand, message)
        if isinstance(decision, str):
            one.told["error"] = decision
            continue
        one.told["giaddr"] = str(IPv4Address(bytes(message[packet.GIADDR])))
        requests.append((one, message, decision))
    takers = {packet.transaction(message): partial(take, one) for one, message, _ in requests}
    with answers_to(way.questions, _ASKER, takers):
        for one, message, decision in requests:
            one.sent = loop.time()
            one.told["failures"] = way.send(message, decision)
            one.answered = bool(one.told["failures"])  # nothing to wait for
        if not all(one.answered for one, *_ in requests):
            await happens(complete, survey.seconds)
    return [one.told for one in asked]


def _addressed(relay: Relay, errand: ServerQuery, message: bytearray) -> ToServers | str:
    """Return how a request goes to its server, or why it can't."""
    servers = (errand.server.packed,)
    if not relay.knows(errand.server):
        return f"{errand.server} is no server of the configuration in force"
    if errand.interface is None:
        if errand.giaddr is None:
            return "neither an interface nor an address to answer to is given"
        assert isinstance(errand.giaddr, IPv4Address)  # noqa: S101  # as its server
        return relay.from_us(message, errand.giaddr, servers) or f"{errand.giaddr} is no address of this host"
    port = next((port for port in relay.ports if port.name == errand.interface), None)
    if port is None:
        return f"{errand.interface} is no client interface of the configuration in force"
    if port.waiting:
        return f"interface {port.name} waits: {port.waiting}"
    return relay.addressed(Facts(message), port, servers)


def _plain(reply: ReceivedReply, milliseconds: float) -> dict[str, Any]:
    answer, source = probe.answer(reply.message), IPv4Address(reply.source)
    return {
        "source": str(source),
        "destination": str(IPv4Address(reply.destination)),
        "interface": reply.interface,
        "milliseconds": round(milliseconds, 1),
        "octets": len(reply.message),
        "dropped": reply.decision.reason.value if isinstance(reply.decision, Dropped) else None,
        "giaddr": str(IPv4Address(bytes(reply.message[packet.GIADDR]))),
        "identifier": str(answer.identifier) if answer.identifier else None,
        "address": str(answer.address) if answer.address else None,
        "boot_file": answer.boot_file or None,
        "boot_servers": [
            [str(service.address), service.kind] for service in bootserver.services(reply.message, source)
        ],
    }
