"""Messages out of the recordings of real firmware and servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.differential.cases import ANSWERED, SHOUTED, Case
from tests.differential.requests import put
from tests.lab import pcap
from tests.lab.command import REPOSITORY
from tests.lab.frames import EVERYONE
from tests.lab.relays import GIADDR
from tests.unit.messages import ip

FOLDER = REPOSITORY / "tests" / "captures"
_BOOTREQUEST, _BOOTREPLY = b"\1", b"\2"


def captured(folder: Path = FOLDER) -> Iterator[Case]:
    """Yield what clients shouted, then what servers answered, each message once.

    Replies are answers to a relay with another address, so giaddr becomes that of the relay here.
    """
    requests: dict[bytes, Case] = {}
    replies: dict[bytes, Case] = {}
    for path in sorted(folder.glob("*.pcap")):
        for number, datagram in enumerate(pcap.read(path), 1):
            name, payload = f"{path.name}, datagram {number}", datagram.payload
            if datagram.port not in (67, 68):
                continue
            if payload[:1] == _BOOTREQUEST and datagram.destination == EVERYONE:
                requests.setdefault(put(payload, 4, bytes(4)), Case(name, payload, SHOUTED))
            elif payload[:1] == _BOOTREPLY:
                answer = put(payload, 24, ip(GIADDR))
                replies.setdefault(put(answer, 4, bytes(4)), Case(name, answer, ANSWERED))
    yield from requests.values()
    yield from replies.values()
