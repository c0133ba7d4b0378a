"""ISC Kea: reservations with a hardware address, subnets, client classes, and where each boots from.

In DHCPv4 the next-server of a reservation goes before that of a class, that before the subnet's, the shared
network's and the global one (Kea's manual, "DHCPv4 Server Configuration"). Where none applies, option 66
does; where there is only a boot file, clients fetch it from Kea's own host. DHCPv6 is in `kea6`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pxerelay.config.data import Map
from pxerelay.config.resolve import DROP
from pxerelay.tools.importers import conditions, families, vlans
from pxerelay.tools.importers.found import Found, Servers
from pxerelay.tools.importers.kea6 import Reader6
from pxerelay.tools.importers.kea_scopes import Said, Scopes, option_in
from pxerelay.tools.importers.source import Source
from pxerelay.tools.importers.spliced import Spliced, maps

NOTE = (
    "Kea told these clients where to fetch their boot file. pxerelay sends their DHCP requests to that "
    "server: it must answer DHCP or proxyDHCP itself. If Kea goes on giving the addresses, name it under "
    "dhcp_servers."
)
NOTE_6 = (
    "In DHCPv6 there is no proxy: a server that a client's requests go to must give it an address and the "
    "boot file both. Where Kea is to go on doing so, put Kea's own IPv6 address in the place of the server, "
    "and leave the boot URL in Kea."
)
_UNSET = "0.0.0.0"  # noqa: S104, what Kea takes for no next-server
_TFTP_SERVER, _BOOT_FILE = (66, "tftp-server-name"), (67, "boot-file-name")


def read(sources: Sequence[Source], found: Found) -> None:
    """Read all files; one that another includes is read there."""
    files = [Spliced(source, sources, found) for source in sources]
    included = {name for file in files for name in file.included}
    if len(included) == len(sources):
        included = set()
    parts: dict[int, list[tuple[Spliced, Map]]] = {4: [], 6: []}
    for source, file in zip(sources, files, strict=True):
        data = file.data() if source.name not in included else None
        if data is None:
            continue
        of4, of6 = data.get("Dhcp4"), data.get("Dhcp6")
        if isinstance(of6, Map):
            parts[6].append((file, of6))
        if isinstance(of4, Map):
            parts[4].append((file, of4))
        elif not isinstance(of6, Map):
            bare = 6 if "subnet6" in data else 4
            parts[bare].append((file, data))
    sides = {family: found.apart() if all(parts.values()) else found for family in parts}
    for family, reader in ((4, Reader4), (6, Reader6)):
        for file, data in parts[family]:
            reader(file, data, sides[family]).read()
    if all(parts.values()):
        families.join(sides[4], sides[6], found)
    elif parts[6]:
        families.only_6(found)
    if found.rules:
        found.notes.append(NOTE)
    if parts[6]:
        found.notes.append(NOTE_6)


class Reader4(Scopes):
    """Reads one `Dhcp4`."""

    vocabulary = conditions.OF_V4

    def read(self) -> None:
        """Read the default, classes, subnets, and reservations."""
        top = self._said([self._data])
        if top:
            self._found.default_is(self._usable(top))
        for one in self._classes.values():
            self._class(one, self._said([one], top=False), self._usable)
        settled = [vlan for subnets, around in self._lans() for vlan in self._lan(subnets, around)]
        vlans.settle(settled, self._found)
        if self._global_ones_hold():
            self._reservations(self._data, [self._data])
        elif maps(self._data.get("reservations")):
            self._found.notes.append(
                "Left out, global reservations: Kea passes them over, for reservations-global is nowhere "
                "true."
            )
        self._tell()

    def _lan(self, subnets: Sequence[Map], around: Sequence[Map]) -> Iterator[vlans.Vlan]:
        """Yield a VLAN, if all of its subnets and pools agree; read their reservations."""
        said: dict[str, Said | None] = {}
        networks = self._networks(subnets)
        for subnet in subnets:
            pools = maps(subnet.get("pools"))
            for scope in [[pool] for pool in pools if option_in(pool, *_TFTP_SERVER)] or [[]]:
                one = self._said([*scope, subnet, *around])
                said.setdefault(one.server if one else "", one)
                self._check_guards([*scope, subnet], one)
        where = self._found.interface_of(networks)
        for subnet in subnets:
            self._settle_in(subnet, where)
            self._reservations(subnet, [subnet, *around])
        if not networks:
            return
        source, word = self._place_of(subnets)
        values = [one for one in said.values() if one]
        if len(said) > 1:
            last = values[-1]
            others = ", ".join(server or "none" for server in said if server != last.server)
            self._several(networks, last, others)
        elif values and values[0].scope is not self._data:
            servers = self._usable(values[0])
            if servers:
                yield vlans.Vlan(networks, servers, *self._file.place(values[0].mark))
            return
        yield vlans.Vlan(networks, (), source, word)

    def _reservations(self, scope: Map, around: Sequence[Map]) -> None:
        """Make rules of the reservations in one place that say a server of their own."""
        for entry in maps(scope.get("reservations")):
            names = self._class_names(entry)
            own = [entry, *(self._classes[name] for name in names if name in self._classes)]
            said = self._said(own, top=False)
            if self._is_dropped(names):
                said = Said(DROP, entry.key_mark("client-classes"), entry)
            if said is None or said.server == _UNSET:
                self._left_out += 1
                continue
            if not said.server and self._said(list(around)):
                continue  # its boot file comes of the subnet's server
            if "hw-address" not in entry:
                self._nameless(entry, said)
                continue
            if said.scope is not entry and said.server != DROP:
                self._before_its_class(entry, said, self._server_of)
            self._keep_rule(entry, self._usable(said))

    def _server_of(self, scope: Map) -> str | None:
        said = self._said([scope], top=False)
        return None if said is None else said.server

    def _said(self, scopes: Iterable[Map], *, top: bool = True) -> Said | None:
        """Return the server that applies in scopes, the nearest of which comes first."""
        every = list(scopes)
        for scope in every:
            server = scope.get("next-server")
            if server not in (None, "", _UNSET):
                return Said(str(server), scope.value_mark("next-server"), scope)
        for scope in every:
            option = option_in(scope, *_TFTP_SERVER)
            if option is not None and option.get("data"):
                return Said(str(option["data"]), option.value_mark("data"), scope)
        for scope in every:
            if scope.get("boot-file-name"):
                return Said("", scope.value_mark("boot-file-name"), scope)
            option = option_in(scope, *_BOOT_FILE)
            if option is not None and option.get("data") and top:
                return Said("", option.value_mark("data"), scope)
        return None

    def _usable(self, said: Said) -> Servers:
        """Return the server as it is written; if it can't be one that is named, once for each place."""
        first = said.mark not in self._named
        self._named.add(said.mark)
        if said.server == DROP:
            return (DROP,)
        server = said.server or self._found.told.own_address
        if not server:
            if first:
                self._fault(
                    said.mark,
                    "no next-server applies here, so that clients fetch this from Kea's own host; say "
                    "which address "
                    "that has by --self ADDRESS",
                )
            return ()
        source, word = self._file.place(said.mark, server)
        return (server,) if (self._found if first else Found()).server(source, word) else ()
