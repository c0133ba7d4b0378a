"""What a reviewer asks of a mapping: which server a client gets, by which entry of which file, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from pxerelay.config.data import Document, Map, Mark
from pxerelay.config.places import RulePlaces
from pxerelay.policy.days import FOREVER, day_text
from pxerelay.policy.model import Config, InterfaceSetting
from pxerelay.policy.pools import ranked
from pxerelay.policy.rules import RULES, Choice, Match, Reason
from pxerelay.policy.servers import Address, Host, Pool, Strategy, Target, hosts_of
from pxerelay.relay.decision import MEANING, Drop
from pxerelay.relay.relay import recipients
from pxerelay.tools.simulate.review6 import TOLD_BY, Answer6, Reviewer6, Said6, heard, relayed, solicit
from pxerelay.wire.client import AnyClient, DescribedClient
from pxerelay.wire.client6 import MacSource
from pxerelay.wire.mac import format_mac
from pxerelay.wire.text import printable


@dataclass(frozen=True)
class Candidate:
    """An entry that applies to a client, or did so until it ended; `source` is its `file:line`.

    `servers` are IPv4 addresses or DNS names, those of a pool in the order in which they are the client's,
    and `servers6` the same of DHCPv6. `owner`, `until` and `note` are what the file says of a rule.
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
    servers6: tuple[str, ...] = ()


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
class Recipients:
    """Who gets a client's requests of one family.

    `sent_to` holds every address or DNS name that gets them while all servers are up, dhcp_servers included,
    and `names` the same with the names of `servers:`. `pools` tells of which pools they are, and what comes
    next there. `nobody` says why there are none, and `note` what else has a say.
    """

    sent_to: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    pools: tuple[Member, ...] = ()
    nobody: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        """The same in words."""
        return ", ".join(self.names) or self.nobody


@dataclass(frozen=True)
class Explanation:
    """Where a client's requests go. `candidates` has what names it in the order of precedence.

    `mac` is None where nobody tells it; `told_by` says what does, if that is worth a word. `of4` and `of6`
    are for each family, None where it is not relayed.
    """

    mac: str | None
    candidates: tuple[Candidate, ...]
    of4: Recipients | None
    of6: Recipients | None = None
    told_by: str = ""

    @property
    def sent_to(self) -> tuple[str, ...]:
        """Who gets the client's DHCPv4 requests."""
        return self.of4.sent_to if self.of4 else ()

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
    reviewer6: Reviewer6 | None = None,
) -> Explanation:
    """Decide as the daemon would for a client with these facts on a day, and tell of what lost.

    `interface` is the client interface it would be heard on; with None it comes through a router, which in
    DHCPv6 tells its MAC. A name that no entry of `interfaces` means raises LookupError. Who explains many
    clients makes the `Origins` of the documents and the `Reviewer6` once.
    """
    setting = _setting(config, interface)
    client = DescribedClient(chaddr, interface, vendor_class, architectures)
    origins = documents if isinstance(documents, Origins) else Origins(documents)
    matches, choice = _chosen(config, client, setting, today)
    pxe_only = setting.pxe_only if setting else config.pxe_only
    of4 = of6 = None
    if setting.dhcpv4 if setting else config.dhcpv4:
        of4 = _recipients4(config, client, choice, pxe_only=pxe_only)
    if setting.dhcpv6 if setting else config.dhcpv6:
        asked = solicit(vendor_class, architectures)
        said = heard(chaddr, interface, asked) if interface else relayed(config, asked, None, chaddr)
        answer = (reviewer6 or Reviewer6(config)).answer(said.client, choice, pxe_only=pxe_only)
        of6 = _recipients6(config, answer, chaddr)
    candidates = tuple(_candidate(match, origins, today, chaddr) for match in matches)
    return Explanation(format_mac(chaddr), candidates, of4, of6)


