"""Batches for tests, put into memory that holds the octets of earlier ones, as the inbox does."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.relay import Decision, ToClient
from pxerelay.wire.batch import SLOT, Batch, Room, number, room_size
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


def outcomes(short: FastPath, arrivals: Sequence[Arrival]) -> tuple[list[tuple[Decision, bytes]], list[int]]:
    """Return what becomes of each datagram of a batch and how it is patched, and which were known."""
    batch = batch_of(arrivals)
    known, rest = short.take(batch)
    found: dict[int, Decision] = {id(batch.messages[at]): short.decide(batch, at) for at in rest}
    for way, messages in known.groups.items():
        assert len({len(each) for each in messages}) == 1, "a group is of one length"
        found.update((id(each), way.decision) for each in messages)
    for leaves, replies in known.replies.items():
        port = next(port for port in short._relay.ports if port.index == leaves.index)
        for answer, address, hardware in replies:
            found[id(answer)] = ToClient(port, address.to_bytes(4, sys.byteorder), hardware)
    taken = sorted(set(range(len(arrivals))) - set(rest))
    assert len(known.clients) == sum(map(len, known.groups.values())), "each request counts for its client"
    assert len(found) == len(arrivals), "each is in one place"
    return [(found[id(each)], bytes(each)) for each in batch.messages], taken
