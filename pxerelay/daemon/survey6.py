"""Answers `pxerelay doctor` in DHCPv6: sends a SOLICIT to each given server, and collects the answers."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

from pxerelay.daemon.any_survey import AnySurvey, Request
from pxerelay.daemon.prober6 import Sender6
from pxerelay.relay.decision6 import Drop6, Dropped6, ToServers6
from pxerelay.relay.questions6 import ReceivedReply6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.survey_request import ServerQuery, Survey
from pxerelay.relay.transactions6 import Transaction6, transaction
from pxerelay.wire import packet6, probe6
from pxerelay.wire.answer6 import NO_ADDRESSES, answer
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet import is_pxe

_Going = tuple[bytes, ToServers6]


async def ask(way: Sender6, relay: Relay6, survey: Survey) -> list[dict[str, Any]]:
    """Send a SOLICIT to each server, and return who answered what in time, in the order of the errands.

    As `AnySurvey.ask`.
    """
    return await _Survey6(way, relay, survey).ask()


class _Survey6(AnySurvey[Transaction6, ReceivedReply6, _Going]):
    xid_octets, address_name = 3, "link_address"

    def __init__(self, way: Sender6, relay: Relay6, survey: Survey) -> None:
        super().__init__(way.questions, survey)
        self._way = way
        self._relay = relay

    def _request(self, errand: ServerQuery, xid: bytes) -> Request[Transaction6, _Going] | str:
        asked = self._survey
        message = probe6.solicit(asked.chaddr, xid, asked.vendor_class, asked.architectures)
        decision = _addressed(self._relay, errand, message, asked.chaddr)
        if isinstance(decision, str):
            return decision
        link_address = IPv6Address(decision.header[packet6.LINK_ADDRESS])
        return Request(transaction(Facts6(message)), link_address, (message, decision))

    def _send(self, going: _Going) -> list[str]:
        return self._way.send(*going)

    def _is_taken(self, reply: ReceivedReply6, *, through_us: bool) -> bool:
        dropped = reply.decision.reason if isinstance(reply.decision, Dropped6) else None
        return dropped is None or (dropped is Drop6.NO_INTERFACE and not through_us)

    def _plain(self, reply: ReceivedReply6) -> dict[str, Any]:
        given = answer(reply.facts)
        return {
            "source": str(IPv6Address(reply.arrival.source)),
            "octets": len(reply.arrival.message),
            "dropped": reply.decision.reason.value if isinstance(reply.decision, Dropped6) else None,
            "address": next(iter(given.leases), None),
            "boot_file": given.boot_file or None,
            "status": given.status or None,
            "no_addresses": NO_ADDRESSES in given.codes,
            "port_4011": any(map(is_pxe, reply.facts.vendor_classes)),
        }


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
