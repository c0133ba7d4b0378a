"""The soak in DHCPv6: hostile datagrams from a client VLAN and the servers' side, while clients boot.

Real clients boot again and again meanwhile, on another VLAN, over IPv4 and over IPv6.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from ipaddress import IPv6Address
from pathlib import Path

from pxerelay.relay.decision6 import MEANING6, Drop6
from tests.fuzz.seeds6 import CORPUS
from tests.lab import Host, Lab
from tests.lab.daemon import Daemon
from tests.lab.frames6 import eui64
from tests.lab.topology import ALTIRIS, CLIENTS, RIS, SERVER_NAMES, Network
from tests.lab.topology6 import (
    ALTIRIS6,
    CLIENT_SUPERNET6,
    CLIENT_VLANS6,
    RELAY_CORE6,
    RIS6,
    Network6,
    add_address,
)
from tests.lab.trial import boot
from tests.lab.trial6 import boot6
from tests.lab.wire6 import FakeServer6, Station6, settled
from tests.soak.attacks import ATTACKER_MAC, Flood, Send
from tests.soak.figures import (
    GROWTH,
    POOL,
    RUNS,
    log_troubles,
    lost_at_port,
    lost_by_the_machine,
    resident,
)
from tests.unit.messages6 import REPLY, hardware, option, relayed
from tests.unit.messages6 import boot as boot_message

SINK, STRANGER = "2001:db8:20::66", "2001:db8:20::77"
LINKS = {name: str(subnet[1]) for name, subnet in CLIENT_VLANS6.items()}

CONFIG = (
    f"servers: {{ris: [{RIS}, '{RIS6}'], altiris: [{ALTIRIS}, '{ALTIRIS6}'], sink: '{SINK}'}}\n"
    "default: sink\n"
    "dhcpv6: true\n"
    "interfaces: {vlan10: {}, vlan20: {}}\n"
    "classes: [{name: uefi, arch: 7, server: sink}]\n"
    "dhcp_servers: sink\n"
    "pxe_only: true\n"
    "rules:\n"
) + "".join(f'  "{client.mac}": {SERVER_NAMES[client.server]}\n' for client in CLIENTS if client.server)
"""Clients of the flood go to the sink, for a real server would soon have no address left to lease."""

SERVED = tuple(client for client in CLIENTS if client.server)

MUST_BE_MET = (
    *(Drop6.NOT_A_SERVER, Drop6.SERVER_ON_CLIENT_INTERFACE, Drop6.RELAY_NOT_ACCEPTED, Drop6.NOT_FOR_SERVERS),
    *(Drop6.FLOOD, Drop6.TRUNCATED, Drop6.NO_INTERFACE, Drop6.BAD_PEER, Drop6.NO_RELAY_MESSAGE),
)
"""Drops that such floods must lead to."""

TOLD = (Drop6.NOT_A_SERVER, Drop6.SERVER_ON_CLIENT_INTERFACE, Drop6.RELAY_NOT_ACCEPTED, Drop6.FLOOD)
"""Those that are told in the log, so that its number of lines is looked at."""


def hostile(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a datagram: random octets, or one of the fuzzer's inputs with some octets changed."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(0, 1400))
    whole = bytearray(chance.choice(seeds)[2:] or b"\1")
    for _ in range(chance.randrange(0, 6)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    return bytes(whole)


def from_clients(chance: random.Random, station: Station6, gateway: bytes, seeds: Sequence[bytes]) -> Send:
    """Return one datagram of the client VLAN, ready to be sent; `gateway` is the relay's hardware address.

    Octets of any kind in the name of invented clients, by their own frames and by others'; messages that
    pretend to be relayed, or a server's; and one client that asks without end.
    """
    kind = chance.random()
    if kind < 0.6:
        octets, mac = hostile(chance, seeds), b"\x02" + chance.randbytes(5)
        own = IPv6Address(b"\xfe\x80" + bytes(6) + eui64(mac))
        other = IPv6Address(b"\xfe\x80" + bytes(6) + chance.randbytes(8))
        source = str(own if chance.random() < 0.6 else other)
        return lambda: station.send(octets, source=source, sender=mac)
    if kind < 0.7:
        forged = relayed(boot_message(), front=hardware(chance.choice(SERVED).mac))
        return lambda: station.send(forged, ports=(547, 547))
    if kind < 0.8:
        answer = relayed(
            boot_message(REPLY),
            kind=13,
            link=LINKS["vlan20"],
            peer=f"fe80::{chance.randrange(1, 65536):x}",
            front=option(18, b"vlan20"),
        )
        source = chance.choice((RIS6, ALTIRIS6, SINK, station.address))
        return lambda: station.send(
            answer, source=source, destination=LINKS["vlan10"], hardware=gateway, ports=(547, 547)
        )
    flooding = boot_message()
    return lambda: station.send(flooding)


def from_servers(
    chance: random.Random, seeds: Sequence[bytes], server: FakeServer6, stranger: FakeServer6
) -> Send:
    """Return one datagram of the servers' side: of a server gone mad, or of no server of ours."""
    name = chance.choice(tuple(LINKS))
    if chance.random() < 0.4:
        octets = hostile(chance, seeds)
        return lambda: server.send(octets, RELAY_CORE6)
    inside = hostile(chance, seeds) if chance.random() < 0.5 else boot_message(REPLY)
    peer = chance.choice((f"fe80::{chance.randrange(1, 65536):x}", "ff02::1", "::", "2001:db8:10:10::abc"))
    front = chance.choice((option(18, name.encode()), option(18, b"foo"), b""))
    answer = relayed(inside, kind=13, link=LINKS[name], peer=peer, front=front)
    whose = server if chance.random() < 0.7 else stranger
    return lambda: whose.send(answer, RELAY_CORE6)


