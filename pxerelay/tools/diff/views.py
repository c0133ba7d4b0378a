"""What a configuration says of one family: a request goes to the addresses of its own family of a choice."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from pxerelay.policy.model import Config, InterfaceSetting
from pxerelay.policy.rules import Choice
from pxerelay.policy.servers import Pool, Target

Servers = frozenset[Target]


class View:
    """The servers of choices in one family; a DNS name may have addresses of both."""

    def __init__(self, family: int) -> None:
        self.family = family
        self._kind: type[IPv4Address | IPv6Address] = IPv4Address if family == 4 else IPv6Address
        self._nobody: Target = f"nobody (no IPv{family} address)"
        self._known: dict[int, tuple[Choice, tuple[Target, ...]]] = {}

    def targets(self, choice: Choice) -> tuple[Target, ...]:
        """Return who gets requests of the family: nobody, with a text for that, is not the same as drop."""
        known = self._known.get(id(choice))
        if known is None:
            parts = (part for target in choice.servers for part in self._of(target))
            found = tuple(dict.fromkeys(parts)) or ((self._nobody,) if choice.servers else ())
            known = self._known[id(choice)] = choice, found
        return known[1]

    def servers(self, choice: Choice) -> Servers:
        """Return the same in no order."""
        return frozenset[Target](self.targets(choice))

    def _of(self, target: Target) -> tuple[Target, ...]:
        if not isinstance(target, Pool):
            return (target,) if isinstance(target, (str, self._kind)) else ()
        hosts = tuple(host for host in target.hosts if isinstance(host, (str, self._kind)))
        return (replace(target, hosts=hosts),) if len(hosts) > 1 else hosts

    def serves(self, setting: InterfaceSetting) -> bool:
        """Whether the family is relayed on an interface."""
        return setting.dhcpv4 if self.family == 4 else setting.dhcpv6

    def relays(self, config: Config) -> bool:
        """Whether a configuration relays the family at all."""
        return config.dhcpv4 if self.family == 4 else config.dhcpv6 is not None

    def has_routers(self, config: Config) -> bool:
        """Whether routers may relay the family to us."""
        return bool(config.accept_relayed_from if self.family == 4 else config.accept_relayed_from6)
