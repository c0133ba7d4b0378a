"""Judges a host in DHCPv6 as it sees itself: port 547, addresses, routes, router advertisements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pxerelay.policy.addresses6 import is_global, link_local
from pxerelay.policy.ports6 import Port6
from pxerelay.tools.doctor.facts6 import Advertised, HostFacts6
from pxerelay.tools.doctor.host import ends
from pxerelay.tools.doctor.verdict import Code, Finding, error, note, warning
from pxerelay.wire.packet6 import SERVER_PORT

_GROUP = "ff02::1:2"

_NO_MEMORY = "Cannot allocate memory"
"""How the system spells ENOMEM, which a socket gets that is a member of too many groups."""

_KERNELS_NEIGHBOURS = 1024
"""The kernel's default of gc_thresh3: a host reaches that many clients by neighbour entries (rule 148)."""


def findings(facts: HostFacts6, interface: str | None = None) -> Iterator[Finding]:
    """Yield what is wrong; with an interface, of client interfaces only with that one."""
    yield from _port(facts)
    for port in facts.ports:
        if interface in (None, port.name) and port.link is not None:
            yield from _interface(facts, port)
    for server in facts.servers:
        if not any(out for (one, _), out in facts.leaves_by.items() if one == server):
            yield _no_route(facts, str(server), str(facts.named(server)))
    if facts.by_kernel and facts.most_neighbours <= _KERNELS_NEIGHBOURS:
        yield warning(
            Code.NEIGHBOURS_FEW,
            "host",
            f"{facts.by_kernel} replies went by the kernel's neighbour table, and that has room for "
            f"{facts.most_neighbours}: of more clients at once some are not reached",
            "sysctl -w net.ipv6.neigh.default.gc_thresh3=16384, the same in /etc/sysctl.d/",
        )


def _port(facts: HostFacts6) -> Iterator[Finding]:
    for holder in facts.holders:
        if holder.ours or (not facts.daemon and holder.is_pxerelay):
            continue  # it is, or may be, the daemon's
        who = f"{holder.command or 'a process'} (process {holder.pid})" if holder.pid else ""
        who = who or f"a process of {holder.user}"
        harm = "takes datagrams away from the daemon" if facts.daemon else "keeps the daemon from starting"
        text = f"{who} has UDP port {SERVER_PORT} of {holder.address} open and {harm}"
        yield error(Code.PORT_547_TAKEN, "host", text, *ends(holder, SERVER_PORT))


def _interface(facts: HostFacts6, port: Port6) -> Iterator[Finding]:
    link, name = port.link, port.name
    assert link is not None  # noqa: S101  # it was looked at
    waits = port.waiting or facts.waiting.get(name, "")
    own = link_local(link.addresses6)
    found = [one for one in link.addresses6 if is_global(one.address)]
    duplicates = [one.address for one in link.addresses6 if one.duplicate]
    wanted = port.setting.link_address
    if not link.has_ipv6:
        yield error(
            Code.IPV6_DISABLED,
            name,
            "IPv6 is disabled there, so no client's DHCPv6 is heard",
            f"sysctl -w net.ipv6.conf.{name.replace('.', '/')}.disable_ipv6=0, the same in /etc/sysctl.d/",
            f"or, if it is meant to be without: {name}: {{dhcpv6: false}}",
        )
    elif own is None and link.up:
        yield error(
            Code.NO_LINK_LOCAL,
            name,
            "it has no link-local address, which replies to clients come from",
            f"ip link set {name} addrgenmode eui64 && ip link set {name} down && ip link set {name} up; in "
            "networkd: LinkLocalAddressing=ipv6",
        )
    elif duplicates:
        yield error(
            Code.ADDRESS_DUPLICATE,
            name,
            f"another host on the link has {', '.join(map(str, duplicates))} too, so it can't be used here",
            f"find the other one (its Ethernet address: ip -6 neighbour show dev {name}, on a third host), "
            "and give one of them another address",
        )
    elif wanted and wanted not in facts.ours:
        yield error(
            Code.LINK_ADDRESS_NOT_OURS,
            name,
            f"its link_address {wanted} is no address of this host, so no answer would come here",
            f"ip address add {wanted}/64 dev {name}; or take link_address out for the interface's own",
        )
    elif not found and wanted is None and link.up:
        yield error(
            Code.NO_GLOBAL_ADDRESS,
            name,
            "it has no global IPv6 address, by which servers find the clients' subnet",
            f"ip address add ADDRESS/64 dev {name}; or, with an address of another interface: "
            f"{name}: {{link_address: ADDRESS}}",
        )
    elif _GROUP in waits and _NO_MEMORY in waits:
        yield error(
            Code.GROUPS_EXHAUSTED,
            name,
            f"the daemon could not join {_GROUP} there, for want of memory for memberships of groups",
            "sysctl -w net.core.optmem_max=131072, the same in /etc/sysctl.d/",
        )
    elif waits and link.up:
        yield error(
            Code.INTERFACE_WAITS,
            name,
            f"it does not serve in DHCPv6: {waits}",
            "pxerelay status; if that is not so any more: systemctl restart pxerelay",
        )
    elif not waits:
        yield from _kept(facts, port)


