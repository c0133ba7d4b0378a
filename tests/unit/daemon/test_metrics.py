"""Metrics: what is there before it counts, and within which bound."""

from __future__ import annotations

from typing import Any

from pxerelay.daemon import metrics, stats
from pxerelay.policy.rules import Reason
from pxerelay.relay.counters import Counters
from pxerelay.relay.decision import Drop, ToServers
from pxerelay.relay.ledger6 import Ledger6
from pxerelay.relay.own_health import Finding, Trouble, described
from pxerelay.relay.relay import Relay
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.transactions import Transactions
from pxerelay.wire.client6 import MacSource
from tests.unit.configs import LINKS, STANDARD, VLAN10, relay
from tests.unit.configs6 import answered, heard, relay6, routed
from tests.unit.messages import ip
from tests.unit.messages6 import ADVERTISE, boot, message, relayed
from tests.unit.relay.test_ledger6 import Told

NAMES = {link.index: link.name for link in LINKS}
Series = dict[tuple[str, ...], float]


NOTHING = {"send_failures": 0, "not_received": 0, "bad_checksums": 0}
WELL: dict[str, Any] = {"state": "well", "reasons": []}


def status_of(
    relay: Relay, counters: Counters, interfaces: dict[str, Any], health: dict[str, Any] = WELL
) -> dict[str, Any]:
    """Return the state of a daemon of DHCPv4 with such client interfaces."""
    return {
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
        "interfaces": interfaces,
        "counters": {**NOTHING, "without_option82": 0, "dropped": counters.totals()["dropped"]},
        "traffic": stats.traffic(stats.Counted(relay, relay.answers.of, counters, Transactions())),
        "servers": stats.servers([stats.Counted(relay, relay.answers.of, counters, Transactions())], 0.0, {}),
        "unknown": 0,
        "health": health,
    }


def series(status: dict[str, Any]) -> dict[str, Series]:
    """Return the metrics of a state: their series, by the metric's name."""
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in metrics.families(status)
    }


def told(
    relay: Relay, counters: Counters, interfaces: list[str], health: dict[str, Any] = WELL
) -> dict[str, Series]:
    """Return the counters of a daemon with such client interfaces: their series, by the metric's name."""
    active = {name: {"state": "active"} for name in interfaces}
    return series(status_of(relay, counters, active, health))


def test_what_the_configuration_knows_is_there_before_it_counts() -> None:
    found = told(relay(STANDARD), Counters(), ["vlan10", "vlan20"])
    vlans = ("vlan10", "vlan20")
    assert found["pxerelay_requests"] == {(vlan, reason.value, "4"): 0 for vlan in vlans for reason in Reason}
    assert found["pxerelay_replies"] == {(vlan, "4"): 0 for vlan in vlans}
    ris, altiris = ("ris", "10.20.0.10", "4"), ("altiris", "10.20.0.20", "4")
    for name in ("pxerelay_server_requests", "pxerelay_server_replies"):
        assert set(found[name].values()) == {0}
        assert {(vlan, *server) for vlan in vlans for server in (ris, altiris)} <= set(found[name])
    nobodys = {("", reason.value, "4") for reason in Drop}
    assert set(found["pxerelay_dropped"]) - nobodys == {
        (vlan, reason.value, "4") for vlan in vlans for reason in metrics.WATCHED
    }
    assert found["pxerelay_mac_source"] == {}


