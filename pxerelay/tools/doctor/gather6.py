"""Gathers the facts of this host in DHCPv6, and tells whom to ask."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from pxerelay.linux.ways import Ways
from pxerelay.policy.links import Link
from pxerelay.policy.ports6 import Port6, assign
from pxerelay.relay.survey_request import ServerQuery
from pxerelay.tools.doctor import kernel, processes
from pxerelay.tools.doctor.facts import Facts
from pxerelay.tools.doctor.facts6 import Asked6, HostFacts6, ServerAnswer6, Settings6
from pxerelay.wire.packet6 import SERVER_PORT

_MANAGED_AT = ("systemd/netif/links", "NetworkManager/devices")
"""Files under /run that tell which interfaces, by index, a service takes care of."""


def facts(known: Facts, links: Sequence[Link], servers: Iterable[IPv6Address]) -> HostFacts6:
    """Return what is known of this host in DHCPv6; `links` have their IPv6 addresses."""
    running = known.running
    ports = assign(known.config, links, socket.gethostname())
    everywhere = kernel.setting("ipv6/conf/all/keep_addr_on_down")
    settings = {
        link.name: Settings6(
            keeps_addresses=max(everywhere, kernel.setting(f"ipv6/conf/{link.name}/keep_addr_on_down")) > 0,
            managed=any((Path("/run") / folder / str(link.index)).exists() for folder in _MANAGED_AT),
            accept_ra=kernel.setting(f"ipv6/conf/{link.name}/accept_ra") if link.up else 0,
        )
        for link in links
        if not link.loopback
    }
    return HostFacts6(
        config=known.config,
        answers=known.answers,
        ports=ports,
        ours=frozenset(one.address for link in links for one in link.addresses6 if one.usable),
        settings=settings,
        daemon=running is not None,
        holders=processes.holders(running.pid if running else None, SERVER_PORT),
        waiting=running.waiting6 if running else {},
        leaves_by=_ways(ports, links, servers),
        forwarding=kernel.setting("ipv6/conf/all/forwarding") > 0,
        by_kernel=running.by_kernel if running else 0,
        most_neighbours=kernel.setting("ipv6/neigh/default/gc_thresh3") or HostFacts6.most_neighbours,
    )


def _ways(
    ports: Iterable[Port6], links: Iterable[Link], servers: Iterable[IPv6Address]
) -> dict[tuple[IPv6Address, int], str]:
    """Return the interface by which each server is reached from each VRF that clients are asked for in."""
    names = {link.index: link.name for link in links}
    vrfs = sorted({port.vrf for port in ports if not port.waiting} or {0})
    found: dict[tuple[IPv6Address, int], str] = {}
    with contextlib.closing(Ways()) as ways:
        for server in servers:
            for vrf in vrfs:
                way = ways.to(server.packed, vrf)
                found[server, vrf] = names.get(way.interface, str(way.interface)) if way else ""
    return found


def errands(facts6: HostFacts6, interface: str | None, *, everywhere: bool) -> tuple[ServerQuery, ...]:
    """Return whom to ask from where, as `plan.errands` does in DHCPv4."""
    found = []
    ports = [port for port in facts6.active if interface in (None, port.name)]
    for server in facts6.servers:
        meant = [port for port in ports if server in _always(facts6, port)] or ports
        reached = [port for port in meant if facts6.leaves_by.get((server, port.vrf))]
        found += [ServerQuery(server, port.name) for port in (reached if everywhere else reached[:1])]
        if not facts6.active and interface is None and facts6.leaves_by.get((server, 0)):
            own = _own_address(server)
            found += [ServerQuery(server, None, own)] if own else []
    return tuple(found)


def _always(facts6: HostFacts6, port: Port6) -> frozenset[IPv6Address]:
    """Return the servers that a VLAN's clients are sent to if nothing names them, and the dhcp_servers."""
    default = port.setting.default or facts6.config.policy.default
    targets = (*default.choice.servers, *facts6.config.dhcp_servers)
    return frozenset(address for target in targets for address in facts6.answers.of6(target))


def _own_address(server: IPv6Address) -> IPv6Address | None:
    from pxerelay.linux.sockets6 import route_source  # where no client interface is active

    try:
        return IPv6Address(route_source(server.packed))
    except OSError:
        return None


def asked(told: dict[str, Any]) -> Asked6:
    """Return what became of the requests to a server, as the daemon tells it."""
    return Asked6(
        IPv6Address(told["server"]),
        told["interface"],
        told["link_address"],
        told["error"] or "",
        tuple(told["failures"]),
        tuple(
            ServerAnswer6(**{**answer, "source": IPv6Address(answer["source"])}) for answer in told["answers"]
        ),
    )
