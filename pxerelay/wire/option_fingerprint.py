"""Messages whose options look alike, in either family.

What options 60 and 93 say is known of a message as soon as another one was read that has the same length,
the same octets wherever a reader looks for codes and lengths, and the same octets in these two options.
In DHCPv6 these are options 6, 16 and 61 (`form6`).
All that firmware of one kind sends looks alike so. To compare some octets of a message and not the others
is one operation on a large number, ten times as fast as reading options one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from pxerelay.wire import packet
from pxerelay.wire.facts import Facts

LARGEST = 1472
"""Octets of a message that may have one: those of an Ethernet frame's packet."""

_MOST_OF_LENGTH, _MOST = 16, 1024
"""Fingerprints of one length, and in all, that are kept; when there are more, those are forgotten."""

_TELLING = frozenset({packet.VENDOR_CLASS, packet.CLIENT_ARCH})


class Fingerprint:
    """One way that options look; of two messages with the same one, options 60 and 93 are the same.

    `mask` has a one for each bit that must be that of `value`, in the number that the octets make.
    """

    __slots__ = ("mask", "value")

    def __init__(self, octets: packet.Message, looked_at: bytes) -> None:
        """Make that of octets; `looked_at` has 0xff, not 0, wherever another message's must be the same."""
        self.mask = int.from_bytes(looked_at, "little")
        self.value = int.from_bytes(octets, "little") & self.mask


_One = TypeVar("_One", bound=Fingerprint)


class AnyFingerprints(Generic[_One]):
    """The fingerprints met so far, of messages that come in one Ethernet frame.

    `start` is where the octets begin that are compared.
    """

    def __init__(self, start: int = 0) -> None:
        self._start = start
        self._of_length: dict[int, list[_One]] = {}
        self._count = 0

    def known(self, message: packet.Message) -> _One | None:
        """Return the fingerprint of a message if one like it was learnt."""
        known = self._of_length.get(len(message))
        if known:
            number = int.from_bytes(message[self._start :] if self._start else message, "little")
            for one in known:
                if number & one.mask == one.value:
                    return one
        return None

    def keep(self, found: _One, length: int) -> _One:
        """Know messages of a length from now on that have this fingerprint."""
        if self._count >= _MOST:
            self._of_length.clear()
            self._count = 0
        known = self._of_length.setdefault(length, [])
        if len(known) >= _MOST_OF_LENGTH:
            self._count -= len(known)
            known.clear()
        known.append(found)
        self._count += 1
        return found


class Fingerprints(AnyFingerprints[Fingerprint]):
    """Those of DHCPv4. `telling` are options whose values they have in common, beyond 60 and 93."""

    def __init__(self, telling: Iterable[int] = ()) -> None:
        super().__init__(packet.HEADER_SIZE)
        self._telling = _TELLING.union(telling)

    def learn(self, facts: Facts) -> Fingerprint | None:
        """Return the fingerprint of a message, which is known from now on.

        None means that it has none: there is no magic cookie, an option is cut off, there are too many, or
        options continue in other fields; or it is too large.
        """
        message = facts.message
        found = self.known(message)
        if found is not None or len(message) > LARGEST:
            return found
        looked_at = _looked_at(facts, self._telling)
        if looked_at is None:
            return None
        return self.keep(Fingerprint(message[packet.HEADER_SIZE :], looked_at), len(message))


def _looked_at(facts: Facts, telling: AbstractSet[int]) -> bytes | None:
    """Return 0xff for each octet behind the fixed header that a reader of the telling options looks at.

    0 stands for the others. None where more than these octets decides what the options say.
    """
    if facts.end is None:
        return None
    size = len(facts.message) - packet.HEADER_SIZE
    start = packet.OPTIONS - packet.HEADER_SIZE
    looked_at = bytearray(size)
    read = 0
    for code, begin, end in facts.spans:
        if code == packet.OVERLOAD:
            return None
        head = start + (end if code in telling or code == packet.END else begin + 2)
        looked_at[read:head] = b"\xff" * (head - read)
        read = start + end
    if not facts.end.has_end:
        looked_at[read:] = b"\xff" * (size - read)  # pads, and no END
    return bytes(looked_at)
