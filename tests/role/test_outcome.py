"""What came of a playbook for each host: who counts, what is said, what a batch may lose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.role.test_filters import FILTERS

bound = FILTERS["bound"]
outcome = FILTERS["outcome"]
outcomes = FILTERS["outcomes"]
probe_faults = FILTERS["probe_faults"]
result = FILTERS["result"]
with_state = FILTERS["with_state"]

WANTED = {"/etc/pxerelay/pxerelay.yml": "ab" * 32}


@pytest.mark.parametrize(
    ("allowed", "count", "hosts"),
    [("25%", 8, 2), ("25%", 2, 1), ("0%", 300, 1), ("10%", 300, 30), (0, 8, 0), ("3", 8, 3)],
)
def test_a_share_is_at_least_one_host(allowed: object, count: int, hosts: int) -> None:
    assert bound(allowed, count) == hosts


def test_a_host_that_was_never_reached_is_neither_proven_nor_failed() -> None:
    gone = {"unreachable": True, "msg": "no route to host"}
    assert outcome(gone, {}, WANTED, "") == {
        "state": "unreachable",
        "message": "can't be reached: no route to host",
    }
    assert outcome({}, gone, WANTED, "/opt/x")["state"] == "unreachable"
    proven = outcome({"idle": ["vlan9 waits: no carrier"]}, {}, WANTED, "/opt/x")
    assert proven == {
        "state": "proven",
        "sha256": WANTED,
        "idle": ["vlan9 waits: no carrier"],
        "release": "/opt/x",
    }


def _fleet(**states: dict[str, Any]) -> dict[str, Any]:
    every = {host: {"pxerelay_outcome": one} if one else {} for host, one in states.items()}
    return dict(outcomes(every, states))


def test_the_last_lines_say_who_was_not_reached_and_what_to_type() -> None:
    told = result(
        _fleet(
            relay1={"state": "proven", "idle": ["vlan9 waits: no carrier"]},
            relay2={"state": "unreachable", "message": "can't be reached"},
            relay3={"state": "unreachable", "message": "can't be reached"},
            relay4={"state": "failed", "message": "altiris did not answer\nmore"},
            relay5={"state": "begun"},
            relay6={},
        )
    )
    assert told["lines"] == [
        "relay1: vlan9 waits: no carrier",
        "relay4: altiris did not answer",
        "  more",
        "relay5: lost on the way: it could be reached, and then no longer",
        "relay2, relay3 can't be reached, and were not touched; once that is mended, "
        "type the same with --limit 'relay2,relay3'",
        "relay6 was not touched",
        "1 of 6 hosts proven",
    ]
    assert not told["ok"]
    assert told["hosts"]["relay5"]["state"] == "failed"
    assert with_state(told["hosts"], "failed") == ["relay4", "relay5"]
    assert result(_fleet(relay1={"state": "proven"}))["ok"]


def test_probes_of_what_a_host_does_not_have_are_found_on_the_control_machine() -> None:
    probes = [
        {"mac": "02:00:00:00:00:f1", "server": "ris", "interface": "vlan10"},
        {"mac": "02:00:00:00:00:f2", "server": "192.0.2.10", "interface": "vlan200"},
        {"mac": "02:00:00:00:00:f3", "server": "rsi"},
        {"mac": "02:00:00:00:00:f4", "server": "2001:db8::1", "interface": "eth7"},
    ]
    ports: dict[str, Any] = {"vlan10": {}, "vlan20": {}, "eth*": {}}
    assert probe_faults(probes, ports, {"ris": "192.0.2.10"}) == [
        "pxerelay_probes: number 2, 02:00:00:00:00:f2: vlan200 is no entry of pxerelay_interfaces; "
        "did you mean vlan20?",
        "pxerelay_probes: number 3, 02:00:00:00:00:f3: rsi is no entry of pxerelay_servers; "
        "did you mean ris?",
    ]
