"""What is told of DHCPv6 messages, in words and as facts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.relay.account6 import Account6, Narrator6
from pxerelay.relay.decision6 import Arrival6
from pxerelay.wire.facts6 import Facts6
from tests.unit.configs6 import (
    CLIENT,
    LINK10,
    STANDARD6,
    STRANGER,
    answered,
    heard,
    relay6,
    routed,
)
from tests.unit.messages6 import (
    ADVERTISE,
    REPLY,
    boot,
    hardware,
    ip6,
    message,
    option,
    plain,
    relayed,
    release,
)

PXE_ONLY = STANDARD6 + "dhcp_servers: dhcp\npxe_only: true\n"
DUID_LL = "DUID-LL 00030001020000000001"
FRAMED = f"{DUID_LL}; MAC from the frame"
IA = option(3, bytes(12) + option(5, ip6("2001:db8:10::183") + bytes(8)))
REFUSED = option(3, bytes(12) + option(13, b"\0\2Server could not select subnet"))


def account(arrival: Arrival6, text: str = STANDARD6) -> Account6:
    relay, facts = relay6(text), Facts6(arrival.message)
    return Narrator6(relay).account(arrival, facts, "vlan10", relay.decide(arrival, facts))


@pytest.mark.parametrize(
    ("arrival", "line"),
    [
        (
            heard(boot()),
            f"02:00:00:00:00:01 on vlan10: SOLICIT (PXEClient, x64 UEFI; {FRAMED}), the "
            "default says ris; sent to ris 2001:db8:20::10 with link-address 2001:db8:10::1",
        ),
        (
            heard(plain()),
            f"02:00:00:00:00:01 on vlan10: SOLICIT (not booting from the network; {FRAMED}), the "
            "default says ris; sent to dhcp 2001:db8:20::2 with link-address 2001:db8:10::1 "
            "(pxe_only: this client reaches the DHCP servers alone)",
        ),
        (
            heard(boot(), mac=bytes.fromhex("020000000030")),
            f"02:00:00:00:00:30 on vlan10: SOLICIT (PXEClient, x64 UEFI; {FRAMED}), rule "
            "02:00:00:00:00:30 says old; sent to dhcp 2001:db8:20::2 with link-address 2001:db8:10::1 "
            "(its boot server has no IPv6 address: this client reaches the DHCP servers alone)",
        ),
        (
            heard(release()),
            f"02:00:00:00:00:01 on vlan10: RELEASE (it does not say whether it boots; {FRAMED}), the "
            "default says ris; sent to ris 2001:db8:20::10, dhcp 2001:db8:20::2 with link-address "
            "2001:db8:10::1 (to all that it may have asked)",
        ),
        (
            routed(relayed(boot(), front=hardware("00:11:22:33:44:55"))),
            f"00:11:22:33:44:55 on vlan10 from 2001:db8:30::1: SOLICIT (PXEClient, x64 UEFI; {DUID_LL}; MAC "
            "from the relay agent's option 79), rule 00:11:22:33:44:55 says altiris; sent to altiris "
            "2001:db8:20::20, altiris 2001:db8:20::21 with link-address ::",
        ),
        (
            routed(relayed(boot(), peer="fe80::1")),
            f"{DUID_LL} on vlan10 from 2001:db8:30::1: SOLICIT (PXEClient, x64 UEFI; MAC unknown), the "
            "default says ris; sent to ris 2001:db8:20::10 with link-address ::",
        ),
        (
            heard(boot(), mac=bytes.fromhex("deadbeef0001")),
            f"de:ad:be:ef:00:01 on vlan10: SOLICIT (PXEClient, x64 UEFI; {FRAMED}), rule "
            "de:ad:be:ef:00:01 says drop; dropped",
        ),
        (
            heard(boot(7)),
            f"02:00:00:00:00:01 on vlan10: REPLY (PXEClient, x64 UEFI; {FRAMED}) dropped: "
            "an ADVERTISE, REPLY or RECONFIGURE, which only servers send",
        ),
        (
            heard(b"\1\2"),
            "DHCPv6 from fe80::ff:fe00:1 on vlan10: dropped, shorter than the header of its message type, 4 "
            "octets, of relayed messages 34",
        ),
        (
            answered(message(ADVERTISE, IA + option(59, b"tftp://[2001:db8:20::10]/x.efi"))),
            "02:00:00:00:00:01: ADVERTISE from ris 2001:db8:20::10, address 2001:db8:10::183, boot file "
            "tftp://[2001:db8:20::10]/x.efi; sent to fe80::ff:fe00:1 at 02:00:00:00:00:01 on vlan10",
        ),
        (
            answered(message(REPLY, REFUSED), peer="fe80::1"),
            f"{DUID_LL}: REPLY from ris 2001:db8:20::10, no addresses available: Server could not select "
            "subnet; sent to fe80::1 on vlan10",
        ),
        (
            answered(message(ADVERTISE), source=STRANGER),
            f"{DUID_LL}: ADVERTISE from 2001:db8:99::1; dropped: a RELAY-REPL from an address that is no "
            "configured server's",
        ),
        (
            answered(
                relayed(message(ADVERTISE), kind=13, link=LINK10),
                interface_id=None,
                link="::",
                peer="2001:db8:30::1",
            ),
            f"{DUID_LL}: ADVERTISE from ris 2001:db8:20::10; sent to 2001:db8:30::1 port 547",
        ),
        (
            answered(b""),
            "fe80::ff:fe00:1: RELAY-REPL from ris 2001:db8:20::10; dropped: of relay agents or servers, with "
            "no whole message inside",
        ),
    ],
)
def test_a_message_in_a_line(arrival: Arrival6, line: str) -> None:
    assert account(arrival, PXE_ONLY).text() == line


def test_where_the_rule_stands_is_told() -> None:
    relay = relay6()
    arrival = heard(boot(), mac=bytes.fromhex("001122334455"))
    facts = Facts6(arrival.message)
    narrator = Narrator6(relay, lambda rule: f"pxerelay.yml:9 for {rule}")
    line = narrator.tell(arrival, facts, "vlan10", relay.decide(arrival, facts))
    assert "rule 00:11:22:33:44:55 (pxerelay.yml:9 for 00:11:22:33:44:55) says altiris" in line


@given(st.binary(max_size=300), st.sampled_from([1, 12, 13]), st.booleans())
def test_any_octets_are_told_of_in_one_printable_line(octets: bytes, kind: int, inside: bool) -> None:
    if inside:
        arrivals = [answered(octets), answered(bytes((kind,)) + octets), routed(relayed(octets))]
    else:
        arrivals = [heard(bytes((kind,)) + octets), routed(bytes((kind,)) + octets, source=CLIENT)]
    for arrival in arrivals:
        told = account(arrival)
        assert told.text().isprintable(), "nothing a client sends may shape the log"
        json.dumps(told.plain)
