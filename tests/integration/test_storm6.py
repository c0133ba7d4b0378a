"""DHCPv6: many clients that ask at once. What is known takes its shortcut, and crowds go in groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.integration.conftest import BASE6
from tests.lab import dhcp6
from tests.lab.daemon import Daemon
from tests.lab.frames6 import frames6, link_local
from tests.lab.topology6 import Network6
from tests.lab.wire6 import FakeServer6, Station6

Start = Callable[..., Daemon]

PLENTY = 3000
"""Clients that ask as fast as this machine can send, which is within a second."""

FEWER = 500
"""Of messages that come in fragments: a host that puts them together has little room for that."""

ATTEMPTS = 8
"""How often a client asks, a few seconds apart."""

KINDS = b"\x02\x00\x00", b"\x02\x80\x64"
"""How MACs begin: of clients of `ris`, and of `altiris`."""

SILENCE = 5.0
"""Seconds in which nothing more comes, where all has come."""


@pytest.fixture
def altiris(network6: Network6) -> Iterator[FakeServer6]:
    """Be the DHCPv6 server `altiris`."""
    with closing(FakeServer6(network6.altiris.host)) as server:
        yield server


@pytest.mark.alone
@pytest.mark.parametrize(("size", "count"), [(0, PLENTY), (1400, FEWER)])
def test_all_are_answered_that_ask_at_once(
    start: Start,
    station6: Station6,
    server6: FakeServer6,
    altiris: FakeServer6,
    size: int,
    count: int,
) -> None:
    """By the server that is theirs, also where what is sent is too large for the kernel to cut it.

    A relay that had no time for a second drops what waited (rule 36). Clients ask again then, as they do
    (RFC 9915, 15), and nothing is lost for another reason.
    """
    daemon = start(BASE6, options=())
    macs = [KINDS[at % 2] + (0x400000 + at).to_bytes(3, "big") for at in range(count)]
    waiting, times_late = set(macs), 0
    for _ in range(ATTEMPTS):
        waiting -= _ask_at_once(station6, (server6, altiris), sorted(waiting), size)
        times_late += len(waiting)
        if not waiting:
            break
    assert not waiting
    counters = daemon.status()["counters6"]
    dropped = {reason: count for reason, count in counters["dropped"].items() if count}
    assert set(dropped) <= {"too-old", "more-than-its-share"}
    assert sum(dropped.values()) <= times_late
    assert min(counters["requests"], counters["replies"]) >= count
    assert (counters["send_failures"], counters["not_received"]) == (0, 0)


def _ask_at_once(
    station: Station6, servers: tuple[FakeServer6, FakeServer6], macs: list[bytes], size: int
) -> set[bytes]:
    """Have clients ask at once; return the MACs of those that were answered.

    Each request must reach the server of its client, whole, and each answer the client that asked.
    """
    asked = {_solicit(mac, size): mac for mac in macs}
    frames = [
        frame
        for message, mac in asked.items()
        for frame in frames6(message, source=link_local(mac), sender=mac)
    ]
    for frame in frames:
        station._put(frame)
    answers: dict[bytes, bytes] = {}
    for kind, server in zip(KINDS, servers, strict=True):
        while (heard := server.receive(SILENCE if len(answers) < len(asked) else 0.1)) is not None:
            forward = dhcp6.read_relayed(heard[0])
            if forward.inside not in asked:
                continue  # it was given up before
            mac = asked[forward.inside]
            assert mac.startswith(kind)
            assert (forward.mac, forward.peer) == (mac.hex(":"), link_local(mac))
            answer = bytes([dhcp6.ADVERTISE]) + forward.inside[1:]
            assert answer not in answers
            answers[answer] = mac
            echoed = (dhcp6.INTERFACE_ID, forward.all(dhcp6.INTERFACE_ID)[0])
            reply = dhcp6.relayed(dhcp6.RELAY_REPL, answer, echoed, link=forward.link, peer=forward.peer)
            server.send(reply, "2001:db8:20::1")
    arrived: set[bytes] = set()
    while len(arrived) < len(answers) and (some := station.datagrams(SILENCE, 1)):
        if some[0].port != 546 or some[0].payload not in answers:
            continue
        mac = answers[some[0].payload]
        assert some[0].hardware == mac.hex(":")
        assert mac not in arrived
        arrived.add(mac)
    return arrived


def _solicit(mac: bytes, size: int) -> bytes:
    """Return a SOLICIT of a transaction of its own, of at least `size` octets."""
    bare = dhcp6.solicit(dhcp6.duid_ll(mac), xid=int.from_bytes(os.urandom(3), "big"))
    return bare + dhcp6.option(65001, bytes(max(size - len(bare) - 4, 0)))
