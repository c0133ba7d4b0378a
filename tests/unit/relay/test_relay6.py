"""DHCPv6, octets in, decision out: rules 101 to 137, from clients to servers, each test named by its rule."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.policy.rules import Reason
from pxerelay.relay.decision6 import MEANING6, SUSPICIOUS6, Arrival6, Drop6, Dropped6, ToServers6
from pxerelay.wire.client6 import MacSource
from tests.unit.configs import CORE, VLAN10, VLAN20
from tests.unit.configs6 import (
    ALTIRIS,
    CLIENT,
    CLIENT_MAC,
    DHCP,
    LINK10,
    LINK20,
    LINKS,
    OWN10,
    OWN20,
    OWN_CORE,
    RIS,
    ROUTER,
    STANDARD6,
    STRANGER,
    heard,
    relay6,
    routed,
    to_servers,
    why,
)
from tests.unit.messages6 import (
    DUID,
    GROUP,
    INFORMATION_REQUEST,
    PXE,
    RELAY_FORW,
    RELEASE,
    REQUEST,
    SOLICIT,
    arch,
    asks_for,
    boot,
    hardware,
    ip6,
    message,
    option,
    options_of,
    plain,
    relayed,
    release,
    vendor_class,
)

WITH_DHCP = STANDARD6 + "dhcp_servers: dhcp\n"
PXE_ONLY = WITH_DHCP + "pxe_only: true\n"
TRUSTING = STANDARD6.replace("dhcpv6: true", "dhcpv6: {trusted: [vlan10]}")
MAC_OPTION = (79, b"\0\1" + CLIENT_MAC)


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def servers_of(arrival: Arrival6, text: str = STANDARD6) -> set[bytes]:
    return set(to_servers(relay6(text).decide(arrival)).servers)


def around(decision: ToServers6) -> list[tuple[int, bytes]]:
    """Return the options of a RELAY-FORW in front of its Relay Message."""
    *front, (last, inside) = options_of(decision.header + bytes(_size(decision)), 34)
    assert last == 9
    assert not any(inside)
    return front


def _size(decision: ToServers6) -> int:
    assert decision.header[-4:-2] == b"\0\x09"
    return int.from_bytes(decision.header[-2:], "big")


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
    assert _size(decision) == len(octets)


@pytest.mark.parametrize("size", range(4))
def test_rule_105_less_than_a_header_is_dropped(size: int) -> None:
    assert why(relay6().decide(heard(boot()[:size]))) is Drop6.TRUNCATED


@pytest.mark.parametrize("size", [1, 4, 20, 33])
@pytest.mark.parametrize("kind", [12, 13])
def test_rule_105_relayed_messages_have_a_longer_one(size: int, kind: int) -> None:
    assert why(relay6().decide(routed(relayed(boot(), kind=kind)[:size]))) is Drop6.TRUNCATED


def test_rule_105_a_header_alone_is_enough() -> None:
    assert _size(to_servers(relay6().decide(heard(b"\1\0\0\1")))) == 4


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
    assert _size(decision) == len(octets)


CLASSES = (
    STANDARD6 + "classes: [{name: uefi, vendor_class: PXEClient, server: altiris}, {name: arm, arch: 11, "
    "server: dhcp}]\n"
)


@pytest.mark.parametrize("damage", [b"\0", option(6, bytes(20))[:-3], option(65000) * 64])
def test_rule_106_a_message_that_cant_be_walked_matches_by_mac_only(damage: bytes) -> None:
    whole, damaged = boot(), boot(extra=damage)
    assert servers_of(heard(whole), CLASSES) == set(ALTIRIS)
    assert servers_of(heard(damaged), CLASSES) == {RIS}
    named = heard(damaged, mac=mac("00:80:64:01:02:03"))
    assert servers_of(named, CLASSES) == set(ALTIRIS)


def test_rule_107_what_stands_around_a_message() -> None:
    octets = boot()
    decision = to_servers(relay6().decide(heard(octets)))
    assert decision.header[:2] == bytes((RELAY_FORW, 0))
    assert decision.header[2:18] == ip6(LINK10)
    assert decision.header[18:34] == CLIENT
    assert around(decision) == [(18, b"vlan10"), MAC_OPTION]
    assert _size(decision) == len(octets)


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


def test_rule_109_all_messages_of_a_client_go_to_the_same_servers_whatever_duid_it_names() -> None:
    """OVMF, then iPXE with another DUID, then the installer with a third one."""
    duids = [
        bytes.fromhex("0004332211005544776688990011223344ff"),
        bytes.fromhex("0004001122334455667788990011223344ff"),
        bytes.fromhex("00030001deadbeef0001"),
        None,
    ]
    for address in ("00:11:22:33:44:55", "00:80:64:01:02:03", "52:54:00:12:3f:00", "02:00:00:00:00:01"):
        found = {
            to_servers(
                relay6().decide(heard(message(kind, IA_AND_BOOT, duid=duid), mac=mac(address)))
            ).servers
            for kind in (SOLICIT, REQUEST, RELEASE)
            for duid in duids
        }
        assert len(found) == 1


IA_AND_BOOT = arch(7) + vendor_class(PXE)


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
        replace(link, addresses6=link.addresses6[1:]) if link.name == "vlan10" else link for link in LINKS
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


def test_rule_116_a_server_without_ipv6_gets_nothing_and_nobody_in_its_place() -> None:
    old = heard(boot(), mac=mac("02:00:00:00:00:30"))
    assert why(relay6().decide(old)) is Drop6.NO_IPV6_SERVER
    both = STANDARD6.replace("02:00:00:00:00:30: old", "02:00:00:00:00:30: [old, ris]")
    assert servers_of(old, both) == {RIS}


def test_rule_116_clients_whose_boot_server_has_no_ipv6_reach_the_dhcp_servers() -> None:
    assert servers_of(heard(boot(), mac=mac("02:00:00:00:00:30")), PXE_ONLY) == {DHCP}


def test_rule_116_a_name_that_was_not_resolved_yet_is_told_apart() -> None:
    text = STANDARD6.replace("  ris: [10.20.0.10, 2001:db8:20::10]", "  ris: wds.example.net")
    cases = [
        (ResolvedName(error="no answer"), Drop6.NOT_RESOLVED),
        (ResolvedName((), "", ()), Drop6.NO_IPV6_SERVER),
        (None, Drop6.NOT_RESOLVED),
    ]
    for answer, reason in cases:
        answers = ResolvedNames({"wds.example.net": answer} if answer else {})
        assert why(relay6(text, answers=answers).decide(heard(boot()))) is reason
    answers = ResolvedNames({"wds.example.net": ResolvedName(addresses6=(IPv6Address("2001:db8:20::9"),))})
    decision = to_servers(relay6(text, answers=answers).decide(heard(boot())))
    assert decision.servers == (ip6("2001:db8:20::9"),)


def test_rule_117_a_client_that_boots_goes_to_its_boot_server_alone() -> None:
    assert servers_of(heard(boot()), WITH_DHCP) == {RIS}
    assert servers_of(heard(plain()), WITH_DHCP) == {RIS, DHCP}
    assert servers_of(heard(boot()), PXE_ONLY) == {RIS}
    assert servers_of(heard(plain()), PXE_ONLY) == {DHCP}


def test_rule_117_all_is_for_proxies() -> None:
    text = PXE_ONLY.replace("dhcpv6: true", "dhcpv6: {dhcp_servers: all}")
    assert servers_of(heard(boot()), text) == {RIS, DHCP}
    assert servers_of(heard(plain()), text) == {DHCP}


def test_rule_117_pxe_only_without_dhcp_servers_drops_who_does_not_boot() -> None:
    assert why(relay6(STANDARD6 + "pxe_only: true").decide(heard(plain()))) is Drop6.NOT_PXE
    assert servers_of(heard(boot()), STANDARD6 + "pxe_only: true") == {RIS}


@pytest.mark.parametrize(
    ("options", "boots"),
    [
        (vendor_class(b"PXEClient"), True),
        (vendor_class(b"HTTPClient:Arch:00016:UNDI:003000", enterprise=0), True),
        (vendor_class(b"other", b"PXEClient:Arch:00007"), True),
        (vendor_class(b"other") + vendor_class(b"HTTPClient", enterprise=9), True),
        (vendor_class(b"MSFT 5.0", enterprise=311), False),
        (vendor_class(b"xPXEClient"), False),
        (vendor_class(), False),
        (arch(0), True),
        (arch(), True),
        (asks_for(23, 59), True),
        (asks_for(23) + asks_for(59), True),
        (asks_for(23, 60), False),
        (option(6, b"\0\x17\0\x3b\0"), True),
        (b"", False),
    ],
)
def test_rule_118_what_boots_from_the_network(options: bytes, boots: bool) -> None:
    assert servers_of(heard(message(options=options)), PXE_ONLY) == ({RIS} if boots else {DHCP})


SILENT = PXE_ONLY + (
    "classes:\n"
    "  - {name: uefi, arch: 7, server: altiris}\n"
    "  - {name: elsewhere, interfaces: [vlan20], server: 2001:db8:20::77}\n"
    "  - {name: never, vendor_class: bad, server: drop}\n"
)


@pytest.mark.parametrize("kind", [RELEASE, REQUEST, 5, 9])
def test_rule_119_a_message_that_says_nothing_of_its_client_goes_to_all_it_may_have_asked(kind: int) -> None:
    decision = to_servers(relay6(SILENT).decide(heard(release(kind))))
    assert set(decision.servers) == {RIS, *ALTIRIS, DHCP}
    assert decision.silent
    there = heard(release(kind), interface=VLAN20)
    assert servers_of(there, SILENT) == {*ALTIRIS, ip6("2001:db8:20::77"), DHCP}


def test_rule_119_what_rules_say_of_its_mac_holds() -> None:
    arrival = heard(release(), mac=mac("00:11:22:33:44:55"))
    assert servers_of(arrival, SILENT.replace("altiris: [", "altiris: [2001:db8:20::99, ")) == {
        *ALTIRIS,
        ip6("2001:db8:20::99"),
        DHCP,
    }
    assert RIS not in servers_of(arrival, SILENT)
    dropped = heard(release(), mac=mac("de:ad:be:ef:00:01"))
    assert why(relay6(SILENT).decide(dropped)) is Drop6.MAPPED_TO_DROP


@pytest.mark.parametrize("says", [vendor_class(PXE), arch(7), asks_for(59)])
def test_rule_119_one_that_says_what_its_client_is_goes_where_its_solicit_went(says: bytes) -> None:
    octets = message(REQUEST, option(2, DUID) + says)
    assert servers_of(heard(octets), PXE_ONLY) == {RIS}
    assert not to_servers(relay6(PXE_ONLY).decide(heard(octets))).silent
    assert not to_servers(relay6(PXE_ONLY).decide(heard(plain()))).silent, "it names no server"


def test_rule_120_a_class_looks_at_any_string_of_option_16() -> None:
    text = STANDARD6 + "classes: [{name: http, vendor_class: HTTPClient, server: altiris}]\n"
    both = message(options=vendor_class(b"other", b"HTTPClient:Arch:00016"))
    split = message(options=vendor_class(b"other") + vendor_class(b"HTTPClient", enterprise=9))
    assert servers_of(heard(both), text) == servers_of(heard(split), text) == set(ALTIRIS)
    assert servers_of(heard(boot()), text) == {RIS}


def test_rule_120_a_class_looks_at_option_61() -> None:
    text = STANDARD6 + "classes: [{name: arm, arch: [11, 19], server: altiris}]\n"
    assert servers_of(heard(boot(number=11)), text) == set(ALTIRIS)
    assert servers_of(heard(message(options=arch(7, 19))), text) == set(ALTIRIS)
    assert servers_of(heard(boot(number=7)), text) == {RIS}


def test_rule_120_without_a_mac_no_rule_matches_but_classes_and_defaults_do() -> None:
    unknown = routed(relayed(boot(), peer="fe80::1234:5678:9abc:def0"))
    decision = to_servers(relay6(CLASSES).decide(unknown))
    assert set(decision.servers) == set(ALTIRIS)
    assert decision.match
    assert decision.match.reason is Reason.CLASS
    assert servers_of(unknown) == {RIS}
    assert servers_of(heard(boot(), mac=None, interface=VLAN20)) == set(ALTIRIS), "the interface's default"


def test_rule_121_the_mac_is_the_frames_whatever_the_client_says() -> None:
    """A source with another MAC's EUI-64, a DUID with another MAC, an option 79 of its own."""
    forged = message(options=hardware("00:11:22:33:44:55"), duid=bytes.fromhex("00030001001122334455"))
    source = ip6("fe80::211:22ff:fe33:4455")
    assert servers_of(heard(forged, source=source)) == {RIS}
    assert servers_of(heard(forged, source=source, mac=mac("00:80:64:00:00:01"))) == set(ALTIRIS)
    dropped = heard(forged, source=source, mac=mac("de:ad:be:ef:00:01"))
    assert why(relay6().decide(dropped)) is Drop6.MAPPED_TO_DROP
    decision = to_servers(relay6().decide(heard(forged, source=source)))
    assert MAC_OPTION in around(decision)
    assert decision.client
    assert decision.client.told_by is MacSource.FRAME


