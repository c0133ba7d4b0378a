"""Batches of DHCPv6 messages for tests, put into memory that holds the octets of earlier ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from pxerelay.relay.decision6 import Arrival6, Decision6, Dropped6, ToPeer, ToServers6
from pxerelay.relay.fast_path6 import FastPath6
from pxerelay.relay.outcome6 import Group6, Requests6
from pxerelay.wire.batch import SLOT, number
from pxerelay.wire.batch6 import Batch6, Room6, room_size
from pxerelay.wire.facts6 import Facts6
from pxerelay.wire.packet6 import CLIENT_PORT

MOST = 32

_MEMORY = bytearray(room_size(MOST))
_ROOM = Room6(_MEMORY)


def batch6_of(arrivals: Sequence[Arrival6]) -> Batch6:
    """Return a batch of these datagrams, valid until the next one is made."""
    for (slot, rest), arrival in zip(_ROOM.places, arrivals, strict=False):
        octets = bytes(arrival.message)
        _MEMORY[slot : slot + min(SLOT, len(octets))] = octets[:SLOT]
        _MEMORY[rest : rest + len(octets[SLOT:])] = octets[SLOT:]
    batch = Batch6(
        _ROOM,
        [len(one.message) for one in arrivals],
        [one.source for one in arrivals],
        [number(one.port.to_bytes(2, "big")) for one in arrivals],
        [one.interface for one in arrivals],
        [one.destination for one in arrivals],
        [0 for _ in arrivals],
        0.0,
    )
    batch.macs[:] = [one.mac for one in arrivals]
    return batch


class Done(NamedTuple):
    """What becomes of a message: the decision without what is one client's own, and the octets that leave."""

    decision: Decision6
    sent: bytes


def done(arrival: Arrival6, decision: Decision6) -> Done:
    """Return what a decision on a message comes to."""
    if isinstance(decision, ToPeer):
        inside = bytes(decision.message)
        return Done(decision._replace(message=inside), inside)
    match = decision.match._replace(rule="") if decision.match else None
    if isinstance(decision, Dropped6):
        return Done(decision._replace(client=None, match=match), b"")
    sent = decision.header + bytes(arrival.message)
    return Done(decision._replace(client=None, match=match, header=b""), sent)


def of_groups(
    arrivals: Sequence[Arrival6], groups: Sequence[Group6], rest: Collection[int] = ()
) -> dict[int, Done]:
    """Return what becomes of messages in groups, by position; replies are found by their octets.

    Those at the positions of `rest` are in none.
    """
    found: dict[int, Done] = {}
    for group in groups:
        if isinstance(group, Requests6):
            assert len(group.positions) == len(group.messages)
            bare = done(arrivals[0], group.decision).decision
            for at, message in zip(group.positions, group.messages, strict=True):
                assert at not in found
                found[at] = Done(bare, bytes(message))
            continue
        for reply in group.replies:
            own = group.port.link_local
            decision = ToPeer(
                bytes(reply.message),
                reply.destination,
                CLIENT_PORT,
                group.port,
                own.packed if own else None,
                reply.hardware,
                group.port.vrf,
            )
            at = next(
                at
                for at, one in enumerate(arrivals)
                if at not in found
                and at not in rest
                and one.source == group.source
                and one.message[18:34] == reply.destination
                and bytes(reply.message) in bytes(one.message)
            )
            found[at] = Done(decision, bytes(reply.message))
    return found


def outcomes6(short: FastPath6, arrivals: Sequence[Arrival6]) -> tuple[list[Done], set[int]]:
    """Return what becomes of each datagram of a batch, and the positions of those taken in groups."""
    groups, rest = short.take(batch6_of(arrivals), range(len(arrivals)))
    found = of_groups(arrivals, groups, rest)
    taken = set(found)
    assert taken.isdisjoint(rest)
    for at in rest:
        refused = short._relay.refuses(arrivals[at])
        if refused is not None:
            found[at] = done(arrivals[at], Dropped6(refused))
            continue
        facts = Facts6(arrivals[at].message)
        decision, _ = short.decide(arrivals[at], facts)
        if isinstance(decision, ToServers6):
            short.note(decision, facts)
        found[at] = done(arrivals[at], decision)
    assert len(found) == len(arrivals), "each is in one place"
    return [found[at] for at in range(len(arrivals))], taken
