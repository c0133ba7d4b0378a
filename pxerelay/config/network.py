"""What the main file says of the network: client interfaces, both families, and who is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from pxerelay.config import addresses, schema
from pxerelay.config.budget import Budget
from pxerelay.config.data import Document, List, Map
from pxerelay.config.resolve import Resolver
from pxerelay.policy.model import LOOPBACK, PLACEHOLDERS6, ROUTE, Dhcpv6Setting, InterfaceSetting
from pxerelay.policy.rules import Default, Reason
from pxerelay.policy.servers import Address
from pxerelay.wire.agentinfo import AgentInfoSetting
from pxerelay.wire.globs import Names, is_glob, matches
from pxerelay.wire.text import ends

MOST_GLOBS = 256
"""Globs among the interfaces: each name is compared with all of them."""

_MOST_COMPARED = 1_000_000
"""Comparisons of names with globs, a second's worth or two."""

_GLOB_COST = 100
"""Comparisons that a glob takes as long as, when it is first looked at."""


class Networks(NamedTuple):
    """The networks of a list, by family."""

    of4: tuple[IPv4Network, ...]
    of6: tuple[IPv6Network, ...]


class Sources(NamedTuple):
    """Where relayed requests come from, by family: an address, `route` or `giaddr`."""

    of4: str | IPv4Address
    of6: str | IPv6Address