def test_rule_121_a_frame_of_a_switch_is_not_its_clients() -> None:
    octets = relayed(boot(), front=option(18, b"port7"))
    decision = to_servers(relay6(TRUSTING).decide(heard(octets, mac=mac("00:11:22:33:44:55"))))
    assert decision.servers == (RIS,)
    assert decision.client
    assert decision.client.chaddr == CLIENT_MAC, "by its EUI-64"


def test_rule_122_option_79_of_the_innermost_relay_agent_tells_the_mac() -> None:
    inner = relayed(boot(), front=hardware("00:11:22:33:44:55"))
    outer = relayed(inner, hops=1, front=hardware("de:ad:be:ef:00:01"), peer="2001:db8:30::9")
    decision = to_servers(relay6().decide(routed(outer)))
    assert set(decision.servers) == set(ALTIRIS)
    assert decision.client
    assert decision.client.told_by is MacSource.OPTION79
    behind = relayed(boot(), behind=hardware("00:11:22:33:44:55"))
    assert servers_of(routed(behind)) == set(ALTIRIS)


def test_rule_122_else_the_eui_64_of_its_peer_address() -> None:
    octets = relayed(boot(), peer="fe80::211:22ff:fe33:4455")
    decision = to_servers(relay6().decide(routed(octets)))
    assert set(decision.servers) == set(ALTIRIS)
    assert decision.client
    assert decision.client.told_by is MacSource.EUI64
    outer = relayed(octets, hops=1, peer="fe80::de:adff:fe00:1")
    assert servers_of(routed(outer)) == set(ALTIRIS)


