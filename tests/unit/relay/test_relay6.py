"""DHCPv6, octets in, decision out: rules 101 to 106, what is taken from clients."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.relay.decision6 import MEANING6, SUSPICIOUS6, Arrival6, Drop6, Dropped6, ToServers6
from tests.unit.configs import CORE, VLAN10, VLAN20
from tests.unit.configs6 import (
    ALTIRIS,
    CLASSES,
    CLIENT,
    CLIENT_MAC,
    LINK10,
    OWN10,
    OWN_CORE,
    RIS,
    ROUTER,
    STANDARD6,
    STRANGER,
    TRUSTING,
    heard,
    relay6,
    routed,
    servers_of,
    size_inside,
    to_servers,
    why,
)
from tests.unit.messages import mac
from tests.unit.messages6 import (
    GROUP,
    INFORMATION_REQUEST,
    RELEASE,
    REQUEST,
    SOLICIT,
    boot,
    hardware,
    ip6,
    message,
    option,
    options_of,
    relayed,
)


def test_rule_101_a_message_of_a_client_is_taken_if_it_was_sent_to_the_group() -> None:
    assert to_servers(relay6().decide(heard(boot()))).servers == (RIS,)


@pytest.mark.parametrize("destination", [LINK10, OWN10, OWN_CORE, "ff02::1", "ff05::1:3", "ff02::1:3"])
@pytest.mark.parametrize("kind", [SOLICIT, REQUEST, RELEASE, INFORMATION_REQUEST, 20, 36, 99])
def test_rule_101_unicast_and_other_groups_are_not(destination: str, kind: int) -> None:
    arrival = heard(boot(kind), destination=ip6(destination))
    assert why(relay6().decide(arrival)) is Drop6.NOT_TO_THE_GROUP


@pytest.mark.parametrize("destination", ["ff02::1", "ff05::1:3"])
def test_rule_101_relay_agents_send_to_no_other_group(destination: str) -> None:
    arrival = routed(relayed(boot()), destination=ip6(destination))
    assert why(relay6().decide(arrival)) is Drop6.NOT_TO_THE_GROUP


def test_rule_101_only_client_interfaces_have_clients() -> None:
    assert why(relay6().decide(heard(boot(), interface=CORE))) is Drop6.NOT_A_CLIENT_INTERFACE
    assert why(relay6().decide(heard(boot(), interface=99))) is Drop6.NOT_A_CLIENT_INTERFACE
    off = STANDARD6.replace("vlan10: {}", "vlan10: {dhcpv6: false}")
    assert why(relay6(off).decide(heard(boot()))) is Drop6.NOT_A_CLIENT_INTERFACE


@pytest.mark.parametrize("source", ["::", "::1", "ff02::1", "ff05::1:3", "::ffff:10.10.10.77"])
@pytest.mark.parametrize("octets", [boot(), relayed(boot()), relayed(boot(7), kind=13)])
def test_rule_102_who_could_not_be_answered_is_not_relayed(source: str, octets: bytes) -> None:
    assert why(relay6().decide(heard(octets, source=ip6(source)))) is Drop6.BAD_SOURCE


@pytest.mark.parametrize("source", ["2001:db8:10::77", "2001:db8:dead::77", "fe80::1", "fd00::7"])
def test_rule_102_any_other_source_is_a_clients(source: str) -> None:
    decision = to_servers(relay6().decide(heard(boot(), source=ip6(source))))
    assert decision.header[18:34] == ip6(source)


@pytest.mark.parametrize("kind", [2, 7, 10])
def test_rule_103_what_servers_say_never_goes_up(kind: int) -> None:
    assert why(relay6().decide(heard(boot(kind)))) is Drop6.NOT_FOR_SERVERS


def test_rule_103_a_relay_repl_of_a_client_goes_nowhere() -> None:
    octets = relayed(boot(7), kind=13, link=LINK10, front=option(18, b"vlan10"))
    for arrival in (heard(octets), heard(octets, destination=ip6(LINK10))):
        assert why(relay6().decide(arrival)) is Drop6.NOT_A_SERVER


@pytest.mark.parametrize("kind", sorted(set(range(256)) - {2, 7, 10, 12, 13}))
def test_rule_104_every_other_type_goes_up(kind: int) -> None:
    octets = message(kind)
    decision = to_servers(relay6().decide(heard(octets)))
    assert size_inside(decision) == len(octets)


@pytest.mark.parametrize("size", range(4))
def test_rule_105_less_than_a_header_is_dropped(size: int) -> None:
    assert why(relay6().decide(heard(boot()[:size]))) is Drop6.TRUNCATED


@pytest.mark.parametrize("size", [1, 4, 20, 33])
@pytest.mark.parametrize("kind", [12, 13])
def test_rule_105_relayed_messages_have_a_longer_one(size: int, kind: int) -> None:
    assert why(relay6().decide(routed(relayed(boot(), kind=kind)[:size]))) is Drop6.TRUNCATED


def test_rule_105_a_header_alone_is_enough() -> None:
    assert size_inside(to_servers(relay6().decide(heard(b"\1\0\0\1")))) == 4


ODD = {
    "cut off": message() + option(6, bytes(20))[:-3],
    "a stray octet": message() + b"\0",
    "three stray octets": message() + b"\0\1\0",
    "no client id": message(duid=None),
    "an unknown option": message(options=option(65000, b"x" * 30)),
    "option 79 of its own": message(options=hardware("de:ad:be:ef:00:01")),
    "option 18 of its own": message(options=option(18, b"vlan20")),
    "an empty option 16": message(options=option(16)),
    "a string cut off in option 16": message(options=option(16, b"\0\0\1\x57\0\x20PXE")),
    "an odd option 61": message(options=option(61, b"\0\7\0")),
    "100 options": message(options=option(65000) * 100),
}


@pytest.mark.parametrize("octets", ODD.values(), ids=ODD.keys())
def test_rule_106_odd_options_are_relayed(octets: bytes) -> None:
    decision = to_servers(relay6().decide(heard(octets)))
    assert decision.servers == (RIS,)
    assert size_inside(decision) == len(octets)


@pytest.mark.parametrize("damage", [b"\0", option(6, bytes(20))[:-3], option(65000) * 64])
def test_rule_106_a_message_that_cant_be_walked_matches_by_mac_only(damage: bytes) -> None:
    whole, damaged = boot(), boot(extra=damage)
    assert servers_of(heard(whole), CLASSES) == set(ALTIRIS)
    assert servers_of(heard(damaged), CLASSES) == {RIS}
    named = heard(damaged, mac=mac("00:80:64:01:02:03"))
    assert servers_of(named, CLASSES) == set(ALTIRIS)


def test_a_drop_tells_what_it_was_made_of() -> None:
    decision = relay6().decide(heard(boot(), mac=mac("de:ad:be:ef:00:01")))
    assert isinstance(decision, Dropped6)
    assert decision.match
    assert decision.match.rule == "de:ad:be:ef:00:01"
    assert decision.port
    assert decision.client


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANING6) == set(Drop6)
    assert set(Drop6) >= SUSPICIOUS6
    assert len({reason.value for reason in Drop6}) == len(Drop6)


_ADDRESSES = st.sampled_from(
    [CLIENT, ROUTER, RIS, STRANGER, *map(ip6, (LINK10, OWN10, "::", "::1", "ff02::1"))]
)


@given(
    st.binary(max_size=300),
    st.sampled_from([VLAN10, VLAN20, CORE, 99]),
    _ADDRESSES,
    st.sampled_from([546, 547, 1000]),
    st.sampled_from([GROUP, ip6(LINK10), ip6(OWN_CORE), ip6("ff05::1:3")]),
    st.sampled_from([None, CLIENT_MAC]),
)
def test_any_octets_are_decided_on(
    octets: bytes, index: int, source: bytes, port: int, destination: bytes, address: bytes | None
) -> None:
    for one in (octets, bytes((12, 0)) + bytes(32) + octets, relayed(octets), relayed(octets, kind=13)):
        decision = relay6(TRUSTING).decide(Arrival6(one, index, source, port, destination, address))
        if isinstance(decision, ToServers6):
            assert options_of(decision.header + one, 34)[-1] == (9, one)
            assert all(ip_address(server) for server in decision.servers)
        elif not isinstance(decision, Dropped6):
            assert bytes(decision.message) in one
