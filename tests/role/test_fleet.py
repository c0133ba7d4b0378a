"""The role's filters: the fleet in a table."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.lab.command import REPOSITORY
from tests.role.test_filters import FILTERS

holds = FILTERS["holds"]
mappings = FILTERS["mappings"]
row = FILTERS["row"]
shares = FILTERS["shares"]
sharing = FILTERS["sharing"]
standings = FILTERS["standings"]
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


SHARED = ["192.0.2.67/32", "2001:db8::67/128"]
ROUTERS = "pxerelay_peer1 BGP --- up 10:00:00 Established\npxerelay_peer2 BGP --- {} 10:00:00 {}\n"


def _bird(well: str, degraded: str, *, second: str = "up", state: str = "Established") -> dict[str, Any]:
    lines = f"Name Proto Table State Since Info\npxerelay_well_ipv4 Static master4 {well} 10:00:00\n"
    lines += f"pxerelay_degraded_ipv4 Static master4 {degraded} 10:00:00\n"
    return {"rc": 0, "stdout": lines + ROUTERS.format(second, state)}


def _twice(first: int, second: int, first6: int | None = None, second6: int = 0) -> dict[str, Any]:
    documents = [{"counters": {"requests": count}} for count in (first, second)]
    if first6 is not None:
        for document, count in zip(documents, (first6, second6), strict=True):
            document["counters6"] = {"requests": count}
    return {"rc": 0, "stdout": "\n".join(json.dumps(document, indent=2) for document in documents)}


@pytest.mark.parametrize(
    ("bird", "announced"),
    [
        (_bird("up", "down"), "yes"),
        (_bird("up", "up"), "yes"),
        (_bird("down", "up"), "as the last resort"),
        (_bird("down", "down"), "no"),
        (_bird("up", "down", second="start", state="Active"), "yes, to 1 of 2 routers"),
        ({"rc": 1, "stdout": "", "stderr": "Unable to connect"}, "no: BIRD does not answer"),
        (
            {"rc": 0, "stdout": "pxerelay_well_ipv4 Static m up 1\npxerelay_ospf_ipv4 OSPF m up 1 Running\n"},
            "yes",
        ),
    ],
)
def test_it_is_told_what_a_host_announces(bird: dict[str, Any], announced: str) -> None:
    assert sharing(SHARED, bird, {})["announced"] == announced


def test_each_hosts_share_is_of_the_requests_for_its_address() -> None:
    told = [
        {"host": "relay1", **sharing(SHARED, _bird("up", "down"), _twice(100, 120, 0, 10))},
        {"host": "relay2", **sharing(SHARED, _bird("up", "down"), _twice(0, 70))},
        {"host": "relay3", **sharing(SHARED, _bird("down", "up"), _twice(9, 9))},
        {"host": "relay4", **sharing(SHARED, _bird("up", "down"), _twice(900, 3))},
        {"host": "other", **sharing(["192.0.2.68/32"], _bird("up", "down"), _twice(0, 0))},
        {"host": "alone"},
    ]
    assert [one.get("share") for one in shares(told)] == ["30 %", "70 %", "0 %", None, None, None]
    assert told[0]["address"] == "192.0.2.67, 2001:db8::67"
    assert sharing(SHARED, {}, {"rc": 3, "stdout": "", "stderr": "none"})["asked"] is None


def test_hosts_of_one_address_that_differ_in_their_mapping_are_told_of() -> None:
    def held(host: str, config: str, address: str = "192.0.2.67") -> dict[str, Any]:
        return {"host": host, "config": config, "address": address}

    rows = [
        held("relay1", "ab"),
        held("relay2", "cd"),
        held("relay3", "ab"),
        held("other", "ef", "192.0.2.68"),
    ]
    told = (
        "192.0.2.67: relay1, relay3 hold ab; relay2 holds cd: the same client may boot from different servers"
    )
    assert mappings([*rows, {"host": "alone", "config": "gh"}, {"host": "off", "address": "192.0.2.67"}]) == [
        told
    ]
    assert mappings([held("relay1", "ab"), held("relay2", "ab")]) == []


def test_hosts_that_share_an_address_have_two_columns_more() -> None:
    shared = sharing(SHARED, _bird("up", "down"), _twice(0, 1))
    lines = table(shares([row(_answer(), "relay1", {}, shared), row(_answer(), "relay2", {})]))
    assert lines[0].split()[7:] == ["health", "announced", "share", "last", "error"]
    assert lines[1].split()[-3:] == ["yes", "100", "%"]
    assert lines[2].split()[-3:] == ["well", "-", "-"]


def test_what_came_of_asking_is_told_with_each_host_that_is_not_as_it_should_be() -> None:
    wanted = {"/etc/pxerelay/pxerelay.yml": "ab" * 32}
    told = standings(
        {
            "relay1": row(_answer(), "relay1", wanted),
            "relay2": row(_answer(), "relay2", {"/etc/pxerelay/pxerelay.yml": "cd" * 32}),
            "relay3": row(_answer(last_error="x.yml:1:1: no"), "relay3", wanted),
            "relay4": row({"unreachable": True}, "relay4", wanted),
            "relay5": row({"rc": 3, "stdout": "", "stderr": "no daemon answers at x"}, "relay5", wanted),
            "relay6": row(_answer(), "relay6", {}),
            "relay7": {},
        }
    )
    states = {host: one["state"] for host, one in told["hosts"].items()}
    assert states == {
        "relay1": "current",
        "relay2": "drifted",
        "relay3": "drifted",
        "relay4": "unreachable",
        "relay5": "failed",
        "relay6": "failed",
        "relay7": "failed",
    }
    assert not told["ok"]
    assert told["unreachable"] == ["relay4"]
    assert told["hosts"]["relay1"]["build"] == "0.1.0-0123456789abcdef"
    assert told["hosts"]["relay3"]["message"] == "does not run what the inventory says; x.yml:1:1: no"
    assert told["lines"] == [
        "relay5: no daemon answers at x",
        "relay6: nobody knows what it should run: its variables have a fault",
        "relay7: it could not be asked",
        "relay2, relay3 do not run what the inventory says",
        "relay4 can't be reached",
        "1 of 7 hosts run what the inventory says",
    ]


def test_a_fleet_that_is_as_it_should_be_is_well() -> None:
    told = standings({"relay1": row(_answer(), "relay1", {"/etc/pxerelay/pxerelay.yml": "ab" * 32})})
    assert told["ok"]
    assert told["lines"] == ["1 of 1 hosts run what the inventory says"]


def test_a_path_holds_a_text_where_also_mode_and_group_are_right() -> None:
    sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of foo
    about = {"type": "file", "sha256": sha256, "owner": "root", "group": "pxerelay-web", "mode": "0640"}
    assert holds(about, "foo", "0640", "pxerelay-web")
    assert not holds(about, "foo", "0640")
    assert not holds(about, "bar", "0640", "pxerelay-web")
    assert not holds({"type": "absent"}, "foo")


def test_the_page_about_relays_that_share_an_address_shows_these_columns() -> None:
    """Molecule's scenario `anycast` compares all of what is printed."""
    found = re.search(r'^ +"(host  .*)",$', (REPOSITORY / "docs/anycast.md").read_text("utf-8"), re.MULTILINE)
    assert found
    head, _ = table([{"host": "relay1", "address": "192.0.2.67"}])
    assert re.split("  +", found[1]) == re.split("  +", head)