def explain6(
    config: Config, origins: Origins, said: Said6, today: int, reviewer6: Reviewer6 | None = None
) -> Explanation:
    """Decide as the daemon would on a DHCPv6 message, and tell of what lost; else as `explain`."""
    setting, client = _setting(config, said.interface), said.client
    matches, choice = _chosen(config, client, setting, today)
    pxe_only = setting.pxe_only if setting else config.pxe_only
    answer = (reviewer6 or Reviewer6(config)).answer(client, choice, pxe_only=pxe_only)
    return Explanation(
        format_mac(client.chaddr) if client.chaddr else None,
        tuple(_candidate(match, origins, today, client.client_octets) for match in matches),
        None,
        _recipients6(config, answer, client.client_octets),
        "" if client.told_by is MacSource.FRAME else TOLD_BY[client.told_by],
    )


def _setting(config: Config, interface: str | None) -> InterfaceSetting | None:
    if interface is None:
        return None
    setting = config.setting_for(interface)
    if setting is None:
        entries = ", ".join(entry.name for entry in config.interfaces) or "none"
        raise LookupError(f"no entry of `interfaces:` means '{interface}'; there are: {entries}")
    return setting


def _chosen(
    config: Config, client: AnyClient, setting: InterfaceSetting | None, today: int
) -> tuple[tuple[Match, ...], Choice]:
    """Return what names a client, and the choice that holds on a day."""
    matches = tuple(config.policy.candidates(client, setting.default if setting else None))
    return matches, next(match.choice for match in matches if not match.choice.ended(today))


def _recipients4(config: Config, client: DescribedClient, choice: Choice, *, pxe_only: bool) -> Recipients:
    sent = recipients(config, client, choice, pxe_only=pxe_only)
    if isinstance(sent, Drop):
        return Recipients(nobody="dropped", note=MEANING[sent])
    note = ""
    if set(choice.servers).isdisjoint(sent):
        note = "pxe_only: a client that is not booting from the network reaches the dhcp_servers alone"
    targets = [target for target in sent if _hosts(target, IPv4Address)]
    found = _told(config, targets, client.chaddr or client.claimed, IPv4Address)
    who = "none of the dhcp_servers has an" if note else f"{choice.label} has no"
    return replace(found, note=note, nobody="" if targets else f"nobody: {who} IPv4 address")


def _recipients6(config: Config, answer: Answer6, octets: bytes) -> Recipients:
    found = _told(config, answer.targets, octets, IPv6Address)
    return replace(found, note=answer.note, nobody=answer.nobody)


def _told(config: Config, targets: Sequence[Target], octets: bytes, family: type[Address]) -> Recipients:
    return Recipients(
        tuple(dict.fromkeys(text for target in targets for text in _first(target, octets, family))),
        tuple(
            _member(target, octets, family).text if isinstance(target, Pool) else str(config.named(target))
            for target in targets
        ),
        tuple(_member(target, octets, family) for target in targets if isinstance(target, Pool)),
    )


def _hosts(target: Target, family: type[Address]) -> list[Host]:
    """Return the hosts of a target that have an address of a family, or may."""
    return [host for host in hosts_of(target) if isinstance(host, (str, family))]


def _member(pool: Pool, octets: bytes, family: type[Address]) -> Member:
    hosts = _hosts(pool, family)
    addresses = {host.packed: str(host) for host in hosts if not isinstance(host, str)}
    servers = tuple(map(str, hosts))
    if pool.strategy is Strategy.HASH and len(addresses) == len(servers):
        servers = tuple(addresses[one] for one in ranked(pool.strategy, list(addresses), octets))
    known = pool.strategy is Strategy.FAILOVER or len(addresses) == len(servers)
    return Member(pool.name, pool.strategy.value, servers, known)


def _first(target: Target, octets: bytes, family: type[Address]) -> tuple[str, ...]:
    return _member(target, octets, family).first if isinstance(target, Pool) else (str(target),)