def _kept(facts: HostFacts6, port: Port6) -> Iterator[Finding]:
    settings = facts.settings.get(port.name)
    if settings and not settings.keeps_addresses and not settings.managed:
        key = f"net.ipv6.conf.{port.name.replace('.', '/')}.keep_addr_on_down"
        yield note(
            Code.ADDRESSES_LOST_ON_DOWN,
            port.name,
            "when it goes down Linux takes its global IPv6 addresses away, and nothing was seen here that "
            "puts them back: then it waits",
            f"configure them in what sets the network up (networkd, ifupdown, NetworkManager); or {key}=1",
        )


def _no_route(facts: HostFacts6, server: str, subject: str) -> Finding:
    deaf = [name for name, one in facts.settings.items() if one.accept_ra == 1]
    clients = {port.name for port in facts.ports}
    upstream = sorted(name for name in deaf if name not in clients)
    if facts.forwarding and upstream:
        names = ", ".join(upstream)
        key = f"net.ipv6.conf.{upstream[0].replace('.', '/')}.accept_ra"
        return error(
            Code.NO_ROUTE_LEARNT,
            subject,
            f"no route leads there; this host is a router (forwarding), and so does not listen to router "
            f"advertisements with accept_ra 1, as on {names}",
            f"sysctl -w {key}=2, the same in /etc/sysctl.d/; or ip -6 route add {server}/128 via ROUTER",
        )
    return error(
        Code.NO_ROUTE, subject, "no request gets there: no route leads there", f"ip -6 route get {server}"
    )


def advertised(found: Iterable[Advertised]) -> Iterator[Finding]:
    """Yield what keeps clients from asking by DHCPv6, by what routers say on their links."""
    for one in found:
        if one.error:
            yield note(
                Code.NOT_CHECKED,
                one.interface,
                f"which router advertisements there are: {one.error}",
                "run this as root",
            )
        elif not one.heard:
            yield warning(
                Code.NO_ADVERTISEMENTS,
                one.interface,
                "no router advertisement came within 5 s: iPXE and systems never ask by DHCPv6 without one, "
                "and UEFI gets an address and no router",
                "have the router of that VLAN advertise itself, with the flag M: radvd's AdvManagedFlag on",
            )
        elif not one.managed and not one.other:
            yield warning(
                Code.ADVERTISEMENTS_WITHOUT_DHCPV6,
                one.interface,
                "routers there advertise neither the flag M nor O, so iPXE and systems never ask by DHCPv6",
                "set M on the router: radvd: AdvManagedFlag on; Cisco IOS: ipv6 nd managed-config-flag",
            )
