"""What clients notice while something happens to the relay hosts."""

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tests.lab.network import LabError
from tests.lab.topology import Network
from tests.lab.wire import Station
from tests.unit.messages import DISCOVER, REQUEST, option, request

EVERY = 0.02
"""Seconds between two questions: less than any gap that matters, and no load."""

CLIENTS = 10
"""As many ask in turn, so that none asks too often for the relay (`max_requests`)."""

RETRIES = (4, 8, 16, 32)
"""Seconds that firmware waits for an answer after each try (PXE 2.1, 2.2.3)."""

_TOO_OFTEN = 300
"""Questions at once; a relay takes 50 in a second."""

_XID, _FLAGS, _YIADDR = slice(4, 8), slice(10, 12), slice(16, 20)
_BROADCAST = b"\x80\0"
_SERVER_ID, _WANTED = 54, 50
_ASKER = "02:00:00:aa:01:01"


@dataclass(frozen=True)
class Silence:
    """What came of the questions."""

    sent: int
    lost: int
    longest: float
    """Seconds from the first of a row of questions without an answer to the next with one."""
    code: int
    """The exit code of the command that ran meanwhile."""


def watch(network: Network, command: Sequence[str], *, client: str, longer: float) -> dict[str, float]:
    """Ask again and again while a command runs, and some seconds longer; tell how long nobody answered."""
    station = Station(network.client(client))
    sent: dict[bytes, float] = {}
    answered: set[bytes] = set()
    ended = threading.Event()

    def listen() -> None:
        while not ended.is_set():
            answered.update(bytes(datagram.payload[_XID]) for datagram in station.datagrams(0.2))

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            start, until = time.monotonic(), None
            while until is None or time.monotonic() < until:
                number = len(sent)
                message = request(chaddr=f"02:00:00:aa:00:{number % CLIENTS:02x}")
                xid = number.to_bytes(4, "big")
                message[_XID], message[_FLAGS] = xid, _BROADCAST
                sent[xid] = time.monotonic()
                station.send(message)
                time.sleep(max(0.0, start + len(sent) * EVERY - time.monotonic()))
                if until is None and process.poll() is not None:
                    until = time.monotonic() + longer
        time.sleep(1)  # for what is on its way
    finally:
        ended.set()
        listener.join()
        station.close()
    return asdict(_silence(sent, answered, process.returncode))


def _silence(sent: dict[bytes, float], answered: set[bytes], code: int) -> Silence:
    longest, since = 0.0, None
    for xid, when in sent.items():
        if xid in answered:
            longest, since = max(longest, when - since if since is not None else 0.0), None
        elif since is None:
            since = when
    if since is not None:
        raise LabError("the last questions had no answer, so the silence had no end")
    lost = sum(xid not in answered for xid in sent)
    return Silence(len(sent), lost, round(longest, 2), code)


def ask_too_often(network: Network, *, client: str) -> dict[str, str]:
    """Let a client ask far more often than a relay allows (`max_requests`), and tell its address."""
    station = Station(network.client(client))
    try:
        for _ in range(_TOO_OFTEN):
            station.send(request(chaddr=station.mac.hex(":")))
    finally:
        station.close()
    return {"mac": station.mac.hex(":")}


def boot_through(network: Network, command: Sequence[str], *, client: str) -> dict[str, float]:
    """Let a client get an offer, run a command to its end, and let the client go on as firmware does.

    Tells how many times it asked for what it was offered until it had it, and after how many seconds.
    """
    station = Station(network.client(client))
    try:
        station.send(_asking(DISCOVER))
        offers = [one.payload for one in station.datagrams(3, 1)]
        if not offers:
            raise LabError("nobody makes the client an offer")
        offer = offers[0]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
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
