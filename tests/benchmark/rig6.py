"""The network of the benchmark in IPv6, and what is sent through it: messages that real firmware sent."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address
from pathlib import Path
from typing import NamedTuple

from tests.benchmark.messages import write_frames
from tests.benchmark.programs import program
from tests.benchmark.rig import CLIENT_HOST, Rig, Run, Wires, frames_file
from tests.lab import LabError, pcap
from tests.lab.frames6 import frames6, link_local
from tests.lab.topology6 import (
    ALTIRIS6,
    CLIENT_SUPERNET6,
    CLIENT_VLANS6,
    CORE6,
    RELAY_CORE6,
    RIS6,
    add_address,
)
from tests.lab.wire6 import settled
from tests.unit.messages6 import option, relayed

LINK6 = str(CLIENT_VLANS6["vlan10"][1])
"""The relay's link-address."""

_MARK = option(65033, bytes(12))
"""What `load` writes a message's number and time into: the last option of each."""

_RECORDINGS = Path(__file__).parents[1] / "captures" / "ipv6"
_SERVER = bytes.fromhex("020000fffffe")
_RELAY_FORW, _RELAY_REPL = 12, 13


class Message6(NamedTuple):
    """A message, and the hardware address of the client that it is from or for."""

    octets: bytes
    mac: bytes


class Wires6(Wires):
    """The same cables, with IPv6. `neighbours` are clients that the relay host's kernel knows."""

    neighbours: Sequence[bytes] = ()

    def build(self) -> Wires6:
        """Make the hosts and their cables."""
        super().build()
        for interface, subnet in {"vlan10": CLIENT_VLANS6["vlan10"], "core": CORE6}.items():
            add_address(self.relay, interface, f"{subnet[1]}/{subnet.prefixlen}")
        for address in (RIS6, ALTIRIS6):
            add_address(self.ris.host, "eth0", f"{address}/{CORE6.prefixlen}")
        self.ris.host.route(CLIENT_SUPERNET6, RELAY_CORE6)
        for interface in ("vlan10", "core"):
            settled(self.relay, interface)
        self.relay.ip(
            *(
                f"neighbour replace {link_local(mac)} lladdr {mac.hex(':')} dev vlan10 nud permanent"
                for mac in self.neighbours
            )
        )
        return self


class Rig6(Rig):
    """One relay of DHCPv6 in its network."""

    listens = "udp6", 547
    suffix = "6"

    def answered(self, frames: Path, rate: int, count: int) -> Run:
        """Have clients send so many requests a second, and a server answer each; count the answers."""
        server = self.network.ris.host.popen(
            [*self._on_their_cpu(), str(program("answer6"))], stdout=subprocess.PIPE
        )
        try:
            if server.stdout is None or server.stdout.readline() != "ready\n":
                raise LabError("what answers does not start")
            sink = [f"frames{self.suffix}", "eth0"]
            return self._run(self._client, sink, frames, rate, count, taker_host=self._client)
        finally:
            server.terminate()
            server.wait()

    def request_file6(self, messages: Iterable[Message6]) -> Path:
        """Write requests for `requests`."""
        found = [
            frame for octets, mac in messages for frame in frames6(octets, source=link_local(mac), sender=mac)
        ]
        return write_frames(frames_file("requests6"), found)

    def reply_file6(self, messages: Iterable[Message6]) -> Path:
        """Write replies for `replies`."""
        found = [
            frame
            for octets, _ in messages
            for frame in frames6(
                octets,
                source=RIS6,
                destination=LINK6,
                ports=(547, 547),
                sender=_SERVER,
                hardware=self.relay_mac,
            )
        ]
        return write_frames(frames_file("replies6"), found)


def requests6(clients: Sequence[bytes], count: int, chance: random.Random) -> list[Message6]:
    """Return messages of clients in turn, as recorded of BIOS and UEFI firmware, each with its own xid."""
    patterns = [
        one
        for one in _recorded("clients")
        if one[0] not in (2, 7, 10, _RELAY_FORW, _RELAY_REPL) and b"PXEClient" in one
    ]
    found = []
    for number in range(count):
        pattern = chance.choice(patterns)
        octets = pattern[:1] + number.to_bytes(3, "big") + pattern[4:] + _MARK
        found.append(Message6(octets, clients[number % len(clients)]))
    return found


def replies6(
    clients: Sequence[bytes], count: int, chance: random.Random, interface_id: bytes | None
) -> list[Message6]:
    """Return RELAY-REPLs to clients in turn, around what servers were recorded to say to firmware."""
    patterns = [one for one in _recorded("clients") if one[0] in (2, 7)]
    front = b"" if interface_id is None else option(18, interface_id)
    found = []
    for number in range(count):
        mac = clients[number % len(clients)]
        inside = chance.choice(patterns) + _MARK
        octets = relayed(
            inside, link=LINK6, peer=str(IPv6Address(link_local(mac))), front=front, kind=_RELAY_REPL
        )
        found.append(Message6(octets, mac))
    return found


def _recorded(side: str) -> list[bytes]:
    """Return the messages of DHCPv6 that were recorded on one side of the relay, each once."""
    found = dict.fromkeys(
        bytes(datagram.payload)
        for path in sorted(_RECORDINGS.glob(f"*-{side}.pcap"))
        for datagram in pcap.read6(path)
        if 547 in datagram.ports
    )
    return list(found)


__all__ = ["CLIENT_HOST", "LINK6", "Message6", "Rig6", "Wires6", "replies6", "requests6"]
