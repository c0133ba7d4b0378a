"""When a relay is well, degraded or not ready, by what it has seen; and the words for it."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from pxerelay.policy.links import Link
from pxerelay.policy.pools import ALL_UP, Standing
from pxerelay.policy.ports import assign
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.relay import own_health
from pxerelay.relay.own_health import MEANING, NOT_READY, Finding, State, Trouble
from pxerelay.relay.recent import KEPT, Recent
from pxerelay.relay.relay import Relay
from tests.unit.configs import LINKS, STANDARD, build, relay
from tests.unit.configs6 import STANDARD6, relay6
from tests.unit.messages import ip
from tests.unit.messages6 import ip6

POOLED = STANDARD.replace(
    "[10.20.0.20, 10.20.0.21]", "{addresses: [10.20.0.20, 10.20.0.21], strategy: failover}"
)
NAMED = STANDARD.replace("ris: 10.20.0.10", "ris: wds.example.net")
A, B = ip("10.20.0.20"), ip("10.20.0.21")


def troubles(
    one: Relay, standing: Standing = ALL_UP, *, named: bool = True, reached: Collection[bytes] | None = None
) -> dict[Trouble, str]:
    def way(server: bytes, _: int) -> object:
        return True if reached is None or server in reached else None

    findings = own_health.troubles_of_names(one.answers, named=named)
    return dict([*findings, *own_health.troubles_of_servers(one, standing, way)])


def test_all_is_well() -> None:
    assert troubles(relay(POOLED)) == {}
    assert own_health.described([]) == {"state": "well", "reasons": []}


def test_a_relay_is_degraded_by_any_trouble_but_those_of_its_start() -> None:
    for trouble in Trouble:
        expected = State.NOT_READY if trouble in NOT_READY else State.DEGRADED
        assert own_health.state([Finding(trouble, "")]) is expected
    both = [Finding(Trouble.DRAINED, "since ever"), Finding(Trouble.NAMES_OUTSTANDING, "")]
    assert own_health.state(both) is State.NOT_READY
    assert own_health.described(both[:1]) == {
        "state": "degraded",
        "reasons": [{"reason": "drained", "text": "since ever"}],
    }


def test_a_pool_is_down_if_all_its_servers_are() -> None:
    one = relay(POOLED)
    assert troubles(one, Standing(down=frozenset({A}))) == {}
    assert troubles(one, Standing(down=frozenset({A}), doubtful=frozenset({B}))) == {}
    assert troubles(one, Standing(down=frozenset({A, B}))) == {
        Trouble.POOL_DOWN: "all servers of altiris are down: 10.20.0.20, 10.20.0.21"
    }


def named(answer: ResolvedName) -> Relay:
    built = build(NAMED)
    return Relay(built, assign(built, LINKS), LINKS, ResolvedNames({"wds.example.net": answer}))


def test_a_name_is_awaited_for_a_round_and_then_missed() -> None:
    unknown = named(ResolvedName(error="not looked up yet"))
    assert troubles(unknown, named=False) == {Trouble.NAMES_OUTSTANDING: "no answer yet for wds.example.net"}
    missed = named(ResolvedName(error="no answer within 5 s"))
    told = "no address is known of wds.example.net (no answer within 5 s)"
    assert troubles(missed) == {Trouble.NO_ADDRESS: told}
    kept = named(ResolvedName((IPv4Address("10.20.0.10"),), "gone"))
    assert troubles(kept) == {}, "the last answer is kept, and used"


def test_one_server_with_a_route_is_enough() -> None:
    one = relay(POOLED)
    assert troubles(one, reached={B}) == {}
    assert troubles(one, reached=()) == {
        Trouble.NO_ROUTE: "no route leads to 10.20.0.10, 10.20.0.2, 10.20.0.20, 10.20.0.21"
    }


def test_no_route_is_missed_where_no_address_is_known() -> None:
    one = relay("servers: {a: a.example.net}\ndefault: a\naccept_relayed_from: [192.0.2.1]\n")
    assert troubles(one, reached=()).keys() == set()


RED = Link(100, "red", up=True, mtu=65575, addresses=(), vrf=100)
IN_RED = tuple(link._replace(vrf=100) if link.name.startswith("vlan") else link for link in LINKS)
DOWN = tuple(link._replace(up=False) for link in IN_RED)
VLANS_ALONE = POOLED.replace("accept_relayed_from: [10.30.0.0/16]\n", "")


@pytest.mark.parametrize(
    ("text", "links", "asked"),
    [
        (VLANS_ALONE, LINKS, {0}),
        (VLANS_ALONE, IN_RED, {100}),
        (VLANS_ALONE, DOWN, {0, 100}),
        (POOLED, LINKS, {0, 100}),
        (POOLED, IN_RED, {0, 100}),
    ],
    ids=["of no VRF", "of a VRF", "none is active", "routers too", "and a VRF"],
)
def test_routes_are_looked_for_where_servers_are_asked(
    text: str, links: tuple[Link, ...], asked: set[int]
) -> None:
    seen: set[int] = set()

    def way(_: bytes, vrf: int) -> object:
        seen.add(vrf)
        return None

    list(own_health.troubles_of_servers(relay(text, (*links, RED)), ALL_UP, way))
    assert seen == asked


def of_traffic(*seconds: dict[str, int], now: float = 100.0) -> set[Trouble]:
    """Judge traffic: the last given second is the present one, those before it are one second apart."""
    recent = Recent()
    for ago, counts in reversed(list(enumerate(reversed(seconds)))):
        recent.add(now - ago, **counts)
    return {finding.trouble for finding in own_health.troubles_of_traffic(recent, now)}


def test_most_of_what_is_sent_fails() -> None:
    fails = {Trouble.SENDS_FAIL}
    assert of_traffic({"sent": 300, "failed": 151}) == fails
    assert of_traffic({"sent": 300, "failed": 150}) == set()
    assert of_traffic({"sent": 300}, {"sent": 300, "failed": 300}, {"sent": 300, "failed": 300}) == fails
    assert of_traffic({"sent": 300, "failed": 300}, {}, {}, {}, {"sent": 10}) == set(), "it is over"


def test_of_few_messages_the_last_half_minute_counts() -> None:
    fails = {Trouble.SENDS_FAIL}
    one = {"sent": 1, "failed": 1}
    assert of_traffic(one) == set(), "one may be an accident"
    assert of_traffic(one, *[{}] * 10, one) == fails
    assert of_traffic(one, one, *[{}] * (KEPT - 2)) == fails
    assert of_traffic(one, one, *[{}] * KEPT) == set(), "it says nothing any more"
    assert of_traffic(one, one, {"sent": 2}) == set()


def test_messages_are_lost_for_want_of_time() -> None:
    late = {Trouble.LATE}
    assert of_traffic({"heard": 100, "late": 6}) == late
    assert of_traffic({"heard": 100, "late": 5}) == set()
    assert of_traffic({"heard": 3, "late": 3}) == late
    assert of_traffic({"heard": 2, "late": 2}) == set(), "so few may be an accident"
    assert of_traffic({"heard": 100, "late": 100}, {}, {}, {"heard": 100}) == set(), "it is over"


def test_each_reason_has_words_and_a_row_in_the_guide() -> None:
    assert set(MEANING) == set(Trouble)
    guide = (Path(__file__).parents[3] / "docs" / "healthy.md").read_text("utf-8")
    rows = [line for line in guide.splitlines() if line.startswith("| `")]
    for trouble in Trouble:
        (row,) = (row for row in rows if row.startswith(f"| `{trouble.value}` |"))
        assert MEANING[trouble] in row


def test_each_family_has_troubles_of_its_own() -> None:
    text = STANDARD6.replace(
        "[10.20.0.20, 2001:db8:20::20, 2001:db8:20::21]",
        "{addresses: [10.20.0.20, 2001:db8:20::20, 2001:db8:20::21], strategy: failover}",
    )
    first, second = ip6("2001:db8:20::20"), ip6("2001:db8:20::21")
    standing = Standing(down=frozenset({first, second}))
    one, other = relay(text), relay6(text)

    def reached(server: bytes, _: int) -> object:
        return True if len(server) == 4 else None

    assert not list(own_health.troubles_of_servers(one, standing, reached))
    found = dict(own_health.troubles_of_servers(other, standing, reached))
    assert found[Trouble.POOL_DOWN] == "all servers of altiris are down: 2001:db8:20::20, 2001:db8:20::21"
    told = found[Trouble.NO_ROUTE]
    assert told.startswith("no route leads to 2001:db8:20::10, 2001:db8:20::2")
    assert "10.20.0." not in told
    half = Standing(down=frozenset({first, ip("10.20.0.20")}))
    assert Trouble.POOL_DOWN not in dict(own_health.troubles_of_servers(other, half, reached))
    assert Trouble.POOL_DOWN in dict(own_health.troubles_of_servers(one, half, reached))
