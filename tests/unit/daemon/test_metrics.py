"""Metrics: what is there before it counts, and within which bound."""

from __future__ import annotations

from typing import Any

from pxerelay.daemon import metrics, stats
from pxerelay.policy.rules import Reason
from pxerelay.relay.counters import Counters
from pxerelay.relay.decision import Drop, ToServers
from pxerelay.relay.own_health import Finding, Trouble, described
from pxerelay.relay.relay import Relay
from pxerelay.relay.transactions import Transactions
from tests.unit.configs import LINKS, STANDARD, VLAN10, relay
from tests.unit.messages import ip

NAMES = {link.index: link.name for link in LINKS}
Series = dict[tuple[str, ...], float]


WELL: dict[str, Any] = {"state": "well", "reasons": []}


def told(
    relay: Relay, counters: Counters, interfaces: list[str], health: dict[str, Any] = WELL
) -> dict[str, Series]:
    """Return the counters of a daemon with such client interfaces: their series, by the metric's name."""
    status: dict[str, Any] = {
        "version": "1",
        "config": {
            "sha256": "ab",
            "rules": 1,
            "ended": 0,
            "loaded_at": "2026-11-25T10:00:00+00:00",
            "last_reload_at": None,
            "load_seconds": 0.1,
            "last_error": None,
        },
        "interfaces": {name: {"state": "active"} for name in interfaces},
        "counters": {"send_failures": 0, "not_received": 0, "bad_checksums": 0, "without_option82": 0},
        "traffic": stats.traffic(relay, counters),
        "servers": stats.servers(
            [stats.ServersOf(relay, relay.answers.of, counters, Transactions())], 0.0, {}
        ),
        "unknown": 0,
        "health": health,
    }
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in metrics.families(status)
    }


def test_what_the_configuration_knows_is_there_before_it_counts() -> None:
    found = told(relay(STANDARD), Counters(), ["vlan10", "vlan20"])
    vlans = ("vlan10", "vlan20")
    assert found["pxerelay_requests"] == {(vlan, reason.value): 0 for vlan in vlans for reason in Reason}
    assert found["pxerelay_replies"] == {(vlan,): 0 for vlan in vlans}
    ris, altiris = ("ris", "10.20.0.10"), ("altiris", "10.20.0.20")
    for name in ("pxerelay_server_requests", "pxerelay_server_replies"):
        assert set(found[name].values()) == {0}
        assert {(vlan, *server) for vlan in vlans for server in (ris, altiris)} <= set(found[name])
    nobodys = {("", reason.value) for reason in Drop}
    assert set(found["pxerelay_dropped"]) - nobodys == {
        (vlan, reason.value) for vlan in vlans for reason in metrics.WATCHED
    }


def test_what_was_counted_is_told_and_once() -> None:
    rules, counters = relay(STANDARD), Counters()
    counters.rename(NAMES, ("vlan10",))
    counters.add_requests(VLAN10, ToServers((ip("10.20.0.10"),), None), 3)
    counters.add_replies(VLAN10, ip("10.20.0.99"), 2)
    counters.add_drops(VLAN10, Drop.NOT_PXE, 4)
    counters.add_drops(VLAN10, Drop.FLOOD, 5)
    found = told(rules, counters, ["vlan10"])
    assert found["pxerelay_requests"]["vlan10", "default"] == 3
    assert found["pxerelay_server_requests"]["vlan10", "ris", "10.20.0.10"] == 3
    assert found["pxerelay_dropped"]["vlan10", "not-pxe"] == 4
    assert found["pxerelay_dropped"]["vlan10", "flood"] == 5
    found = told(rules, counters, ["vlan10", "vlan20"])
    address = "10.20.0.99"  # it is not configured
    strange = {labels: n for labels, n in found["pxerelay_server_replies"].items() if address in labels}
    assert strange == {("vlan10", address, address): 2}


def test_each_reason_that_the_daemon_knows_of_is_there_before_it_is_one() -> None:
    found = told(relay(STANDARD), Counters(), ["vlan10"])
    assert found["pxerelay_health"] == {(): 0}
    assert found["pxerelay_health_reason"] == {
        (one.value,): 0 for one in Trouble if one is not Trouble.OTHER_SHA256
    }
    health = described([Finding(Trouble.DRAINED, ""), Finding(Trouble.POOL_DOWN, "")])
    found = told(relay(STANDARD), Counters(), ["vlan10"], health)
    assert found["pxerelay_health"] == {(): 1}
    assert {labels for labels, one in found["pxerelay_health_reason"].items() if one} == {
        ("drained",),
        ("pool-down",),
    }
    health = described([Finding(Trouble.NAMES_OUTSTANDING, "")])
    assert told(relay(STANDARD), Counters(), ["vlan10"], health)["pxerelay_health"] == {(): 2}


def test_many_vlans_do_not_make_series_without_end() -> None:
    found = told(relay(STANDARD), Counters(), [f"vlan{number}" for number in range(300)])
    assert len(found["pxerelay_requests"]) == 300 * len(Reason)
    assert len(found["pxerelay_dropped"]) == 300 * len(metrics.WATCHED) + len(Drop)
    found = told(relay(STANDARD), Counters(), [f"vlan{number}" for number in range(1000)])
    assert len(found["pxerelay_replies"]) == 1000
    assert found["pxerelay_requests"] == {}
    assert len(found["pxerelay_dropped"]) == len(Drop)
