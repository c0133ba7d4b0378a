"""Messages put together by chance, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.differential.cases import ANSWERED, CLIENT, RELAYED, SHOUTED, Case
from tests.lab.relays import GIADDR
from tests.lab.topology import RIS
from tests.unit.messages import COOKIE, ip, option

SEED = 20240229
COUNT = 250
"""Messages of each direction."""

_ADDRESSES = ("0.0.0.0", "0.0.0.0", "0.0.0.0", CLIENT, "10.10.10.88", RIS)


def randomised(seed: int = SEED, count: int = COUNT) -> Iterator[Case]:
    """Yield requests, then replies."""
    dice = random.Random(seed)
    for number in range(count):
        relayed = dice.random() < 0.2
        giaddr = "10.10.99.1" if relayed else "0.0.0.0"
        octets = _message(dice, 1, dice.choice(_ADDRESSES), giaddr)
        yield Case(f"random request {number}", octets, RELAYED if relayed else SHOUTED)
    for number in range(count):
        yiaddr = f"10.10.10.{dice.randint(100, 199)}" if dice.random() < 0.8 else "0.0.0.0"
        giaddr = GIADDR if dice.random() < 0.9 else f"10.{dice.randint(0, 255)}.10.1"
        yield Case(f"random reply {number}", _message(dice, 2, yiaddr, giaddr), ANSWERED)


def _message(dice: random.Random, op: int, yiaddr: str, giaddr: str) -> bytes:
    usual = dice.random() < 0.7
    htype, hlen = (1, 6) if usual else (dice.choice((1, 6, 32)), dice.randint(0, 20))
    hops = dice.choice((0, 0, 0, 1, 2, 3, 4, 5, 16, 17, dice.randint(0, 255)))
    flags = dice.choice((0, 0, 0x8000, dice.randint(0, 0xFFFF)))
    head = bytes((op, htype, hlen, hops)) + bytes(4) + dice.randbytes(2) + flags.to_bytes(2, "big")
    head += (
        ip(dice.choice(("0.0.0.0", "0.0.0.0", CLIENT)))
        + ip(yiaddr)
        + ip(dice.choice(_ADDRESSES))
        + ip(giaddr)
    )
    head += b"\2" + dice.randbytes(5) + dice.choice((bytes(10), dice.randbytes(10)))
    head += dice.choice((bytes(64), dice.randbytes(64))) + dice.choice((bytes(128), dice.randbytes(128)))
    tail = dice.choice((_options, _options, _options, _noise))(dice)
    return (head + tail).ljust(dice.choice((0, 300, 300, 548, dice.randint(236, 1400))), b"\0")[:1472]


def _options(dice: random.Random) -> bytes:
    found = [option(53, bytes((dice.choice((1, 2, 3, 5, 6, 8)),)))]
    for _ in range(dice.randint(0, 8)):
        code = dice.choice((12, 43, 50, 52, 53, 54, 55, 57, 60, 61, 77, 82, 93, 97, dice.randint(1, 254)))
        found.append(option(code, dice.randbytes(dice.choice((0, 1, 2, 4, 7, dice.randint(0, 120))))))
        found.append(bytes(dice.choice((0, 0, 1))))
    if dice.random() < 0.3:
        dice.shuffle(found)
    return COOKIE + b"".join(found) + dice.choice((b"\xff", b"\xff", b"", b"\xff" + dice.randbytes(9)))


def _noise(dice: random.Random) -> bytes:
    return dice.choice((b"", COOKIE)) + dice.randbytes(dice.randint(0, 300))
