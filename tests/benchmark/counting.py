"""What counting costs: the daemon's packet path with it and with nothing followed or counted, in turn.

Batches wait in real sockets and leave by real ones. Timed is the processor time from receiving a batch to
having sent it, the kernel's part included; the event loop's, which is the same for both, is not.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from textwrap import dedent

from pxerelay.config import config, document
from pxerelay.daemon.traffic4 import Traffic4
from pxerelay.linux import sockets
from pxerelay.policy.links import Link
from pxerelay.policy.ports import assign
from pxerelay.relay.counters import Counters, Sent
from pxerelay.relay.relay import Relay
from pxerelay.relay.transactions import Transactions
from pxerelay.wire import packet
from tests.benchmark.messages import CLIENTS, macs, replies, requests
from tests.benchmark.peers import Mapped
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import Wires
from tests.lab import Lab
from tests.lab.relays import CLIENT_INTERFACE, GIADDR
from tests.lab.topology import RELAY_CORE
from tests.lab.wire import FakeServer, Station, inside

_SIZES = (1, 8, 64, 256)
_MESSAGES = 4096
"""Messages of each kind in a turn, in batches of each size."""

_TURNS = 5
"""Turns of a round."""


class _Deaf(Transactions):
    """Follows nothing."""

    def room(self, now: float) -> int:  # noqa: ARG002
        return 0

    def heard(self, server: int, now: float) -> None:
        pass


class _Blind(Counters):
    """Counts nothing."""

    def add_requests(self, index: int, decision: Sent, count: int) -> None:
        pass

    def add_replies(self, index: int, source: bytes, count: int) -> None:
        pass


def counting_part(rounds: int, say: Say) -> Result:
    """Compare, for batches of several sizes."""
    times: dict[str, list[tuple[float, float]]] = {}
    with _bench() as measure:
        for turn in range(_TURNS * rounds + 1):
            for kind in ("requests", "replies"):
                for size in _SIZES:
                    both = measure(kind, size)
                    if turn:  # the first one is to get warm
                        times.setdefault(f"{kind} {size}", []).append(both)
            if turn % _TURNS == 0:
                say(f"round {turn // _TURNS}")
    rows = list[tuple[str, int, float, float, str]]()
    shares = dict[str, float]()
    for name, found in times.items():
        kind, _, at_once = name.partition(" ")
        with_, without = (middle([pair[at] for pair in found]) for at in (0, 1))
        shares[name] = middle([pair[0] / pair[1] for pair in found]) - 1
        rows.append((kind, int(at_once), round(without, 2), round(with_, 2), f"{shares[name]:+.1%}"))
    return Result(
        "counting",
        [Table("Counting, µs a message", ("messages", "at once", "without", "with", "more"), rows)],
        [
            Bound(f"what counting adds to {kind}, {size} at once", round(shares[f"{kind} {size}"], 4), 0.03)
            for kind in ("requests", "replies")
            for size in _SIZES[1:]
        ],
        times,
    )


Measure = Callable[[str, int], tuple[float, float]]
"""Times messages of a kind that come so many at once: microseconds for each, with counting and without."""


@contextmanager
def _bench() -> Iterator[Measure]:
    with ExitStack() as stack:
        network = Wires(stack.enter_context(Lab("counting"))).build()
        server = FakeServer(network.ris.host)
        stack.callback(server.close)
        station = Station(network.lab.host("clients"))
        stack.callback(station.close)
        chance = random.Random(1)
        clients = macs(CLIENTS)
        asked = [_anew(one, chance) for one in requests(clients, _MESSAGES, chance)]
        answered = [_anew(one, chance) for one in replies(clients, _MESSAGES, chance)]
        with inside(network.relay):
            udp, link = sockets.open_udp(), sockets.open_link()
            stack.callback(udp.close)
            stack.callback(link.close)
            names = dict(socket.if_nameindex())
        both = _traffic(network, udp, link, names), _traffic(network, udp, link, names)
        both[1].ledger.transactions, both[1].ledger._counters = _Deaf(), _Blind()
        both[1].obey(_relay(network, names), names)

        def measure(kind: str, size: int) -> tuple[float, float]:
            spent = [0.0, 0.0]
            for start in range(0, _MESSAGES, size):
                for which in (0, 1) if start // size % 2 else (1, 0):
                    for at in range(start, start + size):
                        if kind == "requests":
                            station.send(asked[at])
                        else:
                            server.send(answered[at], GIADDR)
                    begun = time.process_time()
                    taken = both[which].readable(udp).datagrams
                    spent[which] += time.process_time() - begun
                    assert taken == size, f"{taken} of {size} came"
            return spent[0] / _MESSAGES * 1e6, spent[1] / _MESSAGES * 1e6

        yield measure


def _anew(message: bytes, chance: random.Random) -> bytes:
    """Return a message in a transaction of its own."""
    return message[: packet.XID.start] + chance.randbytes(4) + message[packet.XID.stop :]


def _traffic(network: Wires, udp: socket.socket, link: socket.socket, names: dict[int, str]) -> Traffic4:
    traffic = Traffic4(udp, link)
    traffic.obey(_relay(network, names), names)
    return traffic


def _relay(network: Wires, names: dict[int, str]) -> Relay:
    addresses = {CLIENT_INTERFACE: GIADDR, "core": RELAY_CORE}
    links = tuple(
        Link(index, name, up=True, mtu=1500, addresses=(IPv4Address(addresses[name]),))
        for index, name in names.items()
        if name in addresses
    )
    lines = "\n".join(["max_requests: 0", *Mapped(network).lines()])
    built = config.build(document.parse("pxerelay.yml", dedent(lines)))
    return Relay(built, assign(built, links), links)
