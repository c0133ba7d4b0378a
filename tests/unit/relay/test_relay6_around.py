"""DHCPv6, octets in, decision out: rules 107 to 115, what stands around a client's message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.relay.decision6 import Drop6
from pxerelay.wire.client6 import MacSource
from tests.unit.configs import VLAN10, VLAN20
from tests.unit.configs6 import (
    CLIENT,
    CLIENT_MAC,
    LINK10,
    LINK20,
    LINKS,
    MAC_OPTION,
    OWN_CORE,
    STANDARD6,
    TRUSTING,
    around,
    heard,
    relay6,
    routed,
    size_inside,
    to_servers,
    why,
)
from tests.unit.messages import mac
from tests.unit.messages6 import (
    RELAY_FORW,
    boot,
    hardware,
    ip6,
    options_of,
    relayed,
)


def test_rule_107_what_stands_around_a_message() -> None:
    octets = boot()
    decision = to_servers(relay6().decide(heard(octets)))
    assert decision.header[:2] == bytes((RELAY_FORW, 0))
    assert decision.header[2:18] == ip6(LINK10)
    assert decision.header[18:34] == CLIENT
    assert around(decision) == [(18, b"vlan10"), MAC_OPTION]
    assert size_inside(decision) == len(octets)


def test_rule_107_options_as_configured_in_their_order() -> None:
    text = STANDARD6.replace(
        "dhcpv6: true",
        'dhcpv6: {interface_id: "{hostname}/{interface}", remote_id: "{link_address}", '
        "enterprise: 32473, relay_id: 00:03:00:01:02:00:00:00:00:09}",
    )
    decision = to_servers(relay6(text).decide(heard(boot())))
    assert around(decision) == [
        (18, b"relay1/vlan10"),
        MAC_OPTION,
        (37, (32473).to_bytes(4, "big") + b"2001:db8:10::1"),
        (53, mac("00:03:00:01:02:00:00:00:00:09")),
    ]
    none = STANDARD6.replace("dhcpv6: true", "dhcpv6: {interface_id: false, client_mac: false}")
    assert around(to_servers(relay6(none).decide(heard(boot())))) == []


@given(st.binary(min_size=3, max_size=1500), st.sampled_from(sorted(set(range(256)) - {2, 7, 10, 12, 13})))
def test_rule_108_the_message_inside_is_what_came(tail: bytes, kind: int) -> None:
    octets = bytes((kind,)) + tail
    before = bytearray(octets)
    decision = to_servers(relay6().decide(heard(memoryview(before))))
    assert before == octets, "it stays as it is"
    assert options_of(decision.header + octets, 34)[-1] == (9, octets)


def test_rule_108_there_is_no_limit_but_that_of_a_datagram() -> None:
    room = 65527 - len(to_servers(relay6().decide(heard(boot()))).header)
    largest = boot().ljust(room, b"\0")
    decision = to_servers(relay6().decide(heard(largest)))
    assert len(decision.header) + len(largest) == 65527
    assert decision.header[2:18] == ip6(LINK10)
    assert why(relay6().decide(heard(largest + b"\0"))) is Drop6.TOO_LARGE


@pytest.mark.parametrize(("index", "link"), [(VLAN10, LINK10), (VLAN20, LINK20)])
def test_rule_110_link_address_is_always_the_same_address_of_the_interface(index: int, link: str) -> None:
    for _ in range(3):
        decision = to_servers(relay6().decide(heard(boot(), interface=index)))
        assert decision.header[2:18] == ip6(link)


def test_rule_110_a_configured_link_address_is_taken() -> None:
    text = STANDARD6.replace("vlan10: {}", f"vlan10: {{link_address: {OWN_CORE}}}")
    assert to_servers(relay6(text).decide(heard(boot()))).header[2:18] == ip6(OWN_CORE)


def test_rule_111_an_interface_with_a_link_local_address_alone_waits() -> None:
    links = tuple(
        link._replace(addresses6=link.addresses6[1:]) if link.name == "vlan10" else link for link in LINKS
    )
    assert why(relay6(links=links).decide(heard(boot()))) is Drop6.INTERFACE_WAITING


def test_rule_112_interface_id_is_the_interfaces_name_whatever_order_they_come_in() -> None:
    for links in (LINKS, LINKS[::-1]):
        found = [
            dict(around(to_servers(relay6(links=links).decide(heard(boot(), interface=index)))))[18]
            for index in (VLAN10, VLAN20)
        ]
        assert found == [b"vlan10", b"vlan20"]


def test_rule_113_option_79_has_the_frames_mac() -> None:
    decision = to_servers(relay6().decide(heard(boot(), mac=mac("02:00:00:00:00:77"))))
    assert (79, b"\0\1" + mac("02:00:00:00:00:77")) in around(decision)
    off = STANDARD6.replace("dhcpv6: true", "dhcpv6: {client_mac: false}")
    assert [code for code, _ in around(to_servers(relay6(off).decide(heard(boot()))))] == [18]


def test_rule_113_option_79_stands_only_around_clients_own_messages() -> None:
    for arrival, text in (
        (routed(relayed(boot())), STANDARD6),
        (heard(relayed(boot()), mac=CLIENT_MAC), TRUSTING),
        (routed(relayed(boot(), front=hardware("02:00:00:00:00:05"))), STANDARD6),
    ):
        assert 79 not in dict(around(to_servers(relay6(text).decide(arrival))))


def test_rule_114_a_mac_that_the_frame_does_not_tell_is_not_known() -> None:
    """Nothing is looked for: such a message goes on at once, without option 79."""
    decision = to_servers(relay6().decide(heard(boot(), mac=None)))
    assert around(decision) == [(18, b"vlan10")]
    assert decision.client
    assert decision.client.chaddr is None
    assert decision.client.told_by is MacSource.NONE


@pytest.mark.parametrize(
    ("setting", "source"),
    [
        ("", None),
        ("source_address: route", None),
        ("source_address: giaddr", ip6(LINK10)),
        (f"source_address: [10.20.0.1, {OWN_CORE!r}]", ip6(OWN_CORE)),
        (f"source_address: {OWN_CORE!r}", ip6(OWN_CORE)),
    ],
)
def test_rule_115_requests_leave_from_the_configured_source(setting: str, source: bytes | None) -> None:
    relay = relay6(f"{STANDARD6}{setting}\n")
    assert to_servers(relay.decide(heard(boot()))).source == source
    fixed = source if source == ip6(OWN_CORE) else None
    assert to_servers(relay.decide(routed(relayed(boot())))).source == fixed
