"""What kea-dhcp4.conf and kea-dhcp6.conf have in common: scopes, classes, reservations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import NamedTuple

from pxerelay.config.data import List, Map, Mark
from pxerelay.config.resolve import DROP
from pxerelay.tools.importers import vlans
from pxerelay.tools.importers.conditions import NotSaidError, Vocabulary, kinds
from pxerelay.tools.importers.decisions import Kind
from pxerelay.tools.importers.found import Class, Found, Network, Servers
from pxerelay.tools.importers.source import Source, Word, printable, quoted
from pxerelay.tools.importers.spliced import Spliced, maps

_VENDOR_CLASS = "VENDOR_CLASS_"
"""What Kea calls the class of a client that says a vendor class begins with."""


_GUARDS = (
    "client-class",
    "client-classes",
    "require-client-classes",
    "evaluate-additional-classes",
)
"""What lets only some clients into a subnet or pool, or gives them options of further classes there."""


class Said(NamedTuple):
    """A server and where it is said; with no `server` Kea's own host."""

    server: str
    mark: Mark
    scope: Map


class Scopes:
    """Reads one `Dhcp4` or `Dhcp6`; `subnets` is what that calls its subnets."""

    family = 4
    subnets = "subnet4"
    example = "10.10.10.0/24"
    vocabulary: Vocabulary

    def __init__(self, file: Spliced, data: Map, found: Found) -> None:
        self._file = file
        self._data = data
        self._found = found
        self._named: set[Mark] = set()
        self._classes = {str(one.get("name")): one for one in maps(data.get("client-classes"))}
        self._kept: dict[str, Servers] = {}
        self._left_out = 0

    def _lans(self) -> list[tuple[list[Map], list[Map]]]:
        """Return the subnets of each VLAN, and the scopes around them, the nearest first."""
        shared = maps(self._data.get("shared-networks"))
        found = [(maps(one.get(self.subnets)), [one, self._data]) for one in shared]
        return [*found, *(([one], [self._data]) for one in maps(self._data.get(self.subnets)))]

    def _global_ones_hold(self) -> bool:
        """Return whether Kea looks at global reservations anywhere."""
        networks = maps(self._data.get("shared-networks"))
        scopes = [self._data, *networks, *maps(self._data.get(self.subnets))]
        scopes += [subnet for network in networks for subnet in maps(network.get(self.subnets))]
        return any(
            scope.get("reservations-global") is True or scope.get("reservation-mode") in ("global", "all")
            for scope in scopes
        )

    def _network(self, subnet: Map) -> Network | None:
        text = subnet.get("subnet")
        if text is None:
            return None
        try:
            network = ip_network(str(text), strict=False)
        except ValueError:
            network = None
        if network is None or network.version != self.family:
            mark = subnet.value_mark("subnet")
            self._fault(mark, f"{quoted(str(text))} is no subnet, such as {self.example}")
            return None
        return network

    def _networks(self, subnets: Sequence[Map]) -> tuple[Network, ...]:
        return tuple(network for one in subnets if (network := self._network(one)) is not None)

    def _place_of(self, subnets: Sequence[Map]) -> tuple[Source, Word]:
        """Return where the first subnet of a VLAN is named."""
        named = next(one for one in subnets if "subnet" in one)
        return self._file.place(named.key_mark("subnet"))

    def _kinds(self, entry: Map) -> list[Kind]:
        """Return the kinds of clients that are of a class by what they say; none if others put them there.

        NotSaidError if our classes can't say it.
        """
        name = str(entry.get("name"))
        if "test" in entry:
            return kinds(str(entry["test"]), self._test_of, self.vocabulary)
        if name.startswith((f"{_VENDOR_CLASS}PXEClient:", f"{_VENDOR_CLASS}HTTPClient:")):
            return [Kind(name.removeprefix(_VENDOR_CLASS))]
        return []

    def _test_of(self, name: str) -> str | None:
        entry = self._classes.get(name)
        return str(entry["test"]) if entry and "test" in entry else None

    def _not_said(self, name: str, mark: Mark) -> None:
        self._fault(
            mark,
            f"this server is for clients of the class {quoted(name)}, whose test a class of pxerelay can't "
            f"say; write a rule or one of `classes:` for them",
        )

    def _class(self, entry: Map, said: Said | None, usable: Callable[[Said], Servers]) -> None:
        """Make classes of one that says a server, of each kind of clients that it tests for."""
        servers = usable(said) if said else ()
        if said is None or not servers:
            return
        name = str(entry.get("name"))
        try:
            if entry.get("only-if-required") or entry.get("only-in-additional-list"):
                raise NotSaidError
            found = self._kinds(entry)
        except NotSaidError:
            self._not_said(name, said.mark)
            return
        for kind in found:
            arch = () if kind.arch is None else (kind.arch,)
            self._add(Class(printable(name), servers, kind.vendor, arch))

    def _add(self, entry: Class) -> None:
        """Keep a class; one that differs from the last in its architecture only becomes a part of that."""
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

    @staticmethod
    def _class_names(entry: Map) -> list[str]:
        """Return the classes that a reservation puts its client into."""
        classes = entry.get("client-classes")
        return [str(one) for one in classes] if isinstance(classes, List) else []

    @staticmethod
    def _is_dropped(names: Sequence[str]) -> bool:
        return DROP.upper() in names

    def _nameless(self, entry: Map, said: Said) -> None:
        """Name a reservation that has a server, and no MAC."""
        key = next(iter(entry), "")
        self._fault(
            entry.key_mark(key) if key else said.mark,
            "this reservation has a server, and no hw-address: rules are about MACs; write a rule with the "
            "client's",
        )

    def _before_its_class(self, entry: Map, said: Said, server_of: Callable[[Map], str | None]) -> None:
        """Name a reservation whose class has a server, if a class with a test may go before it."""
        for name, other in self._classes.items():
            tested = "test" in other or name.startswith(_VENDOR_CLASS)
            first = server_of(other) if tested else None
            if first is not None and first != said.server:
                self._fault(
                    entry.value_mark("hw-address"),
                    f"this client has {said.server or 'Kea itself'} by its class, unless the test of "
                    f"{quoted(name)} is true of it, which Kea looks at first; a rule has one server, now "
                    f"{said.server}",
                )
                return

    def _settle_in(self, subnet: Map, where: str | None) -> None:
        """Keep which interface the clients are on that have a reservation in a subnet."""
        for entry in maps(subnet.get("reservations")) if where else ():
            if "hw-address" in entry:
                self._found.lives(str(entry["hw-address"]), str(where))

    def _keep_rule(self, entry: Map, servers: Servers) -> None:
        """Make a rule of a reservation."""
        source, mac = self._file.place(entry.value_mark("hw-address"), str(entry["hw-address"]))
        comment = printable(str(entry.get("hostname") or ""))
        key = mac.text.lower().replace("-", ":")
        if servers and self._kept.get(key) == servers:
            return  # a reservation in each subnet that the client may be in; they agree
        if servers and self._found.rule(source, mac, servers, comment):
            self._kept[key] = servers
        else:
            self._found.not_imported(source, mac.line)

    def _check_guards(self, scopes: Sequence[Map], said: Said | None) -> None:
        """Name a server that a subnet or pool says which only some clients get an address of."""
        guarded = next((key for scope in scopes for key in _GUARDS if scope.get(key)), None)
        if guarded and said and any(said.scope is scope for scope in scopes) and said.mark not in self._named:
            self._named.add(said.mark)
            self._fault(
                said.mark,
                f"this server is for the clients that {quoted(guarded)} lets in; write one of `classes:` or "
                f"rules for them",
            )

    def _several(self, networks: Sequence[Network], last: Said, others: str) -> None:
        """Name a VLAN whose clients have different servers."""
        self._fault(
            last.mark,
            f"clients of {vlans.spelled(networks)} have this server or {others}, by the subnet or pool that "
            "their address is of; an interface has one default: write rules or `classes:` for the others",
        )

    def _tell(self) -> None:
        """Note what was left out."""
        if self._left_out:
            lacks = "next-server" if self.family == 4 else "bootfile-url"
            self._found.notes.append(f"Left out, reservations with no {lacks} or no MAC: {self._left_out}.")

    def _fault(self, mark: Mark, message: str) -> None:
        self._file.fault(mark, message)


def option_in(scope: Map, code: int, name: str) -> Map | None:
    """Return an option of a scope by its code or name; None if it is not there."""
    for option in maps(scope.get("option-data")):
        if option.get("code") == code or option.get("name") == name:
            return option
    return None
