"""What servers of DHCPv6 are asked by health checks, and by which address."""

from __future__ import annotations

from ipaddress import IPv6Address

from pxerelay.daemon.healthcheck6 import question
from pxerelay.policy.links import Link
from pxerelay.relay.decision6 import ToServers6
from pxerelay.wire import probe6
from pxerelay.wire.facts6 import Facts6
from tests.unit.configs6 import LINK10, LINK20, LINKS, STANDARD6, relay6
from tests.unit.messages import mac
from tests.unit.messages6 import SOLICIT, ip6, options_of

A = IPv6Address("2001:db8:20::20")
POOL = "{addresses: [10.20.0.20, 2001:db8:20::20, 2001:db8:20::21], strategy: failover, probe: true}"
POOLED = STANDARD6.replace("[10.20.0.20, 2001:db8:20::20, 2001:db8:20::21]", POOL)
NOBODY = mac("02:70:78:65:00:00")


def asked(text: str, links: tuple[Link, ...] = LINKS, server: IPv6Address = A) -> tuple[bytes, ToServers6]:
    one = relay6(text, links)
    return question(one, one.config.pools["altiris"], server, NOBODY)


def around(decision: ToServers6, size: int) -> dict[int, bytes]:
    return dict(options_of(decision.header + bytes(size), 34))


def test_a_server_is_asked_as_by_a_client_that_goes_there_by_default() -> None:
    message, decision = asked(POOLED)
    assert decision.servers == (A.packed,)
    assert decision.header[2:18] == ip6(LINK20), "of vlan20, whose default it is"
    assert decision.header[18:34] == ip6("fe80::70:78ff:fe65:0"), "the EUI-64 of the client"
    told = around(decision, len(message))
    assert (told[18], told[79]) == (b"vlan20", b"\0\1" + NOBODY)
    facts = Facts6(message)
    assert (facts.kind, facts.duid, facts.boots) == (SOLICIT, probe6.duid(NOBODY), True)
    assert not facts.damaged


def test_a_vlan_that_waits_is_passed_over() -> None:
    links = tuple(link._replace(up=link.name != "vlan20") for link in LINKS)
    assert asked(POOLED, links)[1].header[2:18] == ip6(LINK10)


def test_no_mac_is_told_where_the_configuration_says_so() -> None:
    message, decision = asked(POOLED.replace("dhcpv6: true", "dhcpv6: {client_mac: false}"))
    assert 79 not in around(decision, len(message))


def test_a_question_has_the_source_of_requests() -> None:
    assert asked(POOLED)[1].source is None
    assert asked(POOLED + "source_address: giaddr\n")[1].source == ip6(LINK20)
    assert asked(POOLED + "source_address: [2001:db8::5]\n")[1].source == ip6("2001:db8::5")


def test_behind_routers_the_question_has_our_own_address_on_the_way() -> None:
    """Of links that are there none is active; ::1 has a route."""
    message, decision = asked(POOLED, LINKS[:1], IPv6Address("::1"))
    assert decision.header[2:18] == ip6("::1")
    told = around(decision, len(message))
    assert 18 not in told
    fixed = asked(POOLED + "source_address: [2001:db8::5]\n", LINKS[:1])[1]
    assert (fixed.source, fixed.header[2:18]) == (ip6("2001:db8::5"), ip6("2001:db8::5"))
