"""The fuzzer's kept inputs, replayed, and the same target under hypothesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxerelay.relay.decision import BROADCAST, Drop, Dropped, ToClient, ToServers
from tests.fuzz.seeds import SEEDS
from tests.fuzz.target import RELAYS, check
from tests.unit.messages import message, option

CORPUS = sorted((Path(__file__).parents[2] / "fuzz" / "corpus").iterdir())


_NOT_OF_THE_TARGET = {
    *(Drop.FLOOD, Drop.MORE_THAN_ITS_SHARE, Drop.TOO_OLD),
    *(Drop.FROM_THIS_HOST, Drop.NOT_OF_THIS_SUBNET, Drop.NOT_FROM_PORT_67),
    *(Drop.SERVER_ON_CLIENT_INTERFACE, Drop.NO_ROOM_FOR_OPTION82),
}
"""Drops by the pipeline, and those by how a message came, which is one of few ways here."""


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_kept_input_holds(path: Path) -> None:
    check(path.read_bytes())


def test_the_seeds_are_in_the_corpus() -> None:
    assert set(SEEDS) <= {path.name for path in CORPUS}


def test_the_corpus_reaches_every_outcome() -> None:
    """All reasons to drop but those of the daemon's own, and every way on to servers and to clients."""
    found = [check(path.read_bytes()) for path in CORPUS]
    dropped = {decision.reason for decision in found if isinstance(decision, Dropped)}
    assert dropped == set(Drop) - _NOT_OF_THE_TARGET
    asked = {
        (decision.message is not None, decision.too_large, decision.source is not None)
        for decision in found
        if isinstance(decision, ToServers)
    }
    assert asked == {
        (False, False, False),
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (True, False, True),
    }
    answered = {
        (decision.message is not None, decision.address == BROADCAST)
        for decision in found
        if isinstance(decision, ToClient)
    }
    assert answered >= {(False, True), (False, False), (True, False)}


AREA = st.lists(
    st.sampled_from(
        [
            b"\0",
            b"\xff",
            *(option(53, bytes((kind,))) for kind in (1, 3, 5, 6)),
            *(option(57, size.to_bytes(2, "big")) for size in (300, 360, 576, 1500)),
            *(option(60, text) for text in (b"PXEClient:Arch:00007", b"PXEC", b"lient", b"HTTPClient")),
            *(option(52, bytes((value,))) for value in range(4)),
            *(option(82, seed) for seed in (b"", b"\1", option(1, b"vlan10"), option(1, b"elsewhere"))),
            *(option(82, port.info.broadcast[2:]) for one in RELAYS for port in one.ports if port.info),
            *(option(82, port.info.unicast[2:]) for one in RELAYS for port in one.ports if port.info),
            option(93, b"\0\7"),
        ]
    )
    | st.builds(option, st.integers(0, 255), st.binary(max_size=255))
    | st.binary(max_size=40),
    max_size=9,
).map(b"".join)
"""An options area, of whole options for the most part."""


@settings(max_examples=1000)
@given(
    st.integers(0, 255),
    st.builds(
        message,
        op=st.sampled_from([1, 2]),
        htype=st.sampled_from([1, 1, 1, 32]),
        hlen=st.sampled_from([6, 6, 6, 0, 16, 17]),
        hops=st.integers(0, 6),
        flags=st.sampled_from([0, 0x8000]),
        giaddr=st.sampled_from(["0.0.0.0", "10.10.10.1", "10.10.20.1", "10.20.0.1", "10.30.7.1"]),
        ciaddr=st.sampled_from(["0.0.0.0", "0.0.0.0", "10.10.10.9"]),
        yiaddr=st.sampled_from(["0.0.0.0", "10.10.10.9"]),
        chaddr=st.sampled_from(["02:00:00:00:00:01", "00:11:22:33:44:55", "de:ad:be:ef:00:01"]),
        sname=AREA.map(lambda area: area[:64]),
        file=AREA.map(lambda area: area[:128]),
        options=st.none() | AREA,
        pad=st.sampled_from([0, 300, 1430, 1460, 2000]),
    ),
)
def test_what_holds_for_any_octets_holds_for_likely_ones(first: int, datagram: bytearray) -> None:
    """Both ways, with option 82 on and off: nothing raises, nothing but what the rules allow is sent."""
    check(bytes((first,)) + datagram)


@given(st.binary(max_size=700))
def test_what_holds_for_likely_octets_holds_for_any(octets: bytes) -> None:
    check(octets)
