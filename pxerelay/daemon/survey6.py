"""Answers `pxerelay doctor` in DHCPv6: sends a SOLICIT to each given server, and collects the answers.

As `survey` does in DHCPv4: the mapping is not consulted, and each message has an xid of its own.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from pxerelay.daemon.own_requests import answers_to, happens
from pxerelay.daemon.prober6 import Sender6
from pxerelay.relay.decision6 import Drop6, Dropped6, ToServers6
from pxerelay.relay.questions6 import ReceivedReply6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.survey_request import MOST, ServerQuery, Survey, SurveyError
from pxerelay.relay.transactions6 import transaction
from pxerelay.wire import packet6, probe6
from pxerelay.wire.answer6 import NO_ADDRESSES, answer
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet import is_pxe

_ASKER = "survey"

_MOST_ANSWERS = 8
"""Answers that are returned of each server at most."""

_AT_ONCE = 2 * MOST
"""Messages of surveys that may be on their way at a time."""

_XID_OCTETS = 3
"""Octets of a transaction id (RFC 9915, 8)."""


class _Asked:
    """One message, and what came of it. `sent` is when it was, in monotonic seconds."""

    def __init__(self, errand: ServerQuery) -> None:
        self.answered = False
        self.sent = 0.0
        self.told: dict[str, Any] = {
            "server": str(errand.server),
            "interface": errand.interface,
            "link_address": None,
            "error": None,
            "failures": [],
            "answers": [],
        }


async def ask(way: Sender6, relay: Relay6, survey: Survey) -> list[dict[str, Any]]:
    """Send a SOLICIT to each server, and return who answered what in time, in the order of the errands.

    Ends as soon as each server has answered. Raises SurveyError if too much is being asked already.
    """
    if way.questions.of(_ASKER) + len(survey.errands) > _AT_ONCE:
        raise SurveyError("others are asking already; try again in a moment")
    loop = asyncio.get_running_loop()
    complete, asked = asyncio.Event(), []
    requests: list[tuple[_Asked, bytes, ToServers6]] = []

    def take(one: _Asked, reply: ReceivedReply6) -> bool:
        if len(one.told["answers"]) < _MOST_ANSWERS:
            one.told["answers"].append(_plain(reply, (loop.time() - one.sent) * 1000))
        dropped = reply.decision.reason if isinstance(reply.decision, Dropped6) else None
        through_us = one.told["interface"] is not None
        one.answered |= dropped is None or (dropped is Drop6.NO_INTERFACE and not through_us)
        if all(other.answered for other, *_ in requests):
            complete.set()
        return True

    for errand in survey.errands:
        one = _Asked(errand)
        asked.append(one)
        xid = os.urandom(_XID_OCTETS)
        message = probe6.solicit(survey.chaddr, xid, survey.vendor_class, survey.architectures)
        decision = _addressed(relay, errand, message, survey.chaddr)
        if isinstance(decision, str):
            one.told["error"] = decision
            continue
        one.told["link_address"] = str(IPv6Address(decision.header[packet6.LINK_ADDRESS]))
        requests.append((one, message, decision))
    takers = {transaction(Facts6(message)): partial(take, one) for one, message, _ in requests}
    with answers_to(way.questions, _ASKER, takers):
        for one, message, decision in requests:
            one.sent = loop.time()
            one.told["failures"] = way.send(message, decision)
            one.answered = bool(one.told["failures"])  # nothing to wait for
        if not all(one.answered for one, *_ in requests):
            await happens(complete, survey.seconds)
    return [one.told for one in asked]


def _addressed(relay: Relay6, errand: ServerQuery, message: bytes, mac: bytes) -> ToServers6 | str:
    """Return how a message goes to its server, or why it can't."""
    servers = (errand.server.packed,)
    if not relay.knows(errand.server):
        return f"{errand.server} is no server of the configuration in force"
    if errand.interface is None:
        if errand.giaddr is None:
            return "neither an interface nor an address to answer to is given"
        return relay.addressed_from(message, mac, errand.giaddr.packed, 0, servers)
    port = next((port for port in relay.ports if port.name == errand.interface), None)
    if port is None:
        return f"{errand.interface} is no client interface of DHCPv6 of the configuration in force"
    if port.waiting:
        return f"interface {port.name} waits: {port.waiting}"
    return relay.addressed(message, mac, port, servers)


def _plain(reply: ReceivedReply6, milliseconds: float) -> dict[str, Any]:
    given = answer(reply.facts)
    return {
        "source": str(IPv6Address(reply.arrival.source)),
        "milliseconds": round(milliseconds, 1),
        "octets": len(reply.arrival.message),
        "dropped": reply.decision.reason.value if isinstance(reply.decision, Dropped6) else None,
        "address": next(iter(given.leases), None),
        "boot_file": given.boot_file or None,
        "status": given.status or None,
        "no_addresses": NO_ADDRESSES in given.codes,
        "port_4011": any(map(is_pxe, reply.facts.vendor_classes)),
    }
