"""Routers that relay by themselves: Cisco IOS and NX-OS, Arista EOS, Junos, FortiOS.

Their helper addresses are the servers, and requests come from the addresses of their VLANs: that is what
`accept_relayed_from` names, once the relay host stands in the place of the servers. In DHCPv6 they come from
any address of the router: of the interface towards the server, unless it is told otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface

from pxerelay.tools.importers import families
from pxerelay.tools.importers.found import Found, Servers, address6
from pxerelay.tools.importers.junos import statements
from pxerelay.tools.importers.source import Source, Word, quoted, words

_STEP = (
    "Put the relay host in the place of these servers, one VLAN at a time: its address is the new helper "
    "address. A "
    "router that asks from an address of another interface is dropped as relay-not-accepted, and the log "
    "names it."
)


_STEP_6 = (
    "In DHCPv6 answers come back through the relay host, and a router may ask from any of its addresses; all "
    "that stand in its file are under accept_relayed_from. Have the routers tell the MAC (option 79), or "
    "rules know only clients with EUI-64 addresses."
)


@dataclass
class _Vlan:
    """An interface of a router: its addresses, and whom it relays to.

    `down` tells that it is shut down, `served` and `served6` that it relays a family at all.
    """

    name: str
    source: Source
    addresses: list[IPv4Interface] = field(default_factory=list)
    helpers: list[Word] = field(default_factory=list)
    down: bool = False
    served: bool = True
    addresses6: list[IPv6Interface] = field(default_factory=list)
    helpers6: list[Word] = field(default_factory=list)
    served6: bool = True

    @property
    def off(self) -> bool:
        """Whether it does not relay DHCPv4."""
        return self.down or not self.served

    @property
    def off6(self) -> bool:
        """Whether it does not relay DHCPv6."""
        return self.down or not self.served6


def read_cisco(sources: Sequence[Source], found: Found) -> None:
    """Read a running-config of IOS, IOS XE, NX-OS or EOS."""
    _settle_both([vlan for source in sources for vlan in _cisco(source, found)], found)


def read_junos(sources: Sequence[Source], found: Found) -> None:
    """Read a configuration of Junos, in braces or as set commands."""
    _settle_both([vlan for source in sources for vlan in _junos(source, found)], found)


def read_fortios(sources: Sequence[Source], found: Found) -> None:
    """Read a configuration of FortiOS."""
    _settle_both([vlan for source in sources for vlan in _fortios(source, found)], found)


def _settle_both(vlans: Sequence[_Vlan], found: Found) -> None:
    """Settle what is relayed in each family."""
    of_6 = any(vlan.helpers6 for vlan in vlans)
    if of_6 and any(vlan.helpers for vlan in vlans):
        four, six = found.apart(), found.apart()
        _settle(vlans, four)
        _settle_6(vlans, six)
        families.join(four, six, found)
    elif of_6:
        _settle_6(vlans, found)
        families.only_6(found)
    else:
        _settle(vlans, found)


def _settle_6(vlans: Sequence[_Vlan], found: Found) -> None:
    """Settle DHCPv6, where a router asks from any of its addresses."""
    _settle(
        [
            _Vlan(one.name, one.source, [], [_spelled6(word) for word in one.helpers6], one.off6)
            for one in vlans
        ],
        found,
        6,
    )
    routers = {one.source.name for one in vlans if one.helpers6 and not one.off6}
    accepted: dict[str, None] = {}
    for one in vlans:
        for address in one.addresses6 if one.source.name in routers and not one.down else ():
            whole = address.ip == address.network.network_address and address.network.prefixlen < _HOST
            if not address.ip.is_link_local:
                accepted.setdefault(str(address.network if whole else address.ip))  # of eui-64 half is told
    if accepted:
        found.settings.keys["accept_relayed_from"] = list(accepted), "the addresses of the routers"
        found.notes.append(_STEP_6)
    else:
        for one in vlans:
            if one.helpers6 and not one.off6:
                message = (
                    f"no IPv6 address is here that {one.name}'s router may ask from; write those that it has "
                    f"into accept_relayed_from"
                )
                found.fault(one.source, one.helpers6[0], message)


_HOST = 128
"""Bits of the prefix that is one address."""


def _spelled6(word: Word) -> Word:
    return word._replace(text=str(address6(word.text) or word.text))


def _settle(vlans: Sequence[_Vlan], found: Found, family: int = 4) -> None:
    """Make the default of the servers that most VLANs have, and name the others."""
    off = sum(bool(vlan.helpers) and vlan.off for vlan in vlans)
    relaying = [vlan for vlan in vlans if vlan.helpers and not vlan.off]
    chosen: list[tuple[_Vlan, Servers]] = []
    for vlan in relaying:
        usable = [word.text for word in vlan.helpers if _is_server(vlan, word, found, family)]
        if usable:
            chosen.append((vlan, tuple(dict.fromkeys(usable))))
    counted = Counter(frozenset(servers) for _, servers in chosen)
    accepted: dict[str, None] = {}
    for vlan, servers in chosen:
        usual = counted.most_common(1)[0][0]
        if frozenset(servers) == usual:
            found.default_is(found.default or servers)
        else:
            found.fault(
                vlan.source,
                vlan.helpers[0],
                f"{vlan.name} is relayed to {', '.join(servers)}, others to {', '.join(sorted(usual))}: "
                f"pxerelay does "
                "not tell the VLANs of routers apart; write rules for these clients, or leave this helper "
                "address",
            )
        accepted.update((str(address.ip), None) for address in vlan.addresses)
        if not vlan.addresses and family == 4:
            found.fault(
                vlan.source,
                vlan.helpers[0],
                f"{vlan.name} has no address here; write the one that it relays from into "
                f"accept_relayed_from",
            )
    if off:
        found.notes.append(f"Left out, interfaces that relay and are shut down or switched off: {off}.")
    if not relaying:
        source = vlans[0].source if vlans else None
        if source is not None:
            found.fault(source, Word("", 1, 1), "no interface here relays: there is no helper address")
    if accepted:
        found.settings.keys["accept_relayed_from"] = list(accepted), "the addresses of the VLANs"
        found.notes.append(_STEP)


def _is_server(vlan: _Vlan, word: Word, found: Found, family: int) -> bool:
    address = address6(word.text) if family == 6 else None
    if address is not None and (address.is_multicast or address.is_link_local):
        found.fault(
            vlan.source,
            word,
            f"{vlan.name} relays to {word.text}, which is no server's own global address; write these",
        )
        return False
    return found.server(vlan.source, word, family)


def _address6(source: Source, word: Word, found: Found) -> list[IPv6Interface]:
    try:
        return [IPv6Interface(word.text)]
    except ValueError:
        found.fault(
            source, word, f"{quoted(word.text)} is no address with its length, such as 2001:db8:10::1/64"
        )
        return []


def _address(source: Source, word: Word, text: str, found: Found) -> list[IPv4Interface]:
    try:
        return [IPv4Interface(text)]
    except ValueError:
        found.fault(source, word, f"{quoted(text)} is no address with its netmask, such as 10.10.10.1/24")
        return []


def _cisco(source: Source, found: Found) -> Iterator[_Vlan]:
    """Yield the interfaces; lines that belong to one are indented."""
    here: _Vlan | None = None
    for number, line in enumerate(source.lines, 1):
        parts = words(line, number)
        texts = [word.text.lower() for word in parts]
        if not texts or texts[0].startswith("!"):
            continue
        if texts[0] == "interface" and len(texts) > 1:
            if here:
                yield here
            here = _Vlan(" ".join(word.text for word in parts[1:]), source)
        elif here and not line[0].isspace() and not texts[0].startswith(("ip", "no", "shutdown")):
            yield here
            here = None
        if here is None or texts[0] == "interface":
            continue
        if texts == ["shutdown"]:
            here.down = True
        elif texts == ["no", "shutdown"]:
            here.down = False
        elif texts[:2] == ["ip", "address"] and len(texts) > 2 and texts[2][0].isdecimal():
            mask = f"/{texts[3]}" if "/" not in texts[2] and len(texts) > 3 else ""
            here.addresses += _address(source, parts[2], texts[2] + mask, found)
        elif texts[:2] == ["ip", "helper-address"] or texts[:4] == ["ip", "dhcp", "relay", "address"]:
            here.helpers += _helper(parts[2 if texts[1] == "helper-address" else 4 :])
        elif texts[:2] == ["ipv6", "address"] and len(texts) > 2 and "/" in texts[2]:
            here.addresses6 += _address6(source, parts[2], found)
        elif texts[:4] in (["ipv6", "dhcp", "relay", "destination"], ["ipv6", "dhcp", "relay", "address"]):
            here.helpers6 += _helper(parts[4:])
        elif texts[:2] == ["ipv6", "helper-address"]:
            here.helpers6 += _helper(parts[2:])
    if here:
        yield here


def _helper(rest: Sequence[Word]) -> list[Word]:
    """Return the server of a helper address."""
    texts = [word.text.lower() for word in rest]
    if texts[:1] == ["global"]:
        rest, texts = rest[1:], texts[1:]
    if texts[:1] == ["vrf"]:
        rest, texts = rest[2:], texts[2:]
    if not rest:
        return []
    return [rest[0]]


def _junos(source: Source, found: Found) -> Iterator[_Vlan]:
    """Yield the interfaces that relay, from the paths that braces or set commands make."""
    vlans: dict[str, _Vlan] = {}
    groups: dict[str, list[Word]] = {}
    active: dict[tuple[str, ...], Word] = {}
    members: dict[tuple[str, ...], list[str]] = {}
    off: set[str] = set()
    everywhere: list[Word] = []
    for path in statements(source, found):
        texts = [word.text for word in path]
        if (
            texts[:1] == ["interfaces"]
            and "address" in texts
            and "inet" in texts
            and len(texts) > texts.index("address") + 1
        ):
            unit = texts[texts.index("unit") + 1] if "unit" in texts[:-1] else "0"
            name = f"{texts[1]}.{unit}"
            word = path[texts.index("address") + 1]
            vlan = vlans.setdefault(name, _Vlan(name, source))
            vlan.addresses += _address(source, word, word.text, found)
        elif texts[:1] == ["interfaces"] and "inet6" in texts and "address" in texts[:-1]:
            unit = texts[texts.index("unit") + 1] if "unit" in texts[:-1] else "0"
            name = f"{texts[1]}.{unit}"
            vlan = vlans.setdefault(name, _Vlan(name, source))
            vlan.addresses6 += _address6(source, path[texts.index("address") + 1], found)
        elif texts[:1] == ["interfaces"] and texts[-1:] == ["disable"]:
            off.add(texts[1])
        elif "dhcp-relay" in texts:
            rest = path[texts.index("dhcp-relay") + 1 :]
            is_6 = bool(rest) and rest[0].text == "dhcpv6"
            rest = rest[is_6:]
            said = [word.text for word in rest]
            group = (_DHCPV6,) * is_6 + (tuple(said[:2]) if said[:1] == ["group"] else ())
            if said[:1] == ["server-group"] and len(said) > 2:
                groups.setdefault((_DHCPV6 if is_6 else "") + said[1], []).append(rest[2])
            elif "active-server-group" in said[:-1]:
                active[group] = rest[said.index("active-server-group") + 1]
            elif "interface" in said[:-1] and said[:1] == ["group"]:
                members.setdefault(group, []).append(said[said.index("interface") + 1])
        elif "bootp" in texts or ("helpers" in texts and "dhcp" in texts):
            rest = path[texts.index("bootp" if "bootp" in texts else "dhcp") + 1 :]
            said = [word.text for word in rest]
            if "server" in said[:-1]:
                server = rest[said.index("server") + 1]
                if said[0] == "interface":
                    vlans.setdefault(said[1], _Vlan(said[1], source)).helpers.append(server)
                else:
                    everywhere.append(server)
            elif said[:1] == ["interface"] and len(said) > 1:
                members.setdefault(("bootp",), []).append(said[1])
    for group, names in members.items():
        is_6 = group[0] == _DHCPV6
        chosen = active.get(group) or active.get((_DHCPV6,) if is_6 else ())
        wanted = f"{_DHCPV6 if is_6 else ''}{chosen.text}" if chosen else ""
        helpers = everywhere if group == ("bootp",) else groups.get(wanted, [])
        if not helpers and group != ("bootp",):
            place = chosen or Word("", 1, 1)
            spelled = " ".join(part for part in group if part != _DHCPV6)
            found.fault(source, place, f"the group {quoted(spelled)} has no active server group with servers")
        for name in names:
            vlan = vlans.setdefault(name, _Vlan(name, source))
            if is_6:
                vlan.helpers6 = vlan.helpers6 or list(helpers)
            else:
                vlan.helpers = vlan.helpers or list(helpers)
    for name, vlan in vlans.items():
        vlan.down = name in off or name.rpartition(".")[0] in off
    yield from vlans.values()


_DHCPV6 = "dhcpv6 "
"""In front of the names of groups of DHCPv6."""


def _fortios(source: Source, found: Found) -> Iterator[_Vlan]:
    """Yield the interfaces: what stands between edit and next."""
    here: _Vlan | None = None
    section, depth = "", 0
    served = served6 = False
    for number, line in enumerate(source.lines, 1):
        parts = [word._replace(text=word.text.strip('"')) for word in words(line, number)]
        texts = [word.text.lower() for word in parts]
        if texts[:1] == ["config"]:
            depth += 1
            section = " ".join(texts[1:]) if section != "system interface" else section
        elif texts[:1] == ["end"]:
            depth -= 1
            if depth < 1:
                section = ""
        elif section == "system interface" and depth <= 2:
            if texts[:1] == ["edit"] and len(parts) > 1 and depth == 1:
                here, served, served6 = _Vlan(parts[1].text, source), False, False
            elif texts[:1] == ["next"] and here and depth == 1:
                here.served, here.served6 = served, served6
                yield here
                here = None
            elif here and texts[:2] == ["set", "ip"] and len(texts) > 3:
                here.addresses += _address(source, parts[2], f"{texts[2]}/{texts[3]}", found)
            elif here and texts[:2] == ["set", "dhcp-relay-ip"]:
                here.helpers += parts[2:]
            elif texts[:2] == ["set", "dhcp-relay-service"]:
                served = texts[2:] == ["enable"]
            elif texts[:2] == ["set", "dhcp6-relay-service"]:
                served6 = texts[2:] == ["enable"]
            elif here and texts[:2] == ["set", "dhcp6-relay-ip"]:
                here.helpers6 += parts[2:]
            elif here and texts[:2] == ["set", "ip6-address"] and len(texts) > 2:
                here.addresses6 += _address6(source, parts[2], found)
            elif here and texts[:3] == ["set", "status", "down"]:
                here.down = True
