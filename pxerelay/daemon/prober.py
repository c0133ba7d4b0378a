"""Answers `pxerelay probe`: sends a made-up client's DISCOVER by the mapping, and collects the answers.

`prober6` does the same with a SOLICIT.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Any, TypeVar

from pxerelay.config.findings import did_you_mean
from pxerelay.daemon.own_requests import Sender, answers_to, happens
from pxerelay.policy.port_table import AnyPort
from pxerelay.policy.servers import UNICAST6
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.decision import MEANING, Dropped, ToClient, ToServers
from pxerelay.relay.questions import AnyQuestions, Key, ReceivedReply, Reply
from pxerelay.relay.relay import Relay
from pxerelay.relay.words import named_server, server_names
from pxerelay.wire import packet, probe
from pxerelay.wire.mac import MacError, format_mac, parse_mac

_LONGEST = 30.0
"""Seconds that a probe waits for answers at most."""


_AT_ONCE = 4
"""Probes at the same time; each holds a slot of the control socket (`control`)."""


ASKER = "probe"
"""What `Questions.of` counts probes by."""


class ProbeError(Exception):
    """Nothing can be asked so; the message says why."""


@dataclass(frozen=True)
class Question:
    """Who is to ask: an Ethernet address, on which interface, with which vendor class and architectures.

    Without architectures the client is what most firmware of the family says. `seconds` is how long to wait,
    `expected` the server that should answer, by its name or address, if that is known. `families` are those
    to ask by, nothing for each that is on. `link_address` stands for a VLAN behind a router that relays
    DHCPv6 to us.
    """

    chaddr: bytes
    interface: str | None
    vendor_class: bytes
    architectures: tuple[int, ...]
    seconds: float
    expected: str | None
    families: frozenset[int] = frozenset()
    link_address: IPv6Address | None = None


def question(request: Mapping[str, Any]) -> Question:
    """Return what a request to the control socket asks for; ProbeError if that makes no sense."""
    try:
        return Question(
            chaddr=parse_mac(str(request["mac"])),
            interface=None if request.get("interface") is None else str(request["interface"]),
            vendor_class=str(request.get("vendor_class", "PXEClient")).encode()[:255],
            architectures=tuple(int(number) & 0xFFFF for number in request.get("architectures", ()))[:100],
            seconds=_bounded(float(request.get("seconds", 4))),
            expected=None if request.get("expected") is None else str(request["expected"]),
            families=frozenset(int(number) for number in request.get("families") or ()),
            link_address=_link_address(request.get("link_address")),
        )
    except MacError as error:
        raise ProbeError(str(error)) from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProbeError(f"not a question: {error!r}") from None


def _bounded(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise ValueError(f"{seconds} seconds")
    return min(max(seconds, 0.0), _LONGEST)


def _link_address(text: object) -> IPv6Address | None:
    if text is None:
        return None
    try:
        address = IPv6Address(str(text))
        if any(address in network for network in UNICAST6):
            return address
    except AddressValueError:
        pass
    raise ProbeError(f"{text} is no link-address: write the router's address there, such as 2001:db8:10::1")


class Probe:
    """One probe of either family: what was asked, and what came of it. `servers` have yet to answer."""

    def __init__(self, relay: Choosing, asked: Question, where: str | None, servers: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self.complete = asyncio.Event()
        self._now = loop.time
        self._start, self._missing = loop.time(), set(servers)
        self.found: dict[str, Any] = {
            "mac": format_mac(asked.chaddr),
            "interface": where,
            "servers": [str(named_server(relay, server)) for server in servers],
            "answers": [],
            "failures": [],
        }

    def answered(self, source: bytes, told: Mapping[str, Any]) -> bool:
        """Note an answer; return that it is taken."""
        milliseconds = round((self._now() - self._start) * 1000, 1)
        self.found["answers"].append({**told, "milliseconds": milliseconds})
        self._missing.discard(source)
        if not self._missing:
            self.complete.set()
        return True

    async def wait(
        self,
        questions: AnyQuestions[Key, Reply],
        transaction: Key,
        take: Callable[[Reply], bool],
        send: Callable[[], list[str]],
        seconds: float,
    ) -> dict[str, Any]:
        """Send what is to be asked, and return what was found once all have answered, or the time is over."""
        with answers_to(questions, ASKER, {transaction: take}):
            self.found["failures"] = send()
            if len(self.found["failures"]) < len(self.found["servers"]):
                await happens(self.complete, seconds)
        return self.found


async def ask(way: Sender, relay: Relay, asked: Question) -> dict[str, Any]:
    """Send a DISCOVER to the servers that the client belongs to, and return who answered what in time.

    Ends as soon as each server has answered. Raises ProbeError if there is no such client interface, or it
    waits, and if no server goes by the expected one's name.
    """
    check(way.questions, relay, asked)
    port = port_named(relay.ports, asked.interface)
    architectures = asked.architectures or (_BIOS,)
    message = probe.discover(asked.chaddr, os.urandom(4), asked.vendor_class, architectures)
    decision = relay.decide(message, port.index or 0, packet.UNSET)
    if isinstance(decision, Dropped):
        return {**Probe(relay, asked, port.name, ()).found, "dropped": MEANING[decision.reason]}
    assert isinstance(decision, ToServers)  # noqa: S101  # a request is for no client
    sent = Probe(relay, asked, port.name, decision.servers)

    def take(reply: ReceivedReply) -> bool:
        if not isinstance(reply.decision, ToClient):
            return False  # from no server of ours
        return sent.answered(reply.source, _plain(relay, reply))

    transaction = packet.transaction(message)
    return await sent.wait(
        way.questions, transaction, take, lambda: way.send(message, decision), asked.seconds
    )


_BIOS = 0
"""What a client is that does not say it: a PC with a BIOS (RFC 4578, 2.1)."""


def check(questions: AnyQuestions[Any, Any], relay: Choosing, asked: Question) -> None:
    """Raise ProbeError if others ask already, or if there is no server with the expected name."""
    if questions.of(ASKER) >= _AT_ONCE:
        raise ProbeError("others are asking already; try again in a moment")
    servers, expected = relay.config.servers, asked.expected
    if expected is not None and expected not in servers and not _is_address(expected):
        hint = did_you_mean(expected, servers) or "; give one of its `servers:`, or an address"
        raise ProbeError(f"the relay knows no server named '{expected}'{hint}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


_Port = TypeVar("_Port", bound=AnyPort)


def port_named(ports: Sequence[_Port], name: str | None) -> _Port:
    """Return a client interface that serves, without a name the only one; ProbeError if there is none."""
    active = [port for port in ports if not port.waiting]
    if name is None and len(active) == 1:
        return active[0]
    for port in ports:
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
