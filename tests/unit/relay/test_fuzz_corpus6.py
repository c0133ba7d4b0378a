"""The fuzzer's kept inputs of DHCPv6, replayed, and the same target under hypothesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxerelay.relay.decision6 import Drop6, Dropped6, ToPeer, ToServers6
from tests.fuzz.seeds6 import CORPUS, SEEDS
from tests.fuzz.target6 import ARRIVALS, RELAYS, check, first_octets, taken_by_fast_path
from tests.unit.messages6 import arch, asks_for, hardware, message, option, relayed, vendor_class

INPUTS = sorted(CORPUS.iterdir())

_NOT_OF_THE_TARGET = {
    *(Drop6.FLOOD, Drop6.MORE_THAN_ITS_SHARE, Drop6.TOO_OLD),
    *(Drop6.TOO_LARGE, Drop6.SERVER_ON_CLIENT_INTERFACE),
}
"""Drops by the pipeline, by the size of a message, and by the kernel's routes, which nobody tells here."""


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_a_kept_input_holds(path: Path) -> None:
    check(path.read_bytes())


def test_the_seeds_and_recordings_are_in_the_corpus() -> None:
    names = {path.name for path in INPUTS}
    assert set(SEEDS) <= names
    assert sum(name.startswith("recorded-") for name in names) > 20


def test_the_corpus_reaches_every_outcome() -> None:
    """All reasons to drop but those of the daemon's own, and every way on to servers and to clients."""
    found = [check(path.read_bytes()) for path in INPUTS]
    assert {one.reason for one in found if isinstance(one, Dropped6)} == set(Drop6) - _NOT_OF_THE_TARGET
    asked = {(one.port is None, one.silent) for one in found if isinstance(one, ToServers6)}
    assert asked >= {(False, False), (False, True), (True, False)}
    told = {
        (one.port is None, one.hardware is None, one.udp_port) for one in found if isinstance(one, ToPeer)
    }
    assert told >= {(False, False, 546), (True, True, 547), (True, True, 1000), (False, True, 547)}


BY_THE_FAST_PATH = {
    *("solicit", "solicit-listed", "solicit-vlan20", "solicit-to-the-dhcp-server-s-class", "plain"),
    *("solicit-one-of-two-vlan20", "reply", "reply-by-link-address", "information-request"),
}
BY_THE_RELAY = {
    *("solicit-no-mac", "solicit-global", "relayed", "switch", "unicast", "reply-down", "from-this-host"),
    *("request-one-of-two-by-name", "solicit-mapped-to-drop", "reply-from-a-stranger", "truncated"),
}


def test_what_the_fast_path_has_met_it_takes_again() -> None:
    """So that the target does hold it equal to the relay, and not the relay to itself."""
    taken = {name for name, octets in SEEDS.items() if taken_by_fast_path(octets)}
    assert taken >= BY_THE_FAST_PATH
    assert taken.isdisjoint(BY_THE_RELAY)


@settings(max_examples=500)
@given(
    st.sampled_from(sorted(SEEDS)),
    st.integers(0, 60) | st.integers(0, 2000),
    st.sampled_from([0, 1, 2, 7, 10, 12, 13, 0x80, 0xFF]) | st.integers(0, 255),
)
def test_a_known_message_with_another_octet_is_decided_anew(name: str, at: int, octet: int) -> None:
    """Also its type, after the fast path has met the message as it was."""
    octets = SEEDS[name]
    place = 2 + at % (len(octets) - 2)
    check(octets[:place] + bytes((octet,)) + octets[place + 1 :])


OPTIONS = st.lists(
    st.sampled_from(
        [
            *(vendor_class(text) for text in (b"PXEClient:Arch:00007", b"HTTPClient", b"MSFT 5.0")),
            *(arch(number) for number in (0, 7, 11)),
            *(asks_for(*codes) for codes in ((23, 59), (23, 24))),
            *(option(18, name) for name in (b"vlan10", b"vlan20", b"all", b"")),
            *(hardware(mac) for mac in ("00:11:22:33:44:55", "de:ad:be:ef:00:01")),
            option(2, b"\0\3server"),
            option(135, b"\3\xe8"),
            option(65000) * 30,
            b"\0",
        ]
    )
    | st.builds(option, st.integers(0, 140), st.binary(max_size=60))
    | st.binary(max_size=9),
    max_size=6,
).map(b"".join)
"""Options, whole ones for the most part."""

PEERS = st.sampled_from(
    ["fe80::ff:fe00:1", "fe80::211:22ff:fe33:4455", "2001:db8:30::1", "2001:db8:10::77", "ff02::1", "::"]
)
LINKS = st.sampled_from(["::", "2001:db8:10::1", "2001:db8:10:20::1", "2001:db8:30:7::1", "2001:db8:20::1"])
MESSAGES = st.builds(message, st.sampled_from([1, 1, 1, 2, 3, 5, 7, 8, 11, 36]), OPTIONS)
ANY = st.recursive(
    MESSAGES,
    lambda inside: st.builds(
        relayed,
        inside,
        hops=st.integers(0, 9),
        link=LINKS,
        peer=PEERS,
        front=OPTIONS,
        behind=OPTIONS,
        kind=st.sampled_from([12, 13]),
    ),
    max_leaves=4,
)


@settings(max_examples=1000)
@given(st.integers(0, len(RELAYS) - 1), st.integers(0, len(ARRIVALS) - 1), st.booleans(), ANY)
def test_what_holds_for_any_octets_holds_for_likely_ones(
    relay: int, arrival: int, pooled: bool, datagram: bytes
) -> None:
    """Both ways: nothing raises, nothing but what the rules allow is sent."""
    check(first_octets(relay, arrival, pooled=pooled) + datagram)


@given(st.binary(max_size=700))
def test_what_holds_for_likely_octets_holds_for_any(octets: bytes) -> None:
    check(octets)