@pytest.mark.parametrize(
    "peer",
    [
        "2001:db8:10:0:211:22ff:fe33:4455",
        "fe80::211:22ff:fd33:4455",
        "fe80:0:0:1:211:22ff:fe33:4455",
        "fe80::311:22ff:fe33:4455",
    ],
)
def test_rule_122_no_other_address_tells_it(peer: str) -> None:
    """A global one, without ff:fe, of another prefix, of a group's MAC."""
    decision = to_servers(relay6().decide(routed(relayed(boot(), peer=peer))))
    assert decision.client
    assert decision.client.chaddr is None
    assert decision.servers == (RIS,)


@pytest.mark.parametrize(
    "other",
    [
        hardware("00:11:22:33:44:55", htype=6),
        option(79, b"\0\1" + mac("00:11:22:33:44:55") + b"\0\0"),
        option(79, b"\0\1\0\x11\x22\x33"),
        option(79),
    ],
)
def test_rule_123_option_79_of_another_type_or_length_is_as_if_it_were_not_there(other: bytes) -> None:
    octets = relayed(boot(), front=other, peer="fe80::280:64ff:fe00:1")
    decision = to_servers(relay6().decide(routed(octets)))
    assert decision.client
    assert decision.client.chaddr == mac("00:80:64:00:00:01")
    assert decision.client.told_by is MacSource.EUI64


