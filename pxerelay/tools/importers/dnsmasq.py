"""dnsmasq: clients whose tags have a boot server, what all others get, and `dhcp-relay`.

    dhcp-host=02:00:00:10:00:01,set:thin        dhcp-mac=set:thin,02:80:64:*:*:*
    dhcp-boot=tag:thin,pxelinux.0,boot,10.20.0.20

What dnsmasq would do is worked out for each client that the files name, and for each kind of client in each
dhcp-range; rules, classes and defaults say the same. What they can't say is named. Options that say nothing
of boot servers are passed over. In a file that has such options only the comments right above clients are
kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from pxerelay.policy.servers import can_be_server
from pxerelay.tools.importers import dnsmasq_options, families, vlans
from pxerelay.tools.importers.dnsmasq_lines import Line, ethers, lines
from pxerelay.tools.importers.dnsmasq_rules import Compiler
from pxerelay.tools.importers.found import Found, Interface, Network, Remark, address6
from pxerelay.tools.importers.source import Source, Word, printable, quoted

NOTE = (
    "dnsmasq told these clients where to fetch their boot file. pxerelay sends their DHCP requests to that "
    "server: it must answer DHCP or proxyDHCP itself. If another server gives the addresses, name that one "
    "under dhcp_servers."
)


def read(sources: Sequence[Source], found: Found) -> None:
    """Read all files as one configuration: tags of one may be used in another."""
    read_with_ethers(sources, (), found)


def read_with_ethers(sources: Sequence[Source], addresses: Sequence[Source], found: Found) -> None:
    """Read all files, and the addresses of clients by name that /etc/ethers has."""
    read_lines([list(lines(source, sources, found)) for source in sources], addresses, found)


def read_lines(files: Sequence[Sequence[Line | Remark]], addresses: Sequence[Source], found: Found) -> None:
    """Read what stands in files."""
    reader = dnsmasq_options.Reader(found)
    every = [line for file in files for line in file if isinstance(line, Line)]
    for line in every:
        reader.take(line)
    unknown = sum(
        not dnsmasq_options.ether(reader.model, mac, name)
        for source in addresses
        for mac, name in ethers(source)
    )
    if unknown:
        found.notes.append(f"Left out, lines of ethers whose name or address no dhcp-host has: {unknown}.")
    relays = _Relays(every, reader.model.interfaces)
    of_6 = relays.has(6)
    four = found.apart() if of_6 else found
    Compiler(reader.model, four).read(files)
    relays.write(4, four)
    if of_6:
        six = found.apart()
        relays.write(6, six)
        only_6 = not (four.rules or four.settings.classes or relays.has(4)) and four.default in (
            (),
            found.told.default,
        )
        families.join(found.apart() if only_6 else four, six, found)
        if only_6:
            found.findings.extend(four.findings)
            families.only_6(found)
    if found.rules:
        found.notes.append(NOTE)


class _Relays:
    """Makes a default of `dhcp-relay`, and of `interface` the client interfaces."""

    def __init__(self, every: Sequence[Line], interfaces: Sequence[str]) -> None:
        self._lines = [line for line in every if line.key == "dhcp-relay" and line.words]
        self._interfaces = interfaces

    def has(self, family: int) -> bool:
        """Whether there are some of a family."""
        return any((":" in line.words[0].text) == (family == 6) for line in self._lines)

    def write(self, family: int, found: Found) -> None:
        """Write those of a family."""
        relays: dict[str, list[str]] = {}
        places: dict[str, tuple[Source, Word]] = {}
        for line in self._lines:
            local = line.words[0]
            if (":" in local.text) != (family == 6):
                continue
            server = _server_of(line, family, found)
            if server:
                text = str(address6(local.text) or local.text)
                relays.setdefault(text, []).append(server)
                places.setdefault(text, (line.source, local))
        if not relays:
            return
        choices = {tuple(dict.fromkeys(servers)) for servers in relays.values()}
        if len(choices) == 1:
            found.default_is(min(choices))
        for name in self._interfaces:
            found.settings.interfaces.setdefault(name, Interface())
        for address, servers in relays.items():
            alone = "." if len(choices) == 1 else f", with its own default: {', '.join(servers)}."
            found.settings.remarks.append(
                f"dnsmasq relayed from its address {printable(address)} to {', '.join(servers)}: "
                f"the interface that has it must stand under interfaces{alone}"
            )
            network = _network(address, family)
            if network is None:
                message = f"{quoted(address)} is no address of this host, such as {_EXAMPLES[family]}"
                found.fault(*places[address], message)
                continue
            device = found.interface_of([network])
            if len(choices) > 1:
                vlan = vlans.Vlan((network,), tuple(dict.fromkeys(servers)), *places[address])
                device = vlans.interface(vlan, found)
                if device:
                    vlans.add(device, vlan, found)
            if device:
                entry = found.settings.interfaces.get(device, Interface())
                if family == 6:
                    entry = entry._replace(link_address=address)
                found.settings.interfaces[device] = entry


_EXAMPLES = {4: "10.10.10.1", 6: "2001:db8:10::1"}
_PORTS = {4: "67", 6: "547"}


def _server_of(line: Line, family: int, found: Found) -> str:
    """Return the server of a line, empty if it names none that can be asked, which is named."""
    local, *rest = line.words
    if not rest or not rest[0].text:
        how = "broadcast" if family == 4 else "multicast"
        found.fault(line.source, local, f"this relays by {how}; write the server's address behind a comma")
        return ""
    address, _, port = rest[0].text.partition("#")
    parsed = address6(address)
    if parsed is not None and parsed.is_multicast:
        message = f"{parsed} is a group of servers, and pxerelay asks servers by their address; write each"
        found.fault(line.source, rest[0], message)
        return ""
    word = rest[0]._replace(text=str(parsed or address))
    if not found.server(line.source, word, family):
        return ""
    if port not in ("", _PORTS[family]):
        message = f"port {quoted(port)} has no counterpart: servers are asked at port {_PORTS[family]}"
        found.fault(line.source, rest[0], message)
    if len(rest) > 1 and rest[1].text:
        found.settings.remarks.append(
            f"Left out: {printable(rest[1].text)} behind {word.text}, the interface that replies must come "
            "in on. pxerelay takes replies of servers only, and none by a client VLAN that is not the way to "
            "them."
        )
    return word.text


def _network(address: str, family: int) -> Network | None:
    if family == 6:
        parsed = address6(address)
        return IPv6Network(parsed) if parsed is not None and can_be_server(parsed) else None
    try:
        return IPv4Network(address)
    except ValueError:
        return None
