"""The role's filters: two relay hosts on the same VLANs."""

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from tests.role.modules import plugin
from tests.role.test_filters import FILTERS

paired = FILTERS["paired"]
priority = FILTERS["priority"]
virtual = FILTERS["virtual"]

PAIR = {
    "hosts": ["relay1", "relay2"],
    "id": 51,
    "addresses": {"vlan10": "10.10.10.1/24", "core": "10.20.0.1/24"},
}


def _variables(**interfaces: Any) -> dict[str, Any]:
    return {"pxerelay_default": "ris", "pxerelay_interfaces": interfaces}


def _findings(variables: dict[str, Any], host: str = "relay1", **changes: Any) -> list[str]:
    with pytest.raises(AnsibleFilterError) as caught:
        paired(variables, PAIR | changes, host)
    return str(caught.value).splitlines()


def test_without_a_pair_nothing_changes() -> None:
    variables = _variables(vlan10={})
    assert paired(variables, {}, "relay1") == variables


def test_the_pairs_address_is_the_giaddr_of_interfaces_that_the_relay_serves_and_of_no_others() -> None:
    variables = _variables(vlan10={"default": "altiris"}, vlan20={})
    assert paired(variables, PAIR, "relay2") == _variables(
        vlan10={"default": "altiris", "giaddr": "10.10.10.1"}, vlan20={}
    )
    assert variables == _variables(vlan10={"default": "altiris"}, vlan20={})


def test_an_interface_without_settings_gets_its_giaddr() -> None:
    assert paired(_variables(vlan10=None), PAIR, "relay1") == _variables(vlan10={"giaddr": "10.10.10.1"})


BOTH = PAIR | {"addresses": {"vlan10": ["10.10.10.1/24", "2001:db8:10::1/64"], "core": "2001:db8:20::1/64"}}


def test_an_interface_may_have_an_address_of_each_family() -> None:
    assert paired(_variables(vlan10={}), BOTH, "relay1") == _variables(
        vlan10={"giaddr": "10.10.10.1", "link_address": "2001:db8:10::1"}
    )


def test_keepalived_tells_addresses_of_one_family_and_the_others_go_along() -> None:
    assert virtual(PAIR) == {"told": ["10.10.10.1/24 dev vlan10", "10.20.0.1/24 dev core"], "others": []}
    assert virtual(BOTH) == {
        "told": ["10.10.10.1/24 dev vlan10"],
        "others": ["2001:db8:10::1/64 dev vlan10", "2001:db8:20::1/64 dev core"],
    }
    alone = PAIR | {"addresses": {"vlan10": "2001:db8:10::1/64"}}
    assert virtual(alone) == {"told": ["2001:db8:10::1/64 dev vlan10"], "others": []}


def test_the_first_host_has_the_higher_priority() -> None:
    assert (priority(PAIR, "relay1"), priority(PAIR, "relay2")) == (150, 100)


@pytest.mark.parametrize(
    ("variables", "changes", "finding"),
    [
        (
            _variables(vlan10={"giaddr": "10.10.10.9"}),
            {},
            "addresses: vlan10: 10.10.10.1, but pxerelay_interfaces gives it another giaddr, 10.10.10.9; "
            "take that out",
        ),
        (
            _variables(**{"vlan*": {}}),
            {},
            'addresses: vlan10: give it an entry of pxerelay_interfaces beside "vlan*"',
        ),
        (_variables(vlan10={}), {"id": 256}, "id: 256 is none of 1 to 255"),
        (_variables(vlan30={}), {}, "addresses: none of vlan10, core is an entry of pxerelay_interfaces"),
        (
            _variables(vlan10={}),
            {"addresses": {"vlan10": "10.10.10.1"}},
            "addresses: vlan10: 10.10.10.1 lacks its prefix, as in 10.10.10.1/24",
        ),
        (
            _variables(vlan10={}),
            {"addresses": {"vlan10": "10.10.10/24"}},
            "addresses: vlan10: 10.10.10/24 is no address with a prefix, such as 10.10.10.1/24",
        ),
        (
            _variables(vlan10={}),
            {"addresses": {"vlan10": "2001:db8::1"}},
            "addresses: vlan10: 2001:db8::1 lacks its prefix, as in 2001:db8::1/64",
        ),
        (
            _variables(vlan10={}),
            {"addresses": {"vlan10": ["2001:db8::1/64", "2001:db8::2/64"]}},
            "addresses: vlan10: 2001:db8::2/64 is a second one of IPv6; name one of each family",
        ),
        (
            _variables(vlan10={"link_address": "2001:db8::9"}),
            {"addresses": {"vlan10": "2001:db8::1/64"}},
            "addresses: vlan10: 2001:db8::1, but pxerelay_interfaces gives it another link_address, "
            "2001:db8::9; take that out",
        ),
        (
            _variables(vlan10={}),
            {"hosts": ["relay1", "relay1"]},
            "hosts: two different ones make a pair, and these are relay1, relay1",
        ),
        (
            _variables(vlan10={}),
            {"hosts": ["relay2", "relay3"]},
            "hosts: relay1 is neither relay2 nor relay3, though the variable is set for it",
        ),
    ],
)
def test_what_cannot_be_meant_so_is_told(
    variables: dict[str, Any], changes: dict[str, Any], finding: str
) -> None:
    assert _findings(variables, **changes) == [f"pxerelay_pair: {finding}"]


def test_a_host_whose_interface_of_the_pair_waits_stands_by() -> None:
    def status(**states: str) -> dict[str, Any]:
        return {"interfaces": {name: {"state": state} for name, state in states.items()}}

    stands_by = plugin("module_utils.proof").stands_by
    assert stands_by(status(vlan10="waiting", vlan20="active"), ["vlan10", "core"])
    assert not stands_by(status(vlan10="active", vlan20="waiting"), ["vlan10", "core"])
    assert not stands_by({}, ["vlan10", "core"])
    standing_by = {"vlan10": {"state": "active", "ipv6": {"state": "waiting"}}}
    assert stands_by({"interfaces": standing_by}, ["vlan10", "core"])
    off = {"vlan10": {"state": "off", "ipv6": {"state": "active"}}}
    assert not stands_by({"interfaces": off}, ["vlan10", "core"])