def _on_core(network: Network, address: str) -> Host:
    host = network.lab.host(f"at-{address.rpartition(':')[2]}")
    host.attach(network.segments["core"], "eth0")
    add_address(host, "eth0", f"{address}/64")
    host.route(CLIENT_SUPERNET6, RELAY_CORE6)
    return host


class Boots:
    """Counts what became of the clients' boots, in both families."""

    def __init__(self, network: Network, network6: Network6) -> None:
        self._boots: dict[str, Callable[[], Sequence[tuple[str, bool, bool, str]]]] = {
            "IPv4": lambda: [
                (one.client.name, one.ok, one.lease is None, one.offered) for one in boot(network, SERVED)
            ],
            "IPv6": lambda: [
                (one.client.name, one.ok, one.lease is None, one.offered) for one in boot6(network6, SERVED)
            ],
        }
        self._silent: Counter[tuple[str, str]] = Counter()
        self.count: Counter[str] = Counter()
        self.troubles: list[str] = []

    def run(self) -> None:
        """Let every client boot once in each family."""
        for family, ask in self._boots.items():
            for name, fine, nothing, offered in ask():
                if fine:
                    late = self._silent.pop((family, name), 0)
                    self.count[f"{family} {'late' if late else 'at once'}"] += 1
                    continue
                self._silent[family, name] += 1
                if not nothing or self._silent[family, name] >= RUNS:
                    self.troubles.append(f"{name} was offered {offered} over {family}")
                self.count[f"{family} heard nothing"] += nothing


def soak6(count: int) -> bool:
    """Run it, print the figures, and return whether all held."""
    print("-- DHCPv6, in both families")
    seeds = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    with Lab("soak6") as lab, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        network = Network(lab).build()
        network6 = Network6(network).build()
        for server in (*network.servers, *network6.servers):
            server.start()
        for client in CLIENTS:
            network.add_client(client.name, client.mac, "vlan20")
        attacker = network.add_client("attacker", ATTACKER_MAC)
        for interface in ("vlan10", "vlan20", "core"):
            settled(network.relay, interface)
        daemon = Daemon(network, Path(folder), CONFIG, options=())
        start = time.monotonic()
        sides = [
            stack.enter_context(closing(FakeServer6(_on_core(network, address), address)))
            for address in (SINK, STRANGER)
        ]
        station = stack.enter_context(closing(Station6(attacker)))
        gateway = network.relay.run(["cat", "/sys/class/net/vlan10/address"]).stdout.strip()
        mac = bytes.fromhex(gateway.replace(":", ""))
        chance = random.Random(count)
        floods = [
            Flood(count // 2, [from_clients(chance, station, mac, seeds) for _ in range(POOL)], 1),
            Flood(count - count // 2, [from_servers(chance, seeds, *sides) for _ in range(POOL)], 2),
        ]
        troubles = _watch(network, network6, daemon, floods)
        code = daemon.stop()
        troubles += log_troubles(daemon.log, time.monotonic() - start, MEANING6, TOLD)
        if code:
            troubles.append(f"the daemon ended with {code}")
        for trouble in troubles:
            print(f"FAILED  {trouble}")
        return not troubles


def _watch(network: Network, network6: Network6, daemon: Daemon, floods: Sequence[Flood]) -> list[str]:
    start = time.monotonic()
    boots, settled_at, lost = Boots(network, network6), 0, lost_by_the_machine()
    for flood in floods:
        flood.start()
    while any(flood.is_alive() for flood in floods):
        boots.run()
        if not settled_at and all(flood.sent > flood.count // 2 for flood in floods):
            settled_at = resident(daemon.process.pid)
    seconds = time.monotonic() - start
    grown = resident(daemon.process.pid) - settled_at
    during = Counter(boots.count)
    calm = Boots(network, network6)
    calm.run()
    counters = daemon.status()["counters6"]
    dropped = {reason: number for reason, number in counters["dropped"].items() if number}
    handled = counters["requests"] + counters["replies"] + sum(dropped.values())
    print(f"datagrams sent       {sum(flood.sent for flood in floods)} in {seconds:.0f} s")
    print(f"handled              {handled}")
    at_port = lost_at_port(network.relay, 547, "udp6")
    print(f"lost at port 547     {at_port}, by the machine {lost_by_the_machine() - lost}")
    print(f"boots of clients     {dict(during)}, then {dict(calm.count)} in the calm")
    print(f"memory               {settled_at} KiB after one half, {grown:+d} KiB at the end")
    print(f"requests, replies    {counters['requests']}, {counters['replies']}")
    print(f"dropped              {dropped}")
    troubles = [*boots.troubles, *(f"in the calm {trouble}" for trouble in calm.troubles)]
    for family in ("IPv4", "IPv6"):
        if not during[f"{family} at once"] + during[f"{family} late"]:
            troubles.append(f"no client booted over {family}")
        if calm.count[f"{family} at once"] != len(SERVED):
            troubles.append(f"in the calm not every client booted over {family}")
    troubles += [f"nothing was counted as {drop.value}" for drop in MUST_BE_MET if drop.value not in dropped]
    if grown > GROWTH or not settled_at:
        troubles.append(f"memory grew by {grown} KiB")
    return troubles