def test_rule_123_option_79_in_a_clients_message_does_not_count_behind_a_router_either() -> None:
    octets = relayed(boot(extra=hardware("00:11:22:33:44:55")), peer="fe80::1")
    decision = to_servers(relay6().decide(routed(octets)))
    assert decision.client
    assert decision.client.chaddr is None


@pytest.mark.parametrize("duid", ["00030001001122334455", "000100012b1a2c3d001122334455"])
def test_rule_124_a_duid_never_tells_the_mac(duid: str) -> None:
    octets = message(duid=bytes.fromhex(duid))
    decision = to_servers(relay6().decide(heard(octets, mac=None)))
    assert decision.client
    assert decision.client.chaddr is None
    assert decision.servers == (RIS,)


def test_rule_125_a_client_without_a_mac_goes_by_its_duid_else_its_address() -> None:
    text = STANDARD6.replace(
        "ris: [10.20.0.10, 2001:db8:20::10]",
        "ris: {addresses: [2001:db8:20::10, 2001:db8:20::11], strategy: hash}",
    )
    relay = relay6(text)

    def chosen(arrival: Arrival6) -> bytes:
        (server,) = to_servers(relay.decide(arrival)).servers
        return server

    first = {number: chosen(heard(_of(number), mac=None)) for number in range(64)}
    assert len(set(first.values())) == 2, "clients are spread"
    moved = ip6("fe80::99")
    assert first == {number: chosen(heard(_of(number), mac=None, source=moved)) for number in range(64)}
    nameless = message(duid=None)
    found = {chosen(heard(nameless, mac=None, source=ip6(f"fe80::{number:x}"))) for number in range(64)}
    assert len(found) == 2
    keys = {_key(heard(_of(number), mac=None)) for number in range(64)}
    keys |= {_key(heard(nameless, mac=None)), _key(heard(_of(1), mac=CLIENT_MAC))}
    assert len(keys) == 66
    assert _key(heard(_of(1), mac=CLIENT_MAC)) == CLIENT_MAC


