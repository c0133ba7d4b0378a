"""What `pxerelay trace` prints."""

from __future__ import annotations

import json
from typing import Any

from pxerelay.commands.watching import Silence, event_text, message_text, nowhere, start_text, state_text
from pxerelay.policy.rules import Reason
from pxerelay.policy.servers import NamedServer
from pxerelay.relay.account import Account
from pxerelay.relay.account6 import Account6

START: dict[str, Any] = {
    "watching": "02:00:00:00:00:01",
    "interface": None,
    "mapping": [
        {
            "where": ["vlan10", None],
            "reason": "wildcard",
            "rule": "02:*",
            "choice": "ris",
            "servers": ["ris 10.20.0.10"],
            "dropped": "",
            "lost": [{"reason": "default", "rule": "default", "choice": "drop"}],
        },
        {
            "where": ["vlan20"],
            "reason": "class",
            "rule": "uefi",
            "choice": "drop",
            "servers": [],
            "dropped": "the mapping says drop",
            "lost": [],
        },
    ],
    "active": ["vlan10", "vlan20"],
    "waiting": ["vlan30 waiting: the interface is not there"],
    "routers": ["10.30.0.0/16"],
}
RIS = NamedServer("ris", "10.20.0.10")


RIS6 = {"name": "ris", "address": "2001:db8:20::10"}


def place(reason: Reason, rule: str) -> str:
    return f"c.yml:{len(rule)}" if reason is Reason.WILDCARD else ""


def event(**more: Any) -> dict[str, Any]:
    account = Account("02:00:00:00:00:01", "vlan10", "0.0.0.0", more.pop("request", True), **more)
    return {"event": "message", "failures": [], **account.plain}


ASKED = event(
    message="DISCOVER",
    xid="1",
    giaddr="10.10.10.1",
    client="PXEClient",
    servers=(RIS,),
    choice="ris",
    reason="wildcard",
    rule="02:*",
)


def test_the_head_tells_what_is_watched_and_what_the_mapping_says() -> None:
    assert start_text(START) == "watching 02:00:00:00:00:01 wherever it is heard; Ctrl-C ends it"
    assert start_text({**START, "interface": "vlan10"}).endswith(" on vlan10; Ctrl-C ends it")
    assert state_text(START, place) == [
        "the mapping says now:",
        "  vlan10, behind a router: rule 02:* (c.yml:4) says ris -> ris 10.20.0.10",
        "    lost: the default says drop",
        "  vlan20: class uefi says drop -> dropped: the mapping says drop",
        "interface vlan30 waiting: the interface is not there",
    ]
    many = {**START["mapping"][1], "where": [f"vlan{number}" for number in range(20)]}
    lines = state_text({**START, "mapping": [START["mapping"][0], many]}, nowhere)
    assert lines[3].startswith("  vlan0, vlan1, vlan2, vlan3, vlan4, vlan5, vlan6, vlan7 and 12 more: class")
    nothing = {**START, "mapping": [], "waiting": [], "active": [], "routers": []}
    assert state_text(nothing, nowhere) == ["no client interface is active, so nothing can be heard"]


def test_messages_are_told_as_debug_tells_them_with_the_time_and_failures() -> None:
    assert message_text(ASKED, place) == (
        "02:00:00:00:00:01 on vlan10: DISCOVER (PXEClient), rule 02:* (c.yml:4) says ris; "
        "sent to ris 10.20.0.10 with giaddr 10.10.10.1"
    )
    assert message_text({**ASKED, "failures": ["a", "b"]}, nowhere).endswith("; BUT a; BUT b")
    answer = event(request=False, message="OFFER", xid="1", server=RIS, sent_to="everyone", out="vlan10")
    assert message_text({**answer, "milliseconds": 2.5}, nowhere) == (
        "02:00:00:00:00:01: OFFER from ris 10.20.0.10 after 2.5 ms; sent to everyone on vlan10"
    )
    assert "after" not in message_text({**answer, "milliseconds": None}, nowhere)


def test_other_events_have_a_line_each() -> None:
    assert event_text({"event": "lost", "lines": 7}, place) == [
        "7 lines lost: they came faster than they were taken"
    ]
    assert event_text({"event": "interface", "text": "vlan10 active, giaddr 10.10.10.1"}, place) == [
        "interface vlan10 active, giaddr 10.10.10.1"
    ]
    assert "refused" in event_text({"event": "refused", "error": "x"}, place)[0]
    lines = event_text({"event": "mapping", "mapping": START["mapping"][1:]}, place)
    assert lines == [
        "the mapping changed; the mapping says now:",
        "  class uefi says drop -> dropped: the mapping says drop",
    ]
    assert event_text({"event": "reload", "mapping": []}, place) == ["the configuration was loaded again"]


