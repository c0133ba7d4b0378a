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


class Forms6:
    """Forms of clients' messages: of two with the same one, options 6, 16 and 61 are the same.

    So are the codes of all options, and their order; types and transactions may differ.
    """

    def __init__(self) -> None:
        self._fingerprints = AnyFingerprints(packet6.HEADER_SIZE)
        self.known = self._fingerprints.known

    def learn(self, message: Message) -> Fingerprint | None:
        """Return the form of a client's message, which is known from now on.

        None if it has none: its options can't be read to the end, or it is too large.
        """
        found = self.known(message)
        if found is not None or len(message) > LARGEST:
            return found
        octets = bytes(message)
        spans, whole = walk(octets, packet6.HEADER_SIZE, len(octets), MOST_OPTIONS)
        if not whole:
            return None
        looked_at = bytearray(len(octets))
        _look(looked_at, spans, _TELLING)
        return self._fingerprints.keep(message, bytes(looked_at[packet6.HEADER_SIZE :]))


class ReplyForm:
    """Where things stand in RELAY-REPLs of one form: what is for the client, and our Interface-Id.

    There is one only of those that bring a client's message, and no option 135.
    """

    __slots__ = ("inside", "interface_id")

    def __init__(self, inside: slice, interface_id: slice) -> None:
        self.inside, self.interface_id = inside, interface_id


class ReplyForms:
    """Forms of RELAY-REPLs: of two with the same one, what is wanted of them stands at the same places."""

    def __init__(self) -> None:
        self._fingerprints = AnyFingerprints(packet6.RELAY_HEADER_SIZE)
        self._forms: dict[Fingerprint, ReplyForm] = {}

    def known(self, message: Message) -> ReplyForm | None:
        """Return the form of a message if one like it was learnt."""
        found = self._fingerprints.known(message)
        return None if found is None else self._forms.get(found)

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
        looked_at = bytearray(len(octets))
        _look(looked_at, spans)
        looked_at[inside.start] = 0
        if len(self._forms) >= _MOST_FORMS:
            self._forms.clear()
        kept = self._fingerprints.keep(message, bytes(looked_at[packet6.RELAY_HEADER_SIZE :]))
        form = self._forms[kept] = ReplyForm(inside, _first(spans, packet6.INTERFACE_ID) or slice(0, 0))
        return form


_MOST_FORMS = 1024
"""Forms of replies that are known; with more, all are forgotten."""


def _look(looked_at: bytearray, spans: Iterable[Option], telling: Iterable[int] = ()) -> None:
    """Mark the codes and lengths of options, and the values of those that tell."""
    for code, start, end in spans:
        stop = end if code in telling else start
        looked_at[start - _HEAD : stop] = b"\xff" * (stop - start + _HEAD)


def _first(spans: Iterable[Option], code: int) -> slice | None:
    return next((slice(start, end) for found, start, end in spans if found == code), None)