def _of(number: int) -> bytes:
    return message(duid=b"\0\4" + number.to_bytes(16, "big"))


def _key(arrival: Arrival6) -> bytes:
    client = to_servers(relay6().decide(arrival)).client
    assert client
    return client.client_key


def test_rule_130_only_named_relay_agents_may_relay_to_us() -> None:
    octets = relayed(boot())
    assert to_servers(relay6().decide(routed(octets))).servers == (RIS,)
    for source in (STRANGER, ip6("2001:db8:31::1")):
        assert why(relay6().decide(routed(octets, source=source))) is Drop6.RELAY_NOT_ACCEPTED
    none = STANDARD6.replace("accept_relayed_from: [10.30.0.0/16, 2001:db8:30::/48]", "")
    assert why(relay6(none).decide(routed(octets))) is Drop6.RELAY_NOT_ACCEPTED


def test_rule_130_a_switch_may_on_a_trusted_interface() -> None:
    octets = relayed(boot(), front=option(18, b"port7"))
    assert why(relay6().decide(heard(octets))) is Drop6.RELAY_NOT_ACCEPTED
    decision = to_servers(relay6(TRUSTING).decide(heard(octets)))
    assert decision.port
    assert decision.port.name == "vlan10"
    for changes in (
        {"interface": VLAN20},
        {"destination": ip6(LINK10)},
        {"source": ip6("2001:db8:10::77")},
    ):
        assert why(relay6(TRUSTING).decide(heard(octets, **changes))) is Drop6.RELAY_NOT_ACCEPTED
    links = tuple(replace(link, up=False) if link.name == "vlan10" else link for link in LINKS)
    assert why(relay6(TRUSTING, links).decide(heard(octets))) is Drop6.INTERFACE_WAITING


@pytest.mark.parametrize(
    ("limit", "hops", "passes"),
    [(4, 3, True), (4, 4, False), (1, 0, True), (1, 1, False), (8, 7, True), (16, 7, True)],
)
def test_rule_131_max_hops_bounds_the_relay_agents(limit: int, hops: int, passes: bool) -> None:
    decision = relay6(f"{STANDARD6}max_hops: {limit}").decide(routed(relayed(boot(), hops=hops)))
    assert why(decision) is (None if passes else Drop6.TOO_MANY_HOPS)


@pytest.mark.parametrize("hops", [8, 9, 31, 255])
def test_rule_131_hop_count_8_is_dropped_whatever_max_hops_says(hops: int) -> None:
    decision = relay6(f"{STANDARD6}max_hops: 16").decide(routed(relayed(boot(), hops=hops)))
    assert why(decision) is Drop6.TOO_MANY_HOPS


def test_rule_132_what_stands_around_a_message_of_a_router() -> None:
    octets = relayed(boot(), hops=1, link="2001:db8:30:7::1")
    decision = to_servers(relay6().decide(routed(octets)))
    assert decision.header[:2] == bytes((RELAY_FORW, 2))
    assert decision.header[2:18] == bytes(16)
    assert decision.header[18:34] == ROUTER
    assert around(decision) == []
    assert _size(decision) == len(octets)


def test_rule_132_a_router_on_a_client_interface_gets_its_interface_id() -> None:
    arrival = routed(relayed(boot()), interface=VLAN10, destination=ip6(LINK10))
    decision = to_servers(relay6().decide(arrival))
    assert decision.header[2:18] == bytes(16)
    assert around(decision) == [(18, b"vlan10")]


def test_rule_132_a_link_local_source_gets_our_link_address() -> None:
    decision = to_servers(relay6(TRUSTING).decide(heard(relayed(boot()), port=547)))
    assert decision.header[:2] == bytes((RELAY_FORW, 1))
    assert decision.header[2:18] == ip6(LINK10)
    assert decision.header[18:34] == CLIENT
    assert around(decision) == [(18, b"vlan10")]


