"""Answers `pxerelay probe`: sends a made-up client's DISCOVER by the mapping, and collects the answers."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from pxerelay.config.findings import did_you_mean
from pxerelay.daemon.own_requests import Sender, answers_to, happens
from pxerelay.policy.ports import Port
from pxerelay.relay.decision import MEANING, Dropped, ToClient, ToServers
from pxerelay.relay.questions import ReceivedReply
from pxerelay.relay.relay import Relay
from pxerelay.relay.words import named_server, server_names
from pxerelay.wire import packet, probe
from pxerelay.wire.mac import MacError, format_mac, parse_mac

_LONGEST = 30.0
"""Seconds that a probe waits for answers at most."""


_AT_ONCE = 4
"""Probes at the same time; each holds a slot of the control socket (`control`)."""


_ASKER = "probe"


class ProbeError(Exception):
    """Nothing can be asked so; the message says why."""


@dataclass(frozen=True)
class Question:
    """Who is to ask: an Ethernet address, on which interface, options 60 and 93; and how long to wait.

    `expected` is the server that should answer, by its name or address, if that is known.
    """

    chaddr: bytes
    interface: str | None
    vendor_class: bytes
    architectures: tuple[int, ...]
    seconds: float
    expected: str | None


def question(request: Mapping[str, Any]) -> Question:
    """Return what a request to the control socket asks for; ProbeError if that makes no sense."""
    try:
        return Question(
            chaddr=parse_mac(str(request["mac"])),
            interface=None if request.get("interface") is None else str(request["interface"]),
            vendor_class=str(request.get("vendor_class", "PXEClient")).encode()[:255],
            architectures=tuple(int(number) & 0xFFFF for number in request.get("architectures", (0,)))[:100],
            seconds=_bounded(float(request.get("seconds", 4))),
            expected=None if request.get("expected") is None else str(request["expected"]),
        )
    except MacError as error:
        raise ProbeError(str(error)) from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProbeError(f"not a question: {error!r}") from None


def _bounded(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise ValueError(f"{seconds} seconds")
    return min(max(seconds, 0.0), _LONGEST)


async def ask(way: Sender, relay: Relay, asked: Question) -> dict[str, Any]:
    """Send a DISCOVER to the servers that the client belongs to, and return who answered what in time.

    Ends as soon as each server has answered. Raises ProbeError if there is no such client interface, or it
    waits, and if no server goes by the expected one's name.
    """
    if way.questions.of(_ASKER) >= _AT_ONCE:
        raise ProbeError("others are asking already; try again in a moment")
    _check_name(relay, asked.expected)
    port = _port(relay, asked.interface)
    message = probe.discover(asked.chaddr, os.urandom(4), asked.vendor_class, asked.architectures)
    decision = relay.decide(message, port.index or 0, packet.UNSET)
    found: dict[str, Any] = {
        "mac": format_mac(asked.chaddr),
        "interface": port.name,
        "servers": [],
        "answers": [],
        "failures": [],
    }
    if isinstance(decision, Dropped):
        return {**found, "dropped": MEANING[decision.reason]}
    assert isinstance(decision, ToServers)  # noqa: S101  # a request is for no client
    found["servers"] = [str(named_server(relay, server)) for server in decision.servers]
    loop = asyncio.get_running_loop()
    start, missing, complete = loop.time(), set(decision.servers), asyncio.Event()

    def take(reply: ReceivedReply) -> bool:
        if not isinstance(reply.decision, ToClient):
            return False  # from no server of ours
        milliseconds = round((loop.time() - start) * 1000, 1)
        found["answers"].append({**_plain(relay, reply), "milliseconds": milliseconds})
        missing.discard(reply.source)
        if not missing:
            complete.set()
        return True

    with answers_to(way.questions, _ASKER, {packet.transaction(message): take}):
        found["failures"] = way.send(message, decision)
        if len(found["failures"]) < len(decision.servers):
            await happens(complete, asked.seconds)
    return found


def _check_name(relay: Relay, expected: str | None) -> None:
    servers = relay.config.servers
    if expected is not None and expected not in servers and not _is_address(expected):
        hint = did_you_mean(expected, servers) or "; give one of its `servers:`, or an address"
        raise ProbeError(f"the relay knows no server named '{expected}'{hint}")


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def _port(relay: Relay, name: str | None) -> Port:
    active = [port for port in relay.ports if not port.waiting]
    if name is None and len(active) == 1:
        return active[0]
    for port in relay.ports:
        if port.name == name:
            if port.waiting:
                raise ProbeError(f"interface {port.name} waits: {port.waiting}")
            return port
    names = ", ".join(port.name for port in active) or "none"
    if name is None:
        raise ProbeError(f"say on which client interface, of those that are active: {names}")
    raise ProbeError(f"{name} is no client interface of this relay; those that are active: {names}")


def _plain(relay: Relay, reply: ReceivedReply) -> dict[str, Any]:
    answer = probe.answer(reply.message)
    names = server_names(relay, reply.source)
    known = [*names, str(IPv4Address(reply.source))]
    if not names and answer.identifier:  # `accept_replies_from:` says that servers answer from elsewhere too
        known += [*server_names(relay, answer.identifier.packed), str(answer.identifier)]
    return {
        "known_as": known,
        "identifier": str(answer.identifier) if answer.identifier else None,
        "address": str(answer.address) if answer.address else None,
        "next_server": str(answer.next_server) if answer.next_server else None,
        "boot_file": answer.boot_file or None,
    }