def test_what_was_counted_is_told_and_once() -> None:
    rules, counters = relay(STANDARD), Counters()
    counters.rename(NAMES, ("vlan10",))
    counters.add_requests(VLAN10, ToServers((ip("10.20.0.10"),), None), 3)
    counters.add_replies(VLAN10, ip("10.20.0.99"), 2)
    counters.add_drops(VLAN10, Drop.NOT_PXE, 4)
    counters.add_drops(VLAN10, Drop.FLOOD, 5)
    found = told(rules, counters, ["vlan10"])
    assert found["pxerelay_requests"]["vlan10", "default", "4"] == 3
    assert found["pxerelay_server_requests"]["vlan10", "ris", "10.20.0.10", "4"] == 3
    assert found["pxerelay_dropped"]["vlan10", "not-pxe", "4"] == 4
    assert found["pxerelay_dropped"]["vlan10", "flood", "4"] == 5
    found = told(rules, counters, ["vlan10", "vlan20"])
    address = "10.20.0.99"  # it is not configured
    strange = {labels: n for labels, n in found["pxerelay_server_replies"].items() if address in labels}
    assert strange == {("vlan10", address, address, "4"): 2}


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


def in_both(relay_: Relay, relay6_: Relay6, ledger: Ledger6, interfaces: dict[str, Any]) -> dict[str, Series]:
    """Return what a daemon with both families tells, DHCPv6's as a ledger has it."""
    families = [
        stats.Counted(relay_, relay_.answers.of, Counters(), Transactions()),
        stats.Counted(relay6_, relay6_.answers.of6, ledger.counters, ledger.transactions),
    ]
    sources = {source.value: ledger.mac_sources[source] for source in MacSource}
    dropped6 = ledger.counters.totals()["dropped"]
    status = {
        **status_of(relay_, Counters(), interfaces),
        "counters6": {**NOTHING, "send_failures": 7, "mac_sources": sources, "dropped": dropped6},
        "traffic6": stats.traffic(families[1]),
        "servers": stats.servers(families, 0.0, {"altiris": {"2001:db8:20::20": {"state": "down"}}}),
    }
    return series(status)


def test_both_families_are_told_of_by_the_same_names() -> None:
    told = Told().hear(heard(boot()), heard(boot(ADVERTISE)), routed(relayed(boot(), peer="fe80::1")))
    told.hear(answered(message(ADVERTISE)), now=0.25)
    ports = {
        "vlan10": {"state": "active", "ipv6": {"state": "waiting"}},
        "vlan20": {"state": "off", "ipv6": {"state": "active"}},
        "vlan30": {"state": "active"},
    }
    found = in_both(relay(STANDARD), relay6(), told.ledger, ports)
    assert found["pxerelay_interface_active"] == {
        ("vlan10", "4"): 1,
        ("vlan10", "6"): 0,
        ("vlan20", "6"): 1,
        ("vlan30", "4"): 1,
    }
    assert found["pxerelay_requests"]["vlan10", "default", "6"] == 1
    assert found["pxerelay_requests"]["core", "default", "6"] == 1
    assert found["pxerelay_requests"]["vlan10", "default", "4"] == 0
    assert found["pxerelay_replies"]["vlan10", "6"] == 1
    ris = ("ris", "2001:db8:20::10", "6")
    on10, on20 = ("vlan10", *ris), ("vlan20", *ris)
    assert found["pxerelay_server_requests"][on10] == 1
    assert found["pxerelay_server_replies"][on20] == 0, "it is there before it counts"
    assert found["pxerelay_server_answered"][ris] == 1
    assert found["pxerelay_server_answered"]["ris", "10.20.0.10", "4"] == 0
    assert found["pxerelay_server_up"] == {("altiris", "2001:db8:20::20", "6"): 0}
    assert found["pxerelay_dropped"]["vlan10", "not-for-servers", "6"] == 1
    assert found["pxerelay_dropped"]["vlan20", "not-resolved", "6"] == 0
    assert ("vlan20", "no-interface", "4") not in found["pxerelay_dropped"], "DHCPv4 is off there"
    assert found["pxerelay_mac_source"] == {
        ("frame",): 1,
        ("option79",): 0,
        ("eui64",): 0,
        ("none",): 1,
    }
    assert found["pxerelay_send_failures"] == {("4",): 0, ("6",): 7}
    assert found["pxerelay_without_option82"] == {(): 0}
