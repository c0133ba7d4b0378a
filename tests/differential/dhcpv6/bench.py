"""A network with one relay agent of DHCPv6 in it, and a run of all cases through that agent.

Cases go through one at a time. Behind each goes a mark, a message that every relay hands on, from the same
side; a relay keeps the order of what it hears, so when the mark has come out nothing of the case is still on
its way in.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from tests.differential.comparison import Difference, Row, unexplained
from tests.differential.dhcpv6.cases import (
    ANSWERED,
    CLIENT,
    CLIENT_MAC,
    FAR_ROUTER,
    GLOBAL,
    GROWS,
    NEAR_ROUTER,
    NEIGHBOUR,
    RELAY_MACS,
    SHOUTED,
    Case6,
    Delivery6,
)
from tests.differential.dhcpv6.outline import options_of, outline
from tests.lab import Lab, LabError
from tests.lab.frames import Datagram
from tests.lab.relays import RelayAgent
from tests.lab.topology import Network
from tests.lab.topology6 import ALTIRIS6, CLIENT_VLANS6, RIS6, Network6
from tests.lab.wire import finish_checksums
from tests.lab.wire6 import FakeServer6, Station6, settled
from tests.unit.messages6 import REPLY, SOLICIT, option, relayed

START_SECONDS, MARK_SECONDS, QUIET_SECONDS = 20.0, 10.0, 0.06

_TRIES = 3

RELAYS_NO_MORE = "relays no more"
"""What becomes of a message that a relay dies of, or that it is busy with for longer than MARK_SECONDS."""

_SERVER_MACS = ("02:00:00:00:0b:01", "02:00:00:00:0b:02")
_NEAR = "02:00:00:00:00:77"


class Bench6:
    """Taps on every wire around a relay agent."""

    def __init__(self, agent: RelayAgent, taps: Mapping[str, Station6]) -> None:
        self._agent = agent
        self._taps = taps
        self._marks = 0
        self.ids: dict[str, bytes] = {}
        """What the relay says as Interface-Id of a VLAN; it may say none, or not know of the VLAN."""

    def run(self, cases: Sequence[Case6]) -> list[str]:
        """Send every case and return what each became, in words."""
        self._await_relaying()
        for wire, name in (("client", "vlan10"), ("other VLAN", "vlan20")):
            self.ids[name] = self._interface_id(wire)
        if self.ids["vlan10"] and not self.ids["vlan20"]:
            self.ids["vlan20"] = option(18, b"elsewhere")  # of a VLAN that the relay does not know
        found = []
        grows = False
        for case in cases:
            if (GROWS in case.words) is not grows:
                grows = not grows
                self._start_anew()
            made = replace(case, message=self._with_ids(case.message))
            self._send(made.message, made.delivery)
            arrivals = self._until_mark(made)
            if arrivals is not None:
                arrivals += self._unmarked(self._drain(QUIET_SECONDS))
            found.append(RELAYS_NO_MORE if arrivals is None else outline(made, arrivals))
        return found

    def _with_ids(self, octets: bytes) -> bytes:
        for word, name in ((b"{id}", "vlan10"), (b"{id2}", "vlan20")):
            octets = octets.replace(word, self.ids.get(name, b""))
        return octets

    def _send(self, octets: bytes, delivery: Delivery6, wire: str | None = None) -> None:
        side = "vlan10" if delivery.origin == "client" else "core"
        group = delivery.destination.startswith("ff")
        self._taps[wire or delivery.origin].send(
            octets,
            source=delivery.source,
            destination=delivery.destination,
            hardware=None if group else bytes.fromhex(RELAY_MACS[side].replace(":", "")),
            ports=delivery.ports,
            checksum=delivery.checksum,
            hop_limit=delivery.hop_limit,
        )

    def _mark(self, delivery: Delivery6) -> bytes:
        """Return a message that every relay hands on, and no other one is like."""
        self._marks += 1
        told = b"mark" + self._marks.to_bytes(4, "big")
        kind = SOLICIT if delivery.origin == "client" else REPLY
        octets = bytes((kind,)) + b"\xff\xff\xff" + option(1, told)
        if delivery.origin != "client":
            front = self.ids.get("vlan10", b"")
            octets = relayed(octets, kind=13, link=GLOBAL["vlan10"], peer=CLIENT, front=front)
        self._send(octets, delivery)
        return told

    def _until_mark(self, case: Case6) -> list[tuple[str, Datagram]] | None:
        """Return what came out before a mark did, or with it.

        None if no mark did, as the relay is dead, or as good as that; then it is started anew.
        """
        mark = self._mark(SHOUTED if case.delivery.origin == "client" else ANSWERED)
        deadline, found = time.monotonic() + MARK_SECONDS, list[tuple[str, Datagram]]()
        while not any(mark in datagram.payload for _, datagram in found):
            if not self._agent.alive or time.monotonic() > deadline:
                self._start_anew()
                return None
            found += self._arrivals(0.5)
        return self._unmarked(found)

    @staticmethod
    def _unmarked(found: Sequence[tuple[str, Datagram]]) -> list[tuple[str, Datagram]]:
        return [(wire, one) for wire, one in found if b"mark" not in one.payload]

    def _start_anew(self) -> None:
        self._agent.stop()
        self._agent.start()
        self._await_relaying()

    def _arrivals(self, seconds: float) -> list[tuple[str, Datagram]]:
        select.select(list(self._taps.values()), [], [], seconds)
        ours = range(546, 548)
        return [
            (wire, datagram)
            for wire, tap in self._taps.items()
            for datagram in tap.arrivals()
            if datagram.port in ours or datagram.source_port in ours
        ]

    def _drain(self, seconds: float) -> list[tuple[str, Datagram]]:
        """Return what arrives until nothing has for a while."""
        found = list[tuple[str, Datagram]]()
        while more := self._arrivals(seconds):
            found += more
        return found

    def _await_relaying(self) -> None:
        """Send marks until one comes out: the relay has started."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            if not self._agent.alive or time.monotonic() > deadline:
                raise LabError(f"{self._agent.kind} does not relay:\n{self._agent.log[-3000:]}")
            self._mark(SHOUTED)
            if any(wire == "server" for wire, _ in self._arrivals(0.2)):
                self._drain(1.0)
                return

    def _interface_id(self, wire: str) -> bytes:
        """Return the option 18 that the relay puts around what it hears on a wire, empty if there is none.

        A relay may serve one VLAN a moment before the other, so it is asked more than once.
        """
        for _ in range(_TRIES):
            self._send(bytes((SOLICIT,)) + b"\0\0\1", SHOUTED, wire)
            for at, datagram in self._drain(1.0):
                if at == "server":
                    found = dict(options_of(datagram.payload)).get(18)
                    return b"" if found is None else option(18, found)
        return b""


