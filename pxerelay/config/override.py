"""Server override and several servers: what one client's requests must not have both of (rule 43).

With sub-option 11 (RFC 5107) servers name the relay as the server that the client chose. Of several that get
a copy of its request, each takes itself for chosen: all but one of them answer with a NAK, or lease in vain.
DHCPv6 has nothing like it, so IPv6 addresses do not count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv6Address
from typing import NamedTuple

from pxerelay.config.data import Document, Map
from pxerelay.config.places import RulePlaces
from pxerelay.policy.model import Config
from pxerelay.policy.rules import Choice
from pxerelay.policy.servers import Target
from pxerelay.wire.mac import Pattern


class Clash(NamedTuple):
    """Where a client gets several servers, and what is wrong with that."""

    document: Document
    path: tuple[str | int, ...]
    message: str


def clashes(documents: Sequence[Document], config: Config, leaseless: Collection[Target]) -> Iterator[Clash]:
    """Yield where clients get several servers that lease; `leaseless` are those that are said not to."""
    if config.option82 is None or not config.option82.server_override:
        return
    main = documents[0]
    line = main.mark_of(("option82", "server_override"), key=True).line
    why = f"`server_override` (line {line}) has each of them take itself for the one that the client chose"
    mend = "say `leases: false` of those that give no addresses, or take server_override out"
    choose = "give them a `strategy` (failover or hash) under `servers:`"
    of_dhcpv6 = [target for target in config.mentioned if isinstance(target, IPv6Address)]
    passed_over = frozenset((*leaseless, *of_dhcpv6))
    everybodys = [target for target in config.dhcp_servers if target not in passed_over]
    if len(everybodys) > 1:
        message = f"these get each request together, and {why}; {choose}, {mend}"
        yield Clash(main, ("dhcp_servers",), message)
    beside = ""
    places = RulePlaces(documents)
    for choice, where in _choices(main, config):
        theirs = [target for target in choice.servers if target not in passed_over]
        if len(theirs) > 1:
            document, path = main, where
            if isinstance(where, Pattern):
                place = places.of(where)
                document, path = place.document, ("rules", place.key)
            message = f"{choice.label} is several servers, and {why}; {choose}, {mend}"
            yield Clash(document, path, message)
        elif theirs and theirs != everybodys:
            beside = beside or choice.label
    if len(everybodys) == 1 and beside:
        message = f"these get each request beside the boot server, such as {beside}, and {why}; {mend}"
        yield Clash(main, ("dhcp_servers",), message)


_Path = tuple[str | int, ...]


def _choices(main: Document, config: Config) -> Iterator[tuple[Choice, _Path | Pattern]]:
    """Yield what the configuration chooses, and its place; of rules that say the same, the first."""
    yield config.policy.default.choice, ("default",)
    for entry in config.interfaces:
        if entry.default is not None:
            yield entry.default.choice, ("interfaces", entry.name, "default")
    at = {
        one["name"]: number
        for number, one in enumerate(main.data.get("classes") or ())
        if isinstance(one, Map) and isinstance(one.get("name"), str)
    }
    for one in config.policy.classes:
        yield one.choice, ("classes", at.get(one.name, 0), "server")
    rules = config.policy.rules
    seen: set[int] = set()
    for octets, choice in rules.exact():
        if id(choice) not in seen:
            seen.add(id(choice))
            yield choice, Pattern.of(octets)
    for rule in rules.patterns():
        if id(rule.choice) not in seen:
            seen.add(id(rule.choice))
            yield rule.choice, rule.pattern