def _all(target: Target, octets: bytes, family: type[Address]) -> tuple[str, ...]:
    if isinstance(target, Pool):
        return _member(target, octets, family).servers
    return tuple(map(str, _hosts(target, family)))


def _candidate(match: Match, origins: Origins, today: int, octets: bytes) -> Candidate:
    choice, entry = match.choice, origins.entry(match)
    return Candidate(
        reason=match.reason.value,
        rule=match.rule,
        label=choice.label,
        servers=tuple(text for target in choice.servers for text in _all(target, octets, IPv4Address)),
        source=origins.of(match),
        ended=choice.ended(today),
        owner=entry.get("owner"),
        until=None if choice.until == FOREVER else day_text(choice.until),
        note=entry.get("note"),
        servers6=tuple(text for target in choice.servers for text in _all(target, octets, IPv6Address)),
    )


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
    who = f"{explanation.mac or 'a client whose MAC is not known'} {about}".rstrip()
    if explanation.told_by and explanation.mac:
        who += f" (MAC told by {explanation.told_by})"
    of4, of6 = explanation.of4, explanation.of6
    lines = [f"{who} -> {of4.text}"] if of4 else []
    if of6:
        lines.append(f"{' ' if of4 else who} DHCPv6 -> {of6.text}")
    for fate, one in zip(fates, candidates, strict=True):
        lines.append(f"  {fate:{first}}  {one.reason:{second}}  {one.rule}: {one.label}  ({one.source})")
        lines.extend(
            f"  {'':{first}}  {'':{second}}  {name}: {printable(text)}"
            for name, text in (("owner", one.owner), ("until", one.until), ("note", one.note))
            if text is not None
        )
    notes = dict.fromkeys(one.note for one in (of4, of6) if one and one.note)
    lines.extend(f"  note: {note}" for note in notes)
    return "\n".join(lines)


def as_json(explanation: Explanation, more: Mapping[str, Any] | None = None) -> str:
    """Return an explanation as one JSON object; `more` is what else it is to hold."""
    both = explanation.of6 is not None
    plain = {"mac": explanation.mac, **_plain(explanation.winner, both=both), **_rest(explanation, both=both)}
    return json.dumps({**plain, **_rest6(explanation), **(more or {})}, ensure_ascii=False)


def _rest(explanation: Explanation, *, both: bool) -> dict[str, Any]:
    of4 = explanation.of4 or Recipients()
    return {
        "sent_to": of4.sent_to,
        "pools": [_pool(pool) for pool in of4.pools],
        "note": of4.note,
        "lost": [_plain(loser, both=both) for loser in explanation.losers],
        "ended": [_plain(candidate, both=both) for candidate in explanation.candidates if candidate.ended],
    }


def _rest6(explanation: Explanation) -> dict[str, Any]:
    """Return what there is to say of DHCPv6, where it is relayed."""
    of6 = explanation.of6
    if of6 is None:
        return {}
    return {
        "sent_to6": of6.sent_to,
        "pools6": [_pool(pool) for pool in of6.pools],
        "note6": of6.note,
        "dropped6": None if of6.sent_to else of6.note or of6.nobody.removeprefix("nobody: "),
        "mac_told_by": explanation.told_by or None,
    }


def _pool(pool: Member) -> dict[str, Any]:
    return {"name": pool.name, "strategy": pool.strategy, "servers": pool.servers}


def _plain(candidate: Candidate, *, both: bool) -> dict[str, Any]:
    """Return a candidate for programs; `rule_note` is the rule's, for `note` is the explanation's."""
    return {
        "servers": candidate.servers,
        **({"servers6": candidate.servers6} if both else {}),
        "rule": candidate.rule,
        "source": candidate.source,
        "reason": candidate.reason,
        "choice": candidate.label,
        "owner": candidate.owner,
        "until": candidate.until,
        "rule_note": candidate.note,
    }
