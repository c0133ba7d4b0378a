"""Messages whose options look alike.

What options 60 and 93 say is known of a message as soon as another one was read that has the same length,
the same octets wherever a reader looks for codes and lengths, and the same octets in these two options.
All that firmware of one kind sends looks alike so. To compare some octets of a message and not the others
is one operation on a large number, ten times as fast as reading options one by one.
"""

from __future__ import annotations

from pxerelay import packet

_MOST = 16
"""Layouts of one length that are kept; when there are more, those of that length are forgotten."""

_TELLING = frozenset({packet.VENDOR_CLASS, packet.CLIENT_ARCH})


class Layout:
    """One way that options look; of two messages with the same layout, options 60 and 93 are the same.

    `mask` has a one for each bit that must be that of `value`, in the number that the octets behind the
    fixed header make.
    """

    __slots__ = ("mask", "value")

    def __init__(self, mask: int, value: int) -> None:
        self.mask = mask
        self.value = value


class Layouts:
    """The layouts met so far."""

    def __init__(self) -> None:
        self._of_length: dict[int, list[Layout]] = {}

    def of(self, message: packet.Message) -> Layout | None:
        """Return the layout of a message.

        None means that it has none: there is no magic cookie, an option is cut off, or options continue in
        other fields.
        """
        number = int.from_bytes(message[packet.HEADER_SIZE :], "little")
        for layout in self._of_length.get(len(message), ()):
            if number & layout.mask == layout.value:
                return layout
        return self._learn(message, number)

    def _learn(self, message: packet.Message, number: int) -> Layout | None:
        looked_at = _looked_at(bytes(message[packet.HEADER_SIZE :]))
        if looked_at is None:
            return None
        mask = int.from_bytes(looked_at, "little")
        layout = Layout(mask, number & mask)
        known = self._of_length.setdefault(len(message), [])
        if len(known) >= _MOST:
            known.clear()
        known.append(layout)
        return layout


def _looked_at(area: bytes) -> bytes | None:
    """Return 0xff for each octet that a reader of options 60 and 93 looks at, 0 for the others."""
    if not area.startswith(packet.MAGIC_COOKIE):
        return None
    position, size = len(packet.MAGIC_COOKIE), len(area)
    looked_at = bytearray(b"\xff" * position).ljust(size, b"\0")
    while position < size:
        code = area[position]
        looked_at[position] = 0xFF
        position += 1
        if code == packet.END:
            break
        if code == packet.PAD:
            continue
        if code == packet.OVERLOAD or position == size:
            return None
        looked_at[position] = 0xFF
        start = position + 1
        position = start + area[position]
        if position > size:
            return None
        if code in _TELLING:
            looked_at[start:position] = b"\xff" * (position - start)
    return bytes(looked_at)
