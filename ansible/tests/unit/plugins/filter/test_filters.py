# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""What filters do with values that administrators write."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.pxerelay.pxerelay.plugins.filter import anycast, mapping, outcome, pair


def test_a_mac_that_yaml_took_for_a_number_is_told_as_it_was() -> None:
    rules = yaml.safe_load("{52:54:00:12:34:56: altiris}")
    with pytest.raises(AnsibleFilterError, match='quote it: "52:54:00:12:34:56"'):
        mapping.config({"pxerelay_rules": rules})


def test_one_mac_in_two_variables_stops_it() -> None:
    variables = {
        "pxerelay_rules": {"02:00:00:10:00:01": "ris"},
        "pxerelay_rules__kiosks": {"0200.0010.0001": "altiris"},
    }
    with pytest.raises(AnsibleFilterError, match="one MAC, two answers"):
        mapping.config(variables)


def test_what_is_written_is_what_is_read() -> None:
    document = {"servers": {"ris": "192.0.2.10"}, "rules": {"02:00:00:10:00:01": "ris", "5254.0e1": "ris"}}
    assert yaml.safe_load(mapping.text(document)) == document


@pytest.mark.parametrize(
    ("allowed", "count", "bound"), [("25%", 8, 2), ("25%", 3, 1), ("0", 8, 0), (3, 8, 3), ("100%", 8, 8)]
)
def test_how_many_may_be_unreachable(allowed, count, bound) -> None:
    assert outcome.bound(allowed, count) == bound


def test_a_host_that_was_lost_has_failed() -> None:
    told = outcome.result({"relay1": {"state": "begun"}, "relay2": {"state": "proven"}})
    assert (told["ok"], told["hosts"]["relay1"]["state"]) == (False, "failed")
    assert told["lines"][-1] == "1 of 2 hosts proven"


def test_all_that_is_wrong_with_a_pair_comes_at_once() -> None:
    wrong = {"hosts": ["relay1", "relay1"], "id": 300, "addresses": {"vlan10": "10.10.10.1"}}
    with pytest.raises(AnsibleFilterError) as error:
        pair.paired({"pxerelay_interfaces": {"vlan10": {}}}, wrong, "relay1")
    assert len(str(error.value).splitlines()) == 3


def test_all_that_is_wrong_with_a_shared_address_comes_at_once() -> None:
    with pytest.raises(AnsibleFilterError) as error:
        anycast.bird({"address": "224.0.0.1", "peers": [{"address": "router"}], "prepend": 99})
    said = str(error.value)
    assert all(word in said for word in ("224.0.0.1", "peers: router", "prepend: 99", "asn"))
