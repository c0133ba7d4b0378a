"""Judges what servers made of the DISCOVER that they were sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from pxerelay.relay.decision import MEANING, Drop
from pxerelay.tools.doctor.facts import Arrival, Asked, Facts, ServerAnswer, Sighting
from pxerelay.tools.doctor.network import filtered, is_filtered
from pxerelay.tools.doctor.plan import stand_ins
from pxerelay.tools.doctor.verdict import Code, Finding, Severity, error, note, warning
from pxerelay.wire import packet

_SLOW = 2000.0
"""Milliseconds; firmware asks again after four seconds (PXE 2.1, 2.2.3)."""

_HEADERS = 28
"""Octets of an IP and a UDP header (RFC 791, 3.1; RFC 768)."""

_LARGEST = 1472
"""Octets that the DISCOVER says its sender takes (option 57, `probe.discover`)."""

_EVERYONE = IPv4Address("255.255.255.255")

_LOGGED = (
    "Kea DHCP4_PACKET_NAK_0001, ISC dhcpd 'unknown network segment', dnsmasq 'no address range available'"
)
"""What servers log of a request whose giaddr is in no network that they know."""

_SILENCE = frozenset({Code.SERVER_SILENT, Code.NEXT_HOP_SILENT})
"""What is a warning where clients boot from another address of the same server."""


def findings(facts: Facts, asked: Asked, everyone: Sequence[Asked] = ()) -> Iterator[Finding]:
    """Yield what is wrong with what became of the requests to one server; `everyone` is who was asked."""
    subject = str(facts.named(asked.server))
    if asked.error:
        yield note(Code.NOT_CHECKED, subject, f"it was not asked: {asked.error}")
        return
    if asked.failures:
        yield _not_sent(subject, asked)
        return
    strangers = [answer for answer in asked.answers if answer.dropped == Drop.NOT_A_SERVER.value]
    taken = [answer for answer in asked.answers if _is_taken(asked, answer)]
    for source in dict.fromkeys(answer.source for answer in strangers):
        yield error(
            Code.ANSWER_FROM_STRANGER,
            subject,
            f"asked, and {source} answered, which is no server's address here: such answers are dropped",
            f"accept_replies_from: [{source}]",
        )
    for answer in asked.answers:
        if answer not in taken and answer not in strangers:
            yield _dropped(facts, asked, answer, subject)
    if not asked.answers:
        others = _who_answer_instead(facts, asked, everyone)
        for finding in _silent(facts, asked, subject):
            yield _softened(finding, others) if others and finding.code in _SILENCE else finding
    yield from _odd(facts, asked, subject)
    for answer in taken[:1]:
        yield from _fine(asked, answer, subject)


def _dropped(facts: Facts, asked: Asked, answer: ServerAnswer, subject: str) -> Finding:
    if answer.dropped == Drop.NOT_FROM_PORT_67.value:
        return error(
            Code.ANSWER_FROM_OTHER_PORT,
            subject,
            f"its answer came from another port than {packet.SERVER_PORT}, and such answers are dropped",
            "where NAT is on the way: have it leave port 67 as it is, or these answers untranslated; else, "
            "if every user of that host is trusted: source_ports: any",
        )
    if answer.dropped == Drop.SERVER_ON_CLIENT_INTERFACE.value:
        port = next((port for port in facts.ports if port.name == asked.interface), None)
        way = facts.way(answer.source, port.vrf if port else 0)
        out = f"leaves by {way.interface}" if way and not way.refused else "is not known here"
        return error(
            Code.ANSWER_BY_CLIENT_VLAN,
            subject,
            f"its answer came in on the client interface {answer.interface}, and the way to {answer.source} "
            f"{out}: such answers are dropped, for any client there could send them",
            f"have it answer by the way that requests take: ip route get {asked.giaddr}, on the server",
            f"or, if it is on {answer.interface}: ip route add {answer.source}/32 dev {answer.interface}",
        )
    return error(
        Code.ANSWER_DROPPED,
        subject,
        f"its answer was dropped: {MEANING[Drop(answer.dropped)]} (giaddr {answer.giaddr})",
        "the server must leave giaddr, and option 82, as they are in the request (RFC 2131, 4.1; "
        "RFC 3046, 2.2)",
    )


def _is_taken(asked: Asked, answer: ServerAnswer) -> bool:
    """Whether a client would have got an answer; one to a giaddr that is no VLAN's is taken by `doctor`."""
    through_us = asked.interface is not None
    return answer.dropped is None or (answer.dropped == Drop.NOT_OUR_GIADDR.value and not through_us)


