"""ISC Kea: reservations with a hardware address, subnets, client classes, and the next-server of each.

The next-server of a reservation goes before that of a class, that before the subnet's, the shared network's
and the global one (Kea's manual, "DHCPv4 Server Configuration"). Where none applies, option 66 does; where
there is only a boot file, clients fetch it from Kea's own host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from typing import Any, NamedTuple

from pxerelay.config.data import List, Map, Mark
from pxerelay.config.resolve import DROP
from pxerelay.tools.importers import conditions, vlans
from pxerelay.tools.importers.decisions import Kind
from pxerelay.tools.importers.found import Class, Found, Servers
from pxerelay.tools.importers.source import Source, printable, quoted
from pxerelay.tools.importers.spliced import Spliced, maps

NOTE = (
    "Kea told these clients where to fetch their boot file. pxerelay sends their DHCP requests to that "
    "server: it must answer DHCP or proxyDHCP itself. If Kea goes on giving the addresses, name it under "
    "dhcp_servers."
)
_UNSET = "0.0.0.0"  # noqa: S104, what Kea takes for no next-server
_VENDOR_CLASS = "VENDOR_CLASS_"
_TFTP_SERVER, _BOOT_FILE = (66, "tftp-server-name"), (67, "boot-file-name")
_V6_BOOT = frozenset({"bootfile-url", "bootfile-param"})


class _Said(NamedTuple):
    """A server and where it is said; with no `server` Kea's own host."""

    server: str
    mark: Mark
    scope: Map


def read(sources: Sequence[Source], found: Found) -> None:
    """Read all files; one that another includes is read there."""
    files = [Spliced(source, sources, found) for source in sources]
    included = {name for file in files for name in file.included}
    if len(included) == len(sources):
        included = set()
    for source, file in zip(sources, files, strict=True):
        data = file.data() if source.name not in included else None
        if data is None:
            continue
        if isinstance(data.get("Dhcp6"), Map):
            _v6(file, data["Dhcp6"], found)
        if isinstance(data.get("Dhcp4"), Map):
            _Reader(file, data["Dhcp4"], found).read()
        elif not isinstance(data.get("Dhcp6"), Map):
            _Reader(file, data, found).read()
    if found.rules:
        found.notes.append(NOTE)


