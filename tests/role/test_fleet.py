"""The role's filters: the fleet in a table."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.role.test_filters import FILTERS

row = FILTERS["row"]
table = FILTERS["table"]
views = FILTERS["views"]

STATUS = {
    "version": "0.1.0",
    "prefix": "/opt/pxerelay/releases/0.1.0-0123456789abcdef",
    "config": {
        "sha256": "ab" * 32,
        "files": {"/etc/pxerelay/pxerelay.yml": "ab" * 32},
        "rules": 4,
        "last_error": None,
    },
    "interfaces": {"vlan10": {"state": "active"}, "vlan20": {"state": "waiting"}},
    "health": {"state": "well", "reasons": []},
    "servers": {
        "wds": {"10.20.0.10": {"state": "up", "since": "2027-01-20T09:00:00+00:00", "replies": 3}},
        "altiris": {"10.20.0.20": {"replies": 3}},
    },
}


def _answer(**changes: Any) -> dict[str, Any]:
    config = STATUS["config"] | changes  # type: ignore[operator]
    return {"rc": 0, "stdout": json.dumps(STATUS | {"config": config}), "stderr": ""}


def test_a_host_that_runs_what_the_inventory_says_has_no_drift() -> None:
    assert row(_answer(), "relay1", {"/etc/pxerelay/pxerelay.yml": "ab" * 32}) == {
        "host": "relay1",
        "version": "0.1.0",
        "build": "0.1.0-0123456789abcdef",
        "config": "abababababab",
        "drift": "no",
        "rules": "4",
        "interfaces": "1 of 2",
        "health": "well",
        "last error": "",
        "servers": {"10.20.0.10": {"name": "wds", "state": "up", "since": "2027-01-20T09:00:00+00:00"}},
    }


@pytest.mark.parametrize(
    ("answer", "wanted", "drift"),
    [
        (_answer(), {"/etc/pxerelay/pxerelay.yml": "cd" * 32}, "yes"),
        (_answer(), {"/etc/pxerelay/pxerelay.yml": "ab" * 32, "/etc/pxerelay/rules.d/a.yml": "cd"}, "yes"),
        (_answer(last_error="x.yml:1:1: no"), {"/etc/pxerelay/pxerelay.yml": "ab" * 32}, "yes"),
        (_answer(), {}, "?"),
    ],
    ids=["another", "one missing", "refused", "nothing rendered"],
)
def test_drift_is_told(answer: dict[str, Any], wanted: dict[str, str], drift: str) -> None:
    assert row(answer, "relay1", wanted)["drift"] == drift


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"unreachable": True, "msg": "no route"}, "can't be reached"),
        ({"rc": 3, "stdout": "", "stderr": "a\nno daemon answers at x"}, "no daemon answers at x"),
        ({"rc": 2, "stdout": "", "stderr": "", "msg": "No such file"}, "No such file"),
    ],
)
def test_a_host_that_says_nothing_has_a_row_too(answer: dict[str, Any], error: str) -> None:
    assert row(answer, "relay1", {}) == {"host": "relay1", "last error": error}


def test_the_fleet_is_a_table() -> None:
    lines = table([row(_answer(), "relay1", {}), row({"unreachable": True}, "relay22", {})])
    assert lines == [
        "host     version  build                   config        drift  rules  interfaces  health  "
        "last error",
        "relay1   0.1.0    0.1.0-0123456789abcdef  abababababab  ?      4      1 of 2      well",
        "relay22  -        -                       -             -      -      -           -       "
        "can't be reached",
    ]


def test_the_health_of_a_host_has_its_reasons() -> None:
    reasons = [{"reason": "drained", "text": "since"}, {"reason": "pool-down", "text": "wds"}]
    told = STATUS | {"health": {"state": "degraded", "reasons": reasons}}
    answer = {"rc": 0, "stdout": json.dumps(told), "stderr": ""}
    assert row(answer, "relay1", {})["health"] == "degraded: drained, pool-down"


def test_a_daemon_of_before_there_was_health_has_none() -> None:
    told = {key: value for key, value in STATUS.items() if key not in ("health", "servers")}
    found = row({"rc": 0, "stdout": json.dumps(told), "stderr": ""}, "relay1", {})
    assert (found["health"], found["servers"]) == ("-", {})


def _view(host: str, state: str, minute: int, address: str = "10.20.0.10") -> dict[str, Any]:
    view = {"name": "wds", "state": state, "since": f"2020-01-20T09:{minute:02}:00+00:00"}
    return {"host": host, "servers": {address: view}}


def test_hosts_that_think_differently_of_a_server_for_a_minute_are_told_of() -> None:
    rows = [_view("relay1", "up", 0), _view("relay2", "down", 10), {"host": "relay3"}, {}]
    assert views(rows, "2020-01-20T09:11:00+00:00") == [], "one of them has only just noticed"
    told = (
        "wds 10.20.0.10 is up for relay1 since 2020-01-20T09:00:00+00:00, "
        "down for relay2 since 2020-01-20T09:10:00+00:00"
    )
    assert views(rows, "2020-01-20T09:11:01+00:00") == [told]
    assert views(rows) == [told]
    assert views([_view("relay1", "down", 0), _view("relay2", "down", 10)]) == []
    assert views([_view("relay1", "up", 0), _view("relay2", "down", 10, "10.20.0.11")]) == []


def test_interfaces_are_counted_in_each_family() -> None:
    def told(*ports: Mapping[str, object]) -> str:
        status = json.loads(_answer()["stdout"])
        status["interfaces"] = {f"vlan{at}": port for at, port in enumerate(ports)}
        return str(row({"rc": 0, "stdout": json.dumps(status)}, "relay1", {})["interfaces"])

    active, waiting, off = {"state": "active"}, {"state": "waiting"}, {"state": "off"}
    assert told(active, waiting) == "1 of 2"
    assert told({**active, "ipv6": active}, {**active, "ipv6": waiting}) == "2 of 2, DHCPv6 1 of 2"
    assert told({**active, "ipv6": active}, {**off, "ipv6": active}, active) == "2 of 2, DHCPv6 2 of 2"
    assert told({**off, "ipv6": active}) == "DHCPv6 1 of 1"
    assert told() == "0 of 0"
