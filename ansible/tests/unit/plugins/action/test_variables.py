# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""What hosts have alike, and what is said where something is wrong."""

from __future__ import annotations

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.pxerelay.pxerelay.plugins.action import variables


def _alike(looks, given):
    return looks.alike(given, Templar(loader=DataLoader(), variables=given))


def test_hosts_are_alike_where_their_variables_are() -> None:
    looks = variables.Looks()
    one = _alike(looks, {"pxerelay_default": "ris", "inventory_hostname": "relay1"})
    assert one
    assert one == _alike(looks, {"pxerelay_default": "ris", "inventory_hostname": "relay2"})
    assert one != _alike(looks, {"pxerelay_default": "altiris", "inventory_hostname": "relay3"})
    assert one != _alike(looks, {"pxerelay_default": "ris", "inventory_dir": "/elsewhere"})
    pair = {"pxerelay_default": "ris", "pxerelay_pair": {"hosts": ["relay1", "relay2"]}}
    assert _alike(looks, pair) == ""


def test_each_value_is_kept_once() -> None:
    shared = variables.Shared()
    assert shared.put({"a": [1]}) == shared.put({"a": [1]}) != shared.put({"a": [2]})
    assert sorted(shared.contents.values(), key=str) == [{"a": [1]}, {"a": [2]}]


def test_a_fault_is_told_once_for_all_that_have_it() -> None:
    faults = {f"relay{number}": "one\ntwo" for number in range(1, 12)}
    faults["relay4"] = "three"
    named = "relay1, relay2, relay3, relay5, relay6, relay7, relay8, relay9"
    assert variables.together(faults) == f"{named} and 2 more:\n  one\n  two\nrelay4:\n  three"