def _who_answer_instead(facts: Facts, asked: Asked, everyone: Sequence[Asked]) -> tuple[IPv4Address, ...]:
    """Return the addresses that answer those who are sent to this one; empty if some of them have none."""

    def answers(server: IPv4Address) -> bool:
        of_it = [one for one in everyone if one.server == server]
        here = [one for one in of_it if one.interface == asked.interface]
        return any(_is_taken(one, answer) for one in here or of_it for answer in one.answers)

    found: dict[IPv4Address, None] = {}
    for group in stand_ins(facts, asked.server):
        answering = dict.fromkeys(server for server in group if answers(server))
        if not answering:
            return ()
        found |= answering
    return tuple(found)


def _softened(finding: Finding, others: tuple[IPv4Address, ...]) -> Finding:
    which = f"{', '.join(map(str, others))} of the same server {'answer' if others[1:] else 'answers'}"
    return replace(finding, severity=Severity.WARNING, message=f"{finding.message}; {which}")


def _not_sent(subject: str, asked: Asked) -> Finding:
    text = "; ".join(dict.fromkeys(asked.failures))
    advice = ["journalctl -u pxerelay tells of the daemon's own"]
    if "not permitted" in text:
        advice = [
            "a firewall of this host forbids it: allow UDP from port 67 to port 67 of the server "
            "(nft list ruleset; iptables -S)"
        ]
    return error(Code.NOT_SENT, subject, f"the request could not be sent: {text}", *advice)


def _silent(facts: Facts, asked: Asked, subject: str) -> Iterator[Finding]:
    place = f"asked from {asked.interface}" if asked.interface else f"asked with giaddr {asked.giaddr}"
    arrived = [sight for sight in asked.seen if sight.port == packet.SERVER_PORT]
    if arrived:
        yield _lost_here(facts, subject, arrived)
        return
    if any(sight.port != packet.SERVER_PORT for sight in asked.seen):
        return  # _odd tells
    if asked.no_arp:
        yield error(
            Code.NEXT_HOP_SILENT,
            subject,
            f"no answer, {place}: nothing on the way there answers ARP",
            f"is the server, or the router to it, up and on that network? ip route get {asked.server}; "
            "ip neighbour show",
        )
        return
    yield from _perhaps_filtered(facts, asked, subject)
    advice = (
        "is its DHCP or PXE service up, and do requests arrive there? "
        f"tcpdump -ni any host {asked.server} and udp port 67",
        "does it listen there? Kea does only where interfaces were up as it started; if nowhere, it logs "
        "DHCPSRV_NO_SOCKETS_OPEN, and runs on",
        f"has it a subnet that giaddr {asked.giaddr} is in? without one it logs: {_LOGGED}",
        f"has it a route back to {asked.giaddr}, and does no firewall on the way drop UDP port 67?",
        "does it answer only clients that it knows? then give it one: pxerelay doctor --mac MAC",
    )
    text = f"no answer within the time, {place}"
    if asked.interface is None:
        yield warning(
            Code.SERVER_SILENT,
            subject,
            f"{text}: no client interface is active here, so it was asked in the name of this host's "
            "network, which it may know nothing of",
            *advice,
        )
    else:
        yield error(Code.SERVER_SILENT, subject, text, *advice)


def _perhaps_filtered(facts: Facts, asked: Asked, subject: str) -> Iterator[Finding]:
    """Where the wire was not looked at: rp_filter dropped something meanwhile."""
    strict = [nic.name for nic in facts.nics.values() if nic.rp_filter == 1 and nic.name != "lo"]
    if not asked.watched and asked.filtered and strict:
        yield warning(
            Code.RP_FILTER,
            subject,
            f"rp_filter, strict on {', '.join(strict)}, dropped packets while its answer was awaited",
            "run this as root, and it tells whose they were",
        )


