"""Checksums as a receiver sees them that trusts no offload, on each kind of link; named by packet rule."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import closing

import pytest

from tests.guest.inside.tap import Tap
from tests.lab.daemon import Daemon
from tests.lab.frames import internet_sum
from tests.lab.topology import RIS, Network
from tests.lab.wire import FakeServer, Raw, Station
from tests.unit.messages import ACK, ip, option, reply, request

CLIENT, CLIENT_ADDRESS, GIADDR = "02:00:00:00:00:01", "10.10.10.77", "10.10.10.1"
LARGE = b"".join(option(224, bytes(255)) for _ in range(8))
"""Options that make a reply need two frames."""

DEVICES = {
    "tap": ("tap0", ()),
    "bridge": ("br0", ("link add br0 type bridge", "link set tap0 master br0")),
    "vlan": ("tap0.30", ("link add link tap0 name tap0.30 type vlan id 30",)),
    "bond": (
        "bond0",
        ("link add bond0 type bond mode active-backup miimon 10", "link set tap0 master bond0"),
    ),
    "vlan-on-bond": (
        "bond0.30",
        (
            "link add bond0 type bond mode active-backup miimon 10",
            "link set tap0 master bond0",
            "link set bond0 up",
            "link add link bond0 name bond0.30 type vlan id 30",
        ),
    ),
    "vlan-of-bridge": (
        "br0.30",
        (
            "link add br0 type bridge",
            "link set tap0 master br0",
            "link set br0 up",
            "link add link br0 name br0.30 type vlan id 30",
        ),
    ),
}
"""The client interface of each kind, and how it is made on top of a tap device."""

NAMES = ("vlan10", *(name for name, _ in DEVICES.values()))
CONFIG = f"max_requests: 0\ndefault: {RIS}\ninterfaces: {{{', '.join(f'{name}: {{}}' for name in NAMES)}}}\n"


@pytest.fixture(params=["veth", *DEVICES])
def wire(request: pytest.FixtureRequest, network: Network) -> Iterator[tuple[str, Station]]:
    """Make a client interface; yield its name and its far end."""
    relay = network.relay
    if request.param == "veth":
        host = network.add_client("probe", CLIENT)
        relay.ip(f"neighbour replace {CLIENT_ADDRESS} lladdr {CLIENT} dev vlan10")
        with closing(Station(host)) as station:
            yield "vlan10", station
        relay.detach("vlan10")  # for the others, which have its address
        return
    name, steps = DEVICES[request.param]
    with closing(Tap(relay, "tap0", CLIENT)) as station:
        relay.ip(*steps, "link set tap0 up")
        relay.ip(f"link set {name} up", f"address add {GIADDR}/24 broadcast + dev {name}")
        relay.ip(f"neighbour replace {CLIENT_ADDRESS} lladdr {CLIENT} dev {name}")
        yield name, station
        if not name.startswith("tap"):
            relay.detach(name.removesuffix(".30"))


def test_rule_26_40_checksums_are_on_the_wire(
    daemon: Daemon, ris: FakeServer, wire: tuple[str, Station]
) -> None:
    name, station = wire
    daemon.wait_for(lambda: daemon.interface(name)["state"] == "active")
    vlan = 30 if name.endswith(".30") else None
    station.send(request(), vlan=vlan)
    arrived = ris.receive()
    assert arrived is not None
    assert arrived[0][24:28] == ip(GIADDR)
    for flags in (0, 0x8000):
        for extra in (b"", LARGE):
            answer = reply(ACK, giaddr=GIADDR, yiaddr=CLIENT_ADDRESS, flags=flags, extra=extra)
            ris.send(answer, GIADDR)
            frames, payload = next(datagrams(station, vlan))
            assert payload == bytes(answer)
            assert len(frames) == 1 + bool(extra)
    answer = reply(ACK, giaddr=GIADDR, ciaddr=CLIENT_ADDRESS, extra=LARGE)
    ris.send(answer, GIADDR)
    assert next(datagrams(station, vlan))[1] == bytes(answer)


def datagrams(station: Station, vlan: int | None) -> Iterator[tuple[list[Raw], bytes]]:
    """Yield each datagram to port 68 that arrives whole, with its frames; its checksums must be right."""
    parts: list[Raw] = []
    for frame in station.arriving(2.0):
        if frame.octets[12:14] != b"\x08\x00" or frame.octets[23] != 17:
            continue
        assert frame.vlan == vlan
        assert internet_sum(frame.octets[14:34]) == 0xFFFF, "the IP header's checksum"
        parts.append(frame)
        more_fragments = frame.octets[20] & 0x20
        if not more_fragments:
            udp = joined(parts)
            if udp[2:4] == struct.pack("!H", 68):
                yield parts, udp[8:]
            parts = []


def joined(parts: Iterable[Raw]) -> bytes:
    """Put the fragments of a datagram together, and check its UDP checksum, which has to be there."""
    octets = b""
    for part in parts:
        packet = part.octets[14 : 14 + struct.unpack("!H", part.octets[16:18])[0]]
        assert (struct.unpack("!H", packet[6:8])[0] & 0x1FFF) * 8 == len(octets), "fragments in order"
        octets += packet[20:]
        assert not part.offloaded, "rule 40: nothing is left to the device"
    assert octets[6:8] != b"\0\0", "rule 21: never without a checksum"
    assert internet_sum(packet[12:20] + struct.pack("!HH", 17, len(octets)) + octets) == 0xFFFF
    return octets
