"""What dnsmasq would do with every client, to rules, classes and defaults that do the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from pxerelay.tools.importers.dnsmasq_classes import Classes
from pxerelay.tools.importers.dnsmasq_lines import CLIENTS, ETHERNET, MAC, Line, hardware, pattern, wildcard
from pxerelay.tools.importers.dnsmasq_model import Boot, Host, Model, contains
from pxerelay.tools.importers.dnsmasq_survey import Survey
from pxerelay.tools.importers.found import Found, Remark, Servers, paragraph
from pxerelay.tools.importers.source import Word, quoted
from pxerelay.wire.mac import Pattern

_NO_SERVER = "with no boot server"
_MOST_STARS = 300
"""Addresses with stars of which it is worked out where two of them overlap."""


class _Outcome(NamedTuple):
    """What becomes of an address: its servers, or what is wrong; with neither nothing is to be said of it."""

    servers: Servers = ()
    fault: str = ""


class Compiler:
    """Works out what dnsmasq does, and says it in our words."""

    def __init__(self, model: Model, found: Found) -> None:
        self._found = found
        for boot in (*model.boots, *model.services, *model.options):
            if boot.server and len(boot.tags) == 1 and not boot.tags[0].startswith(("!", "#")):
                found.suggested.setdefault(boot.server, boot.tags[0])
        self._survey = Survey(model, found)
        self._host_of = {id(host.line): host for host in model.hosts}
        self._outcomes: dict[Pattern, _Outcome] = {}
        self._with_stars: dict[Pattern, _Outcome] = {}
        self._by_signature: dict[object, _Outcome] = {}
        self._kept: dict[Pattern, tuple[Line, Host | None]] = {}

    def read(self, files: Sequence[Sequence[Line | Remark]]) -> None:
        """Set the defaults and classes, and make rules of the lines in their order."""
        if self._survey.default:
            self._found.default_is(self._survey.default)
        classes = Classes(self._survey)
        classes.write()
        self._stars()
        left_out: Counter[str] = Counter()
        for file in files:
            left_out.update(self._clients(file))
        self._overlaps()
        classes.what_only_clients_know()
        self._found.notes.extend(
            f"Left out, lines of dhcp-host and dhcp-mac {why}: {n}." for why, n in left_out.items()
        )

    def _outcome(self, mac: Pattern) -> _Outcome:
        """Return what becomes of an address, or of all that match one with stars."""
        known = self._outcomes.get(mac)
        if known is None:
            networks = tuple(one.ranges for one in self._survey.places)
            signature = self._survey.model.signature(mac, networks), self._wider(mac)
            known = self._by_signature.get(signature)
            if known is None:
                known = self._by_signature[signature] = self._worked_out(mac)
            self._outcomes[mac] = known
            if not mac.exact:
                self._with_stars[mac] = known
        return known

    def _wider(self, mac: Pattern) -> Servers | None:
        """Return what the most specific rule with stars says of an address."""
        wide = [one for one, outcome in self._with_stars.items() if outcome.servers and contains(one, mac)]
        wide = [one for one in wide if one != mac]
        return self._with_stars[max(wide, key=lambda one: one.fixed_digits)].servers if wide else None

    def _worked_out(self, mac: Pattern) -> _Outcome:
        survey = self._survey
        wider = self._wider(mac)
        points = survey.points(survey.model.places_of(mac, survey.places))
        results = {point: survey.results(*point, mac=mac) for point in points}
        if wider is None and all(results[point] == survey.base[point] for point in points):
            return _Outcome()
        serviced = [r for r in results.values() if any(isinstance(one, Boot) and one.is_service for one in r)]
        servers = {survey.servers(one) for one in serviced or results.values()}
        if len(servers) == 1:
            (only,) = servers
            instead = wider or self._found.default
            told = any(isinstance(one, Boot) for r in results.values() for one in r)
            if only or told or not instead:
                return _Outcome(only)
            return _Outcome(
                (), f"this client has no boot server, and here {', '.join(instead)}; write a rule"
            )
        if wider is None and all(
            survey.wanted(kind, place) == survey.servers(results[place, kind]) for place, kind in points
        ):
            return _Outcome()
        listed = ", ".join(", ".join(one) or "none" for one in sorted(servers))
        message = (
            f"this client has several servers, {listed}, by where and what it is; a rule has one: write it"
        )
        return _Outcome((), message)

    def _stars(self) -> None:
        """Work out the addresses with stars, the widest first."""
        stars = {
            found for host in self._survey.model.hosts for _, found in host.macs if found and not found.exact
        }
        stars |= {one for one, _, _ in self._survey.model.macs if not one.exact}
        for one in sorted(stars, key=lambda one: (one.fixed_digits, one)):
            self._outcome(one)

    def _overlaps(self) -> None:
        """Add rules for addresses that match two with stars of which neither is within the other."""
        for first, second in combinations(list(self._with_stars)[:_MOST_STARS], 2):
            if not first.overlaps(second) or contains(first, second) or contains(second, first):
                continue
            common = first.common(second)
            said = {self._outcomes[one].servers for one in (first, second)}
            if common in self._outcomes or (len(said) == 1 and self._worked_out(common).servers in said):
                continue
            outcome = self._outcome(common)
            line = next(line for one, line in self._star_lines() if one == second)
            word = Word(str(common), line.words[0].line, line.words[0].column)
            if outcome.servers:
                self._found.rule(line.source, word, outcome.servers, "what matches both of two rules above")
            elif outcome.fault:
                self._found.fault(line.source, word, outcome.fault)

    def _star_lines(self) -> Iterator[tuple[Pattern, Line]]:
        for host in self._survey.model.hosts:
            yield from ((found, host.line) for _, found in host.macs if found)
        yield from ((found, line) for found, _, line in self._survey.model.macs)

    def _clients(self, lines: Sequence[Line | Remark]) -> Iterator[str]:
        """Keep the rules of a file with their comments, and yield why lines make none."""
        mixed = any(isinstance(line, Line) and line.key not in CLIENTS for line in lines)
        remarks = sum(isinstance(line, Remark) and line.text is not None for line in lines)
        mixed |= remarks > 2 * (len(lines) - remarks) + 20  # the comments of a stock file
        above: list[Remark] = []
        for line in lines:
            if isinstance(line, Remark):
                above = [line] if mixed and line.text is None else [*above, line]
                continue
            if line.key in CLIENTS:
                before = len(self._found.entries)
                self._found.entries.extend(paragraph(above) if mixed else above)
                reason = self._line(line)
                if reason:
                    yield reason
                if reason and mixed:
                    del self._found.entries[before:]
            above = []
        if not mixed:
            self._found.entries.extend(above)

    def _line(self, line: Line) -> str:
        """Make rules of a line; return why it makes none."""
        host = self._host_of.get(id(line))
        macs = host.macs if host else [(w, pattern(w.text)) for w in line.words if MAC.fullmatch(w.text)]
        if host and not macs:
            return self._without_mac(host)
        outcomes = [(word, mac, self._outcome(mac) if mac else _foreign(word)) for word, mac in macs]
        if not any(outcome.servers or outcome.fault for _, _, outcome in outcomes):
            return _NO_SERVER
        comment = line.comment.strip()
        for word, mac, outcome in outcomes:
            if outcome.fault:
                self._found.fault(line.source, word, outcome.fault)
            elif outcome.servers and mac is not None:
                if self._said_before(mac, line, host):
                    continue
                key = word._replace(text=wildcard(word.text))
                if self._found.rule(line.source, key, outcome.servers, comment):
                    self._kept[mac] = line, host
                    continue
            self._found.not_imported(line.source, line.words[0].line)
        return ""

    def _said_before(self, mac: Pattern, line: Line, host: Host | None) -> bool:
        """Whether an earlier line has made the rule, and dnsmasq means both to be there."""
        first = self._kept.get(mac)
        if first is None:
            return False
        hosts = (host, first[1])
        apart = any(one is not None and (one.address or one.needs) for one in hosts)
        return first[0].key != line.key or apart

    def _without_mac(self, host: Host) -> str:
        """Name a host that has a server of its own but no MAC."""
        survey = self._survey
        points = survey.points(one for one in survey.places if host.is_in(one.ranges))
        if all(survey.results(*point, host=host) == survey.base[point] for point in points):
            return _NO_SERVER
        word = host.line.words[0]
        has = "no MAC" if host.ignore else "a boot server but no MAC"
        message = f"this has {has}, and rules are about MACs; write a rule with the client's"
        self._found.fault(host.line.source, word, message)
        self._found.not_imported(host.line.source, word.line)
        return ""


def _foreign(word: Word) -> _Outcome:
    """Say of an address that is none of Ethernet what is wrong."""
    if hardware(word.text) == ETHERNET:
        return _Outcome((), f"{quoted(word.text)} is no MAC; write it as in 00:11:22:33:44:55")
    kind = word.text.split("-")[0]
    return _Outcome((), f"{quoted(word.text)} is of hardware type {kind}; rules are about Ethernet addresses")
