"""Interfaces as NetBox knows them, for `pxerelay_interfaces`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

IPV4 = 4


def from_netbox(interfaces: Iterable[Mapping[str, Any]] | None, tag: str) -> dict[str, dict[str, Any]]:
    """Return `pxerelay_interfaces` of the enabled interfaces that have a tag (its slug).

    `interfaces` is the variable of that name that the inventory plugin netbox.netbox.nb_inventory makes, with
    its option `interfaces`. One with an untagged VLAN and a parent gets the key `vlan`, with the VLAN's
    number and its own IPv4 addresses, from which the role can make it.
    """
    found = {}
    for interface in interfaces or ():
        if tag in _slugs(interface) and interface.get("enabled", True):
            vlan, parent = interface.get("untagged_vlan"), interface.get("parent")
            settings = {}
            if vlan and parent:
                settings["vlan"] = {"id": vlan["vid"], "parent": parent["name"], "address": _ipv4(interface)}
            found[interface["name"]] = settings
    return found


def _slugs(interface: Mapping[str, Any]) -> list[str]:
    """Return the slugs of an interface's tags, whether the plugin gave slugs or whole tags."""
    return [tag["slug"] if isinstance(tag, Mapping) else str(tag) for tag in interface.get("tags") or ()]


def _ipv4(interface: Mapping[str, Any]) -> list[str]:
    addresses = interface.get("ip_addresses") or ()
    return [one["address"] for one in addresses if one.get("family", {}).get("value", IPV4) == IPV4]


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {"from_netbox": from_netbox}
