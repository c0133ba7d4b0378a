"""A network with one relay in it, and a run of all cases through that relay."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import groupby

from tests.differential.cases import (
    ANSWERED,
    CLIENT,
    CLIENT_MAC,
    OTHER_VLAN,
    SHOUTED,
    Arrival,
    Case,
    Delivery,
    Outcome,
)
from tests.differential.comparison import Difference, Row, differences, unexplained
from tests.differential.corpus import FIRST_XID
from tests.differential.features import LARGEST, ends
from tests.lab import Lab, LabError
from tests.lab.frames import ALL_STATIONS, Datagram
from tests.lab.relays import (
    DnsmasqRelay,
    IscDhcrelay,
    IscDhcrelayOption82,
    Pxerelay,
    PxerelayLikeDnsmasq,
    PxerelayOption82,
    RelayAgent,
)
from tests.lab.topology import Network
from tests.lab.wire import FakeServer, Station, finish_checksums
from tests.unit.messages import ACK, reply, request

PAIRS: Sequence[tuple[type[RelayAgent], type[RelayAgent]]] = (
    (Pxerelay, IscDhcrelay),
    (PxerelayLikeDnsmasq, DnsmasqRelay),
    (PxerelayOption82, IscDhcrelayOption82),
)
"""Which of ours is compared with which peer."""

BATCH = 24
"""Messages that may wait in a relay's sockets at once: few enough for the smallest receive buffer."""
START_SECONDS, ANSWER_SECONDS, MARK_SECONDS, QUIET_SECONDS = 10.0, 20.0, 4.0, 0.3
_FIRST_MARK = 0xFF000000
_MACS = {"client": bytes.fromhex("020000000a01"), "core": bytes.fromhex("020000000a02")}
"""The relay host's own hardware addresses in vlan10 and in core."""
_NEIGHBOURS = (("delay_first_probe_time", 3600), ("mcast_solicit", 1), ("retrans_time_ms", 50))
"""The relay host's kernel does not check what it was told of clients, since taps answer no ARP request, and
what is for nobody does not wait in a relay's send buffer for the seconds that ARP takes."""
_SERVER_MACS = ("02:00:00:00:0b:01", "02:00:00:00:0b:02")


class Bench:
    """Taps on every wire around a relay. Messages go out in batches.

    Behind each batch goes a mark, a message that every relay hands on: a relay keeps the order of what it
    hears on one interface, so when the mark has come out nothing of the batch is still on its way in.
    A mark fills the frame, and a message without END begins a batch: a relay that walks on behind the end
    of a message, as ISC does, finds the rest of a mark there, in every run.
    """

    def __init__(self, agent: RelayAgent, taps: Mapping[str, Station]) -> None:
        self._agent = agent
        self._taps = taps
        self._marks = _FIRST_MARK
        self.lost_marks = 0
        """How many marks never came out: a relay that loses none of what it takes loses none of these."""
        self._found: dict[int | None, list[Arrival]] = {}

    def run(self, cases: Sequence[Case]) -> list[Outcome]:
        """Send every case and return what each became; their xids count from FIRST_XID."""
        for delivery in (SHOUTED, ANSWERED):
            self._await_relaying(delivery)
        self._collect(QUIET_SECONDS)
        self._found.clear()
        for side, group in groupby(cases, lambda case: case.delivery.origin):
            for batch in _batches(group):
                for case in batch:
                    self._send(case.message, case.delivery)
                self._mark(SHOUTED if side == "client" else ANSWERED)
        while self._collect(QUIET_SECONDS):
            pass
        outcomes = [tuple(sorted(self._found.pop(FIRST_XID + at, ()))) for at in range(len(cases))]
        if self._found:
            raise LabError(f"{self._agent.kind}: messages that nobody sent: {self._found}")
        return outcomes

    def _send(self, message: bytes, delivery: Delivery) -> None:
        side = _MACS["client" if delivery.origin == "client" else "core"]
        hardware = ALL_STATIONS if delivery.broadcast else side
        self._taps[delivery.origin].send(
            message,
            source=delivery.source,
            destination=delivery.destination,
            hardware=hardware,
            ports=delivery.ports,
            checksum=delivery.checksum,
        )

    def _mark(self, delivery: Delivery) -> None:
        """Send a mark and wait until it comes out; one that is lost is sent again."""
        sent: list[int] = []
        deadline = time.monotonic() + ANSWER_SECONDS
        while not (came := [mark for mark in sent if mark in self._found]):
            if not self._agent.alive or time.monotonic() > deadline:
                raise LabError(f"{self._agent.kind} relays no more:\n{self._agent.log[-3000:]}")
            sent.append(self._send_mark(delivery))
            self._collect(MARK_SECONDS, until=sent[-1])
        for mark in came:
            del self._found[mark]
        self.lost_marks += len(sent) - len(came)

    def _send_mark(self, delivery: Delivery) -> int:
        self._marks += 1
        message = bytes(request() if delivery is SHOUTED else reply(ACK, flags=0x8000)).ljust(LARGEST, b"\0")
        self._send(Case("mark", message, delivery).numbered(self._marks).message, delivery)
        return self._marks

    def _await_relaying(self, delivery: Delivery) -> None:
        """Send marks until one comes out: the relay has started."""
        deadline = time.monotonic() + START_SECONDS
        while not self._found:
            if not self._agent.alive or time.monotonic() > deadline:
                raise LabError(f"{self._agent.kind} does not relay:\n{self._agent.log[-3000:]}")
            self._send_mark(delivery)
            self._collect(0.1)
        self._found.clear()

    def _collect(self, seconds: float, until: int | None = None) -> bool:
        """Take in what arrives within the time, or until that xid has; tell whether anything did."""
        deadline = time.monotonic() + seconds
        any_arrived = False
        while (left := deadline - time.monotonic()) > 0 and (until is None or until not in self._found):
            select.select(list(self._taps.values()), [], [], left)
            for name, tap in self._taps.items():
                for datagram in tap.arrivals():
                    any_arrived = True
                    self._found.setdefault(_xid(datagram), []).append(Arrival(name, datagram))
        return any_arrived


