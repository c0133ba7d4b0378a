"""DHCPv6 messages that look alike: of clients, and of servers around messages to clients.

As `option_fingerprint`: what is known of one message is known of all that have its length, and the same
octets wherever a reader looks for what matters.
"""

from __future__ import annotations

from collections.abc import Iterable

from pxerelay.wire import packet6
from pxerelay.wire.facts6 import MOST_OPTIONS
from pxerelay.wire.option_fingerprint import LARGEST, AnyFingerprints, Fingerprint
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import Option, walk
from pxerelay.wire.relayed6 import MOST_OPTIONS_OF_REPLY

_TELLING = frozenset({packet6.OPTION_REQUEST, packet6.VENDOR_CLASS, packet6.CLIENT_ARCH})
"""What clients say in these options tells whether they boot, and which classes they are of."""

_HEAD = packet6.OPTION_HEADER.size


class Forms6(AnyFingerprints[Fingerprint]):
    """Forms of clients' messages: of two with the same one, options 6, 16 and 61 are the same.

    So are the codes of all options, and their order; types and transactions may differ.
    """

    def learn(self, message: Message) -> Fingerprint | None:
        """Return the form of a client's message, which is known from now on.

        None if it has none: its options can't be read to the end, or it is too large.
        """
        found = self.known(message)
        if found is not None or len(message) > LARGEST:
            return found
        octets = bytes(message)
        spans, whole = walk(octets, packet6.HEADER_SIZE, len(octets), MOST_OPTIONS)
        return (
            self.keep(Fingerprint(octets, _looked_at(octets, spans, _TELLING)), len(octets))
            if whole
            else None
        )


class ReplyForm(Fingerprint):
    """Where things stand in RELAY-REPLs of one form: what is for the client, and our Interface-Id.

    There is one only of those that bring a client's message, and no option 135.
    """

    __slots__ = ("inside", "interface_id", "kind")

    def __init__(self, octets: Message, looked_at: bytes, inside: slice, interface_id: slice) -> None:
        super().__init__(octets, looked_at)
        self.inside, self.interface_id, self.kind = inside, interface_id, inside.start


class ReplyForms(AnyFingerprints[ReplyForm]):
    """Forms of RELAY-REPLs: of two with the same one, what is wanted of them stands at the same places.

    With `tells_server` they also come from servers with one DUID.
    """

    def __init__(self, *, tells_server: bool = False) -> None:
        super().__init__()
        self._tells_server = tells_server

    def learn(self, message: Message) -> ReplyForm | None:
        """Return the form of a RELAY-REPL with a whole header, which is known from now on.

        None if it has none.
        """
        found = self.known(message)
        if found is not None or len(message) > LARGEST:
            return found
        octets = bytes(message)
        spans, whole = walk(octets, packet6.RELAY_HEADER_SIZE, len(octets), MOST_OPTIONS_OF_REPLY)
        inside = _first(spans, packet6.RELAY_MESSAGE)
        if not whole or inside is None or _first(spans, packet6.RELAY_SOURCE_PORT):
            return None
        if inside.stop - inside.start < packet6.HEADER_SIZE or octets[inside.start] == packet6.RELAY_REPL:
            return None
        interface_id = _first(spans, packet6.INTERFACE_ID) or slice(0, 0)
        looked_at = bytearray(_looked_at(octets, spans))
        if self._tells_server:
            spans, whole = walk(octets, inside.start + packet6.HEADER_SIZE, inside.stop, MOST_OPTIONS)
            if not whole:
                return None
            looked_at[inside] = _looked_at(octets, spans, (packet6.SERVER_ID,))[inside]
        form = ReplyForm(octets, bytes(looked_at), inside, interface_id)
        return self.keep(form, len(octets))


def _looked_at(octets: bytes, spans: Iterable[Option], telling: Iterable[int] = ()) -> bytes:
    """Return 0xff for the codes and lengths of options, and the values of those that tell; 0 for the rest."""
    found = bytearray(len(octets))
    for code, start, end in spans:
        stop = end if code in telling else start
        found[start - _HEAD : stop] = b"\xff" * (stop - start + _HEAD)
    return bytes(found)


def _first(spans: Iterable[Option], code: int) -> slice | None:
    return next((slice(start, end) for found, start, end in spans if found == code), None)