class _Reader:
    """Reads one `Dhcp4`."""

    def __init__(self, file: Spliced, data: Map, found: Found) -> None:
        self._file = file
        self._data = data
        self._found = found
        self._named: set[Mark] = set()
        self._classes = {str(one.get("name")): one for one in maps(data.get("client-classes"))}
        self._kept: dict[str, Servers] = {}
        self._left_out = 0

    def read(self) -> None:
        """Read the default, classes, subnets, and reservations."""
        top = self._said([self._data])
        if top:
            self._found.default_is(self._usable(top))
        for one in self._classes.values():
            self._class(one)
        settled: list[vlans.Vlan] = []
        for network in maps(self._data.get("shared-networks")):
            subnets = maps(network.get("subnet4"))
            settled.extend(self._lan(subnets, [network, self._data]))
        for subnet in maps(self._data.get("subnet4")):
            settled.extend(self._lan([subnet], [self._data]))
        vlans.settle(settled, self._found)
        if self._global_ones_hold():
            self._reservations(self._data, [self._data])
        elif maps(self._data.get("reservations")):
            self._found.notes.append(
                "Left out, global reservations: Kea passes them over, for reservations-global is nowhere "
                "true."
            )
        if self._left_out:
            self._found.notes.append(
                f"Left out, reservations with no next-server or no MAC: {self._left_out}."
            )

    def _global_ones_hold(self) -> bool:
        """Return whether Kea looks at global reservations anywhere."""
        networks = maps(self._data.get("shared-networks"))
        scopes = [self._data, *networks, *maps(self._data.get("subnet4"))]
        scopes += [subnet for network in networks for subnet in maps(network.get("subnet4"))]
        return any(
            scope.get("reservations-global") is True or scope.get("reservation-mode") in ("global", "all")
            for scope in scopes
        )

    def _lan(self, subnets: Sequence[Map], around: Sequence[Map]) -> Iterator[vlans.Vlan]:
        """Yield a VLAN, if all of its subnets and pools agree; read their reservations."""
        said: dict[str, _Said | None] = {}
        networks = []
        for subnet in subnets:
            network = self._network(subnet)
            if network is None:
                continue
            networks.append(network)
            pools = maps(subnet.get("pools"))
            for scope in [[pool] for pool in pools if self._option(pool, _TFTP_SERVER)] or [[]]:
                one = self._said([*scope, subnet, *around])
                said.setdefault(one.server if one else "", one)
        for subnet in subnets:
            self._reservations(subnet, [subnet, *around])
        if not networks:
            return
        source, word = self._file.place(subnets[0].key_mark("subnet"))
        values = [one for one in said.values() if one]
        if len(said) > 1:
            last = values[-1]
            others = ", ".join(server or "none" for server in said if server != last.server)
            self._fault(
                last.mark,
                f"clients of {vlans.spelled(networks)} have this server or {others}, by the subnet or pool "
                f"that "
                "their address is of; an interface has one default: write rules or `classes:` for the others",
            )
        elif values and values[0].scope is not self._data:
            servers = self._usable(values[0])
            if servers:
                yield vlans.Vlan(tuple(networks), servers, *self._file.place(values[0].mark))
            return
        yield vlans.Vlan(tuple(networks), (), source, word)

    def _network(self, subnet: Map) -> IPv4Network | None:
        try:
            return IPv4Network(str(subnet["subnet"]), strict=False)
        except KeyError:
            return None
        except ValueError:
            mark = subnet.value_mark("subnet")
            self._fault(mark, f"{quoted(str(subnet['subnet']))} is no subnet, such as 10.10.10.0/24")
            return None

    def _class(self, entry: Map) -> None:
        said = self._said([entry], top=False)
        if said is None:
            return
        servers = self._usable(said)
        name = str(entry.get("name"))
        if not servers:
            return
        try:
            if entry.get("only-if-required") or entry.get("only-in-additional-list"):
                raise conditions.NotSaidError
            if "test" in entry:
                kinds = conditions.kinds(str(entry["test"]), self._test_of)
            elif name.startswith((f"{_VENDOR_CLASS}PXEClient:", f"{_VENDOR_CLASS}HTTPClient:")):
                kinds = [Kind(name.removeprefix(_VENDOR_CLASS))]
            else:
                return  # reservations put clients into it
        except conditions.NotSaidError:
            self._fault(
                said.mark,
                f"this server is for clients of the class {quoted(name)}, whose test a class of pxerelay "
                f"can't say; "
                "write a rule or one of `classes:` for them",
            )
            return
        for kind in kinds:
            arch = () if kind.arch is None else (kind.arch,)
            self._add(Class(printable(name), servers, kind.vendor, arch))

    def _add(self, entry: Class) -> None:
        classes = self._found.settings.classes
        taken = {one.name for one in classes}
        name, number = entry.name, 1
        while name in taken:
            number += 1
            name = f"{entry.name} {number}"
        last = classes[-1] if classes else None
        alike = last and last._replace(arch=()) == entry._replace(arch=()) and last.arch and entry.arch
        if last and alike:
            classes[-1] = last._replace(arch=(*last.arch, *entry.arch))
            return
        classes.append(entry._replace(name=name))

    def _test_of(self, name: str) -> str | None:
        entry = self._classes.get(name)
        return str(entry["test"]) if entry and "test" in entry else None

    def _reservations(self, scope: Map, around: Sequence[Map]) -> None:
        """Make rules of the reservations in one place that say a server of their own."""
        for entry in maps(scope.get("reservations")):
            classes = entry.get("client-classes")
            names = [str(one) for one in classes] if isinstance(classes, List) else []
            own = [entry, *(self._classes[name] for name in names if name in self._classes)]
            said = self._said(own, top=False)
            if DROP.upper() in names:
                said = _Said(DROP, entry.key_mark("client-classes"), entry)
            if said is None or said.server == _UNSET:
                self._left_out += 1
                continue
            if not said.server and self._said(list(around)):
                continue  # its boot file comes of the subnet's server
            if "hw-address" not in entry:
                key = next(iter(entry), "")
                mark = entry.key_mark(key) if key else said.mark
                self._fault(
                    mark,
                    "this reservation has a server, and no hw-address: rules are about MACs; write a rule "
                    "with the "
                    "client's",
                )
                continue
            if said.scope is not entry and said.server != DROP:
                self._before_its_class(entry, said)
            self._rule(entry, said)

    def _before_its_class(self, entry: Map, said: _Said) -> None:
        """Name a reservation whose class has a server, if a class with a test may go before it."""
        for name, other in self._classes.items():
            first = (
                self._said([other], top=False) if "test" in other or name.startswith(_VENDOR_CLASS) else None
            )
            if first is not None and first.server != said.server:
                self._fault(
                    entry.value_mark("hw-address"),
                    f"this client has {said.server or 'Kea itself'} by its class, unless the test of "
                    f"{quoted(name)} is true of it, which Kea looks at first; a rule has one server, now "
                    f"{said.server}",
                )
                return

    def _rule(self, entry: Map, said: _Said) -> None:
        servers = self._usable(said)
        source, mac = self._file.place(entry.value_mark("hw-address"), str(entry["hw-address"]))
        comment = printable(str(entry.get("hostname") or ""))
        key = mac.text.lower().replace("-", ":")
        if servers and self._kept.get(key) == servers:
            return  # a reservation in each subnet that the client may be in; they agree
        if servers and self._found.rule(source, mac, servers, comment):
            self._kept[key] = servers
        else:
            self._found.not_imported(source, mac.line)

    def _said(self, scopes: Iterable[Map], *, top: bool = True) -> _Said | None:
        """Return the server that applies in scopes, the nearest of which comes first."""
        every = list(scopes)
        for scope in every:
            server = scope.get("next-server")
            if server not in (None, "", _UNSET):
                return _Said(str(server), scope.value_mark("next-server"), scope)
        for scope in every:
            option = self._option(scope, _TFTP_SERVER)
            if option is not None and option.get("data"):
                return _Said(str(option["data"]), option.value_mark("data"), scope)
        for scope in every:
            if scope.get("boot-file-name"):
                return _Said("", scope.value_mark("boot-file-name"), scope)
            option = self._option(scope, _BOOT_FILE)
            if option is not None and option.get("data") and top:
                return _Said("", option.value_mark("data"), scope)
        return None

    @staticmethod
    def _option(scope: Map, wanted: tuple[int, str]) -> Map | None:
        for option in maps(scope.get("option-data")):
            if option.get("code") == wanted[0] or option.get("name") == wanted[1]:
                return option
        return None

    def _usable(self, said: _Said) -> Servers:
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

    def _fault(self, mark: Mark, message: str) -> None:
        self._file.fault(mark, message)


def _v6(file: Spliced, data: Map, found: Found) -> None:
    """Name what a kea-dhcp6.conf says of boot files."""
    for scope in _scopes(data):
        for option in maps(scope.get("option-data")):
            if option.get("name") in _V6_BOOT or option.get("code") in (59, 60):
                key = next(iter(option))
                file.fault(
                    option.key_mark(key),
                    f"{quoted(str(option.get('name') or option.get('code')))} says where clients boot from "
                    f"by DHCPv6; "
                    "write a rule with the address of that server",
                )
    count = sum(len(maps(scope.get("reservations"))) for scope in _scopes(data))
    if count:
        found.notes.append(
            f"Left out, reservations of Dhcp6, which have no boot server but by options: {count}."
        )


def _scopes(value: Any) -> Iterator[Map]:
    """Yield all mappings of a document that may hold options."""
    if isinstance(value, Map):
        yield value
        for inner in value.values():
            yield from _scopes(inner)
    elif isinstance(value, List):
        for inner in value:
            yield from _scopes(inner)
