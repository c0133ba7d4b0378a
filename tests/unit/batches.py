"""Batches for tests, put into memory that holds the octets of earlier ones, as the inbox does."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pxerelay.relay.decision import Decision, ToClient
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.outcome import Outcome, Replies, Requests
from pxerelay.wire.batch import SLOT, Batch, Room, number, room_size
from pxerelay.wire.facts import Facts
from tests.unit.configs import bare
from tests.unit.messages import ip

Arrival = tuple[bytes | bytearray, int, bytes, bool]
"""A datagram, the interface it arrives on, its sender's 4 octets, and whether it was sent to us alone."""

MOST = 40

_MEMORY = bytearray(room_size(MOST))
_ROOM = Room(_MEMORY)
_OWN, _EVERYONE = ip("10.10.10.1"), ip("255.255.255.255")


def batch_of(arrivals: Sequence[Arrival]) -> Batch:
    """Return a batch of these datagrams, valid until the next one is made."""
    for (slot, rest), (octets, *_) in zip(_ROOM.places, arrivals, strict=False):
        _MEMORY[slot : slot + min(SLOT, len(octets))] = octets[:SLOT]
        _MEMORY[rest : rest + len(octets[SLOT:])] = octets[SLOT:]
    return Batch(
        _ROOM,
        [len(octets) for octets, *_ in arrivals],
        [number(source) for _, _, source, _ in arrivals],
        [index for _, index, *_ in arrivals],
        [number(_OWN) for _ in arrivals],
        [number(_OWN if unicast else _EVERYONE) for *_, unicast in arrivals],
    )


def decisions_of(batch: Batch, outcome: Outcome) -> dict[int, Decision]:
    """Return the decision on each message of an outcome, by the identity of the message."""
    if isinstance(outcome, Replies):
        return {
            id(one.message): ToClient(outcome.port, one.address.to_bytes(4, sys.byteorder), one.hardware)
            for one in outcome.replies
        }
    return {id(batch.messages[at]): outcome.decision for at in outcome.positions}


def decide(short: FastPath, batch: Batch, at: int) -> Decision:
    """Return the decision on one message of a batch."""
    decision = short.decide(batch, at, Facts(batch.messages[at])).decision
    assert decision is not None, "it was decided on alone"
    return decision


def outcomes(short: FastPath, arrivals: Sequence[Arrival]) -> tuple[list[tuple[Decision, bytes]], list[int]]:
    """Return what becomes of each datagram of a batch and how it is patched, and which were known."""
    batch = batch_of(arrivals)
    known, rest = short.take(batch)
    found: dict[int, Decision] = {}
    for outcome in known:
        if isinstance(outcome, Requests):
            assert len(outcome.positions) == len(outcome.messages), "each request counts for its client"
        found.update(decisions_of(batch, outcome))
    found.update((id(batch.messages[at]), decide(short, batch, at)) for at in rest)
    taken = sorted(set(range(len(arrivals))) - set(rest))
    assert len(found) == len(arrivals), "each is in one place"
    return [(bare(found[id(each)]), bytes(each)) for each in batch.messages], taken
