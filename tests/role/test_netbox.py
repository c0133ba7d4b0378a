"""The role's filters: interfaces from NetBox, in the shape that netbox.netbox.nb_inventory gives a host."""

from pathlib import Path
from typing import Any

import yaml

from tests.role.test_filters import FILTERS, config

PAGE = Path(__file__).parents[2] / "docs" / "netbox.md"


def _interface(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "enabled": True,
        "parent": None,
        "untagged_vlan": None,
        "tags": ["pxe-clients"],
        "ip_addresses": [],
    } | more


def _address(text: str, family: int = 4) -> dict[str, Any]:
    return {"address": text, "family": {"value": family, "label": f"IPv{family}"}}


VLAN10 = _interface(
    "vlan10",
    parent={"id": 7, "name": "eth1"},
    untagged_vlan={"id": 99, "vid": 10, "name": "desktops"},
    ip_addresses=[_address("10.10.10.1/24"), _address("2001:db8::1/64", 6)],
)


def test_a_tagged_interface_with_parent_and_vlan_can_be_made_from_it() -> None:
    assert FILTERS["from_netbox"]([VLAN10], "pxe-clients") == {
        "vlan10": {"vlan": {"id": 10, "parent": "eth1", "address": ["10.10.10.1/24"]}}
    }


def test_others_are_only_named() -> None:
    plain = _interface("eth2", ip_addresses=[_address("10.10.20.1/24")])
    assert FILTERS["from_netbox"]([plain], "pxe-clients") == {"eth2": {}}


def test_interfaces_without_the_tag_and_disabled_ones_are_left_out() -> None:
    others = [
        _interface("core", tags=["uplink"]),
        _interface("vlan30", enabled=False),
        _interface("lo", tags=None),
    ]
    assert FILTERS["from_netbox"](others, "pxe-clients") == {}
    assert FILTERS["from_netbox"](None, "pxe-clients") == {}


def test_whole_tags_are_read_too() -> None:
    whole = _interface("eth2", tags=[{"name": "PXE clients", "slug": "pxe-clients"}])
    assert FILTERS["from_netbox"]([whole], "pxe-clients") == {"eth2": {}}


def test_what_comes_of_it_is_a_configuration() -> None:
    interfaces = FILTERS["from_netbox"]([VLAN10], "pxe-clients")
    assert config({"pxerelay_interfaces": interfaces}) == {"interfaces": {"vlan10": {}}}


def test_the_page_about_netbox_holds_yaml() -> None:
    blocks = [block.partition("```")[0] for block in PAGE.read_text().split("```yaml\n")[1:]]
    assert blocks
    documents = [yaml.safe_load(block) for block in blocks]
    assert any(document.get("plugin") == "netbox.netbox.nb_inventory" for document in documents)
    assert any("from_netbox" in str(document.get("pxerelay_interfaces")) for document in documents)
