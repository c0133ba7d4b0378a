"""A soak: hostile datagrams from clients and servers at a running daemon, while real clients boot.

    python -m tests.soak [COUNT]

In each of two set-ups, half of the COUNT datagrams arrive on a client VLAN, half at the servers' side
(tests/soak/attacks.py). Real udhcpc clients boot again and again meanwhile, on another VLAN: on that of the
attacker udhcpc reads each of its thousands of broadcasts a second, and does not hear what it has no time for.
In a third one the same goes on in DHCPv6, while clients boot in both families (tests/soak/dhcpv6.py). At the
end the figures are printed; the exit code is 1 if anything did not hold. A client that hears nothing
asks again: only one that hears nothing in RUNS runs, or anything that is not its own server's, is a failure;
the others are told as late, since a machine that is busy is no fault of the daemon. After the flood each
client must boot at once.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from pxerelay.relay.decision import MEANING, Drop
from tests.lab import Host, Lab
from tests.lab.daemon import Daemon
from tests.lab.topology import ALTIRIS, CLIENT_SUPERNET, CLIENTS, RELAY_CORE, RIS, SERVER_NAMES, Network
from tests.lab.trial import boot
from tests.lab.wire import FakeServer, Station
from tests.soak.attacks import ATTACKER, ATTACKER_MAC, Flood, from_clients, from_servers
from tests.soak.dhcpv6 import soak6
from tests.soak.figures import GROWTH, POOL, RUNS, log_troubles, lost_at_port, lost_by_the_machine, resident

SINK, STRANGER = "10.20.0.66", "10.20.0.77"
CONFIG = (
    f"servers: {{ris: {RIS}, altiris: {ALTIRIS}, sink: {SINK}}}\n"
    "default: sink\n"
    "interfaces: {vlan10: {}, vlan20: {}}\n"
    "rules:\n"
) + "".join(f'  "{client.mac}": {SERVER_NAMES[client.server]}\n' for client in CLIENTS if client.server)
"""Clients of the flood go to the sink, for a real server would soon have no address left to lease."""

ATTACKS = (Drop.NOT_A_SERVER, Drop.RELAY_NOT_ACCEPTED, Drop.OWN_GIADDR, Drop.FLOOD)
"""What is told in the log, so that its number of lines is looked at."""


@dataclass(frozen=True)
class Setting:
    """One way to set the daemon up, and the drops that must be met in it."""

    name: str
    more: str
    must_be_met: tuple[Drop, ...]


SETTINGS = (
    Setting(
        "what is known takes shortcuts",
        "classes: [{name: uefi, arch: 7, server: sink}]\ndhcp_servers: sink\npxe_only: true\n",
        ATTACKS,
    ),
    Setting(
        "option 82 in every request",
        'option82: {circuit_id: "{interface}"}\n',
        (*ATTACKS, Drop.FOREIGN_OPTION82),
    ),
)

SERVED = tuple(client for client in CLIENTS if client.server)


class Boots:
    """Counts what became of the clients' boots."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._silent: Counter[str] = Counter()
        self.count: Counter[str] = Counter()
        self.troubles: list[str] = []

    def run(self) -> None:
        """Let every client boot once."""
        for outcome in boot(self._network, SERVED):
            name = outcome.client.name
            if outcome.ok:
                self.count["at once" if not self._silent.pop(name, 0) else "late"] += 1
                continue
            self._silent[name] += 1
            if outcome.lease is not None or self._silent[name] >= RUNS:
                self.troubles.append(f"{name} was offered {outcome.offered}, expected {outcome.expected}")
            self.count["heard nothing"] += outcome.lease is None


def soak(setting: Setting, count: int) -> bool:
    """Run it, print the figures, and return whether all held."""
    print(f"-- {setting.name}")
    with Lab("soak") as lab, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        network = Network(lab).build()
        for server in network.servers:
            server.start()
        for client in CLIENTS:
            network.add_client(client.name, client.mac, "vlan20")
        attacker = network.add_client("attacker", ATTACKER_MAC)
        attacker.ip(f"address add {ATTACKER}/24 dev eth0")
        daemon = Daemon(network, Path(folder), CONFIG + setting.more, options=())
        start = time.monotonic()
        sides = [stack.enter_context(closing(FakeServer(_on_core(network, at)))) for at in (SINK, STRANGER)]
        station = stack.enter_context(closing(Station(attacker)))
        gateway = network.relay.run(["cat", "/sys/class/net/vlan10/address"]).stdout.strip()
        chance = random.Random(count)
        mac = bytes.fromhex(gateway.replace(":", ""))
        floods = [
            Flood(count // 2, [from_clients(chance, station, mac) for _ in range(POOL)], 1),
            Flood(count - count // 2, [from_servers(chance, *sides) for _ in range(POOL)], 2),
        ]
        troubles = _watch(network, daemon, floods, setting)
        code = daemon.stop()
        troubles += log_troubles(daemon.log, time.monotonic() - start, MEANING, setting.must_be_met)
        if code:
            troubles.append(f"the daemon ended with {code}")
        for trouble in troubles:
            print(f"FAILED  {trouble}")
        return not troubles


def _on_core(network: Network, address: str) -> Host:
    host = network.lab.host(f"at-{address.rpartition('.')[2]}")
    host.attach(network.segments["core"], "eth0", addresses=[f"{address}/24"])
    host.route(CLIENT_SUPERNET, RELAY_CORE)
    return host


def _watch(network: Network, daemon: Daemon, floods: Sequence[Flood], setting: Setting) -> list[str]:
    start = time.monotonic()
    boots, settled, lost = Boots(network), 0, lost_by_the_machine()
    for flood in floods:
        flood.start()
    while any(flood.is_alive() for flood in floods):
        boots.run()
        if not settled and all(flood.sent > flood.count // 2 for flood in floods):
            settled = resident(daemon.process.pid)
    seconds = time.monotonic() - start
    grown = resident(daemon.process.pid) - settled
    during = Counter(boots.count)
    calm = boot(network, SERVED)
    counters = daemon.status()["counters"]
    dropped = {reason: number for reason, number in counters["dropped"].items() if number}
    handled = counters["requests"] + counters["replies"] + sum(dropped.values())
    print(f"datagrams sent       {sum(flood.sent for flood in floods)} in {seconds:.0f} s")
    print(f"handled              {handled}")
    at_port = lost_at_port(network.relay, 67)
    print(f"lost at port 67      {at_port}, by the machine {lost_by_the_machine() - lost}")
    print(f"boots of clients     {dict(during)}, then {len(calm)} in the calm")
    print(f"memory               {settled} KiB after one half, {grown:+d} KiB at the end")
    print(f"requests, replies    {counters['requests']}, {counters['replies']}")
    print(f"dropped              {dropped}")
    troubles = list(boots.troubles)
    troubles += [
        f"in the calm {outcome.client.name} was offered {outcome.offered}"
        for outcome in calm
        if not outcome.ok
    ]
    troubles += [
        f"nothing was counted as {drop.value}" for drop in setting.must_be_met if drop.value not in dropped
    ]
    if not during["at once"] + during["late"]:
        troubles.append("no client booted")
    if grown > GROWTH or not settled:
        troubles.append(f"memory grew by {grown} KiB")
    return troubles


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    held = [*(soak(setting, number) for setting in SETTINGS), soak6(number)]
    sys.exit(0 if all(held) else 1)
