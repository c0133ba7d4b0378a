"""A soak: hostile datagrams from clients and servers at a running daemon, while real clients boot.

    python -m tests.soak [COUNT]

Half of the COUNT datagrams arrive on the client VLAN, half at the servers' side: random octets, and
messages with random octets changed. Real udhcpc clients boot again and again meanwhile. At the end the
figures are printed, and the exit code is 1 if a boot failed, memory grew, or the daemon said anything
that it should not have.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.fuzz.seeds import SEEDS
from tests.lab import Lab
from tests.lab.daemon import Daemon
from tests.lab.topology import ALTIRIS, CLIENTS, RIS, SERVER_NAMES, Network
from tests.lab.trial import boot
from tests.lab.wire import FakeServer, Station

SINK = "10.20.0.66"
CONFIG = (
    f"servers: {{ris: {RIS}, altiris: {ALTIRIS}, sink: {SINK}}}\n"
    "default: sink\n"
    "interfaces: {vlan10: {}, vlan20: {}}\n"
    'option82: {circuit_id: "{interface}"}\n'
    "rules:\n"
) + "".join(f'  "{client.mac}": {SERVER_NAMES[client.server]}\n' for client in CLIENTS if client.server)
"""Strangers go to the sink, for a real server would soon have no address left to lease."""

RATE = 8000
"""Datagrams a second from each side: far above a VLAN's boot storm, below what this machine can send."""

SERVED = tuple(client for client in CLIENTS if client.server)
GROWTH = 4096
"""KiB by which resident memory may differ after the first tenth of the soak: allocator noise."""


def hostile(chance: random.Random) -> bytes:
    """Return a datagram: random octets, or one of the fuzzer's seeds with some octets changed."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(0, 1400))
    whole = bytearray(chance.choice(tuple(SEEDS.values()))[1:])
    whole[28:34] = chance.randbytes(6)
    for _ in range(chance.randrange(0, 6)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    return bytes(whole)


class Flood(threading.Thread):
    """Sends a number of hostile datagrams at a steady rate."""

    def __init__(self, count: int, send: Callable[[bytes], None], seed: int) -> None:
        super().__init__(daemon=True)
        self._count, self._send, self._seed = count, send, seed
        self.sent = 0

    def run(self) -> None:
        """Send them."""
        chance = random.Random(self._seed)
        pool = [hostile(chance) for _ in range(20000)]
        start = time.monotonic()
        for number in range(self._count):
            self._send(pool[chance.randrange(len(pool))])
            self.sent += 1
            ahead = number / RATE - (time.monotonic() - start)
            if ahead > 0.005:
                time.sleep(ahead)


def resident(pid: int) -> int:
    """Return a process's resident memory in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def soak(count: int) -> bool:
    """Run it, print the figures, and return whether all held."""
    with Lab("soak") as lab, tempfile.TemporaryDirectory() as folder:
        network = Network(lab).build()
        for server in network.servers:
            server.start()
        for client in CLIENTS:
            network.add_client(client.name, client.mac)
        attacker = network.add_client("attacker", "02:00:00:66:66:66")
        attacker.ip("address add 10.10.10.66/24 dev eth0")
        sink = lab.host("sink")
        sink.attach(network.segments["core"], "eth0", addresses=[f"{SINK}/24"])
        sink.route("10.10.0.0/16", "10.20.0.1")
        daemon = Daemon(network, Path(folder), CONFIG, options=())
        with closing(Station(attacker)) as station, closing(FakeServer(sink)) as hostile_server:
            floods = [
                Flood(count // 2, station.send, 1),
                Flood(count - count // 2, lambda octets: hostile_server.send(octets, "10.10.10.1"), 2),
            ]
            for flood in floods:
                flood.start()
            fine = _watch(network, daemon, floods, count)
        code = daemon.stop()
        odd = [line for line in daemon.log.splitlines() if not line.startswith(("<6>", "<4>"))]
        print(f"log lines            {len(daemon.log.splitlines())}, errors among them {len(odd)}")
        return fine and code == 0 and not odd


def _watch(network: Network, daemon: Daemon, floods: list[Flood], count: int) -> bool:
    start = time.monotonic()
    boots = failures = 0
    settled = 0
    while any(flood.is_alive() for flood in floods):
        outcomes = boot(network, SERVED)
        boots += len(outcomes)
        failures += sum(not outcome.ok for outcome in outcomes)
        if not settled and sum(flood.sent for flood in floods) > count // 10:
            settled = resident(daemon.process.pid)
    seconds = time.monotonic() - start
    grown = resident(daemon.process.pid) - settled
    counters = daemon.status()["counters"]
    dropped = {reason: number for reason, number in counters["dropped"].items() if number}
    print(f"datagrams sent       {sum(flood.sent for flood in floods)} in {seconds:.0f} s")
    print(f"boots of clients     {boots}, failed {failures}")
    print(f"memory               {settled} KiB after a tenth, {grown:+d} KiB at the end")
    print(f"requests, replies    {counters['requests']}, {counters['replies']}")
    print(f"dropped              {dropped}")
    return failures == 0 and boots > 0 and abs(grown) <= GROWTH


if __name__ == "__main__":
    sys.exit(0 if soak(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000) else 1)