def _lost_here(facts: Facts, subject: str, arrived: list[Sighting]) -> Finding:
    for sight in arrived:
        if sight.refused and is_filtered(facts, sight.interface, sight.back):
            arrival = Arrival(sight.source, sight.destination, sight.interface, sight.back)
            return filtered(facts, arrival)
    last = arrived[-1]
    if last.fragmented:
        return error(
            Code.ANSWER_TOO_LARGE,
            subject,
            f"its answer of {last.octets} octets comes in fragments, and not all of them arrive",
            *_shorter(),
        )
    return error(
        Code.ANSWER_LOST_HERE,
        subject,
        f"its answer arrives on {last.interface}, to {last.destination}, and this host drops it",
        f"a firewall of this host is the likely reason: allow UDP from {last.source} to port 67 "
        "(nft list ruleset; iptables -S)",
        f"is {last.destination} an address of this host? ip address",
    )


def _odd(facts: Facts, asked: Asked, subject: str) -> Iterator[Finding]:
    """Yield what is wrong with where answers were sent to."""
    everyone = {address.network.broadcast_address for nic in facts.nics.values() for address in nic.addresses}
    told = [(answer.destination, packet.SERVER_PORT) for answer in asked.answers]
    places = dict.fromkeys([*told, *((sight.destination, sight.port) for sight in asked.seen)])
    for destination, port in places:
        if destination == _EVERYONE or (destination != asked.giaddr and destination in everyone):
            harm = (
                "which reaches this host only as both are on one network"
                if asked.answers
                else "and the relay does not get it"
            )
            finding = warning if asked.answers else error
            yield finding(
                Code.ANSWERS_BY_BROADCAST,
                subject,
                f"it answers by broadcast, to {destination} port {port}, not to giaddr {asked.giaddr}, "
                f"{harm}",
                "the server does not know relay agents, or is set to broadcast always: answers go to giaddr, "
                "port 67 (RFC 2131, 4.1)",
            )
        elif port != packet.SERVER_PORT:
            yield error(
                Code.ANSWER_TO_WRONG_PORT,
                subject,
                f"it answers to port {port} of {destination}; a relay listens on port 67 (RFC 2131, 4.1)",
                "mend or change the server",
            )
        elif destination != asked.giaddr:
            yield warning(
                Code.ANSWER_NOT_TO_GIADDR,
                subject,
                f"it answers to {destination}, not to giaddr {asked.giaddr} (RFC 2131, 4.1)",
                "look for address translation (NAT) on the way, and at the server's settings for relays",
            )


def _fine(asked: Asked, answer: ServerAnswer, subject: str) -> Iterator[Finding]:
    size, mtu = answer.octets + _HEADERS, asked.mtu
    split = any(sight.fragmented for sight in asked.seen)
    if answer.octets > _LARGEST:
        why = f"more than the {_LARGEST} that the client says it takes (option 57)"
        yield error(
            Code.ANSWER_TOO_LARGE, subject, f"its answer has {answer.octets} octets, {why}", *_shorter()
        )
    elif size > mtu:
        why = f"with headers more than the MTU of {asked.interface or 'the route'}, {mtu}"
        yield error(
            Code.ANSWER_TOO_LARGE, subject, f"its answer has {answer.octets} octets, {why}", *_shorter()
        )
    elif split:
        yield warning(
            Code.ANSWER_TOO_LARGE,
            subject,
            f"its answer of {answer.octets} octets comes in fragments: a link on the way has a smaller MTU",
            *_shorter(),
        )
    if answer.milliseconds > _SLOW:
        yield warning(
            Code.SERVER_SLOW,
            subject,
            f"it answered after {answer.milliseconds / 1000:.1f} s; firmware waits for four",
            "servers that first see whether an address is free take long: dnsmasq: no-ping; "
            "ISC dhcpd: ping-check off",
        )
    for service in asked.services:
        to = f"UDP port 4011 of {service.address}"
        if service.state == "closed":
            yield error(
                Code.PORT_4011_CLOSED,
                subject,
                f"its offer sends clients to {to}, and nothing listens there",
                "start the server's PXE service (proxyDHCP, boot server); or have its offer name the boot "
                "file, and no client asks there",
            )
        elif service.state != "answered":
            what = "no answer comes" if service.state == "silent" else service.state
            yield warning(
                Code.PORT_4011_SILENT,
                subject,
                f"its offer sends clients to {to}, and from this host {what}",
                "a firewall on the way? Clients go there themselves, not through the relay: allow UDP port "
                "4011 from their networks",
            )


def _shorter() -> tuple[str, ...]:
    return (
        "firmware can't join fragments: shorten what this server offers to PXE clients, or take options out",
    )
