"""DHCPv6, octets in, decision out: rules 109 and 116 to 125, which servers have a client's message."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.policy.rules import Reason
from pxerelay.relay.decision6 import Arrival6, Drop6
from pxerelay.wire.client6 import MacSource
from tests.unit.configs import VLAN20
from tests.unit.configs6 import (
    ALTIRIS,
    CLASSES,
    CLIENT_MAC,
    DHCP,
    MAC_OPTION,
    PXE_ONLY,
    RIS,
    STANDARD6,
    TRUSTING,
    WITH_DHCP,
    around,
    heard,
    relay6,
    routed,
    servers_of,
    to_servers,
    why,
)
from tests.unit.messages import mac
from tests.unit.messages6 import (
    DUID,
    PXE,
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
    plain,
    relayed,
    release,
    vendor_class,
)


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
