"""What the soak sends at the daemon, from the client VLAN and from the servers' side."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence

from tests.fuzz.seeds import SEEDS
from tests.lab.topology import RELAY_CORE
from tests.lab.wire import FakeServer, Station
from tests.unit.messages import ACK, OFFER, reply, request

ATTACKER, ATTACKER_MAC = "10.10.10.66", "02:00:00:66:66:66"
GIADDRS = {"vlan10": "10.10.10.1", "vlan20": "10.10.20.1"}

RATE = 8000
"""Datagrams a second from each side: far above a VLAN's boot storm, below what this machine can send."""

Send = Callable[[], None]
"""Sends one datagram."""


def hostile(chance: random.Random) -> bytes:
    """Return a datagram: random octets, or one of the fuzzer's seeds with some octets changed."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(0, 1400))
    whole = bytearray(chance.choice(tuple(SEEDS.values()))[1:])
    whole[28:34] = chance.randbytes(6)
    for _ in range(chance.randrange(0, 6)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    return bytes(whole)


def from_clients(chance: random.Random, station: Station, gateway: bytes) -> Send:
    """Return one datagram of the client VLAN, ready to be sent; `gateway` is the relay's hardware address.

    Octets of any kind, requests that pretend to be relayed, and one client that asks without end.
    """
    kind = chance.random()
    if kind < 0.6:
        octets = hostile(chance)
        return lambda: station.send(octets)
    if kind < 0.8:
        giaddr = chance.choice(("10.30.7.1", ATTACKER, RELAY_CORE, *GIADDRS.values()))
        forged = request(giaddr=giaddr, hops=1, chaddr=f"02:00:00:66:{chance.randbytes(2).hex(':')}")
        return lambda: station.send(
            forged, source=ATTACKER, destination=GIADDRS["vlan10"], hardware=gateway, ports=(67, 67)
        )
    flooding = request(chaddr=ATTACKER_MAC)
    return lambda: station.send(flooding)


def from_servers(chance: random.Random, server: FakeServer, stranger: FakeServer) -> Send:
    """Return one datagram of the servers' side: of a server gone mad, or a reply of no server of ours."""
    giaddr = chance.choice(tuple(GIADDRS.values()))
    if chance.random() < 0.7:
        octets = hostile(chance)
        return lambda: server.send(octets, giaddr)
    forged = reply(chance.choice((OFFER, ACK)), giaddr=giaddr, flags=chance.choice((0, 0x8000)))
    return lambda: stranger.send(forged, giaddr)


class Flood(threading.Thread):
    """Sends a number of datagrams, chosen from a pool, at a steady rate."""

    def __init__(self, count: int, pool: Sequence[Send], seed: int) -> None:
        super().__init__(daemon=True)
        self.count, self._pool, self._seed = count, pool, seed
        self.sent = 0

    def run(self) -> None:
        """Send them."""
        chance = random.Random(self._seed)
        start = time.monotonic()
        for number in range(self.count):
            chance.choice(self._pool)()
            self.sent += 1
            ahead = number / RATE - (time.monotonic() - start)
            if ahead > 0.005:
                time.sleep(ahead)
