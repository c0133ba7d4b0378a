"""The configuration as the relay reads it: frozen values, every name resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from pxerelay.policy.rules import Default, Policy
from pxerelay.policy.servers import Host, NamedServer, Pool, Target
from pxerelay.wire import globs
from pxerelay.wire.agentinfo import AgentInfoSetting
from pxerelay.wire.globs import Names

ROUTE, GIADDR = "route", "giaddr"
"""Values of `source_address` that are no address; `giaddr` means the link-address in DHCPv6."""

LOOPBACK = "lo"
"""The interface that has no clients, whatever entry or glob would mean it."""


@dataclass(frozen=True)
class InterfaceSetting:
    """One entry of `interfaces`. `name` is an interface's name or a glob.

    `dhcpv4` and `dhcpv6` tell whether messages of that family are relayed here, with what the file says as a
    whole taken into account.
    """

    name: str
    pxe_only: bool
    default: Default | None = None
    giaddr: IPv4Address | None = None
    link_address: IPv6Address | None = None
    dhcpv4: bool = True
    dhcpv6: bool = False

    @property
    def is_glob(self) -> bool:
        """Whether the name stands for more than one interface."""
        return globs.is_glob(self.name)


PLACEHOLDERS6 = ("interface", "link_address", "hostname")
"""What templates of DHCPv6 may name in braces."""


@dataclass(frozen=True)
class Dhcpv6Setting:
    """The `dhcpv6` of a configuration, where it is on.

    `interface_id` and `remote_id` are templates of options 18 (RFC 9915, 21.18) and 37 (RFC 4649), that may
    name `PLACEHOLDERS6`; `enterprise` is the enterprise number of option 37 and is there where `remote_id`
    is. `client_mac` has servers told the client's MAC (option 79, RFC 6939), `relay_id` is a DUID (option
    53, RFC 5460). `dhcp_servers_for_all` has `dhcp_servers` get the requests of clients too that boot from a
    server with an IPv6 address. On `trusted` interfaces lightweight relay agents (RFC 6221) may relay to us.
    """

    interface_id: str | None = "{interface}"
    client_mac: bool = True
    remote_id: str | None = None
    enterprise: int | None = None
    relay_id: bytes | None = None
    dhcp_servers_for_all: bool = False
    trusted: Names = Names()  # noqa: RUF009  # it is frozen


@dataclass(frozen=True)
class Config:
    """Everything the file says.

    `servers` holds what is behind each name, `mentioned` every host that it may send to.
    `max_requests` bounds what one client may ask in a second, 0 is no bound. `any_source_port` lets servers
    answer from other ports than 67. `source_address` is `route`, `giaddr` or an address. `metrics` is where
    they are served: `ADDRESS:PORT` or a path.

    `dhcpv4` tells whether DHCPv4 is relayed, `dhcpv6` is None where DHCPv6 is not. What there is of each
    family has a 6 at its name's end for DHCPv6. `servers` and `mentioned` have addresses of both.
    """

    servers: Mapping[str, tuple[Target, ...]]
    policy: Policy
    dhcp_servers: tuple[Target, ...]
    pxe_only: bool
    interfaces: tuple[InterfaceSetting, ...]
    accept_relayed_from: tuple[IPv4Network, ...]
    accept_replies_from: tuple[IPv4Network, ...]
    mentioned: frozenset[Host]
    max_hops: int
    max_requests: int
    source_address: str | IPv4Address
    option82: AgentInfoSetting | None = None
    any_source_port: bool = False
    metrics: str | None = None
    dhcpv4: bool = True
    dhcpv6: Dhcpv6Setting | None = None
    accept_relayed_from6: tuple[IPv6Network, ...] = ()
    accept_replies_from6: tuple[IPv6Network, ...] = ()
    source_address6: str | IPv6Address = ROUTE

    def on(self, today: int) -> Config:
        """Return the configuration as it holds on a day, without the rules that have ended.

        That is what a `Relay` is built with.
        """
        policy = self.policy.on(today)
        return self if policy is self.policy else replace(self, policy=policy)

    def setting_for(self, interface: str) -> InterfaceSetting | None:
        """Return what applies to an interface: its own name's entry, else the first glob that matches.

        The loopback interface is none.
        """
        meant = self.meant_by((interface,))
        return meant[1] if meant else None

    def meant_by(self, names: Sequence[str]) -> tuple[str, InterfaceSetting] | None:
        """Return which of an interface's names an entry means, and that entry.

        A name is what an entry means before any glob is, and an earlier name before a later one.
        """
        for name in names:
            if name in self._named and name != LOOPBACK:
                return name, self._named[name]
        for entry, matches in self._globs:
            for name in names:
                if matches(name) and name != LOOPBACK:
                    return name, entry
        return None

    @cached_property
    def _named(self) -> Mapping[str, InterfaceSetting]:
        return {entry.name: entry for entry in self.interfaces if not entry.is_glob}

    @cached_property
    def _globs(self) -> tuple[tuple[InterfaceSetting, globs.Matcher], ...]:
        return tuple((entry, globs.matcher(entry.name)) for entry in self.interfaces if entry.is_glob)

    @property
    def asks_what_clients_are(self) -> bool:
        """Whether options 60 and 93 of a request, 16 and 61 in DHCPv6, have a say in where it goes."""
        asking = self.pxe_only or any(entry.pxe_only for entry in self.interfaces)
        return asking or bool(self.policy.classes)

    @cached_property
    def pools(self) -> Mapping[str, Pool]:
        """The names that stand for several servers one of which is asked."""
        return {
            name: target
            for name, targets in self.servers.items()
            for target in targets
            if isinstance(target, Pool)
        }

    def named(self, target: Target) -> NamedServer:
        """Return a target with the first name that stands for it."""
        return NamedServer(
            next((name for name, targets in self.servers.items() if target in targets), ""), str(target)
        )

    @property
    def dns_names(self) -> frozenset[str]:
        """The servers that are to be looked up."""
        return frozenset(target for target in self.mentioned if isinstance(target, str))
