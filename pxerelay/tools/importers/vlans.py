"""Defaults of VLANs: files name them by subnet, a configuration of ours by interface."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pxerelay.tools.importers.found import Found, Interface, Network, Servers
from pxerelay.tools.importers.source import Source, Word

_MOST_NAMED = 8
"""Subnets that a note has by name."""


class Vlan(NamedTuple):
    """A VLAN's subnets, where its clients boot from, and where that is said; no servers is the default."""

    networks: tuple[Network, ...]
    servers: Servers
    source: Source
    place: Word


def settle(vlans: Sequence[Vlan], found: Found) -> None:
    """Give each VLAN's interface its default; name the VLANs whose interface is not known."""
    left_out: list[str] = []
    for vlan in vlans:
        name = interface(vlan, found) if vlan.servers else found.interface_of(vlan.networks)
        if name is None:
            left_out.append(spelled(vlan.networks))
        elif vlan.servers and vlan.servers != found.default:
            add(name, vlan, found)
        else:
            found.settings.interfaces.setdefault(name, Interface())
    if left_out:
        found.notes.append(
            "The interfaces of these subnets are not known, and their clients have the default; add those "
            "that "
            f"the relay host is in to interfaces: {_listed(left_out)}."
        )


def interface(vlan: Vlan, found: Found, *, always: bool = False) -> str | None:
    """Return a VLAN's interface, or a placeholder, which is named; None if the default is all it needs.

    With `always` it needs its interface besides.
    """
    name = found.interface_of(vlan.networks)
    if name is None and (always or vlan.servers != found.default):
        network, name = spelled(vlan.networks[:1]), placeholder(vlan.networks)
        found.fault(
            vlan.source,
            vlan.place,
            f"clients of {network} boot from {', '.join(vlan.servers)}: which interface are they on? Say "
            f"so by "
            f"--interface {network}=NAME; now {name} stands in its place",
        )
    return name


def placeholder(networks: Sequence[Network]) -> str:
    """Return what stands in the place of an interface that nobody names."""
    return f"subnet-{spelled(networks[:1]).replace('/', '-').replace(':', '-')}"


def add(name: str, vlan: Vlan, found: Found) -> None:
    """Set an interface's default, unless it has another one already."""
    there = found.settings.interfaces.get(name)
    if there and there.default and there.default != vlan.servers:
        found.fault(
            vlan.source,
            vlan.place,
            f"the interface {name} has {', '.join(there.default)} as its default already; an interface has "
            f"one",
        )
        return
    found.settings.interfaces[name] = Interface(vlan.servers, spelled(vlan.networks))


def spelled(networks: Iterable[Network]) -> str:
    """Return subnets in one line; a single address without its length."""
    return ", ".join(
        str(one.network_address if one.prefixlen == one.max_prefixlen else one) for one in networks
    )


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - _MOST_NAMED} more" if len(items) > _MOST_NAMED else ""
    return ", ".join(items[:_MOST_NAMED]) + more
