"""What a reviewer asks of a mapping: which server a client gets, by which entry of which file, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pxerelay.answers import Target
from pxerelay.client import DescribedClient
from pxerelay.document import Document, Mark
from pxerelay.mac import format_mac
from pxerelay.mapping import RulePlaces
from pxerelay.model import Config
from pxerelay.relay import MEANING, Drop, recipients
from pxerelay.rules import Choice, Match, Reason
from pxerelay.words import target_text


@dataclass(frozen=True)
class Candidate:
    """An entry that applies to a client; `source` is its `file:line`."""

    reason: str
    rule: str
    label: str
    servers: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Explanation:
    """Where a client's requests go. `candidates` has what applies in the order of precedence.

    `sent_to` holds every address or DNS name that gets its requests, dhcp_servers included, and `note`
    says in words what else has a say.
    """

    mac: str
    candidates: tuple[Candidate, ...]
    sent_to: tuple[str, ...]
    sent_to_names: tuple[str, ...]
    note: str

    @property
    def winner(self) -> Candidate:
        """The candidate that chose."""
        return self.candidates[0]


def explain(
    config: Config,
    documents: Sequence[Document],
    chaddr: bytes,
    interface: str | None = None,
    vendor_class: bytes = b"PXEClient",
    architectures: tuple[int, ...] = (),
) -> Explanation:
    """Decide as the daemon would for a client with these facts, and tell of what lost.

    `interface` is the client interface it would be heard on; with None it comes through a router. A
    name that no entry of `interfaces` means raises LookupError.
    """
    setting = None
    if interface is not None:
        setting = config.setting_for(interface)
        if setting is None:
            entries = ", ".join(entry.name for entry in config.interfaces) or "none"
            raise LookupError(f"no entry of `interfaces:` means '{interface}'; there are: {entries}")
    client = DescribedClient(chaddr, interface, vendor_class, architectures)
    origins = _Origins(documents)
    matches = tuple(config.policy.candidates(client, setting.default if setting else None))
    pxe_only = setting.pxe_only if setting else config.pxe_only
    sent = recipients(config, client, matches[0].choice, pxe_only=pxe_only)
    targets = () if isinstance(sent, Drop) else sent
    return Explanation(
        mac=format_mac(chaddr),
        candidates=tuple(_candidate(match, origins) for match in matches),
        sent_to=tuple(map(str, targets)),
        sent_to_names=tuple(target_text(config, target) for target in targets),
        note=_note(sent, matches[0].choice),
    )


def _candidate(match: Match, origins: _Origins) -> Candidate:
    servers = tuple(map(str, match.choice.servers))
    return Candidate(match.reason.value, match.rule, match.choice.label, servers, origins.of(match))


def _note(sent: tuple[Target, ...] | Drop, choice: Choice) -> str:
    if isinstance(sent, Drop):
        return MEANING[sent]
    if set(choice.servers).isdisjoint(sent):
        return "pxe_only: a client that is not booting from the network reaches the dhcp_servers alone"
    return ""


class _Origins:
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
        return f"{place.document.name}:{place.mark.line}"

    def _place(self, mark: Mark) -> str:
        return f"{self._main.name}:{mark.line}"


def as_text(explanation: Explanation) -> str:
    """Return an explanation for a terminal."""
    winner, *losers = explanation.candidates
    width = max(len(candidate.reason) for candidate in explanation.candidates)
    lines = [
        f"{explanation.mac} -> {', '.join(explanation.sent_to_names) or 'dropped'}",
        f"  wins  {_row(winner, width)}",
        *(f"  lost  {_row(loser, width)}" for loser in losers),
    ]
    if explanation.note:
        lines.append(f"  note: {explanation.note}")
    return "\n".join(lines)


def _row(candidate: Candidate, width: int) -> str:
    return f"{candidate.reason:{width}}  {candidate.rule}: {candidate.label}  ({candidate.source})"


def as_json(explanation: Explanation) -> str:
    """Return an explanation as one JSON object."""
    winner = explanation.winner
    return json.dumps(
        {
            "mac": explanation.mac,
            "servers": winner.servers,
            "rule": winner.rule,
            "source": winner.source,
            "reason": winner.reason,
            "choice": winner.label,
            "sent_to": explanation.sent_to,
            "note": explanation.note,
            "lost": [
                {
                    "servers": loser.servers,
                    "rule": loser.rule,
                    "source": loser.source,
                    "reason": loser.reason,
                    "choice": loser.label,
                }
                for loser in explanation.candidates[1:]
            ],
        },
        ensure_ascii=False,
    )


FORMATS = {"text": as_text, "json": as_json}
"""The values of `explain --format`."""
