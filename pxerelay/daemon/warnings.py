"""What goes wrong with messages, in the log: each kind at a bounded rate, with what to do about it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, ip_address

from pxerelay.linux.fields import Fields
from pxerelay.linux.log import LOGGER, Limiter
from pxerelay.linux.outbox import Failure
from pxerelay.relay.account import Account
from pxerelay.relay.choosing import Choosing
from pxerelay.relay.decision import MEANING, Drop
from pxerelay.relay.words import client_mac, server_names
from pxerelay.wire import packet

_IPV4_OCTETS = 4


class Warnings:
    """Warns. What a line is about is looked up only for those that are logged."""

    def __init__(self) -> None:
        self._limiter = Limiter()

    def dropped(self, reason: Drop, message: packet.Message, interface: str, source: bytes) -> None:
        """Tell of a message that was dropped, by the name of the interface and the sender's 4 octets."""
        sender = str(IPv4Address(source))

        def about() -> Fields:
            servers = (sender,) if message[packet.OP] == packet.BOOTREPLY else ()
            return Fields(client_mac(message), interface, servers, reason=reason.value)

        self.warn(reason, f"dropped a message from {sender} on {interface}: {MEANING[reason]}", about)

    def failed(self, failure: Failure, relay: Choosing) -> None:
        """Tell of what could not be sent: of servers each, of clients, who claim any address, together."""
        hint = (_CLIENT_HINTS if failure.to_client else _SERVER_HINTS).get(failure.errno, "")
        kind = (None if failure.to_client else failure.destination, failure.errno)

        def about() -> Fields:
            alone = len(failure.messages) == 1 and len(failure.destination) == _IPV4_OCTETS
            mac = client_mac(failure.messages[0]) if alone else ""
            address = str(ip_address(failure.destination))
            family = "" if len(failure.destination) == _IPV4_OCTETS else "6"
            if failure.to_client:
                return Fields(mac, family=family, peer=address if family else "")
            names = server_names(relay, failure.destination)
            return Fields(mac, servers=(*names, address), family=family)

        self.warn(kind, f"{_failure_text(failure)}{hint}", about)

    def bug(self, what: str) -> None:
        """Tell what came of a fault of ours, which is being handled, and where it is."""
        if self._limiter.allow("bug", time.monotonic()) is not None:
            LOGGER.exception("a fault of pxerelay: %s; please report it", what)

    def warn(self, kind: object, text: str, about: Callable[[], Fields] = Fields) -> None:
        """Log a warning, but each kind at a bounded rate."""
        held = self._limiter.allow(kind, time.monotonic())
        if held is not None:
            more = f" ({held} more of these since the last)" if held else ""
            LOGGER.warning("%s%s", text, more, extra=about().extra)


def fields_of(account: Account) -> Fields:
    """Return what a log line about a message is found by."""
    servers = (account.server,) if account.server else account.servers
    spellings = (text for server in servers for text in (server.name, server.address) if text)
    interface = account.out or account.interface
    return Fields(account.mac, interface, tuple(dict.fromkeys(spellings)), account.rule, account.dropped)


def failure_texts(failures: Iterable[Failure]) -> list[str]:
    """Return failures of one message, those of its fragments once."""
    return list(dict.fromkeys(map(_failure_text, failures)))


def _failure_text(failure: Failure) -> str:
    return f"could not send to {ip_address(failure.destination)}: {os.strerror(failure.errno)}"


_SERVER_HINTS = {
    errno.ENETUNREACH: "; add a route to it on this host, in the clients' VRF if they are in one",
    errno.EACCES: "; it is a broadcast address here, requests go to servers' own addresses only",
    errno.EINVAL: "; is `source_address` or `giaddr` an address of this host?",
    errno.EAGAIN: "; the send buffer is full: of requests to servers that do not answer ARP, or for a slow "
    "link; net.core.wmem_max bounds it",
}
"""What to do about an errno of a request."""

_CLIENT_HINTS = {
    errno.EMSGSIZE: "; the interface's MTU became smaller",
    errno.EAGAIN: "; the link is too slow, and the send buffer full; net.core.wmem_max bounds it",
}
"""What an errno of a reply means."""
