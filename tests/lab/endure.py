"""What clients notice while something happens to the relay hosts."""

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from tests.lab.network import LabError
from tests.lab.steady import AnySteady, Steady, Steady6
from tests.lab.topology import Network
from tests.lab.wire import Station
from tests.lab.wire6 import settled
from tests.unit.messages import DISCOVER, REQUEST, option, request

RETRIES = (4, 8, 16, 32)
"""Seconds that firmware waits for an answer after each try (PXE 2.1, 2.2.3)."""

_TOO_OFTEN = 300
"""Questions at once; a relay takes 50 in a second."""

_FLAGS, _YIADDR = slice(10, 12), slice(16, 20)
_BROADCAST = b"\x80\0"
_SERVER_ID, _WANTED = 54, 50
_ASKER = "02:00:00:aa:01:01"


@dataclass(frozen=True)
class Silence:
    """What came of the questions of a family."""

    sent: int
    lost: int
    longest: float
    """Seconds from the first of a row of questions without an answer to the next with one."""


def watch(
    network: Network, command: Sequence[str], *, client: str, longer: float, ipv6: bool = False
) -> dict[str, Any]:
    """Ask again and again while a command runs, and some seconds longer; tell how long nobody answered.

    Tells the exit code of the command too. With `ipv6` it asks by DHCPv6 as well, at the same time.
    """
    host = network.client(client)
    if ipv6:
        settled(host)
    with ExitStack() as stack:
        asking: list[AnySteady[Any]] = [Steady(host), *([Steady6(host)] if ipv6 else [])]
        for one in asking:
            stack.enter_context(one)
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        time.sleep(longer)
    told = [asdict(Silence(one.sent, one.lost, round(one.longest, 2))) for one in asking]
    return told[0] | {"code": done.returncode} | ({"ipv6": told[1]} if ipv6 else {})


def ask_too_often(network: Network, *, client: str) -> dict[str, str]:
    """Let a client ask far more often than a relay allows (`max_requests`), and tell its address."""
    station = Station(network.client(client))
    try:
        for _ in range(_TOO_OFTEN):
            station.send(request(chaddr=station.mac.hex(":")))
    finally:
        station.close()
    return {"mac": station.mac.hex(":")}


def boot_through(network: Network, meanwhile: Callable[[], object], *, client: str) -> dict[str, float]:
    """Let a client get an offer, have something happen, and let the client go on as firmware does.

    Tells how many times it asked for what it was offered until it had it, and after how many seconds.
    """
    station = Station(network.client(client))
    try:
        station.send(_asking(DISCOVER))
        offers = [one.payload for one in station.datagrams(3, 1)]
        if not offers:
            raise LabError("nobody makes the client an offer")
        offer = offers[0]
        meanwhile()
        start = time.monotonic()
        chosen = option(_WANTED, bytes(offer[_YIADDR])) + option(_SERVER_ID, _option(offer, _SERVER_ID))
        for tries, patience in enumerate(RETRIES, 1):
            station.send(_asking(REQUEST, chosen))
            for datagram in station.datagrams(patience, 1):
                if datagram.payload[_YIADDR] == offer[_YIADDR]:
                    return {"tries": tries, "seconds": round(time.monotonic() - start, 2)}
    finally:
        station.close()
    raise LabError("nobody acknowledges what the client was offered")


def _asking(kind: int, extra: bytes = b"") -> bytearray:
    message = request(kind, chaddr=_ASKER, extra=extra)
    message[_FLAGS] = _BROADCAST
    return message


def _option(message: bytes, code: int) -> bytes:
    position = 240
    while message[position] != code:
        position += 2 + message[position + 1]
    return bytes(message[position + 2 : position + 2 + message[position + 1]])
