"""What `status` and `status --watch` make of the daemon's counters."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
from rich.console import Console

from pxerelay.commands import rates
from pxerelay.commands.watch import screen
from pxerelay.relay.transactions import BOUNDS


def state(**traffic: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a daemon might tell, with these counters."""
    server = {
        "requests": 0,
        "replies": 0,
        "answered": 0,
        "unanswered": 0,
        "answer_seconds": 0.0,
        "answers_within": [[bound, 0] for bound in BOUNDS],
        "last_reply_ago": None,
    }
    return {
        "version": "1.0",
        "config": {
            "sha256": "ab" * 32,
            "rules": 4,
            "loaded_at": "2026-11-25T10:00:00+00:00",
            "last_error": None,
        },
        "interfaces": {
            "vlan10": {"state": "active", "giaddr": "10.10.10.1", "waiting": None},
            "vlan20": {"state": "waiting", "giaddr": None, "waiting": "the interface is not there"},
        },
        "counters": {"send_failures": 0, "not_received": 0, "bad_checksums": 0},
        "traffic": {"requests": [], "replies": [], "dropped": [], **traffic},
        "servers": {"ris": {"10.20.0.10": server}},
        "clients": [],
    }


def count(interface: str, number: int, **labels: str) -> dict[str, Any]:
    return {"interface": interface, "count": number, **labels}


def test_rates_are_by_interface_whatever_rule_chose_the_busiest_first() -> None:
    before = state(requests=[count("vlan10", 10, rule="mac")])
    after = state(
        requests=[
            count("vlan10", 14, rule="mac"),
            count("vlan10", 6, rule="oui"),
            count("core", 40, rule="default"),
        ],
        replies=[count("vlan10", 3, server="ris")],
        dropped=[count("vlan10", 1, reason="flood"), count("", 5, reason="bad-op")],
    )
    core, vlan10, vlan20 = rates.interfaces(before, after, 2.0)
    assert (vlan10.requests, vlan10.replies, vlan10.dropped, vlan10.total) == (5.0, 1.5, 0.5, 20)
    assert (core.name, core.about, core.requests) == ("core", "relayed by routers", 20.0)
    assert (vlan20.state, vlan20.about, vlan20.requests) == ("waiting", "the interface is not there", 0.0)


def in_both(requests6: int) -> dict[str, Any]:
    """Return what a daemon of both families might tell."""
    both = state(requests=[count("vlan10", 10)], dropped=[count("vlan10", 1)])
    both["traffic6"] = {
        "requests": [count("vlan10", requests6), count("vlan30", requests6)],
        "replies": [],
        "dropped": [count("vlan10", requests6)],
    }
    both["counters6"] = {"send_failures": 2, "not_received": 0, "bad_checksums": 0}
    serving = {"state": "active", "link_address": "2001:db8:10::1", "waiting": None}
    both["interfaces"]["vlan10"]["ipv6"] = serving
    both["interfaces"]["vlan20"]["ipv6"] = {**serving, "state": "waiting", "waiting": "IPv6 is disabled"}
    both["interfaces"]["vlan30"] = {"state": "off", "giaddr": None, "waiting": None, "ipv6": serving}
    both["clients"] = [
        {
            "mac": "",
            "duid": "00030001020000000001",
            "family": 6,
            "interface": "core",
            "rule": "default",
            "servers": [{"server": "ris", "address": "2001:db8:20::10"}],
            "ago": 1.0,
            "answers": [],
            "returns": True,
        }
    ]
    return both


def test_both_families_are_summed_up_and_told_where_one_waits() -> None:
    vlan10, vlan30, vlan20 = rates.interfaces(in_both(0), in_both(6), 2.0)
    assert (vlan10.requests, vlan10.dropped, vlan10.total) == (3.0, 3.0, 16)
    assert vlan10.about == "giaddr 10.10.10.1, link-address 2001:db8:10::1"
    assert (vlan20.state, vlan20.about) == (
        "waiting",
        "the interface is not there, DHCPv6 waits: IPv6 is disabled",
    )
    assert (vlan30.state, vlan30.about, vlan30.requests) == ("active", "link-address 2001:db8:10::1", 3.0)


