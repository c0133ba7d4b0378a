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
from ipaddress import IPv4Network

from pxerelay.tools.importers import dnsmasq_options, vlans
from pxerelay.tools.importers.dnsmasq_lines import Line, ethers, lines
from pxerelay.tools.importers.dnsmasq_rules import Compiler
from pxerelay.tools.importers.found import Found, Interface, Remark
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
    Compiler(reader.model, found).read(files)
    _relays(every, reader.model.interfaces, found)
    if found.rules:
        found.notes.append(NOTE)


def _relays(every: Sequence[Line], interfaces: Sequence[str], found: Found) -> None:
    """Make a default of `dhcp-relay`, and of `interface` the client interfaces."""
    relays: dict[str, list[str]] = {}
    places: dict[str, tuple[Source, Word]] = {}
    for line in every:
        if line.key != "dhcp-relay" or not line.words:
            continue
        local = line.words[0]
        if ":" in local.text:
            found.notes.append(
                f"Left out: dhcp-relay of {printable(local.text)}, for pxerelay relays DHCPv4 only."
            )
        elif len(line.words) < 2 or not line.words[1].text:
            message = "this relays by broadcast; write the server's address behind a comma"
            found.fault(line.source, local, message)
        else:
            server = line.words[1]
            address, _, port = server.text.partition("#")
            if found.server(line.source, server._replace(text=address)):
                relays.setdefault(local.text, []).append(address)
                places.setdefault(local.text, (line.source, local))
                if port not in ("", "67"):
                    message = f"port {quoted(port)} has no counterpart: servers are asked at port 67"
                    found.fault(line.source, server, message)
    if not relays:
        return
    choices = {tuple(dict.fromkeys(servers)) for servers in relays.values()}
    if len(choices) == 1:
        found.default_is(min(choices))
    for name in interfaces:
        found.settings.interfaces.setdefault(name, Interface())
    for address, servers in relays.items():
        found.settings.remarks.append(
            f"dnsmasq relayed from its address {printable(address)} to {', '.join(servers)}: "
            "the interface that has it must stand under interfaces"
            + ("." if len(choices) == 1 else f", with its own default: {', '.join(servers)}.")
        )
        network = _network(address)
        if network is None:
            found.fault(*places[address], f"{quoted(address)} is no address of this host, such as 10.10.10.1")
        elif len(choices) > 1:
            vlan = vlans.Vlan((network,), tuple(dict.fromkeys(servers)), *places[address])
            device = vlans.interface(vlan, found)
            if device:
                vlans.add(device, vlan, found)
        elif device := found.interface_of([network]):
            found.settings.interfaces.setdefault(device, Interface())


def _network(address: str) -> IPv4Network | None:
    try:
        return IPv4Network(address)
    except ValueError:
        return None
