"""What a client of vlan10 notices while something on vlan20 floods; rules 33 to 36.

The client asks every 50 ms, 4 s before, during and after a flood of 5 s. Each question is timed from the
client's packet socket to the server's, by their kernels' clocks.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import Any, Protocol

from pxerelay.linux import control_client
from tests.benchmark.asking import VICTIM, Asking
from tests.benchmark.messages import macs, request_frames, requests, write_frames
from tests.benchmark.programs import program
from tests.benchmark.results import Bound, Result, Say, Table, middle
from tests.benchmark.rig import OTHERS_CPU, Rig, Wires, frames_file
from tests.lab import Host, Lab, LabError
from tests.lab.relays import (
    CLIENT_INTERFACE,
    SERVER_INTERFACE,
    DnsmasqRelay,
    IscDhcrelay,
    Pxerelay,
    RelayAgent,
)
from tests.lab.topology import ALTIRIS, RIS
from tests.unit.messages import message, option, request

_BEFORE, _FLOOD, _AFTER = 2.0, 5.0, 5.0
"""Seconds of asking."""

_CALM = 0.05
"""Seconds: a question that takes no longer is one to a calm relay."""

_COST_RATE, _COST_SECONDS = 3_000, 3
"""What a message costs is measured at a rate that nobody is overloaded by."""

_OTHER_GIADDR = "10.11.0.1"
_MESSAGES = 100_000
"""Invented clients of a flood, which begins again with the first."""


@dataclass(frozen=True)
class Flood:
    """What is sent from vlan20: so many a second; `make` returns the messages, or the frames themselves."""

    name: str
    rate: int
    make: Callable[[random.Random], list[bytes]]
    framed: Callable[[list[bytes]], list[bytes]] = request_frames


def _empty_options(chance: random.Random) -> list[bytes]:
    """512 options without a value in each, a new client each."""
    options = option(224, b"") * 512 + b"\xff"
    return [bytes(message(chaddr=_mac(chance), options=options, pad=0)) for _ in range(_MESSAGES // 5)]


def _one_hash(_: random.Random) -> list[bytes]:
    """Hardware addresses of 16 octets whose numbers have one hash in Python, which is modulo 2^61 - 1."""
    found = []
    for number in range(_MESSAGES):
        one = request(hlen=16)
        one[28:44] = (12345 + number * ((1 << 61) - 1)).to_bytes(16, "little")
        found.append(bytes(one))
    return found


def _invented(chance: random.Random) -> list[bytes]:
    """DISCOVERs as firmware sends them, a new client each."""
    clients = [b"\x06" + number.to_bytes(5, "big") for number in range(_MESSAGES)]
    return requests(clients, _MESSAGES, chance)


def _in_the_name_of_the_victim(_: random.Random) -> list[bytes]:
    return [bytes(request(chaddr=VICTIM))]


def _not_pxe(_: random.Random) -> list[bytes]:
    return [bytes(request(chaddr="02:00:00:ee:ee:02", vendor=None))]


def _mac(chance: random.Random) -> str:
    return (b"\x06" + chance.randbytes(5)).hex(":")


FLOODS = (
    Flood("512 empty options, new MAC each", 3_000, _empty_options),
    Flood("16-octet addresses of one hash", 12_000, _one_hash),
    Flood("DISCOVERs, invented MACs", 92_000, _invented),
    Flood("the client's own MAC", 1_000, _in_the_name_of_the_victim),
    Flood("one MAC that is not PXE", 800, _not_pxe),
)


class _Guarded(Pxerelay):
    """pxerelay with two VLANs, a thousand rules and its bound on what one client may ask."""

    more = ""

    def command(self) -> list[str]:
        """Write the configuration and return the command."""
        command = super().command()
        rules = (f"  {mac.hex(':')}: altiris" for mac in macs(3_000)[::3])
        lines = [
            f"servers: {{ris: {RIS}, altiris: {ALTIRIS}}}",
            "default: ris",
            f"interfaces: {{{CLIENT_INTERFACE}: {{}}, vlan20: {{pxe_only: true}}}}",
            *self.more.splitlines(),
            "rules:",
            *rules,
        ]
        self.path("yml").write_text("\n".join(lines) + "\n")
        return command


class _Classes(_Guarded):
    kind = "pxerelay_classes"
    more = "classes: [{name: http, vendor_class: HTTP, server: ris}, {name: arm, arch: 11, server: altiris}]"


class _Option82(_Guarded):
    kind = "pxerelay_option82"
    more = 'option82: {circuit_id: "{interface}"}'


class _Pool(_Guarded):
    kind = "pxerelay_pool"

    def command(self) -> list[str]:
        """Write the configuration and return the command."""
        command = super().command()
        one = f"ris: {RIS}"
        text = self.path("yml").read_text()
        self.path("yml").write_text(
            text.replace(one, f"ris: {{addresses: [{RIS}, {ALTIRIS}], strategy: hash}}", 1)
        )
        return command


class _IscOfTwo(IscDhcrelay):
    def command(self) -> list[str]:
        """Return the command."""
        return [*super().command()[:-1], "-id", "vlan20", RIS]


class _DnsmasqOfTwo(DnsmasqRelay):
    def command(self) -> list[str]:
        """Return the command."""
        return [*super().command(), f"--dhcp-relay={_OTHER_GIADDR},{RIS},{SERVER_INTERFACE}"]


RELAYS: Sequence[tuple[str, type[RelayAgent]]] = (
    ("pxerelay", _Guarded),
    ("pxerelay, classes", _Classes),
    ("pxerelay, option82", _Option82),
    ("pxerelay, a pool", _Pool),
    ("ISC dhcrelay", _IscOfTwo),
    ("dnsmasq", _DnsmasqOfTwo),
)


class TwoVlans(Wires):
    """The cables of the benchmark, and one more to whoever floods."""

    def build(self) -> TwoVlans:
        """Make the hosts and their cables."""
        super().build()
        self.relay.connect("vlan20", self.lab.host("hostile"), "eth0")
        self.relay.ip(f"address add {_OTHER_GIADDR}/16 dev vlan20")
        return self


class Asker(Protocol):
    """Asks until it is told to end, and knows how long each question took (`asking.Asking`)."""

    asked: dict[int, float]

    def until(self, end: float) -> None:
        """Ask until a monotonic time."""

    def took(self, number: int) -> float:
        """Return the seconds that a question took."""


@dataclass(frozen=True)
class World:
    """What floods are of one family: the network, who asks there, and where a relay counts what it drops."""

    name: str
    floods: Sequence[Flood]
    relays: Sequence[tuple[str, type[RelayAgent]]]
    ours: Sequence[str]
    network: type[TwoVlans] = TwoVlans
    asking: Callable[[Host, Host], AbstractContextManager[Asker]] = Asking
    rig: type[Rig] = Rig
    counters: str = "counters"


@dataclass(frozen=True)
class Noticed:
    """What the client noticed, in seconds; `memory` is how much of a calm relay's was taken at most.

    `looked_at` is how many of the flood's messages were not dropped as a flood, of ours only.
    """

    asked: int
    lost: int
    median: float
    p95: float
    calm_after: float
    memory: float
    flooded: int
    looked_at: float


class _Stage:
    """A relay on a processor of its own between two VLANs and a server."""

    def __init__(self, world: World, network: TwoVlans, kind: type[RelayAgent]) -> None:
        self._world = world
        self._network = network
        self._agent = kind(network)
        self._client, self._hostile = Host(network.lab, "clients"), Host(network.lab, "hostile")
        self.rig = world.rig(network, self._client, self._agent, apart=True)

    def _send(self, flood: Flood, rate: int, seconds: float) -> tuple[Any, int]:
        path = _written(flood)
        count = max(int(rate * seconds), 1)
        load = [str(program("load")), "eth0", str(path), str(rate), str(count)]
        return self._hostile.popen(["taskset", "--cpu-list", str(OTHERS_CPU), *load]), count

    def flood(self, flood: Flood) -> Noticed:
        """Have a client ask before, during and after a flood."""
        with self._world.asking(self._client, self._network.ris.host) as asking:
            asking.until(time.monotonic() + _BEFORE)
            calm = self.rig.memory("VmRSS")
            dropped = self._dropped()
            process, count = self._send(flood, flood.rate, _FLOOD)
            begun = time.time()
            while process.poll() is None:
                asking.until(time.monotonic() + 0.5)
            ended = time.time()
            asking.until(time.monotonic() + _AFTER)
            most = self.rig.memory("VmHWM")
        during = [number for number, at in asking.asked.items() if begun <= at <= ended]
        took = [asking.took(number) for number in during]
        late = [at for number, at in asking.asked.items() if at > ended and asking.took(number) > _CALM]
        return Noticed(
            asked=len(during),
            lost=sum(one == float("inf") for one in took),
            median=middle(took),
            p95=quantiles(took, n=20)[-1],
            calm_after=max(late) - ended + _CALM if late else 0.0,
            memory=most / calm,
            flooded=count,
            looked_at=1 - (self._dropped() - dropped) / count,
        )

    def _dropped(self) -> int:
        """Return how many messages ours has dropped as a flood."""
        socket = self._agent.path("sock")
        if not socket.exists():
            return 0
        status = control_client.ask(socket, "status")
        return int(status[self._world.counters]["dropped"]["flood"])

    def cost(self, flood: Flood) -> float:
        """Return microseconds of processor time for each message, received to dropped or sent.

        Infinity for a relay that is not done with them in time.
        """
        process, count = self._send(flood, _COST_RATE, _COST_SECONDS)
        before = self.rig.cpu_seconds()
        process.wait()
        try:
            self.rig.rest()
        except LabError:
            return float("inf")
        return (self.rig.cpu_seconds() - before) / count * 1e6


@cache
def _written(flood: Flood) -> Path:
    """Write what is sent, and return where."""
    path = frames_file(f"hostile-{flood.name.translate(_FILE_NAME)}")
    return write_frames(path, flood.framed(flood.make(random.Random(1))))


_FILE_NAME = str.maketrans(" ,'", "---")


@contextmanager
def _stage(world: World, kind: type[RelayAgent]) -> Iterator[_Stage]:
    with ExitStack() as stack:
        one = _Stage(world, world.network(stack.enter_context(Lab("hostile"))).build(), kind)
        stack.callback(one.rig.agent.stop)
        one.rig.start()
        yield one


DHCPV4 = World("", FLOODS, RELAYS, [name for name, kind in RELAYS if issubclass(kind, Pxerelay)])


def measured(worlds: Sequence[World], rounds: int, say: Say, part: str = "hostile") -> Result:
    """Flood every relay of some families in every way."""
    tables, bounds, raw = list[Table](), list[Bound](), dict[str, Any]()
    for world in worlds:
        found: dict[tuple[str, str], list[Noticed]] = {}
        costs: dict[tuple[str, str], list[float]] = {}
        for turn in range(rounds):
            for relay, kind in world.relays:
                for flood in world.floods:
                    with _stage(world, kind) as one:
                        noticed = one.flood(flood)
                        cost = one.cost(flood)
                    found.setdefault((relay, flood.name), []).append(noticed)
                    costs.setdefault((relay, flood.name), []).append(cost)
                    say(f"round {turn + 1}: {relay}: {flood.name}: {_words(noticed)}, {cost:.1f} us each")
        tables += [_table(world, relay, found, costs) for relay, _ in world.relays]
        bounds += _bounds(world, found, costs)
        raw |= {f"{relay}: {flood}": [asdict(one) for one in runs] for (relay, flood), runs in found.items()}
    return Result(part, tables, bounds, raw)


def _bounds(
    world: World, found: dict[tuple[str, str], list[Noticed]], costs: dict[tuple[str, str], list[float]]
) -> list[Bound]:
    """Return what must hold: the costly floods are the first three, the third of them of typical messages."""
    ours, floods, name = world.ours, world.floods, world.name
    runs = [one for (relay, _), ones in found.items() if relay in ours for one in ones]
    typical = {relay: middle(costs[relay, floods[2].name]) for relay in ours}
    worst = max(middle(costs[relay, flood.name]) / typical[relay] for relay in ours for flood in floods[:3])
    bounded = [one.looked_at for relay in ours for one in found[relay, floods[-1].name]]
    return [
        Bound(f"{name}lost of the other VLAN, any flood", max(one.lost for one in runs), 0),
        Bound(f"{name}95 of 100 of the other VLAN, ms", max(one.p95 for one in runs) * 1000, 250),
        Bound(f"{name}until calm, s", max(one.calm_after for one in runs), 2),
        Bound(f"{name}memory, of a calm daemon's", max(one.memory for one in runs), 1.5),
        Bound(f"{name}CPU for the worst message, of a typical one's", worst, 5),
        Bound(f"{name}share of one mad client's messages that are looked at", max(bounded), 0.1),
    ]


def _table(
    world: World,
    relay: str,
    found: dict[tuple[str, str], list[Noticed]],
    costs: dict[tuple[str, str], list[float]],
) -> Table:
    rows = []
    for flood in world.floods:
        runs = found[relay, flood.name]
        rows.append(
            (
                f"{flood.rate}/s: {flood.name}",
                sum(one.lost for one in runs) / sum(one.asked for one in runs) * 100,
                middle([one.median for one in runs]) * 1000,
                middle([one.p95 for one in runs]) * 1000,
                middle([one.calm_after for one in runs]),
                middle([one.memory for one in runs]),
                middle(costs[relay, flood.name]),
            )
        )
    columns = (
        "flood from vlan20",
        "lost, %",
        "median, ms",
        "95 of 100, ms",
        "calm after, s",
        "memory",
        "CPU, us each",
    )
    return Table(
        f"What vlan10 notices of a flood: {relay}", columns, [(row[0], *_rounded(row[1:])) for row in rows]
    )


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]


def _words(one: Noticed) -> str:
    return (
        f"{one.lost} of {one.asked} lost, median {one.median * 1000:.1f} ms, "
        f"95 of 100 {one.p95 * 1000:.0f} ms, "
        f"calm after {one.calm_after:.2f} s, memory x {one.memory:.2f}"
    )
