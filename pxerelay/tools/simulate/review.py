"""What a reviewer asks of a mapping: which server a client gets, by which entry of which file, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from pxerelay.config.data import Document, Map, Mark
from pxerelay.config.places import RulePlaces
from pxerelay.policy.days import FOREVER, day_text
from pxerelay.policy.model import Config
from pxerelay.policy.pools import ranked
from pxerelay.policy.rules import RULES, Choice, Match, Reason
from pxerelay.policy.servers import Pool, Strategy, Target
from pxerelay.relay.decision import MEANING, Drop
from pxerelay.relay.relay import recipients
from pxerelay.wire.client import DescribedClient
from pxerelay.wire.mac import format_mac
from pxerelay.wire.text import printable


@dataclass(frozen=True)
class Candidate:
    """An entry that applies to a client, or did so until it ended; `source` is its `file:line`.

    `servers` are addresses or DNS names, those of a pool in the order in which they are the client's.
    `owner`, `until` and `note` are what the file says of a rule.
    """

    reason: str
    rule: str
    label: str
    servers: tuple[str, ...]
    source: str
    ended: bool
    owner: str | None = None
    until: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Member:
    """A pool for one client: its servers, the client's own first; `known` says that their order is known.

    With `hash` it is not known beforehand which of a DNS name's addresses is a client's.
    """

    name: str
    strategy: str
    servers: tuple[str, ...]
    known: bool

    @property
    def first(self) -> tuple[str, ...]:
        """Who gets the client's requests while all are up."""
        return self.servers[:1] if self.known else self.servers

    @property
    def text(self) -> str:
        """The same in words."""
        if not self.known:
            return f"{self.name} {' or '.join(self.servers)} ({self.strategy})"
        return (
            f"{self.name} {self.servers[0]} ({'; then '.join((self.strategy, ', '.join(self.servers[1:])))})"
        )


@dataclass(frozen=True)
class Explanation:
    """Where a client's requests go. `candidates` has what names it in the order of precedence.

    `sent_to` holds every address or DNS name that gets its requests while all servers are up, dhcp_servers
    included, and `note` says in words what else has a say. `pools` tells of which pools they are, and what
    comes next there.
    """

    mac: str
    candidates: tuple[Candidate, ...]
    sent_to: tuple[str, ...]
    sent_to_names: tuple[str, ...]
    note: str
    pools: tuple[Member, ...] = ()

    @property
    def winner(self) -> Candidate:
        """The candidate that chose."""
        return next(candidate for candidate in self.candidates if not candidate.ended)

    @property
    def losers(self) -> tuple[Candidate, ...]:
        """Those that would have chosen if the winner did not."""
        return tuple(
            candidate for candidate in self.candidates if not candidate.ended and candidate is not self.winner
        )


def explain(
    config: Config,
    documents: Sequence[Document] | Origins,
    chaddr: bytes,
    today: int,
    interface: str | None = None,
    vendor_class: bytes = b"PXEClient",
    architectures: tuple[int, ...] = (),
) -> Explanation:
    """Decide as the daemon would for a client with these facts on a day, and tell of what lost.

    `interface` is the client interface it would be heard on; with None it comes through a router. A
    name that no entry of `interfaces` means raises LookupError. Who explains many clients makes the
    `Origins` of the documents once.
    """
    setting = None
    if interface is not None:
        setting = config.setting_for(interface)
        if setting is None:
            entries = ", ".join(entry.name for entry in config.interfaces) or "none"
            raise LookupError(f"no entry of `interfaces:` means '{interface}'; there are: {entries}")
    client = DescribedClient(chaddr, interface, vendor_class, architectures)
    origins = documents if isinstance(documents, Origins) else Origins(documents)
    default = setting.default if setting else None
    matches = tuple(config.policy.candidates(client, default))
    choice = next(match.choice for match in matches if not match.choice.ended(today))
    pxe_only = setting.pxe_only if setting else config.pxe_only
    sent = recipients(config, client, choice, pxe_only=pxe_only)
    targets = () if isinstance(sent, Drop) else sent
    return Explanation(
        mac=format_mac(chaddr),
        candidates=tuple(_candidate(match, origins, today, chaddr) for match in matches),
        sent_to=tuple(dict.fromkeys(text for target in targets for text in _first(target, chaddr))),
        sent_to_names=tuple(
            _member(target, chaddr).text if isinstance(target, Pool) else str(config.named(target))
            for target in targets
        ),
        note=_note(sent, choice),
        pools=tuple(_member(target, chaddr) for target in targets if isinstance(target, Pool)),
    )