def _xid(datagram: Datagram) -> int | None:
    """Return the transaction that it belongs to; None if it is too short to say."""
    return int.from_bytes(datagram.payload[4:8], "big") if len(datagram.payload) >= 8 else None


def _batches(cases: Iterable[Case]) -> Iterator[Sequence[Case]]:
    """Split cases into batches of at most BATCH; one without END is the first of its batch."""
    batch: list[Case] = []
    for case in cases:
        if batch and (len(batch) == BATCH or not ends(case.message)):
            yield batch
            batch = []
        batch.append(case)
    if batch:
        yield batch


def compared(
    cases: Sequence[Case], ours: type[RelayAgent], peer: type[RelayAgent], table: Sequence[Row]
) -> list[Difference]:
    """Send every case through our relay and through a peer, and return where they differ.

    Ours has one try. What a peer did that no row explains is asked of it once more, and what it does then
    counts: on a busy machine dnsmasq loses a message now and then.
    """
    with bench(ours) as our_bench:
        our_outcomes = our_bench.run(cases)
        if our_bench.lost_marks:
            raise LabError(f"{ours.kind} lost {our_bench.lost_marks} messages of ours")
    their_outcomes = _asked(peer, cases)
    found = differences(cases, peer.kind, their_outcomes, our_outcomes)
    if odd := {difference.case.name for difference in unexplained(found, table)}:
        again = _asked(peer, cases)
        triples = zip(cases, their_outcomes, again, strict=True)
        their_outcomes = [second if case.name in odd else first for case, first, second in triples]
        found = differences(cases, peer.kind, their_outcomes, our_outcomes)
    for kind, outcomes in ((ours, our_outcomes), (peer, their_outcomes)):
        if sum(map(bool, outcomes)) < len(cases) * 0.7:
            raise LabError(f"{kind.kind} relays hardly anything")
    return found


def _asked(peer: type[RelayAgent], cases: Sequence[Case]) -> list[Outcome]:
    with bench(peer) as their_bench:
        return their_bench.run(cases)


@contextmanager
def bench(kind: type[RelayAgent]) -> Iterator[Bench]:
    """Build a network, start a relay in it, and put taps around it."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(f"diff_{os.getpid()}_{kind.kind}"[:30]))
        network = Network(lab).build()
        _prepare(network)
        client = network.add_client("probe", CLIENT_MAC)
        neighbour = network.add_client("neighbour", "02:00:00:00:00:02", OTHER_VLAN)
        wires = {
            "client": client,
            "other VLAN": neighbour,
            "server": network.ris.host,
            "stranger": network.altiris.host,
        }
        taps = {name: stack.enter_context(closing(Station(host))) for name, host in wires.items()}
        for server in network.servers:  # a port that listens sends no ICMP
            stack.enter_context(closing(FakeServer(server.host)))
        agent = kind(network)
        agent.start()
        stack.callback(agent.stop)
        yield Bench(agent, taps)


def _prepare(network: Network) -> None:
    """Give every host the same hardware addresses in each run, and tell the relay host the client's."""
    for server, address in zip(network.servers, _SERVER_MACS, strict=True):
        server.host.ip(f"link set eth0 address {address}")
    lines: Iterable[str] = (
        f"link set vlan10 address {_MACS['client'].hex(':')}",
        f"link set core address {_MACS['core'].hex(':')}",
        f"neighbour replace {CLIENT} lladdr {CLIENT_MAC} dev vlan10 nud permanent",
    )
    network.relay.ip(*lines)
    for name in ("vlan10", "core"):  # one frame for each datagram, as a wire has it
        finish_checksums(network.relay, name)
    for key, value in _NEIGHBOURS:
        network.relay.sysctl(f"net.ipv4.neigh.vlan10.{key}", value)
    for name in ("all", "vlan10", "core"):  # each relay shall decide itself what it believes
        network.relay.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
