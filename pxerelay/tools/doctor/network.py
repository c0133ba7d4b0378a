"""Judges the network as the host sees it: interfaces, addresses, routes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address

from pxerelay.policy.model import LOOPBACK, InterfaceSetting
from pxerelay.policy.ports import Port
from pxerelay.policy.servers import Target
from pxerelay.tools.doctor.facts import Arrival, Facts, Nic, ServerRoute
from pxerelay.tools.doctor.plan import needed
from pxerelay.tools.doctor.verdict import Code, Finding, error, note, warning
from pxerelay.wire import packet6
from pxerelay.wire.packet import SERVER_PORT

_HOST_BITS = 31
"""Prefix lengths from this on leave no room for clients beside the relay."""

_FIRMWARE = 548
"""Octets of a DISCOVER as PXE firmware sends it: as many as every host takes (RFC 2131, 2)."""

_HEADERS = 28
"""Octets of an IP and a UDP header (RFC 791, 3.1; RFC 768)."""

_STRICT = 1
"""The value of rp_filter that wants the way back to be the same (RFC 3704, 2.2)."""


def findings(
    facts: Facts, servers: tuple[IPv4Address, ...], interface: str | None = None
) -> Iterator[Finding]:
    """Yield what is wrong; with an interface, of client interfaces only with that one."""
    yield from _interfaces(facts, interface)
    yield from _source(facts)
    yield from _names(facts)
    for server in servers:
        yield from _server(facts, server, interface)
    yield from _filtered(facts, interface)


def _interfaces(facts: Facts, only: str | None) -> Iterator[Finding]:
    config = facts.config
    if not (config.interfaces or config.accept_relayed_from or config.accept_relayed_from6):
        yield warning(
            Code.NOTHING_TO_RELAY,
            "configuration",
            "neither `interfaces:` nor `accept_relayed_from:` is set, so no request is accepted",
            "name the client VLANs under `interfaces:`, or the routers that relay here: "
            "accept_relayed_from: [10.10.0.0/16]",
        )
    for port in facts.ports:
        if only not in (None, port.name):
            continue
        nic = facts.nics.get(port.link.name) if port.link else None
        found = [_missing(facts, port.setting)] if nic is None else list(_interface(facts, port, nic))
        yield from found
        if nic is None:
            continue
        waits = port.waiting or (facts.running.waiting.get(port.name) if facts.running else None)
        if waits and not found:
            yield error(
                Code.INTERFACE_WAITS,
                port.name,
                f"the daemon does not serve it: {waits}",
                "pxerelay status; if that is not so any more: systemctl restart pxerelay",
            )


def _missing(facts: Facts, setting: InterfaceSetting) -> Finding:
    names = ", ".join(sorted(name for name in facts.nics if name != LOOPBACK)) or "none"
    there = next((link for link in facts.links if setting.name in link.names), None)
    if setting.name == LOOPBACK or (there and there.loopback):
        return error(
            Code.LOOPBACK,
            setting.name,
            "it is the loopback interface, where no client is",
            f"take {setting.name} out of `interfaces:`; its addresses may be other interfaces' giaddr",
        )
    if there:
        return warning(
            Code.ALREADY_NAMED,
            setting.name,
            f"it is another name of {there.name}, which has an entry of its own, and that one holds",
            f"take one of {setting.name} and {there.name} out of `interfaces:`",
        )
    if setting.is_glob:
        return warning(
            Code.GLOB_MATCHES_NOTHING,
            setting.name,
            f"no interface matches `{setting.name}:` under `interfaces:`; there are: {names}",
            "make the interfaces, or mend the glob (ip -br link shows the names)",
        )
    return error(
        Code.INTERFACE_MISSING,
        setting.name,
        f"there is no such interface; there are: {names}",
        "make it, for a VLAN of eth0 say: ip link add link eth0 name "
        f"{setting.name} type vlan id NUMBER; or mend its name under `interfaces:`",
    )


def _interface(facts: Facts, port: Port, nic: Nic) -> Iterator[Finding]:
    lower, master = facts.nic_at.get(nic.lower), facts.nic_at.get(nic.master)
    vrf = master if master and facts.vrf_of.get(master.index) == master.index else None
    if lower and not lower.up:
        yield error(
            Code.INTERFACE_DOWN,
            nic.name,
            f"the device beneath it, {lower.name}, is down",
            f"ip link set {lower.name} up; ip link set {nic.name} up",
        )
    elif not nic.up:
        yield error(Code.INTERFACE_DOWN, nic.name, "it is down", f"ip link set {nic.name} up")
    elif not nic.carrier:
        yield error(
            Code.NO_CARRIER,
            nic.name,
            f"it has no carrier{f' ({lower.name}, beneath it, may have none)' if lower else ''}",
            f"look at the cable and the switch's port: ethtool {lower.name if lower else nic.name}",
        )
    if vrf and not vrf.up:
        yield error(
            Code.INTERFACE_DOWN, nic.name, f"its VRF {vrf.name} is down", f"ip link set {vrf.name} up"
        )
    if master and not vrf:
        yield error(
            Code.INTERFACE_ENSLAVED,
            nic.name,
            f"it is a part of {master.name}, which gets all that comes in there",
            f"name {master.name} under `interfaces:` in its place, and give it the address",
        )
    elif not nic.addresses and port.setting.giaddr is None:
        yield error(
            Code.NO_ADDRESS,
            nic.name,
            "it has no IPv4 address, which servers would answer to",
            f"ip address add ADDRESS/PREFIX dev {nic.name}; or, with an address of another interface: "
            f"{nic.name}: {{giaddr: ADDRESS}}",
        )
    elif port.link and not port.link.standing and port.setting.giaddr is None:
        narrow = port.link.addresses[0]
        yield error(
            Code.ADDRESS_SCOPE,
            nic.name,
            f"its address {narrow} is of narrow scope (link, host or site), which servers can't answer to",
            f"ip address add ADDRESS/PREFIX dev {nic.name}",
            f"or, if {narrow} is meant and servers have a route to it: {port.name}: {{giaddr: {narrow}}}",
        )
    if port.link and not port.link.hardware and not port.waiting:
        yield note(
            Code.NO_ETHERNET,
            nic.name,
            "it is a link without Ethernet: replies leave as IP packets, and those to 255.255.255.255 reach "
            "whom the tunnel sends them to (wireguard: nobody, unless AllowedIPs has that address)",
        )
    for address in nic.addresses:
        if address.network.prefixlen >= _HOST_BITS:
            yield warning(
                Code.HOST_NETMASK,
                nic.name,
                f"its address is {address}: no client is on this link by that",
                f"ip address del {address} dev {nic.name}; "
                f"ip address add {address.ip}/PREFIX dev {nic.name}, with the clients' prefix",
            )
    yield from _giaddr(facts, port, nic)


def _giaddr(facts: Facts, port: Port, nic: Nic) -> Iterator[Finding]:
    giaddr = port.setting.giaddr
    if giaddr and giaddr not in facts.ours:
        yield error(
            Code.GIADDR_NOT_OURS,
            nic.name,
            f"its giaddr {giaddr} is no address of this host, so no answer would come here",
            f"ip address add {giaddr}/PREFIX dev {nic.name}; or take giaddr out for the interface's own",
        )
        return
    giaddr = giaddr or (nic.addresses[0].ip if nic.addresses else None)
    home = facts.vrf_of.get(nic.index, 0)
    for other in facts.active if port.waiting else ():
        if other.name != port.name and (other.giaddr, other.vrf) == (giaddr, home):
            yield error(
                Code.GIADDR_SHARED,
                nic.name,
                f"{other.name} has the address {giaddr} too, so answers could not be told apart",
                f"give {nic.name} an address of its own; or have the servers say it: "
                'option82: {circuit_id: "{interface}"}',
            )


def _source(facts: Facts) -> Iterator[Finding]:
    fixed = facts.config.source_address
    if isinstance(fixed, IPv4Address) and fixed not in facts.ours:
        yield error(
            Code.SOURCE_NOT_OURS,
            "configuration",
            f"source_address {fixed} is no address of this host, so no request can be sent",
            f"ip address add {fixed}/32 dev lo; or take it out, and the route picks the address",
        )
    if facts.config.any_source_port:
        yield warning(
            Code.ANY_SOURCE_PORT,
            "configuration",
            "with `source_ports: any` every user of a server's host may answer in its place, from any port",
            "where no server is behind NAT: take `source_ports` out",
        )


def _names(facts: Facts) -> Iterator[Finding]:
    def spelled(target: Target) -> str:
        return next((name for name, all_ in facts.config.servers.items() if target in all_), str(target))

    for name, answer in sorted(facts.answers.by_name.items()):
        if not (answer.both if facts.config.dhcpv6 else answer.addresses):
            yield error(
                Code.SERVER_NOT_RESOLVED,
                spelled(name),
                f"nothing is known of the name {name}: {answer.error or 'not asked yet'}",
                f"getent ahostsv4 {name}; or write the server's address in place of its name",
            )


def _server(facts: Facts, server: IPv4Address, only: str | None) -> Iterator[Finding]:
    subject = str(facts.named(server))
    ways = [way for way in facts.ways if way.server == server]
    if any(way.local for way in ways):
        yield error(
            Code.SERVER_IS_THIS_HOST,
            subject,
            "this is an address of this host: requests to it would come back to the relay",
            "write the server's own address under `servers:`",
        )
        return
    good = [way for way in ways if not way.refused]
    for way in ways:
        if way.refused and (not good or needed(facts, server, way.vrf)):
            where = vrf_text(facts, way.vrf)
            yield error(
                Code.NO_ROUTE,
                subject,
                f"no request gets there{where}: {way.refused}",
                f"ip route add {server}/32 via ROUTER{where and f' vrf {vrf_name(facts, way.vrf)}'}",
            )
    for way in good:
        yield from _way(facts, way, subject, only)


def _way(facts: Facts, way: ServerRoute, subject: str, only: str | None) -> Iterator[Finding]:
    nic = facts.nics.get(way.interface)
    if nic and not (nic.up and nic.carrier):
        yield error(
            Code.ROUTE_WITHOUT_CARRIER,
            subject,
            f"the route there leaves by {nic.name}, which is down or has no carrier",
            f"ip link set {nic.name} up, look at its cable; ip route get {way.server}",
        )
    if way.vrf and nic and facts.vrf_of.get(nic.index, 0) != way.vrf:
        vrf = vrf_name(facts, way.vrf)
        yield warning(
            Code.ROUTE_LEAVES_VRF,
            subject,
            f"VRF {vrf} has no route there, so requests leave by {nic.name}, outside of it, and answers come "
            "back there, where giaddr is not known",
            f"ip route add {way.server}/32 via ROUTER vrf {vrf}; or give the interfaces a `giaddr:` in "
            "the server's VRF",
        )
    yield from _room(facts, way, subject)
    port = next((port for port in facts.ports if port.name == way.interface), None)
    if port is None or only not in (None, port.name):
        return
    if way.gateway is None:
        yield warning(
            Code.ROUTE_INTO_CLIENT_VLAN,
            subject,
            f"it is on the client VLAN {port.name} itself: it hears the clients there without the relay, and "
            "would answer them twice, also those that belong elsewhere",
            "move it to another network; or take that VLAN out of `interfaces:`",
        )
    else:
        yield warning(
            Code.ROUTE_INTO_CLIENT_VLAN,
            subject,
            f"the route there goes through the client VLAN {port.name}, to the router {way.gateway}",
            f"if that is not meant: ip route add {way.server}/32 via ROUTER, with one on the servers' side",
        )


def _room(facts: Facts, way: ServerRoute, subject: str) -> Iterator[Finding]:
    """Yield that requests have no room for an option 82 that they must have (rules 37 and 38)."""
    infos = [port.info for port in facts.active if port.vrf == way.vrf and port.info]
    longest = max((len(option) for info in infos for option in (info.broadcast, info.unicast)), default=0)
    wanted = _HEADERS + _FIRMWARE + longest
    required = facts.config.option82 is not None and facts.config.option82.required
    if required and longest and 0 < way.mtu < wanted:
        yield warning(
            Code.NO_ROOM_FOR_OPTION82,
            subject,
            f"the way there carries packets of {way.mtu} octets: a DISCOVER of {_FIRMWARE}, as firmware "
            "sends it, has no room there for option 82, which is `required`, and is dropped",
            f"raise the MTU of the way to {wanted} (ip link show {way.interface}; ip route get {way.server})",
            "or take `required` out of `option82:`, and such requests go without",
        )


def _filtered(facts: Facts, only: str | None) -> Iterator[Finding]:
    for arrival in facts.refused_clients:
        if only in (None, arrival.interface) and is_filtered(facts, arrival.interface, arrival.back):
            yield error(
                Code.RP_FILTER,
                arrival.interface,
                f"rp_filter is strict there, and {way_back(arrival.source, arrival.back)}: requests of "
                "clients that have an address already are dropped (RFC 2131, 4.4.5: when they rebind)",
                _loosened(arrival.interface),
            )
    for arrival in facts.refused_replies:
        if is_filtered(facts, arrival.interface, arrival.back):
            yield filtered(facts, arrival)


def closed(
    interfaces: Iterable[str], managers: Collection[str], udp_port: int = SERVER_PORT
) -> Iterator[Finding]:
    """Yield client interfaces from which nothing gets to a port, given who manages this host's firewall."""
    opened = {name: advice.format(port=udp_port) for name, advice in _OPENED.items()}
    table = "ip6tables" if udp_port == packet6.SERVER_PORT else "iptables"
    for name in interfaces:
        yield error(
            Code.INPUT_CLOSED,
            name,
            f"a frame to UDP port {udp_port} that came in there did not get to the relay: this host's "
            "firewall drops it, and so what clients send",
            *(advice for manager, advice in opened.items() if manager in managers),
            *(() if managers else (_OPENED_BY_HAND.format(port=udp_port, table=table),)),
        )


