"""What the kernel says of interfaces, routes and its own settings."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface
from itertools import islice
from pathlib import Path

from pxerelay.linux import routes, rtnetlink
from pxerelay.linux.netlink import Lister
from pxerelay.policy.links import Link
from pxerelay.policy.model import GIADDR, Config
from pxerelay.policy.ports import Port
from pxerelay.tools.doctor.facts import Arrival, Nic, ServerRoute

_SYSCTL = Path("/proc/sys/net")
_NETSTAT = Path("/proc/self/net/netstat")


async def nics(lister: Lister) -> dict[str, Nic]:
    """Return the interfaces by name."""
    addresses: dict[int, list[IPv4Interface]] = {}
    async for message in lister.entries(rtnetlink.RTM_GETADDR, rtnetlink.ask_addresses(), strict=False):
        one = rtnetlink.address(message)
        if one:
            addresses.setdefault(one.ifindex, []).append(IPv4Interface((one.address, one.prefix)))
    everywhere = setting("ipv4/conf/all/rp_filter")
    found = {}
    async for message in lister.entries(rtnetlink.RTM_GETLINK, rtnetlink.ask_links(), strict=False):
        link = rtnetlink.link(message)
        found[link.name] = Nic(
            link.ifindex,
            link.name,
            up=bool(link.flags & rtnetlink.UP),
            carrier=bool(link.flags & rtnetlink.LOWER_UP),
            addresses=tuple(addresses.get(link.ifindex, ())),
            lower=link.lower,
            master=link.master,
            rp_filter=max(everywhere, setting(f"ipv4/conf/{link.name}/rp_filter")),
        )
    return found


async def ways(
    lister: Lister,
    config: Config,
    servers: Iterable[IPv4Address],
    ports: Iterable[Port],
    links: Iterable[Link],
) -> tuple[ServerRoute, ...]:
    """Return the way to each server, from each VRF that an active client interface has its giaddr in.

    In the default VRF that is also so where routers relay to us, or no interface is active.
    """
    links = tuple(links)
    by_index = {link.index: link for link in links}
    ours = {address for link in links for address in link.addresses}
    active = [port for port in ports if not port.waiting]
    vrfs = {port.vrf: port.giaddr for port in reversed(active)}
    if config.accept_relayed_from or not vrfs:
        vrfs.setdefault(0, None)
    found = []
    for server in servers:
        for vrf, giaddr in sorted(vrfs.items()):
            fixed = config.source_address
            source = giaddr if fixed == GIADDR else None
            if isinstance(fixed, IPv4Address) and fixed in ours:
                source = fixed
            try:
                way = await routes.leaving(lister, server, source, vrf)
            except routes.NoRouteError as error:
                found.append(ServerRoute(server, vrf, refused=str(error)))
                continue
            broadcast = way.kind == rtnetlink.BROADCAST
            link = by_index.get(way.interface)
            found.append(
                ServerRoute(
                    server,
                    vrf,
                    link.name if link else "",
                    way.gateway,
                    way.source or source,
                    local=way.kind == rtnetlink.LOCAL,
                    refused="it is a broadcast address here, and requests go to one host"
                    if broadcast
                    else "",
                    mtu=way.mtu or (link.mtu if link else 0),
                )
            )
    return tuple(found)


async def refused_clients(
    lister: Lister, ports: Iterable[Port], nics_: dict[str, Nic], names: dict[int, str]
) -> list[Arrival]:
    """Return for client interfaces a client's packet that the kernel would not take there."""
    found = []
    for port in ports:
        nic = nics_.get(port.name)
        for address in nic.addresses if nic and not port.waiting else ():
            free = (host for host in islice(address.network.hosts(), 2) if host != address.ip)
            client = next(free, None)
            if client is not None and nic is not None:
                arrival = await refused(lister, client, address.ip, nic, names)
                if arrival:
                    found.append(arrival)
    return found


async def refused(
    lister: Lister, source: IPv4Address, destination: IPv4Address, nic: Nic, names: dict[int, str]
) -> Arrival | None:
    """Return a packet if the kernel would not take it from an interface."""
    try:
        await routes.arriving(lister, source, destination, nic.index)
    except routes.NoRouteError:
        try:
            back = names.get((await routes.leaving(lister, source)).interface, "")
        except routes.NoRouteError:
            back = ""
        return Arrival(source, destination, nic.name, back)
    return None


def setting(key: str) -> int:
    """Return a value below net, 0 if it is not there."""
    try:
        return int((_SYSCTL / key).read_text())
    except (OSError, ValueError):
        return 0


def filtered() -> int:
    """Return how many packets rp_filter has dropped in this network namespace (Linux' snmp.h)."""
    try:
        rows = [line.split() for line in _NETSTAT.read_text().splitlines() if line.startswith("TcpExt:")]
        return int(dict(zip(*rows, strict=True))["IPReversePathFilter"])
    except (OSError, KeyError, TypeError, ValueError):
        return 0
