"""Judges what servers made of the SOLICIT that they were sent."""

from __future__ import annotations

from collections.abc import Iterator

from pxerelay.relay.decision6 import MEANING6, Drop6
from pxerelay.tools.doctor.facts6 import Asked6, HostFacts6, ServerAnswer6, Sighting6
from pxerelay.tools.doctor.verdict import Code, Finding, error, note, warning
from pxerelay.wire.packet6 import SERVER_PORT


def findings(facts: HostFacts6, asked: Asked6) -> Iterator[Finding]:
    """Yield what is wrong with what became of the requests to one server."""
    subject = str(facts.named(asked.server))
    if asked.error:
        yield note(Code.NOT_CHECKED, subject, f"it was not asked: {asked.error}")
        return
    if asked.failures:
        text = "; ".join(dict.fromkeys(asked.failures))
        advice = "journalctl -u pxerelay tells of the daemon's own; a firewall here? nft list ruleset"
        yield error(Code.NOT_SENT, subject, f"the request could not be sent: {text}", advice)
        return
    strangers = [one for one in asked.answers if one.dropped == Drop6.NOT_A_SERVER.value]
    taken = [one for one in asked.answers if is_taken(asked, one)]
    for source in dict.fromkeys(answer.source for answer in strangers):
        yield error(
            Code.ANSWER_FROM_STRANGER,
            subject,
            f"asked, and {source} answered, which is no server's address here: such answers are dropped",
            f'accept_replies_from: ["{source}"]',
            "or give the server one address: ISC dhcpd and dnsmasq answer from whichever of theirs the "
            "kernel picks, mostly the newest",
        )
    for answer in asked.answers:
        if answer not in taken and answer not in strangers:
            yield error(
                Code.ANSWER_DROPPED,
                subject,
                f"its answer from {answer.source} was dropped: {MEANING6[Drop6(answer.dropped)]}",
                "the server must return Interface-Id (option 18) and link-address as they are in the request "
                "(RFC 9915, 19.3)",
            )
    if not asked.answers:
        yield _lost(subject, asked.seen[-1]) if asked.seen else _silent(asked, subject)
    for answer in taken[:1]:
        yield from _fine(asked, answer, subject)


def is_taken(asked: Asked6, answer: ServerAnswer6) -> bool:
    """Whether a client would have got an answer; one for no interface is taken by `doctor`."""
    through_us = asked.interface is not None
    return answer.dropped is None or (answer.dropped == Drop6.NO_INTERFACE.value and not through_us)


def _lost(subject: str, seen: Sighting6) -> Finding:
    """Tell of an answer that came in, and that the relay did not get."""
    if seen.port != SERVER_PORT:
        return error(
            Code.ANSWER_TO_WRONG_PORT,
            subject,
            f"it answers to port {seen.port} of {seen.destination}; a relay agent listens on port "
            f"{SERVER_PORT} (RFC 9915, 7.2)",
            "mend or change the server",
        )
    if seen.fragmented:
        return error(
            Code.ANSWER_TOO_LARGE,
            subject,
            "its answer comes in fragments, and not all of them arrive",
            "shorten what this server offers to clients that boot, or take options out; does a firewall on "
            "the way drop fragments?",
        )
    return error(
        Code.ANSWER_LOST_HERE,
        subject,
        f"its answer arrives on {seen.interface}, to {seen.destination}, and this host drops it",
        f"a firewall of this host is the likely reason: allow UDP from {seen.source} to port {SERVER_PORT} "
        "(nft list ruleset; ip6tables -S)",
        f"is {seen.destination} an address of this host? ip -6 address",
    )


def _silent(asked: Asked6, subject: str) -> Finding:
    server, place = asked.server, f"asked from {asked.interface}" if asked.interface else "asked by this host"
    advice = (
        f'Kea: `interfaces` must name the address, "eth0/{server}": "eth0" alone hears link-local addresses '
        "and ff02::1:2, and no relay agent",
        f"ISC dhcpd: it must run with -6, and have a `subnet6` for the link that {server} is on, and one "
        f"that link-address {asked.link_address} is in",
        f"is the service up, and do requests arrive there? tcpdump -ni any host {server} and udp port 547",
        f"has it a route back to this host ({asked.link_address} or the source of the request), and does no "
        "firewall on the way drop UDP port 547?",
        "does it answer only clients that it knows? then give it one: pxerelay doctor --mac MAC",
    )
    text = f"no answer within the time, {place} with link-address {asked.link_address}"
    if asked.interface is None:
        return warning(
            Code.SERVER_SILENT, subject, f"{text}: it may know nothing of this host's network", *advice
        )
    return error(Code.SERVER_SILENT, subject, text, *advice)


def _fine(asked: Asked6, answer: ServerAnswer6, subject: str) -> Iterator[Finding]:
    if answer.no_addresses and not answer.address:
        yield error(
            Code.NO_SUBNET_THERE,
            subject,
            f"it answered that it has no addresses ({answer.status}): it has no subnet, or none left, for "
            f"link-address {asked.link_address}",
            f"give it a subnet that {asked.link_address} is in, with a pool; or set `link_address` to an "
            "address of this host that it has one for",
        )
    elif not answer.boot_file:
        yield warning(
            Code.NO_BOOT_FILE,
            subject,
            "its answer to a client that boots from the network has no boot file (option 59)",
            "give it one, by the class of PXE clients: Kea `bootfile-url`, ISC dhcpd dhcp6.bootfile-url, "
            "dnsmasq dhcp-option=option6:bootfile-url,tftp://[ADDRESS]/FILE",
        )
    if answer.port_4011:
        yield note(
            Code.ASKS_PORT_4011,
            subject,
            "its answer has option 16 `PXEClient`: UEFI then asks that server at UDP port 4011 before it "
            "boots, and boots nothing without an answer",
            "take option 16 out of the answer, unless something listens there",
        )