class NetworkReader:
    """Reads what the main file says of the network; faults go to the resolver."""

    def __init__(self, main: Document, resolver: Resolver) -> None:
        self._main = main
        self._resolver = resolver
        self._data: Map = main.data if isinstance(main.data, Map) else Map()
        interfaces = self._data.get("interfaces")
        self._names = set(interfaces) if isinstance(interfaces, Map) else set()
        message = "these globs take too many comparisons of interfaces; write fewer of them"
        self._comparisons = Budget(_MOST_COMPARED, message)
        self.dhcpv4 = self._data.get("dhcpv4", True) is not False
        value = self._data.get("dhcpv6", False)
        self._dhcpv6 = isinstance(value, Map) or value is True

    def _fault(self, path: Sequence[str | int], message: str, *, key: bool = False) -> None:
        self._resolver.fault(self._main, path, message, key=key)

    def interfaces(self) -> Iterator[InterfaceSetting]:
        """Yield the entries of `interfaces`."""
        interfaces = self._data.get("interfaces")
        if not isinstance(interfaces, Map):
            return
        globs = [name for name in interfaces if is_glob(name)]
        if len(globs) > MOST_GLOBS:
            message = f"{len(globs)} globs; write at most {MOST_GLOBS}, or the names themselves"
            self._fault(("interfaces",), message)
            return
        found = dict[Address, str](), dict[Address, str]()
        option82 = self._data.get("option82")
        circuit = option82.get("circuit_id") if isinstance(option82, Map) else None
        shared4 = isinstance(circuit, str) and AgentInfoSetting(circuit).tells_interfaces_apart
        dhcpv6 = self._data.get("dhcpv6")
        text = dhcpv6.get("interface_id") if isinstance(dhcpv6, Map) else None
        shared6 = "{interface}" in text if isinstance(text, str) else text is not False
        for name, value in interfaces.items():
            settings = value if isinstance(value, Map) else Map()
            if name == LOOPBACK:
                message = f"{name} is the loopback interface, where no client is; take it out"
                self._fault(("interfaces", name), message, key=True)
            giaddr = link_address = None
            mend4 = None if shared4 else 'or set option82 with circuit_id: "{interface}"'
            mend6 = None if shared6 else 'or have "{interface}" in `interface_id` of dhcpv6'
            standing = self._standing(name, settings, "giaddr", found[0], mend4)
            if isinstance(standing, IPv4Address):
                giaddr = standing
            standing = self._standing(name, settings, "link_address", found[1], mend6)
            if isinstance(standing, IPv6Address):
                link_address = standing
            choice = None
            if "default" in settings:
                path = ("interfaces", name, "default")
                choice = self._resolver.choice(self._main, settings["default"], path)
            pxe_only = settings.get("pxe_only", self._data.get("pxe_only"))
            default = Default(Reason.INTERFACE_DEFAULT, name, choice) if choice else None
            yield InterfaceSetting(
                name, pxe_only is True, default, giaddr, link_address, *self._families(name, settings)
            )

    def _standing(
        self, name: str, settings: Map, key: str, found: dict[Address, str], mend: str | None
    ) -> Address | None:
        """Return the address of a key, which is to stand for an interface alone.

        `found` are those of the interfaces before; with no `mend` several may share one.
        """
        text, path = settings.get(key), ("interfaces", name, key)
        pattern = schema.pattern_of("address4" if key == "giaddr" else "address6")
        if not isinstance(text, str) or not pattern.search(text):
            return None
        address = self._own(text, path)
        if address in found and mend is not None:
            message = (
                f"{key} {address} is also that of {found[address]}, so replies could not be told apart; "
                f"give each its own, {mend}"
            )
            self._fault(path, message)
        elif address is not None:
            found[address] = name
        return address

    def _own(self, text: str, path: Sequence[str | int]) -> Address | None:
        """Return an address that is to be one of this host's, None if it is none or can't be."""
        address = addresses.parse(text)
        why = addresses.why_no_own(address) if address is not None else ""
        if why:
            self._fault(path, why)
            return None
        return address

    def _families(self, name: str, settings: Map) -> tuple[bool, bool]:
        """Return whether DHCPv4 and DHCPv6 are relayed on an interface."""
        on = []
        for key, whole in (("dhcpv4", self.dhcpv4), ("dhcpv6", self._dhcpv6)):
            here = settings.get(key)
            if here is True and not whole:
                message = f"{key} is off for all interfaces; write `{key}: true` for the file too"
                self._fault(("interfaces", name, key), message)
            on.append(whole and here is not False)
        if not any(on) and False in (settings.get("dhcpv4"), settings.get("dhcpv6")):
            others = [key for key in ("dhcpv4", "dhcpv6") if settings.get(key) is False]
            message = "nothing is relayed here, for neither family is on; take the interface out"
            self._fault(("interfaces", name, others[0]), message, key=True)
        return on[0], on[1]

    def networks(self, key: str) -> Networks:
        """Return the networks of a key's list."""
        value = self._data.get(key)
        of4: list[IPv4Network] = []
        of6: list[IPv6Network] = []
        for at, item in enumerate(value if isinstance(value, List) else ()):
            if not isinstance(item, str):
                continue
            network = addresses.parse_network(item)
            if network is None:
                continue
            if isinstance(network, IPv4Network):
                of4.append(network)
            else:
                of6.append(network)
            if network.network_address != addresses.parse(item.split("/")[0]):
                self._fault((key, at), f"{item} has bits set past its prefix; write {network}")
        return Networks(tuple(of4), tuple(of6))

    def sources(self) -> Sources:
        """Return what `source_address` says."""
        value = self._data.get("source_address", schema.default_of("source_address"))
        if isinstance(value, str) and addresses.parse(value) is None:
            return Sources(value, value)
        of4: str | IPv4Address = ROUTE
        of6: str | IPv6Address = ROUTE
        for at, item in enumerate(value if isinstance(value, List) else [value]):
            path = ("source_address", at) if isinstance(value, List) else ("source_address",)
            address = self._own(item, path) if isinstance(item, str) else None
            if address is None:
                continue
            if isinstance(address, IPv4Address) and of4 == ROUTE:
                of4 = address
            elif isinstance(address, IPv6Address) and of6 == ROUTE:
                of6 = address
            else:
                family = "IPv4" if isinstance(address, IPv4Address) else "IPv6"
                self._fault(path, f"{address} is a second {family} address; write one of each family")
        return Sources(of4, of6)

    def dhcpv6(self) -> Dhcpv6Setting | None:
        """Return the settings of DHCPv6, None where it is off."""
        if not self._dhcpv6:
            if not self.dhcpv4:
                message = "neither DHCPv4 nor DHCPv6 is on, so nothing is relayed; write `dhcpv6: true`, or "
                self._fault(("dhcpv4",), message + "take this out")
            return None
        value = self._data["dhcpv6"]
        if not isinstance(value, Map):
            return Dhcpv6Setting()
        path = ("dhcpv6",)
        keys = ("interface_id", "remote_id")
        texts = templates(value, keys, PLACEHOLDERS6, path, self._main, self._resolver)
        enterprise = value.get("enterprise")
        if "remote_id" in value and "enterprise" not in value:
            message = "`enterprise` is missing, the enterprise number that a Remote-Id is said under"
            self._fault((*path, "remote_id"), message, key=True)
        elif "enterprise" in value and "remote_id" not in value:
            message = "`enterprise` has a say with `remote_id` only; write that too, or take this out"
            self._fault((*path, "enterprise"), message, key=True)
        if value.get("interface_id") is not False and texts["interface_id"] is None:
            texts["interface_id"] = Dhcpv6Setting().interface_id
        return Dhcpv6Setting(
            interface_id=texts["interface_id"],
            client_mac=value.get("client_mac") is not False,
            remote_id=texts["remote_id"],
            enterprise=enterprise if isinstance(enterprise, int) else None,
            relay_id=octets(value.get("relay_id"), "duid"),
            dhcp_servers_for_all=value.get("dhcp_servers") == "all",
            trusted=self.known_interfaces(value, "trusted", path) or Names(),
        )

    def known_interfaces(self, entry: Map, key: str, path: Sequence[str | int]) -> Names | None:
        """Return the interfaces that a list means, by name or glob; `interfaces` must have such ones."""
        value = entry.get(key)
        if not isinstance(value, List):
            return None
        for at, item in enumerate(value):
            if isinstance(item, str) and not self._means_any(item):
                hint = self._resolver.hint(item, self._names)
                self._fault(
                    (*path, key, at), f"'{ends(item)}' is none of the `interfaces:` of this file{hint}"
                )
        return Names(frozenset(item for item in value if isinstance(item, str)))

    def _means_any(self, item: str) -> bool:
        """Whether a name or glob and one of the `interfaces` may mean the same interface."""
        if item in self._names:
            return True
        names = self._names if is_glob(item) else [name for name in self._names if is_glob(name)]
        self._comparisons.spend(_GLOB_COST + len(names))
        return any(matches(name, item) or matches(item, name) for name in names)


def templates(
    entry: Map,
    keys: Iterable[str],
    placeholders: Sequence[str],
    path: Sequence[str | int],
    main: Document,
    resolver: Resolver,
) -> dict[str, str | None]:
    """Return the templates of some keys, None for one that is not there; they may name the placeholders."""
    found: dict[str, str | None] = {}
    for key in keys:
        text = entry.get(key)
        found[key] = text if isinstance(text, str) else None
        for name in re.findall(r"\{([^{}]*)\}", found[key] or ""):
            if name not in placeholders:
                hint = resolver.hint(name, placeholders)
                resolver.fault(main, (*path, key), f"{{{ends(name)}}} stands for nothing here{hint}")
    return found


def octets(text: object, definition: str) -> bytes | None:
    """Return octets in hex with colons; None for what a definition of the schema refuses."""
    if not isinstance(text, str) or not schema.pattern_of(definition).search(text):
        return None
    return bytes.fromhex(text.replace(":", ""))