def test_silence_is_told_after_a_while_and_then_seldom() -> None:
    silence = Silence(START, 100.0)
    assert silence.next == 110.0
    quiet, text = silence.told(110.0)
    assert quiet == 10.0
    assert text.startswith("nothing heard from 02:00:00:00:00:01 for 10 s: is it on")
    assert "We hear vlan10, vlan20, routers in 10.30.0.0/16" in text
    assert silence.next == 170.0
    silence.broken(ASKED, 120.0)
    assert silence.next == 130.0


def test_what_silence_means_depends_on_what_came_last() -> None:
    def after(*events: dict[str, Any]) -> str:
        silence = Silence(START, 0.0)
        for one in events:
            silence.broken(one, 1.0)
        return silence.told(11.0)[1].partition(" for 10 s")[2]

    answer = event(request=False, message="OFFER", xid="1", server=RIS, sent_to="everyone", out="vlan10")
    assert (
        "went to ris 10.20.0.10 and no answer came: is the server up, has it a route to 10.10.10.1"
        in after(ASKED)
    )
    assert "a scope for that subnet" in after(ASKED, answer, ASKED)
    assert after(ASKED, answer) == "; its last message was answered"
    assert after({**ASKED, "router": "10.30.0.1"}).endswith("answers go to router 10.30.0.1, not through us")
    assert after(event(xid="1", dropped="flood", meaning="asks too much")) == (
        "; its last message was dropped: asks too much"
    )


def event6(**more: Any) -> dict[str, Any]:
    """Return an event of a DHCPv6 message, as it comes through JSON."""
    account = Account6("02:00:00:00:00:01", "vlan10", "fe80::1", True, "SOLICIT", "123456", told_by="frame")
    plain = json.loads(json.dumps(account.plain))
    return {"event": "message", "failures": [], **plain, **more}


def test_a_message_of_dhcpv6_is_told_as_one() -> None:
    asked = {"reason": "default", "rule": "default", "choice": "ris", "link_address": "2001:db8:10::1"}
    sent = event6(client="PXEClient", duid="DUID-LL 0003", servers=[RIS6], **asked)
    assert message_text(sent, nowhere) == (
        "02:00:00:00:00:01 on vlan10: SOLICIT (PXEClient; DUID-LL 0003; MAC from the frame), the default "
        "says ris; sent to ris 2001:db8:20::10 with link-address 2001:db8:10::1"
    )
    answer = event6(request=False, message="ADVERTISE", server=RIS6, sent_to="fe80::1", out="vlan10")
    refused = {**answer, "status": "no addresses available", "milliseconds": 2.5}
    assert message_text(refused, nowhere) == (
        "02:00:00:00:00:01: ADVERTISE from ris 2001:db8:20::10 after 2.5 ms, no addresses available; sent to "
        "fe80::1 on vlan10"
    )
    silence = Silence(START, 0.0)
    silence.broken(refused, 1.0)
    assert silence.told(20.0)[1].endswith("; its last message was answered: no addresses available")
    silence.broken({**sent, "router": "2001:db8:30::1"}, 30.0)
    assert silence.told(50.0)[1].endswith(
        "; its last request went to ris 2001:db8:20::10 and no answer came: is the server up, has it a route "
        "to this relay and a subnet for 2001:db8:10::1?"
    ), "in DHCPv6 answers come this way also behind routers"


def test_what_the_mapping_says_is_told_of_each_family() -> None:
    entry = {**START["mapping"][0], "where": ["vlan10"], "lost": []}
    of4 = {**entry, "family": 4}
    of6 = {**entry, "family": 6, "servers": ["ris 2001:db8:20::10"]}
    assert state_text({**START, "waiting": [], "mapping": [of4, of6]}, nowhere) == [
        "the mapping says now:",
        "  rule 02:* says ris -> ris 10.20.0.10",
        "  DHCPv6: rule 02:* says ris -> ris 2001:db8:20::10",
    ]
    there = {**of6, "where": ["vlan20"]}
    lines = state_text({**START, "waiting": [], "mapping": [of4, of6, there]}, nowhere)
    assert [line.partition(": rule")[0] for line in lines[1:]] == [
        "  rule 02:* says ris -> ris 10.20.0.10",
        "  DHCPv6: vlan10",
        "  DHCPv6: vlan20",
    ]
