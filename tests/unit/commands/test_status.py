"""What `status` says, made of what a daemon answers."""

from __future__ import annotations

from typing import Any

import pytest

from pxerelay.commands.status import _status_text

COUNTERS: dict[str, Any] = {
    "requests": 7,
    "replies": 6,
    "sent_to_servers": 8,
    "send_failures": 0,
    "not_received": 0,
    "bad_checksums": 0,
    "without_option82": 0,
    "dropped": {"not-a-server": 0, "too-old": 2},
}
ANSWER: dict[str, Any] = {
    "version": "1",
    "config": {
        "path": "/etc/pxerelay/pxerelay.yml",
        "sha256": "00",
        "loaded_at": "2027-01-20T10:00:00+00:00",
        "rules": 3,
        "ended": 0,
        "next_end": None,
        "last_error": None,
    },
    "health": {"state": "well", "reasons": []},
    "interfaces": {"vlan10": {"state": "active", "giaddr": "10.10.10.1", "waiting": None}},
    "metrics": {"at": None, "error": None},
    "dns": {},
    "servers": {},
    "counters": COUNTERS,
}
GUA = "2001:db8:10::1"


def lines_of(answer: dict[str, Any], *begin: str) -> list[str]:
    return [line for line in _status_text(answer).splitlines() if line.startswith(begin)]


def test_without_dhcpv6_nothing_is_said_of_it() -> None:
    assert lines_of(ANSWER, "interface") == ["interface  vlan10 active, giaddr 10.10.10.1"]
    assert "DHCPv6" not in _status_text(ANSWER)


@pytest.mark.parametrize(("count", "told"), [(0, "0 rules"), (1, "1 rule"), (3, "3 rules")])
def test_rules_are_counted(count: int, told: str) -> None:
    config = {**ANSWER["config"], "rules": count, "ended": count, "next_end": "2027-01-31"}
    assert lines_of({**ANSWER, "config": config}, "config", "ended") == [
        f"config     /etc/pxerelay/pxerelay.yml, {told}, loaded 2027-01-20T10:00:00+00:00",
        f"ended      {told}; the next end with 2027-01-31",
    ]


def test_rule_160_an_interface_is_told_in_both_families() -> None:
    active = {"state": "active", "link_address": GUA, "link_local": "fe80::1", "waiting": None}
    waiting = {"state": "waiting", "link_address": None, "link_local": None, "waiting": "IPv6 is disabled"}
    off = {"state": "off", "giaddr": None, "waiting": None}
    down = {"state": "waiting", "giaddr": None, "waiting": "the interface is down"}
    vlan10 = ANSWER["interfaces"]["vlan10"]
    ports = {
        "vlan10": {**vlan10, "ipv6": active},
        "vlan20": {**vlan10, "ipv6": waiting},
        "vlan30": {**off, "ipv6": active},
        "vlan40": {**down, "ipv6": active},
        "vlan50": vlan10,
    }
    assert lines_of({**ANSWER, "interfaces": ports}, "interface") == [
        f"interface  vlan10 active, giaddr 10.10.10.1; DHCPv6 active, link-address {GUA}",
        "interface  vlan20 active, giaddr 10.10.10.1; DHCPv6 waiting, IPv6 is disabled",
        f"interface  vlan30 DHCPv6 active, link-address {GUA}",
        f"interface  vlan40 waiting, the interface is down; DHCPv6 active, link-address {GUA}",
        "interface  vlan50 active, giaddr 10.10.10.1",
    ]


def test_what_was_counted_is_told_by_family() -> None:
    counters6 = {**COUNTERS, "requests": 5, "bad_checksums": 1, "dropped": {"bad-source": 4}}
    del counters6["without_option82"]
    answer = {**ANSWER, "counters6": counters6}
    assert lines_of(answer, "requests", "replies", "DHCPv6") == [
        "requests   7 relayed, 8 copies sent to servers",
        "replies    6 relayed",
        "DHCPv6     5 requests relayed, 8 copies sent to servers, 6 replies relayed",
    ]
    assert lines_of(answer, "dropped", "damaged") == [
        "dropped    2 too-old",
        "damaged    1 with a wrong UDP checksum (DHCPv6)",
        "dropped    4 bad-source (DHCPv6)",
    ]
