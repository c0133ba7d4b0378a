"""Asks named servers, whatever the mapping says, and tells what became of it: what `doctor` wants to know.

Each server gets a request of its own, so that an answer is known to be one to it, whoever it comes from.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from ipaddress import IPv4Address
from typing import Any, Protocol

from pxerelay.relay.decision import Drop, Dropped, ToServers
from pxerelay.relay.questions import Questions, ReceivedReply
from pxerelay.relay.relay import Relay
from pxerelay.relay.survey_request import MOST, ServerQuery, Survey, SurveyError
from pxerelay.wire import bootserver, packet, probe
from pxerelay.wire.facts import Facts

_ASKER = "survey"

_LATE = 10.0
"""Seconds for which an answer that comes too late still goes to no client."""

_MOST_ANSWERS = 8
"""Answers that are told of each server."""

_AT_ONCE = 2 * MOST
"""Requests of surveys that may be on their way at a time."""


class Sender(Protocol):
    """What sends requests as the relay does, and tells whoever watches of the replies."""

    questions: Questions

    def send(self, message: packet.Message, decision: ToServers) -> list[str]:
        """Send a request of our own, and return what failed."""


class _Asked:
    """One request, and what came of it."""

    def __init__(self, errand: ServerQuery, xid: bytes) -> None:
        self.answered = False
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
    mine: dict[packet.Transaction, _Asked] = {}

    def take(one: _Asked, start: float, reply: ReceivedReply) -> bool:
        if len(one.told["answers"]) < _MOST_ANSWERS:
            one.told["answers"].append(_plain(reply, (loop.time() - start) * 1000))
        dropped = reply.decision.reason if isinstance(reply.decision, Dropped) else None
        through_us = one.told["interface"] is not None
        one.answered |= dropped is None or (dropped is Drop.NOT_OUR_GIADDR and not through_us)
        if all(other.answered for other in mine.values()):
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
        transaction = packet.transaction(message)
        way.questions.begin(transaction, _ASKER, partial(take, one, loop.time()))
        mine[transaction] = one
        one.told["failures"] = way.send(message, decision)
        one.answered = bool(one.told["failures"])  # nothing to wait for
    try:
        if not all(one.answered for one in mine.values()):
            await asyncio.wait_for(complete.wait(), survey.seconds)
    except asyncio.TimeoutError:
        pass
    finally:
        for transaction in mine:
            way.questions.end(transaction)
            loop.call_later(_LATE, way.questions.forget, transaction)
    return [one.told for one in asked]


def _addressed(relay: Relay, errand: ServerQuery, message: bytearray) -> ToServers | str:
    """Return how a request goes to its server, or why it can't."""
    servers = (errand.server.packed,)
    if not relay.knows(errand.server):
        return f"{errand.server} is no server of the configuration in force"
    if errand.interface is None:
        if errand.giaddr is None:
            return "neither an interface nor an address to answer to is given"
        return relay.from_us(message, errand.giaddr, servers) or f"{errand.giaddr} is no address of this host"
    port = next((port for port in relay.ports if port.name == errand.interface), None)
    if port is None:
        return f"{errand.interface} is no client interface of the configuration in force"
    if port.waiting:
        return f"interface {port.name} waits: {port.waiting}"
    message[packet.HOPS] = 1
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
