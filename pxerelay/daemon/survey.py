"""Answers `pxerelay doctor`: sends a DISCOVER to each of the given servers, and collects the answers."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from pxerelay.daemon.any_survey import AnySurvey, Request
from pxerelay.daemon.own_requests import Sender
from pxerelay.relay.decision import Drop, Dropped, ToServers
from pxerelay.relay.questions import ReceivedReply
from pxerelay.relay.relay import Relay
from pxerelay.relay.survey_request import ServerQuery, Survey
from pxerelay.wire import bootserver, packet, probe
from pxerelay.wire.facts import Facts

_Going = tuple[bytearray, ToServers]


async def ask(way: Sender, relay: Relay, survey: Survey) -> list[dict[str, Any]]:
    """Send a DISCOVER to each server, and return who answered what in time, in the order of the errands.

    As `AnySurvey.ask`.
    """
    return await _Survey(way, relay, survey).ask()


class _Survey(AnySurvey[packet.Transaction, ReceivedReply, _Going]):
    xid_octets, address_name = 4, "giaddr"

    def __init__(self, way: Sender, relay: Relay, survey: Survey) -> None:
        super().__init__(way.questions, survey)
        self._way = way
        self._relay = relay

    def _request(self, errand: ServerQuery, xid: bytes) -> Request[packet.Transaction, _Going] | str:
        asked = self._survey
        message = probe.discover(asked.chaddr, xid, asked.vendor_class, asked.architectures)
        decision = _addressed(self._relay, errand, message)
        if isinstance(decision, str):
            return decision
        giaddr = IPv4Address(bytes(message[packet.GIADDR]))
        return Request(packet.transaction(message), giaddr, (message, decision))

    def _send(self, going: _Going) -> list[str]:
        return self._way.send(*going)

    def _is_taken(self, reply: ReceivedReply, *, through_us: bool) -> bool:
        dropped = reply.decision.reason if isinstance(reply.decision, Dropped) else None
        return dropped is None or (dropped is Drop.NOT_OUR_GIADDR and not through_us)

    def _plain(self, reply: ReceivedReply) -> dict[str, Any]:
        answer, source = probe.answer(reply.message), IPv4Address(reply.source)
        return {
            "source": str(source),
            "destination": str(IPv4Address(reply.destination)),
            "interface": reply.interface,
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
