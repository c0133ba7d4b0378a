"""DHCPv6 on the wire: options, layers, EUI-64, what stands around a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.wire import eui64, packet6, relayed6
from pxerelay.wire.answer6 import answer
from pxerelay.wire.client6 import Client6
from pxerelay.wire.facts6 import MOST_OPTIONS, Facts6
from tests.unit.messages6 import DUID, boot, hardware, ip6, message, option, relayed, vendor_class


@given(st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=40)), max_size=20))
def test_options_are_walked(options: list[tuple[int, bytes]]) -> None:
    octets = b"head" + b"".join(option(code, value) for code, value in options)
    found, whole = packet6.walk(octets, 4, len(octets), 20)
    assert whole
    assert [(code, octets[start:end]) for code, start, end in found] == options


@given(st.binary(max_size=200), st.integers(0, 20))
def test_a_walk_stays_within_its_bounds(octets: bytes, most: int) -> None:
    found, whole = packet6.walk(octets, 0, len(octets), most)
    assert len(found) <= most
    assert all(4 <= start <= end <= len(octets) for _, start, end in found)
    assert not whole or sum(4 + end - start for _, start, end in found) == len(octets)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_a_walk_does_not_look_behind_its_end(octets: bytes, end: int) -> None:
    end = min(end, len(octets))
    assert packet6.walk(octets, 0, end, 99) == packet6.walk(octets[:end], 0, end, 99)


def test_a_message_of_many_options_says_nothing() -> None:
    most = MOST_OPTIONS - 1
    assert Facts6(message(options=option(65000) * most)).options
    assert not Facts6(message(options=option(65000) * (most + 1))).options


def test_options_of_all_layers_count_for_one_bound() -> None:
    inner = message(options=option(65000) * 40)
    assert Facts6(relayed(inner)).options
    assert not Facts6(relayed(inner, front=option(65000) * 30)).options
    assert Facts6(relayed(inner, front=option(65000) * 30)).start is not None


@pytest.mark.parametrize(
    ("mac", "address"),
    [("02:00:00:12:34:56", "fe80::ff:fe12:3456"), ("00:11:22:33:44:55", "fe80::211:22ff:fe33:4455")],
)
def test_eui_64_both_ways(mac: str, address: str) -> None:
    octets = bytes.fromhex(mac.replace(":", ""))
    assert eui64.link_local(octets) == ip6(address)
    assert eui64.mac_of_link_local(ip6(address)) == eui64.mac_of(ip6(address)) == octets


@given(st.binary(min_size=6, max_size=6))
def test_each_ethernet_address_of_one_station_has_its_eui_64(mac: bytes) -> None:
    assert eui64.mac_of(eui64.link_local(mac)) == (None if mac[0] & 1 else mac)


@given(
    st.binary(min_size=4, max_size=300),
    st.integers(0, 8),
    st.none() | st.binary(max_size=64),
    st.none() | st.binary(min_size=6, max_size=6),
    st.integers(0, 65535),
)
def test_what_is_put_around_a_message_comes_off_again(
    inside: bytes, hops: int, name: bytes | None, mac: bytes | None, port: int
) -> None:
    options = relayed6.interface_id(name) + relayed6.remote_id(9, b"x") + relayed6.relay_id(DUID)
    options += relayed6.source_port(port) + (relayed6.hardware_address(mac) if mac else b"")
    header = relayed6.header(hops, ip6("2001:db8::1"), ip6("fe80::1"), options, len(inside))
    assert header
    found = relayed6.unwrapped(b"\x0d" + header[1:] + inside)
    if inside[0] == packet6.RELAY_REPL and len(inside) < packet6.RELAY_HEADER_SIZE:
        assert found is None
    else:
        assert found == (inside, name, port)
    (layer, *_) = Facts6(header + inside).layers
    assert (layer.hops, layer.link_address, layer.peer_address) == (hops, ip6("2001:db8::1"), ip6("fe80::1"))
    assert layer.mac == mac


def test_the_innermost_message_of_a_relay_repl() -> None:
    inside = message(7)
    octets = relayed(relayed(inside, kind=13), kind=13)
    assert relayed6.innermost(octets) == inside
    assert relayed6.innermost(inside) == inside
    assert relayed6.innermost(relayed(b"", kind=13)) == relayed(b"", kind=13)


@given(st.binary(max_size=400), st.integers(0, 12))
def test_any_octets_can_be_read(octets: bytes, depth: int) -> None:
    for _ in range(depth):
        octets = relayed(octets, front=hardware("02:00:00:00:00:05"))
    facts = Facts6(octets)
    assert len(facts.layers) <= packet6.MOST_LAYERS
    assert facts.too_deep or len(facts.layers) >= depth
    assert facts.start is None or octets[facts.start :][:1]
    for told in (facts.kind, facts.xid, facts.vendor_classes, facts.boots, facts.is_silent, facts.duid):
        assert told is None or isinstance(told, int | bytes | tuple | bool)
    answer(facts)
    relayed6.innermost(octets)


def test_keys_are_octets_and_of_different_kinds_never_equal() -> None:
    """Rule 35: nobody can choose a key that is another client's, or that degrades a table."""
    mac = bytes.fromhex("020000000001")
    named = Client6(Facts6(message(duid=mac)), "vlan10", ip6("fe80::1"), None)
    known = Client6(Facts6(message(duid=b"")), "vlan10", ip6("fe80::1"), mac)
    longest = Client6(Facts6(message(duid=bytes(1200))), "vlan10", ip6("fe80::1"), None)
    assert known.client_key == mac
    assert len(named.client_key) > 6
    assert len(longest.client_key) <= 7 + packet6.LONGEST_DUID


def test_strings_of_all_vendor_classes_are_read() -> None:
    octets = message(options=vendor_class(b"a", b"bc") + vendor_class(b"d", enterprise=9))
    assert Facts6(octets).vendor_classes == (b"a", b"bc", b"d")
    assert Facts6(boot()).architectures == (7,)
