"""Answers `pxerelay probe` in DHCPv6: sends a made-up client's SOLICIT, and collects the answers.

On a client interface it goes out as that of a client there would. With a link-address it goes out as if a
router with that address had relayed it to us.
"""

from __future__ import annotations

import os
from ipaddress import IPv6Address
from typing import Any, Protocol

from pxerelay.daemon.prober import Probe, ProbeError, Question, check, port_named
from pxerelay.relay.decision6 import MEANING6, Arrival6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.questions6 import Questions6, ReceivedReply6
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.transactions6 import transaction
from pxerelay.relay.words import server_names
from pxerelay.wire import eui64, packet6, probe6
from pxerelay.wire.answer6 import NO_ADDRESSES, answer
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet import Message

_UEFI = 7
"""What a client is that does not say it: 64-bit UEFI, which is what boots by DHCPv6 (RFC 5970, 3.3)."""


class Sender6(Protocol):
    """What sends requests as the relay does, and tells whoever asked of the replies."""

    questions: Questions6

    def send(self, message: Message, decision: ToServers6) -> list[str]:
        """Send a request of our own, and return what failed."""


async def ask(way: Sender6, relay: Relay6, asked: Question) -> dict[str, Any]:
    """Send a SOLICIT to the servers that the client belongs to, and return who answered what in time.

    As `prober.ask`. No address is taken, and no client hears of it.
    """
    check(way.questions, relay, asked)
    mac = asked.chaddr
    message = probe6.solicit(mac, os.urandom(3), asked.vendor_class, asked.architectures or (_UEFI,))
    question = transaction(Facts6(message))
    where: str | None = None
    if asked.link_address is not None:
        message = probe6.relayed(message, mac, asked.link_address.packed)
        arrival = Arrival6(message, 0, asked.link_address.packed, packet6.SERVER_PORT, packet6.UNSET)
        decision = relay.decide_on_taken(arrival, Facts6(message))
    else:
        port = port_named(relay.ports, asked.interface)
        where = port.name
        group, peer = packet6.ALL_RELAYS_AND_SERVERS, eui64.link_local(mac)
        arrival = Arrival6(message, port.index or 0, peer, packet6.CLIENT_PORT, group, mac)
        decision = relay.decide(arrival)
    if isinstance(decision, Dropped6):
        return {**Probe(relay, asked, where, ()).found, **_dropped(decision)}
    if isinstance(decision, ToPeer):
        raise ProbeError("a request is for no client")
    sent = Probe(relay, asked, where, decision.servers)
    link_address = asked.link_address or IPv6Address(decision.header[packet6.LINK_ADDRESS])
    sent.found["link_address"] = str(link_address)
    to = decision

    def take(reply: ReceivedReply6) -> bool:
        source = reply.arrival.source
        if isinstance(reply.decision, Dropped6) and (where or source not in relay.repliers):
            return False  # from no server of ours; the router that would get it may be made up
        asked_one = to.servers[0] if len(to.servers) == 1 else source
        return sent.answered(source, _plain(relay, reply, asked_one))

    return await sent.wait(way.questions, question, take, lambda: way.send(message, to), asked.seconds)


def _dropped(decision: Dropped6) -> dict[str, str]:
    """Tell why nothing is sent: for want of IPv6 addresses whose."""
    label = f" ({decision.match.choice.label})" if decision.match else ""
    return {"dropped": f"{MEANING6[decision.reason]}{label}"}


def _plain(relay: Relay6, reply: ReceivedReply6, asked: bytes) -> dict[str, Any]:
    """Tell an answer; if it comes from an address without a name, it is that of the one that was `asked`."""
    source, given = reply.arrival.source, answer(reply.facts)
    names = server_names(relay, source)
    known = [*names, str(IPv6Address(source))]
    if not names and asked != source:  # `accept_replies_from:` says that servers answer from elsewhere too
        known += [*server_names(relay, asked), str(IPv6Address(asked))]
    return {
        "known_as": known,
        "identifier": next(iter(reply.facts.legible.get(packet6.SERVER_ID, ())), b"").hex() or None,
        "address": given.leases[0] if given.leases else None,
        "addresses": list(given.leases),
        "boot_file": given.boot_file or None,
        "preference": given.preference,
        "status": given.status or None,
        "no_addresses": NO_ADDRESSES in given.codes,
    }