def _member(pool: Pool, chaddr: bytes) -> Member:
    addresses = [host for host in pool.hosts if isinstance(host, IPv4Address)]
    servers = tuple(map(str, pool.hosts))
    if pool.strategy is Strategy.HASH and len(addresses) == len(servers):
        order = ranked(pool.strategy, [address.packed for address in addresses], chaddr)
        servers = tuple(str(IPv4Address(octets)) for octets in order)
    known = pool.strategy is Strategy.FAILOVER or len(addresses) == len(servers)
    return Member(pool.name, pool.strategy.value, servers, known)


def _first(target: Target, chaddr: bytes) -> tuple[str, ...]:
    return _member(target, chaddr).first if isinstance(target, Pool) else (str(target),)


def _all(target: Target, chaddr: bytes) -> tuple[str, ...]:
    return _member(target, chaddr).servers if isinstance(target, Pool) else (str(target),)


def _candidate(match: Match, origins: Origins, today: int, chaddr: bytes) -> Candidate:
    choice, entry = match.choice, origins.entry(match)
    return Candidate(
        reason=match.reason.value,
        rule=match.rule,
        label=choice.label,
        servers=tuple(text for target in choice.servers for text in _all(target, chaddr)),
        source=origins.of(match),
        ended=choice.ended(today),
        owner=entry.get("owner"),
        until=None if choice.until == FOREVER else day_text(choice.until),
        note=entry.get("note"),
    )


def _note(sent: tuple[Target, ...] | Drop, choice: Choice) -> str:
    if isinstance(sent, Drop):
        return MEANING[sent]
    if set(choice.servers).isdisjoint(sent):
        return "pxe_only: a client that is not booting from the network reaches the dhcp_servers alone"
    return ""


class Origins:
    """Where the entries of a configuration stand."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._main = documents[0]
        self._rules = RulePlaces(documents)

    def of(self, match: Match) -> str:
        """Return `file:line` of the entry that a match stands for."""
        if match.reason is Reason.CLASS:
            names = [entry["name"] for entry in self._main.data["classes"]]
            return self._place(self._main.mark_of(("classes", names.index(match.rule))))
        if match.reason is Reason.INTERFACE_DEFAULT:
            return self._place(self._main.mark_of(("interfaces", match.rule, "default"), key=True))
        if match.reason is Reason.DEFAULT:
            return self._place(self._main.mark_of(("default",), key=True))
        place = self._rules.of_text(match.rule)
        return f"{printable(place.document.name)}:{place.mark.line}"

    def entry(self, match: Match) -> Map:
        """Return the mapping that a rule is, an empty one for what is none."""
        if match.reason not in RULES:
            return Map()
        value = self._rules.of_text(match.rule).value
        return value if isinstance(value, Map) else Map()

    def _place(self, mark: Mark) -> str:
        return f"{printable(self._main.name)}:{mark.line}"


def as_text(explanation: Explanation, about: str = "") -> str:
    """Return an explanation for a terminal; `about` tells more of the client."""
    winner, candidates = explanation.winner, explanation.candidates
    fates = ["ended" if one.ended else "wins" if one is winner else "lost" for one in candidates]
    first, second = max(map(len, fates)), max(len(one.reason) for one in candidates)
    who = f"{explanation.mac} {about}".rstrip()
    lines = [f"{who} -> {', '.join(explanation.sent_to_names) or 'dropped'}"]
    for fate, one in zip(fates, candidates, strict=True):
        lines.append(f"  {fate:{first}}  {one.reason:{second}}  {one.rule}: {one.label}  ({one.source})")
        lines.extend(
            f"  {'':{first}}  {'':{second}}  {name}: {printable(text)}"
            for name, text in (("owner", one.owner), ("until", one.until), ("note", one.note))
            if text is not None
        )
    if explanation.note:
        lines.append(f"  note: {explanation.note}")
    return "\n".join(lines)


def as_json(explanation: Explanation, more: Mapping[str, Any] | None = None) -> str:
    """Return an explanation as one JSON object; `more` is what else it is to hold."""
    return json.dumps(
        {"mac": explanation.mac, **_plain(explanation.winner), **_rest(explanation), **(more or {})},
        ensure_ascii=False,
    )


def _rest(explanation: Explanation) -> dict[str, Any]:
    return {
        "sent_to": explanation.sent_to,
        "pools": [
            {"name": pool.name, "strategy": pool.strategy, "servers": pool.servers}
            for pool in explanation.pools
        ],
        "note": explanation.note,
        "lost": [_plain(loser) for loser in explanation.losers],
        "ended": [_plain(candidate) for candidate in explanation.candidates if candidate.ended],
    }


def _plain(candidate: Candidate) -> dict[str, Any]:
    """Return a candidate for programs; `rule_note` is the rule's, for `note` is the explanation's."""
    return {
        "servers": candidate.servers,
        "rule": candidate.rule,
        "source": candidate.source,
        "reason": candidate.reason,
        "choice": candidate.label,
        "owner": candidate.owner,
        "until": candidate.until,
        "rule_note": candidate.note,
    }
