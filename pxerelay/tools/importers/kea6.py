"""ISC Kea's DHCPv6: where clients boot from is the host in the URL of option 59 (RFC 5970, 3.1).

An option of a reservation goes before that of a pool, that before the subnet's, the shared network's, a
class's and the global one (Kea's manual, "DHCPv6 Server Configuration"): unlike DHCPv4's next-server, a
class comes behind the subnet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from pxerelay.config.data import List, Map
from pxerelay.config.resolve import DROP
from pxerelay.tools.importers import vlans
from pxerelay.tools.importers.conditions import OF_V6
from pxerelay.tools.importers.found import Class, Found, Interface, Network, Servers, address6, family_of
from pxerelay.tools.importers.kea_scopes import Said, Scopes, option_in
from pxerelay.tools.importers.spliced import maps

_BOOT_FILE_URL = (59, "bootfile-url")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^@/?#]*@)?(\[[^\]]*\]|[^:/?#\[\]]*)(?::\d*)?(?=[/?#]|$)")
"""A URL; its group is the host (RFC 3986, 3.2)."""


@dataclass
class _Lan:
    """A VLAN: its networks, and what its subnets and pools say, without classes and what is global."""

    subnets: Sequence[Map]
    around: Sequence[Map]
    networks: tuple[Network, ...]
    said: Said | None = None
    where: str | None = None


class Reader6(Scopes):
    """Reads one `Dhcp6`."""

    family = 6
    subnets = "subnet6"
    example = "2001:db8:10::/64"
    vocabulary = OF_V6

    def read(self) -> None:
        """Read the default, VLANs, classes and reservations."""
        top = self._said([self._data])
        if top:
            self._found.default_is(self._usable(top))
        lans = [self._lan(subnets, around[:-1]) for subnets, around in self._lans()]
        vlans.settle([vlan for lan in lans for vlan in self._default_of(lan)], self._found)
        self._write_classes(lans)
        if not self._knows_macs():
            self._found.notes.append(
                "Left out, reservations of Dhcp6: host-reservation-identifiers has no hw-address."
            )
            return
        for lan in lans:
            for subnet in lan.subnets:
                self._settle_in(subnet, lan.where)
                self._reservations(subnet, [subnet, *lan.around], lan)
        if self._global_ones_hold():
            self._reservations(self._data, [], None, lans)
        elif maps(self._data.get("reservations")):
            self._found.notes.append(
                "Left out, global reservations of Dhcp6: Kea passes them over, for reservations-global is "
                "nowhere true."
            )
        self._tell()

    def _knows_macs(self) -> bool:
        names = self._data.get("host-reservation-identifiers")
        return not isinstance(names, List) or "hw-address" in names

    def _lan(self, subnets: Sequence[Map], around: Sequence[Map]) -> _Lan:
        """Return a VLAN; if its subnets and pools do not agree that is named, and it says nothing."""
        said: dict[str, Said | None] = {}
        lan = _Lan(subnets, around, self._networks(subnets))
        for subnet in subnets:
            pools = [one for one in maps(subnet.get("pools")) if option_in(one, *_BOOT_FILE_URL)]
            rest = len(pools) < len(maps(subnet.get("pools")))
            for scope in [*([one] for one in pools), *([[]] if rest or not pools else [])]:
                one = self._said([*scope, subnet, *around])
                said.setdefault(one.server if one else "", one)
                self._check_guards([*scope, subnet], one)
        values = [one for one in said.values() if one]
        if len(said) > 1 and lan.networks:
            others = ", ".join(server or "none" for server in said if server != values[-1].server)
            self._several(lan.networks, values[-1], others)
        elif values:
            lan.said = values[0]
        return lan

    def _default_of(self, lan: _Lan) -> Iterator[vlans.Vlan]:
        """Yield a VLAN with its servers, and keep which interface it is on."""
        if not lan.networks:
            return
        servers = self._usable(lan.said) if lan.said else ()
        place = self._file.place(lan.said.mark) if lan.said else self._place_of(lan.subnets)
        vlan = vlans.Vlan(lan.networks, servers, *place)
        if lan.said and servers == self._found.default and self._classes_have_servers():
            lan.where = vlans.interface(vlan, self._found, always=True)  # classes must pass it by
            self._found.settings.interfaces.setdefault(str(lan.where), Interface())
            return
        lan.where = self._found.interface_of(lan.networks)
        if lan.where is None and servers and servers != self._found.default:
            lan.where = vlans.placeholder(lan.networks)
        yield vlan

    def _classes_have_servers(self) -> bool:
        return any(self._said([one]) for one in self._classes.values())

    def _write_classes(self, lans: Sequence[_Lan]) -> None:
        """Write the classes; on a VLAN that has a boot file of its own they hold nothing."""
        direct = self._found.settings.classes
        for entry in self._classes.values():
            self._class(entry, self._said([entry]), self._usable)
        fixed: dict[Servers, list[str]] = {}
        for lan in lans:
            servers = self._usable(lan.said) if lan.said and direct else ()
            if servers and lan.where:
                fixed.setdefault(servers, []).append(lan.where)
        first = [
            Class(f"all on {', '.join(names[:3])}", servers, interfaces=tuple(dict.fromkeys(names)))
            for servers, names in fixed.items()
        ]
        direct[:] = [*first, *direct]

    def _reservations(
        self, scope: Map, around: Sequence[Map], lan: _Lan | None, lans: Sequence[_Lan] = ()
    ) -> None:
        """Make rules of the reservations in one place that have a boot file other than their VLAN's."""
        for entry in maps(scope.get("reservations")):
            names = self._class_names(entry)
            said = self._said([entry])
            if self._is_dropped(names):
                said = Said(DROP, entry.key_mark("client-classes"), entry)
            if said is None:
                near = self._said([*self._pools_of(entry, scope), *around])
                own = self._said(self._classes[name] for name in names if name in self._classes)
                if lan and lan.said and (near is None or near.server != lan.said.server):
                    self._outside_of(entry, lan.said, near)
                said = None if near else own
                if lan is None and own:
                    self._before_its_vlan(entry, own, lans)
                if said is None:
                    self._left_out += 1
                    continue
            if "hw-address" not in entry:
                self._nameless(entry, said)
                continue
            if said.scope is not entry:
                self._before_its_class(entry, said, self._server_of)
            self._keep_rule(entry, self._usable(said))

    def _pools_of(self, entry: Map, subnet: Map) -> list[Map]:
        """Return the pool that has a reserved address; of one without an address all."""
        addresses = entry.get("ip-addresses")
        texts = [str(one) for one in addresses] if isinstance(addresses, List) else []
        address = address6(texts[0]) if texts else None
        pools = maps(subnet.get("pools"))
        return pools if address is None else [one for one in pools if _has(one, address)]

    def _outside_of(self, entry: Map, said: Said, near: Said | None) -> None:
        key = "ip-addresses" if "ip-addresses" in entry else next(iter(entry))
        self._fault(
            entry.key_mark(key),
            f"this client's address is in no pool that has {said.server} as others of its VLAN, and boots "
            f"from {near.server if near else 'where its class or nothing says'}; write a rule for it",
        )

    def _before_its_vlan(self, entry: Map, said: Said, lans: Sequence[_Lan]) -> None:
        """Name a client with a server by its class where a VLAN's own goes before that."""
        other = next((lan.said for lan in lans if lan.said and lan.said.server != said.server), None)
        if other:
            self._fault(
                entry.key_mark("client-classes"),
                f"this client has {said.server} by its class, and {other.server} where its VLAN says so; a "
                f"rule has one server, now {said.server}",
            )

    def _server_of(self, scope: Map) -> str | None:
        said = self._said([scope])
        return None if said is None else said.server

    def _said(self, scopes: Iterable[Map]) -> Said | None:
        """Return the server that applies in scopes, the nearest of which comes first."""
        for scope in scopes:
            option = option_in(scope, *_BOOT_FILE_URL)
            if option is not None and option.get("data"):
                return Said(_host(option), option.value_mark("data"), scope)
        return None

    def _usable(self, said: Said) -> Servers:
        """Return the server as it is written; if it can't be one that is named, once for each place."""
        if said.server == DROP:
            return (DROP,)
        source, word = self._file.place(said.mark, said.server)
        first = said.mark not in self._named
        self._named.add(said.mark)
        found = self._found if first else Found()
        if not said.server:
            found.fault(
                source,
                word,
                "this is no URL with a host in it, such as tftp://[2001:db8:20::10]/boot.efi, so it does not "
                "tell which server clients boot from; write a rule, or a default",
            )
            return ()
        if family_of(said.server) == 4:
            found.fault(
                source,
                word,
                f"clients of DHCPv6 fetch this from {said.server}, which is an IPv4 address; write the IPv6 "
                f"address of that server, where it hears DHCPv6",
            )
            return ()
        return (said.server,) if found.server(source, word, 6) else ()


def _host(option: Map) -> str:
    """Return the host in an option's URL, an IPv6 address as RFC 5952 spells it; empty if there is none."""
    text = str(option["data"])
    if option.get("csv-format") is False:
        try:
            text = bytes.fromhex(re.sub(r"^0x|[\s:]", "", text)).decode("ascii")
        except ValueError:
            return ""
    match = _URL.match(text.strip())
    host = match[1] if match else ""
    if host.startswith("["):
        found = address6(host[1:-1])
        return str(found) if found else host[1:-1]
    return "" if host == DROP else host


def _has(pool: Map, address: IPv6Address) -> bool:
    """Whether an address is of a pool, which is a prefix or a first and a last address."""
    first, sign, last = str(pool.get("pool", "")).partition("-")
    if not sign:
        try:
            return address in IPv6Network(first.strip(), strict=False)
        except ValueError:
            return False
    ends = address6(first.strip()), address6(last.strip())
    return ends[0] is not None and ends[1] is not None and ends[0] <= address <= ends[1]
