"""Large mappings."""

from __future__ import annotations

from collections.abc import Iterator

MILLION = 1_000_000

_SHAPES = (
    *("02:81:nn:nn:nn:*", "02:81:nn:n?:nn:*", "02:82:nn:?n:nn:*", "02:83:nn:nn:nn:n*"),
    *("02:84:nn:?n:nn:n*", "02:85:nn:??:nn:nn", "02:86:nn:nn:??:nn", "02:87:nn:nn:n?:nn"),
    *("02:88:nn:nn:?n:nn", "02:89:nn:n?:?n:nn", "02:8a:n?:nn:nn:*", "02:8b:n?:n?:nn:*"),
    *("02:8c:?n:?n:nn:*", "02:8d:?n:nn:nn:n*", "02:8e:?n:?n:nn:n*", "02:8f:??:nn:nn:*"),
    *("02:90:??:nn:nn:nn", "02:91:??:nn:nn:n*", "02:92:nn:nn:nn:?n", "02:93:nn:nn:?n:?n"),
)
"""Twenty shapes of wildcards, n for a fixed digit."""

_STEP = 0x9E3779B1
"""An odd number: its multiples modulo a power of two are all different."""


def rule(mac: bytes) -> str:
    """Return the line of a client's rule."""
    return f"  {mac.hex(':')}: {_server(mac[-1])}"


def random_rules(count: int) -> Iterator[str]:
    """Yield so many rules of different MACs, in no order; none of them is a client's of the load."""
    yield from (rule((0x06 << 40 | at * _STEP % (1 << 40)).to_bytes(6, "big")) for at in range(count))


def wildcards(count: int) -> Iterator[str]:
    """Yield so many wildcards, of twenty shapes in turn; none matches a client of the load."""
    for number in range(count):
        shape = _SHAPES[number % len(_SHAPES)]
        digits = iter(f"{number // len(_SHAPES):012x}"[::-1])
        text = "".join(next(digits) if character == "n" else character for character in shape)
        yield f'  "{text}": {_server(number)}'


def _server(number: int) -> str:
    return "altiris" if number % 2 else "ris"