def test_rule_132_our_relay_id_stands_around_it_too() -> None:
    text = STANDARD6.replace("dhcpv6: true", "dhcpv6: {relay_id: 00:03:00:01:02:00:00:00:00:09}")
    duid = mac("00:03:00:01:02:00:00:00:00:09")
    assert around(to_servers(relay6(text).decide(routed(relayed(boot()))))) == [(53, duid)]


@pytest.mark.parametrize("port", [1, 546, 1000, 65535])
def test_rule_133_another_source_port_is_told(port: int) -> None:
    decision = to_servers(relay6().decide(routed(relayed(boot()), port=port)))
    assert around(decision) == [(135, port.to_bytes(2, "big"))]


def test_rule_133_a_clients_port_is_not() -> None:
    decision = to_servers(relay6().decide(heard(boot(), port=12345)))
    assert 135 not in dict(around(decision))


@pytest.mark.parametrize("own", [LINK10, LINK20, OWN_CORE])
def test_rule_134_our_own_link_address_in_any_layer_is_a_loop(own: str) -> None:
    inner = relayed(boot(), link=own)
    assert why(relay6().decide(routed(inner))) is Drop6.OWN_LINK_ADDRESS
    assert why(relay6().decide(routed(relayed(inner, hops=1)))) is Drop6.OWN_LINK_ADDRESS
    assert why(relay6().decide(routed(relayed(boot()), source=ip6(own)))) is Drop6.OWN_LINK_ADDRESS


@pytest.mark.parametrize(("index", "own"), [(VLAN10, OWN10), (VLAN20, OWN20), (VLAN10, LINK10)])
def test_rule_134_what_this_host_sent_is_no_clients(index: int, own: str) -> None:
    arrival = heard(boot(), interface=index, source=ip6(own))
    assert why(relay6().decide(arrival)) is Drop6.FROM_THIS_HOST


def test_rule_134_a_link_local_address_of_ours_is_ours_on_its_own_link_only() -> None:
    arrival = heard(boot(), source=ip6(OWN20))
    assert to_servers(relay6().decide(arrival)).servers == (RIS,)


def test_rule_135_nine_layers_are_read_and_no_more() -> None:
    def nested(depth: int) -> bytes:
        octets = boot()
        for _ in range(depth):
            octets = relayed(octets, hops=3, peer="fe80::211:22ff:fe33:4455")
        return octets

    assert servers_of(routed(nested(9))) == set(ALTIRIS)
    for depth in (10, 20):
        assert why(relay6().decide(routed(nested(depth)))) is Drop6.TOO_DEEP


@pytest.mark.parametrize(
    "octets",
    [
        relayed(b"")[:34],
        relayed(b"")[:34] + option(18, b"x"),
        relayed(b""),
        relayed(b"\1\0\0"),
        relayed(boot())[:-1],
        relayed(relayed(boot())[:30]),
        relayed(relayed(boot())[:34], hops=1),
        relayed(boot(), front=option(65000) * 64),
    ],
)
def test_rule_135_no_whole_relay_message_is_dropped(octets: bytes) -> None:
    assert why(relay6().decide(routed(octets))) is Drop6.NO_RELAY_MESSAGE


def test_rule_135_classes_look_at_the_innermost_message() -> None:
    octets = relayed(relayed(boot(number=11)), hops=1, front=vendor_class(b"PXEClient"))
    text = STANDARD6 + "classes: [{name: arm, arch: 11, server: altiris}]\n"
    assert servers_of(routed(octets), text) == set(ALTIRIS)


def test_rule_136_a_routers_client_is_on_none_of_our_interfaces() -> None:
    text = STANDARD6 + "classes: [{name: here, interfaces: ['vlan*'], server: altiris}]\n"
    for index, destination in ((CORE, OWN_CORE), (VLAN20, LINK20)):
        decision = relay6(text).decide(routed(relayed(boot()), interface=index, destination=ip6(destination)))
        assert to_servers(decision).servers == (RIS,)
        assert to_servers(decision).port is None


def test_rule_136_a_trusted_switchs_client_is() -> None:
    text = STANDARD6.replace("dhcpv6: true", "dhcpv6: {trusted: ['vlan*']}")
    decision = to_servers(relay6(text).decide(heard(relayed(boot()), interface=VLAN20)))
    assert set(decision.servers) == set(ALTIRIS)


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