_OPENED = {
    "firewalld": "firewall-cmd --permanent --zone=ZONE --add-port={port}/udp, for each ZONE that "
    "firewall-cmd --get-active-zones tells; then: firewall-cmd --reload",
    "ufw": "ufw allow {port}/udp",
}
_OPENED_BY_HAND = (
    "in each chain with `hook input` (nft list ruleset): nft insert rule inet filter input udp dport {port} "
    "accept, or {table} -I INPUT -p udp --dport {port} -j ACCEPT; and in the file that is loaded at boot"
)


def filtered(facts: Facts, arrival: Arrival) -> Finding:
    """Return the finding that answers of a server are dropped where they come in.

    On a client interface the relay would drop them too (rule 28), so there only another way helps.
    """
    clients = any(port.name == arrival.interface for port in facts.ports)
    return error(
        Code.RP_FILTER,
        arrival.interface,
        f"rp_filter is strict there, and {way_back(arrival.source, arrival.back)}: its answers to giaddr "
        f"{arrival.destination} that come in by {arrival.interface} are dropped",
        *(() if clients else (_loosened(arrival.interface),)),
        f"{'' if clients else 'or '}have them come in where the route to {arrival.source} leaves, by the "
        f"servers' route to {arrival.destination}",
    )


def is_filtered(facts: Facts, interface: str, back: str) -> bool:
    """Whether rp_filter explains that the kernel drops what comes in by an interface."""
    nic = facts.nics.get(interface)
    return (
        nic is not None
        and nic.rp_filter > 0
        and (not back or (nic.rp_filter == _STRICT and back != interface))
    )


def way_back(source: IPv4Address, back: str) -> str:
    """Tell where the way back leads."""
    return f"the way back to {source} leaves by {back}" if back else f"no route leads back to {source}"


def _loosened(interface: str) -> str:
    key = f"net.ipv4.conf.{interface.replace('.', '/')}.rp_filter"
    return f"sysctl -w {key}=2, and the same in /etc/sysctl.d/"


def vrf_name(facts: Facts, vrf: int) -> str:
    """Return the name of a VRF."""
    return next((link.name for link in facts.links if link.index == vrf), str(vrf))


def vrf_text(facts: Facts, vrf: int) -> str:
    """Say in which VRF, nothing for the default one."""
    return f" in VRF {vrf_name(facts, vrf)}" if vrf else ""