def test_the_table_tells_of_both_families() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(screen(in_both(0), in_both(6), 2.0, 40))
    shown = console.export_text()
    assert "2 not sent" in shown
    assert "DUID 00030001020000000001" in shown
    assert "ris 2001:db8:20::10" in shown


def test_a_daemon_that_was_started_anew_in_between_has_no_negative_rates() -> None:
    before, after = state(requests=[count("vlan10", 1000)]), state(requests=[count("vlan10", 3)])
    before["servers"]["ris"]["10.20.0.10"]["requests"] = 1000
    assert [row.requests for row in rates.interfaces(before, after, 1.0)] == [0.0, 0.0]
    assert [row.requests for row in rates.servers(before, after, 1.0)] == [0.0]


def test_the_median_lies_within_its_class() -> None:
    within = [[bound, 0] for bound in BOUNDS]
    assert rates.median(within) is None
    within[2][1] = 10  # from 2.5 to 5 ms
    assert rates.median(within) == pytest.approx(0.00375)
    within[0][1] = 10
    assert rates.median(within) == pytest.approx(0.001)
    within[-1][1] = 1000
    assert 2.0 < (rates.median(within) or 0) < 4.0


def test_a_server_is_told_with_its_share_of_answers() -> None:
    after = state()
    server = after["servers"]["ris"]["10.20.0.10"]
    assert rates.servers(state(), after, 1.0)[0].answered is None
    server.update(answered=3, unanswered=1, requests=8, replies=6, last_reply_ago=2.0)
    (row,) = rates.servers(state(), after, 2.0)
    assert (row.name, row.address, row.answered) == ("ris", "10.20.0.10", 0.75)
    assert (row.requests, row.replies, row.last_reply_ago) == (4.0, 3.0, 2.0)


def shown(before: dict[str, Any], after: dict[str, Any], height: int = 40) -> str:
    console = Console(width=110, height=height, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as captured:
        console.print(screen(before, after, 1.0, height))
    return captured.get()


def test_the_screen_tells_vlans_servers_and_the_last_clients() -> None:
    after = state(requests=[count("vlan10", 7, rule="mac")])
    after["config"]["last_error"] = "pxerelay.yml:1:1: unknown key 'defalt'"
    after["servers"]["ris"]["10.20.0.10"].update(requests=7, answered=6, unanswered=1, state="down")
    client = {
        "mac": "02:00:00:00:00:01",
        "interface": "vlan10",
        "pxe": True,
        "rule": "mac",
        "servers": [{"server": "ris", "address": "10.20.0.10"}],
        "ago": 3.0,
        "answers": [{"server": "ris", "address": "10.20.0.10", "milliseconds": 2.5}],
        "returns": True,
    }
    after["clients"] = [
        client,
        {**client, "answers": [], "ago": 90.0},
        {**client, "answers": []},
        {**client, "answers": [], "returns": False},
    ]
    lines = shown(state(), after).splitlines()
    text = "\n".join(lines)
    assert "4 rules  sha256 abababababab  loaded 2026-11-25T10:00:00+00:00" in lines[0]
    assert "last reload refused: pxerelay.yml:1:1: unknown key 'defalt'" in text
    assert any(line.split()[:6] == ["vlan10", "active", "giaddr", "10.10.10.1", "7.0", "-"] for line in lines)
    assert any(line.split()[:3] == ["ris", "10.20.0.10", "down"] and " 86 " in line for line in lines)
    assert "ris 10.20.0.10 2.5 ms" in text
    assert "no answer yet" in text
    assert "no answer " in text.replace("no answer yet", "")
    assert "2 min" in text
    assert "answers go to the router" in text


def test_of_a_thousand_vlans_those_are_shown_that_fit() -> None:
    after = state(requests=[count("vlan10", 7)])
    for number in range(1000):
        after["interfaces"][f"vlan{1000 + number}"] = copy.deepcopy(after["interfaces"]["vlan20"])
    lines = shown(state(), after, height=24).splitlines()
    assert len(lines) <= 24
    assert any(line.startswith("vlan10 ") for line in lines), "the one where something happens"
    assert any("more" in line for line in lines)