def compared(
    cases: Sequence[Case6], ours: type[RelayAgent], peer: type[RelayAgent], table: Sequence[Row]
) -> list[Difference]:
    """Send every case through our relay and through a peer, and return where they differ.

    Ours has one try. What a peer did that no row explains is asked of it once more, and what it does then
    counts: on a busy machine it loses a message now and then.
    """
    our_outcomes, their_outcomes = _asked(ours, cases), _asked(peer, cases)
    found = _differences(cases, peer.kind, their_outcomes, our_outcomes)
    if odd := {difference.case.name for difference in unexplained(found, table)}:
        again = _asked(peer, cases)
        triples = zip(cases, their_outcomes, again, strict=True)
        their_outcomes = [second if case.name in odd else first for case, first, second in triples]
        found = _differences(cases, peer.kind, their_outcomes, our_outcomes)
    return found


def _differences(
    cases: Sequence[Case6], peer: str, theirs: Sequence[str], ours: Sequence[str]
) -> list[Difference]:
    return [
        Difference(peer, case, their, our, case.words)
        for case, their, our in zip(cases, theirs, ours, strict=True)
        if their != our
    ]


def _asked(kind: type[RelayAgent], cases: Sequence[Case6]) -> list[str]:
    with bench6(kind) as bench:
        return bench.run(cases)


@contextmanager
def bench6(
    kind: Callable[[Network], RelayAgent], log: Callable[[str], object] = lambda _: None
) -> Iterator[Bench6]:
    """Build a network, start a relay agent in it, and put taps around it; `log` gets what it said."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(f"diff6_{os.getpid()}"))
        network = Network(lab).build()
        agent = kind(network)
        _prepare(network)
        wires = {
            "client": network.add_client("probe", CLIENT_MAC),
            "other VLAN": network.add_client("neighbour", CLIENT_MAC, "vlan20"),
            "server": network.ris.host,
            "stranger": network.altiris.host,
        }
        taps = {name: stack.enter_context(closing(Station6(host))) for name, host in wires.items()}
        for server in network.servers:  # a port that listens sends no ICMP
            stack.enter_context(closing(FakeServer6(server.host)))
        agent.start()
        stack.callback(lambda: log(agent.log))
        stack.callback(agent.stop)
        yield Bench6(agent, taps)


def _prepare(network: Network) -> None:
    """Give the relay host and servers the same addresses in each run, and tell it where others are.

    What its kernel sends has a whole checksum, and one frame for each datagram, as a wire has it.
    """
    for server, address in zip(network.servers, _SERVER_MACS, strict=True):
        server.host.ip(f"link set eth0 address {address}")
    for name, address in RELAY_MACS.items():  # its link-local address is made of it when it comes up
        network.relay.sysctl(f"net.ipv6.conf.{name}.accept_dad", 0)
        network.relay.ip(f"link set {name} down", f"link set {name} address {address}", f"link set {name} up")
    Network6(network).build()
    for name in RELAY_MACS:
        settled(network.relay, name)
        finish_checksums(network.relay, name)
    known = [(CLIENT, CLIENT_MAC, name) for name in CLIENT_VLANS6]
    known += [(NEIGHBOUR, CLIENT_MAC, "vlan10"), (NEAR_ROUTER, _NEAR, "vlan10")]
    known += [(RIS6, _SERVER_MACS[0], "core")]
    known += [(address, _SERVER_MACS[1], "core") for address in (ALTIRIS6, FAR_ROUTER)]
    for address, mac, interface in known:
        network.relay.ip(f"neighbour replace {address} lladdr {mac} dev {interface} nud permanent")
