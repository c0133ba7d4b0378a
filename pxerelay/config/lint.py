"""What is right in a configuration and yet worth a second look. `docs/warnings.md` has a section for each.

A warning says nothing that `config` would refuse. Only `check` asks for them; the daemon does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from ipaddress import ip_network
from typing import Any

from pxerelay.config import families
from pxerelay.config.config import Include, backslashed
from pxerelay.config.data import Document, List, Map
from pxerelay.config.findings import Finding, Severity
from pxerelay.config.mapping import last_day
from pxerelay.config.places import RulePlaces, rules_of
from pxerelay.config.resolve import ALL
from pxerelay.policy.days import FOREVER, day_text
from pxerelay.policy.model import LOOPBACK, Config
from pxerelay.policy.rules import Choice, PatternRule, RuleTable
from pxerelay.policy.servers import Target
from pxerelay.wire.mac import Pattern, format_mac
from pxerelay.wire.text import ends

SOON = 14
"""Days ahead for which `check` warns of a rule that ends."""

ENOUGH = 8
"""Addresses of one maker that are a group."""

_WIDEST = 8
"""Bits of the shortest prefix that a network of routers or servers may be thought to have."""

_OUI_BITS = 24


class Kind(Enum):
    """The kinds of warnings; the values are their codes, which stay what they are."""

    SHADOWED_RULE = "shadowed-rule"
    UNUSED_SERVER = "unused-server"
    EXPIRED_RULE = "expired-rule"
    ENDING_RULE = "ending-rule"
    COVERABLE_RULES = "coverable-rules"
    LONE_SERVER = "lone-server"
    UNSEEN_SERVERS = "unseen-servers"
    WIDE_NETWORK = "wide-network"
    UNBOUNDED_REQUESTS = "unbounded-requests"
    NO_DHCP_SERVERS = "no-dhcp-servers"
    EVERY_INTERFACE = "every-interface"
    EMPTY_INCLUDE = "empty-include"
    NO_IPV6_SERVER = families.NO_IPV6_SERVER
    NO_IPV4_SERVER = families.NO_IPV4_SERVER
    IPV6_UNUSED = families.IPV6_UNUSED
    FIRST_ANSWER_WINS = families.FIRST_ANSWER_WINS
    ROUTER_WITHOUT_MAC = families.ROUTER_WITHOUT_MAC


def warnings(
    config: Config, documents: Sequence[Document], today: int, unmatched: Iterable[Include] = ()
) -> list[Finding]:
    """Return the warnings about a configuration on a day, in the order of the files, from top to bottom.

    `unmatched` are the globs of `include` that stand for no file.
    """
    lint = _Lint(config, documents, today)
    order = {document.name: at for at, document in enumerate(documents)}
    found = [*lint.found(), *(_empty_include(documents[0], one) for one in unmatched)]
    return sorted(found, key=lambda f: (order[f.file], f.line, f.column, f.code))


class _Lint:
    """One run over a configuration."""

    def __init__(self, config: Config, documents: Sequence[Document], today: int) -> None:
        self._config = config
        self._documents = documents
        self._today = today
        self._rules = config.on(today).policy.rules
        self._shapes = _Shapes(self._rules)
        self._places = RulePlaces(documents)
        self._order = {document.name: at for at, document in enumerate(documents)}

    def found(self) -> Iterator[Finding]:
        yield from self._unused_servers()
        yield from self._strategies()
        yield from self._trust()
        yield from self._every_interface()
        for doubt in families.doubts(self._config, self._documents, self._today):
            kind = Kind(doubt.code)
            yield _warning(kind, doubt.document, doubt.path, doubt.message, key=doubt.key)
        yield from self._ends()
        yield from self._shadowed_addresses()
        yield from self._shadowed_patterns()
        yield from self._coverable()

    def _unused_servers(self) -> Iterator[Finding]:
        main = self._documents[0]
        servers = main.data.get("servers")
        if not isinstance(servers, Map):
            return
        named = set(_names(main.data))
        for document in self._documents:
            for value in rules_of(document).values():
                if isinstance(value, str):
                    named.add(value)
                else:
                    named.update(_texts(value))
        for name in servers:
            if name not in named:
                message = f"nothing in this configuration names the server '{name}'; take it out, or use it"
                yield _warning(Kind.UNUSED_SERVER, main, ("servers", name), message)

    def _every_interface(self) -> Iterator[Finding]:
        """Yield the globs that mean the uplink too, whatever it is called."""
        for entry in self._config.interfaces:
            if entry.is_glob and not entry.name.strip("*?"):
                message = (
                    f"'{entry.name}' makes every interface of a host but {LOOPBACK} a client interface, also "
                    'those that lead to servers; write a glob that only client VLANs match, such as "vlan*"'
                )
                yield _warning(Kind.EVERY_INTERFACE, self._documents[0], ("interfaces", entry.name), message)

    def _strategies(self) -> Iterator[Finding]:
        """Yield the servers whose strategy does nothing."""
        main = self._documents[0]
        servers = main.data.get("servers")
        for name, entry in servers.items() if isinstance(servers, Map) else ():
            if not isinstance(entry, Map) or entry.get("strategy", ALL) == ALL:
                continue
            strategy, path = entry["strategy"], ("servers", name, "strategy")
            pool = self._config.pools.get(name)
            if pool is None:
                message = (
                    f"'{name}' has one address{' a family' if len(self._config.servers[name]) > 1 else ''}, "
                    f"so there is nothing to choose by {strategy}; add the others"
                )
                yield _warning(Kind.LONE_SERVER, main, path, message, key=False)
            elif self._config.dhcpv4 and not self._config.interfaces and pool.probing is None:
                message = (
                    f"answers of '{name}' go to the routers and not through this relay, which can't "
                    "see whether its servers are up; add `probe: true`"
                )
                yield _warning(Kind.UNSEEN_SERVERS, main, path, message, key=False)

    def _trust(self) -> Iterator[Finding]:
        """Yield settings that take more from the network than is meant, as a rule."""
        main = self._documents[0]
        for key in ("accept_relayed_from", "accept_replies_from"):
            for at, text in enumerate(main.data.get(key) or ()):
                network = ip_network(text, strict=False)
                if network.prefixlen < _WIDEST:
                    message = (
                        f"{network} is wider than a /{_WIDEST}, and each of its addresses is believed; "
                        "name the routers or servers, or their networks"
                    )
                    yield _warning(Kind.WIDE_NETWORK, main, (key, at), message, key=False)
        if self._config.max_requests == 0:
            message = (
                "0 lets one client bury the servers in requests; write a bound, or take the line out for 50"
            )
            yield _warning(Kind.UNBOUNDED_REQUESTS, main, ("max_requests",), message, key=False)
        if not self._config.dhcp_servers:
            for path in self._pxe_only():
                message = (
                    "clients that do not boot from the network get no answer by this relay, for there are no "
                    "`dhcp_servers`; name those that give addresses"
                )
                yield _warning(Kind.NO_DHCP_SERVERS, main, path, message, key=False)

    def _pxe_only(self) -> Iterator[tuple[str, ...]]:
        """Yield the paths of `pxe_only` where it is true."""
        data = self._documents[0].data
        if data.get("pxe_only") is True:
            yield ("pxe_only",)
        interfaces = data.get("interfaces")
        for name, settings in interfaces.items() if isinstance(interfaces, Map) else ():
            if isinstance(settings, Map) and settings.get("pxe_only") is True:
                yield ("interfaces", name, "pxe_only")

    def _ends(self) -> Iterator[Finding]:
        if not self._config.policy.rules.ends:
            return
        for document in self._documents:
            for key, value in rules_of(document).items():
                until = last_day(value)
                if until > self._today + SOON:
                    continue
                path, day = ("rules", key, "until"), day_text(until)
                whose = f"; ask {value['owner']}" if "owner" in value else ""
                if until < self._today:
                    message = f"the rule '{key}' ended with {day} and is passed over; take it out{whose}"
                    yield _warning(Kind.EXPIRED_RULE, document, path, message, key=False)
                else:
                    when = _in_days(until - self._today)
                    message = (
                        f"the rule '{key}' ends {when}, with {day}; extend it or take it out then{whose}"
                    )
                    yield _warning(Kind.ENDING_RULE, document, path, message, key=False)

    def _shadowed_addresses(self) -> Iterator[Finding]:
        for address, choice in self._rules.exact():
            pattern = Pattern.of(address)
            wider = next(self._rules.patterns_for(pattern.value), None)
            if wider is not None and _same(wider.choice, choice):
                yield self._shadowed(pattern, choice, wider)

    def _shadowed_patterns(self) -> Iterator[Finding]:
        for rule in self._rules.patterns():
            wider = self._shapes.next_less_specific(rule)
            if wider is not None and _same(wider.choice, rule.choice):
                yield self._shadowed(rule.pattern, rule.choice, wider)

    def _shadowed(self, pattern: Pattern, choice: Choice, wider: PatternRule) -> Finding:
        place, other = self._places.of(pattern), self._places.of(wider.pattern)
        message = (
            f"'{place.key}' says {choice.label}, and so does '{wider.text}' in "
            f"{other.document.name}:{other.mark.line}, which would decide without it; take it out"
        )
        return _warning(Kind.SHADOWED_RULE, place.document, ("rules", place.key), message)

    def _coverable(self) -> Iterator[Finding]:
        groups: dict[bytes, list[bytes]] = defaultdict(list)
        choices: dict[bytes, Choice | None] = {}
        for address, choice in self._rules.exact():
            oui = address[: _OUI_BITS // 8]
            if choices.setdefault(oui, choice) is not choice:
                known = choices[oui]
                if known is None or known.until != choice.until or not _same(known, choice):
                    choices[oui] = None
                    continue
            groups[oui].append(address)
        for oui, addresses in groups.items():
            common = choices[oui]
            if common is None or common.until != FOREVER or len(addresses) < ENOUGH:
                continue
            pattern = Pattern.of(oui)
            if self._shapes.are_free(pattern, frozenset(common.servers)):
                yield self._covers(oui, addresses, common)

    def _covers(self, oui: bytes, addresses: Iterable[bytes], choice: Choice) -> Finding:
        places = [self._places.of(Pattern.of(address)) for address in addresses]
        first = min(places, key=lambda place: (self._order[place.document.name], place.mark))
        message = (
            f"{len(places)} addresses that begin with {format_mac(oui)}, '{first.key}' the first of them, "
            f"have a rule that says {choice.label}, and none says otherwise; "
            f"one rule '{format_mac(oui)}: {choice.label}' would do, if all of that maker may go there"
        )
        return _warning(Kind.COVERABLE_RULES, first.document, ("rules", first.key), message)


class _Shapes:
    """Wildcards and blocks by which digits they fix, to find those that have to do with another one."""

    def __init__(self, rules: RuleTable) -> None:
        self._by_mask: dict[int, dict[int, PatternRule]] = defaultdict(dict)
        for rule in rules.patterns():
            self._by_mask[rule.pattern.mask][rule.pattern.value] = rule
        self._masks = sorted(self._by_mask, key=lambda mask: -mask.bit_count())
        self._crossing: dict[tuple[int, int], Mapping[int, set[frozenset[Target]]]] = {}
        self._shape = 0

    def next_less_specific(self, rule: PatternRule) -> PatternRule | None:
        """Return the rule that would decide for all that a rule matches, if that is one, or like one."""
        mask, value = rule.pattern
        if mask != self._shape:  # rules come by shape, and what one crosses is not kept for the next
            self._shape = mask
            self._crossing.clear()
        servers = frozenset(rule.choice.servers)
        for other in self._masks:
            if other == mask or other.bit_count() > mask.bit_count():
                continue
            if other & mask == other:
                found = self._by_mask[other].get(value & other)
                if found is not None:
                    return found
            elif self._servers(other, other & mask).get(value & other & mask, {servers}) != {servers}:
                return None
        return None

    def are_free(self, oui: Pattern, servers: frozenset[Target]) -> bool:
        """Whether nothing matches all of a block already, and nothing in it goes to other servers."""
        for mask in self._masks:
            common = mask & oui.mask
            found = self._servers(mask, common).get(oui.value & common)
            if found is not None and (common == mask or found != {servers}):
                return False
        return True

    def _servers(self, mask: int, common: int) -> Mapping[int, set[frozenset[Target]]]:
        """Return where rules of a shape send, by those of their digits that another shape fixes too."""
        if (mask, common) not in self._crossing:
            found: dict[int, set[frozenset[Target]]] = defaultdict(set)
            for value, rule in self._by_mask[mask].items():
                found[value & common].add(frozenset(rule.choice.servers))
            self._crossing[mask, common] = found
        return self._crossing[mask, common]


def _empty_include(main: Document, include: Include) -> Finding:
    message = (
        f"'{ends(include.path)}' stands for no file, so no rules come from there; "
        f"put rule files there, or take it out{backslashed(include)}"
    )
    finding = main.finding(include.mark, message)
    return replace(finding, severity=Severity.WARNING, code=Kind.EMPTY_INCLUDE.value)


def _same(wider: Choice, choice: Choice) -> bool:
    """Whether a wider rule says the same for as long as a narrower one does."""
    if wider is choice:
        return True
    return wider.until >= choice.until and frozenset(wider.servers) == frozenset(choice.servers)


def _names(data: Map) -> Iterator[str]:
    """Yield what the main file says outside its rules where a server may stand."""
    yield from _texts(data.get("default"))
    yield from _texts(data.get("dhcp_servers"))
    interfaces = data.get("interfaces")
    for settings in interfaces.values() if isinstance(interfaces, Map) else ():
        yield from _texts(settings.get("default") if isinstance(settings, Map) else None)
    for entry in data.get("classes") or ():
        yield from _texts(entry.get("server"))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a server's place: one, a list, or a mapping that has it under `server`."""
    if isinstance(value, Map):
        value = value.get("server")
    for item in value if isinstance(value, List) else [value]:
        if isinstance(item, str):
            yield item


def _warning(
    kind: Kind, document: Document, path: Sequence[str | int], message: str, *, key: bool = True
) -> Finding:
    finding = document.finding(document.mark_of(path, key=key), message)
    return replace(finding, severity=Severity.WARNING, code=kind.value)


def _in_days(days: int) -> str:
    return {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")
