"""Decisions from memory are those that the relay would make."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxerelay import packet
from pxerelay.relay import Relay, ToServers
from pxerelay.shortcut import Shortcuts
from tests.unit.configs import CORE, STANDARD, VLAN10, VLAN20, relay
from tests.unit.messages import ip, message, option, request

CONFIGS = {
    "rules only": STANDARD,
    "pxe_only": STANDARD + "dhcp_servers: [dhcp]\npxe_only: true\n",
    "classes": STANDARD
    + "classes: [{name: uefi, vendor_class: HTTPClient, arch: [7, 16], server: altiris}]\n",
    "one VLAN's own": STANDARD.replace("vlan10: {}", "vlan10: {pxe_only: true}"),
    "option 82": STANDARD + "option82: {circuit_id: '{interface}'}\n",
    "source": STANDARD + "source_address: giaddr\nmax_hops: 16\n",
}

CLIENTS = [
    *("00:11:22:33:44:55", "00:80:64:00:00:01", "52:54:00:12:34:56"),
    *("de:ad:be:ef:00:01", "02:00:00:00:00:01", "02:00:00:00:00:02"),
]
OPTIONS = [
    b"",
    b"\xff",
    option(60, b"PXEClient:Arch:00000") + b"\xff",
    option(60, b"HTTPClient") + option(93, b"\0\x10") + b"\xff",
    option(93, b"\0\7\0\x10") + option(60, b"HTTPClient") + b"\xff",
    option(60, b"HTTP") + option(93, b"\0\7") + option(60, b"Client") + b"\xff",  # split
    option(52, b"\1") + option(93, b"\0\7") + b"\xff",  # overload
    option(60, b"PXEClient")[:-3],  # malformed
    option(53, b"\1") + option(60, b"") + option(60, b"PXEClient") + b"\xff",
    b"\0\0" + option(60, b"PXEClient"),  # no END
]
FILES = [b"", option(60, b"HTTPClient") + b"\xff"]

requests = st.builds(
    message,
    op=st.sampled_from([1, 1, 1, 1, 0]),
    htype=st.sampled_from([1, 1, 1, 6]),
    hlen=st.sampled_from([6, 6, 6, 0, 16, 17]),
    hops=st.sampled_from([0, 0, 1, 4, 5, 16, 17]),
    giaddr=st.sampled_from(["0.0.0.0", "0.0.0.0", "10.30.0.1", "10.10.10.1"]),
    chaddr=st.sampled_from(CLIENTS),
    options=st.sampled_from([None, *OPTIONS]),
    file=st.sampled_from(FILES),
    pad=st.sampled_from([0, 300]),
)
arrivals = st.tuples(
    requests,
    st.sampled_from([VLAN10, VLAN20, CORE, 99]),
    st.sampled_from([ip("0.0.0.0"), ip("10.30.0.1"), ip("192.0.2.1")]),
    st.booleans(),
)


@pytest.mark.parametrize("name", CONFIGS)
@settings(deadline=None)
@given(st.lists(arrivals, min_size=1, max_size=30))
def test_shortcuts_decide_as_the_relay_does(
    name: str, messages: list[tuple[bytearray, int, bytes, bool]]
) -> None:
    plain, short = relay(CONFIGS[name]), Shortcuts(relay(CONFIGS[name]))
    for octets, index, source, unicast in messages:
        for _ in range(2):  # the second time from memory, if it may
            ours, theirs = bytearray(octets), bytearray(octets)
            assert short.decide(ours, index, source, unicast) == plain.decide(theirs, index, source, unicast)
            assert ours == theirs


@pytest.mark.parametrize(
    ("name", "options"),
    [("rules only", option(60, b"HTTPClient") + b"\xff"), ("pxe_only", option(60, b"PXEClient") + b"\xff")],
)
def test_a_client_that_was_met_is_not_judged_again(
    name: str, options: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Shortcuts(relay(CONFIGS[name]))
    first = short.decide(message(options=options), VLAN10, ip("0.0.0.0"))
    monkeypatch.delattr(Relay, "judge")
    second = message(options=options, hops=2)
    assert short.decide(second, VLAN10, ip("0.0.0.0")) is first
    assert isinstance(first, ToServers)
    assert (second[3], bytes(second[24:28])) == (3, ip("10.10.10.1"))


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.shortcut._LARGEST", 10)
    short = Shortcuts(relay())
    for number in range(100):
        short.decide(request(chaddr=f"02:00:00:00:00:{number:02x}"), VLAN10, ip("0.0.0.0"))
        assert len(short._by_interface[VLAN10]) <= 10


@given(st.binary(max_size=80), st.integers(0, 2))
def test_boot_facts_are_what_the_options_say(area: bytes, seed: int) -> None:
    chance = random.Random(seed)
    parts = [
        option(chance.choice([12, 52, 53, 60, 93, 0, 255]), area[at : at + 9])
        for at in range(0, len(area), 9)
    ]
    octets = message(options=b"".join(parts) + area[:5], pad=0)
    facts = packet.boot_facts(octets)
    if facts is not None:
        found = packet.options(octets)
        assert facts == (found.get(60, b""), found.get(93, b""))


@given(st.binary(max_size=40), st.sampled_from([b"", option(53, b"\6"), option(53, b"\5"), option(53, b"")]))
def test_a_refusal_is_told_as_the_options_say(area: bytes, first: bytes) -> None:
    octets = message(op=2, options=first + area, pad=0)
    assert packet.is_nak(octets) == (packet.message_type(packet.readable_options(octets)) == packet.DHCPNAK)
