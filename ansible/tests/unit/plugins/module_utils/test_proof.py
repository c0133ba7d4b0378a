# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Whether the daemon runs what was written, and whom it serves."""

from __future__ import annotations

import pytest
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import proof

ACTIVE = {"state": "active", "waiting": None}
WAITS = {"state": "waiting", "waiting": "there is no such interface"}


@pytest.mark.parametrize(
    ("running", "wanted", "lines"),
    [
        ({"files": {"/a": "1"}, "last_error": None}, {"/a": "1"}, []),
        ({"files": {"/a": "1"}}, {"/a": "2"}, ["/a: sha256 1 is loaded, 2 was written"]),
        ({"files": {}}, {"/a": "2"}, ["/a: not loaded"]),
        ({"files": {"/a": "1"}}, {}, ["/a: loaded, though this play does not write it"]),
        ({"files": {"/a": "1"}, "last_error": "bad"}, {"/a": "1"}, ["its last reload was refused: bad"]),
    ],
)
def test_what_the_daemon_holds_is_compared(running, wanted, lines) -> None:
    assert proof.mismatches(running, wanted) == lines


def test_a_daemon_of_another_build_is_told() -> None:
    running = {"prefix": "/opt/pxerelay/releases/old", "config": {"files": {}}}
    assert proof.other_than(running, {}, "/opt/pxerelay/releases/old") == []
    assert proof.other_than(running, {}, None) == []
    (line,) = proof.other_than(running, {}, "/opt/pxerelay/releases/new")
    assert "/opt/pxerelay/releases/old, and not /opt/pxerelay/releases/new" in line


def test_who_waits_is_a_failure_where_it_is_named() -> None:
    status = {"interfaces": {"vlan10": ACTIVE, "vlan20": WAITS, "lab1": WAITS}}
    idle = proof.Idle(status, ["vlan10", "vlan20", "lab*", "kiosk*"], False)
    assert idle.faults(None) == ["vlan20 waits: there is no such interface"]
    assert idle.faults(False) == []
    assert len(idle.faults(True)) == len(idle.lines()) == 3
    assert any("kiosk*" in line for line in idle.lines())


def test_nothing_relayed_is_told_but_where_routers_ask() -> None:
    status = {"interfaces": {"vlan10": WAITS}}
    assert any("nothing is relayed" in line for line in proof.Idle(status, ["vlan10"], False).lines())
    assert not any("nothing is relayed" in line for line in proof.Idle(status, ["vlan10"], True).lines())


def test_the_other_host_of_a_pair_has_the_clients() -> None:
    assert proof.stands_by({"interfaces": {"vlan10": WAITS}}, ["vlan10"])
    assert not proof.stands_by({"interfaces": {"vlan10": ACTIVE}}, ["vlan10"])
    assert not proof.stands_by({"interfaces": {"vlan10": WAITS}}, [])
