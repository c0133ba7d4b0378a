"""What `replay` prints: verdicts, their sum, and differences, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pxerelay.relay import words
from pxerelay.tools.simulate import decode
from pxerelay.tools.simulate.dual_stack import Group
from pxerelay.tools.simulate.offline import UNKNOWN_GIADDR
from pxerelay.tools.simulate.verdict import Fate, Verdict
from pxerelay.wire import packet


def line(verdict: Verdict, time: str) -> str:
    """Return a verdict as one line."""
    subject = verdict.subject
    kind = f" ({subject.kind})" if subject.kind else ""
    return f"{time}  {subject.label} on {subject.place}: {verdict.message}{kind} {_fate(verdict)}"


def _fate(verdict: Verdict) -> str:
    chosen = _rule(verdict)
    if verdict.fate is Fate.RELAYED:
        if verdict.is_reply:
            return f"-> {verdict.target}"
        return f"-> {_servers(verdict)}, {chosen}, {verdict.called} {verdict.standing}"
    what = f"{verdict.fate.value}: {verdict.reason}"
    return f"{what}, {chosen}" if chosen else what


def _servers(verdict: Verdict) -> str:
    return ", ".join(map(str, verdict.servers))


def as_json(verdict: Verdict, time: str) -> str:
    """Return a verdict as one JSON object."""
    datagram = verdict.datagram
    return _json(
        {
            "packet": datagram.number,
            "time": time,
            **verdict.subject.plain,
            "vlans": datagram.tags,
            "direction": "reply" if verdict.is_reply else "request",
            "message": verdict.message,
            **_outcome(verdict),
        }
    )


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _outcome(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.fate.value,
        "servers": [server.address for server in verdict.servers],
        "server_names": [server.name or None for server in verdict.servers],
        "rule": verdict.match.rule if verdict.match else None,
        "rule_kind": verdict.match.reason.value if verdict.match else None,
        "source": verdict.source or None,
        f"set_{verdict.called.replace('-', '_')}": verdict.standing or None,
        "target": verdict.target or None,
        "drop": verdict.drop.value if verdict.drop else None,
        "reason": verdict.reason or None,
    }


class Sum:
    """Counts verdicts. `others` are packets that are no DHCP, by what they are."""

    def __init__(self, others: Mapping[str, int] | None = None) -> None:
        self.others = Counter(others or {})
        self._fates: Counter[tuple[Fate, bool]] = Counter()
        self._drops: Counter[str] = Counter()
        self._clients: set[str] = set()
        self.advice: dict[str, None] = {}

    def add(self, verdict: Verdict) -> None:
        """Count a verdict."""
        self._fates[verdict.fate, verdict.is_reply] += 1
        self._clients.add(verdict.subject.who)
        if verdict.drop:
            self._drops[verdict.drop.value] += 1
        if verdict.fate is Fate.UNDECIDED:
            self.advice.setdefault(verdict.reason)

    def text(self) -> str:
        """Return it for people."""
        total = sum(self._fates.values())
        lines = [
            f"{_many(total, 'DHCP packet')} of {_many(len(self._clients), 'client')}, "
            f"{self.others.total()} others"
        ]
        for fate in Fate:
            requests, replies = self._fates[fate, False], self._fates[fate, True]
            if requests or replies:
                lines.append(
                    f"  {fate.value:17}  {_many(requests, 'request')}, {_many(replies, 'reply', 'replies')}"
                )
        lines += (f"    {number} {reason}" for reason, number in sorted(self._drops.items()))
        if self.others:
            told = ", ".join(f"{number} {name}" for name, number in self.others.most_common())
            lines.append(f"  {'others':17}  {told}")
        return "\n".join(lines)

    def as_json(self) -> str:
        """Return it for programs."""
        sides = {"requests": False, "replies": True}
        fates = {
            fate.value: {side: self._fates[fate, is_reply] for side, is_reply in sides.items()}
            for fate in Fate
        }
        counts = {"clients": len(self._clients), "others": self.others.total(), "drops": dict(self._drops)}
        return _json({"summary": {**fates, **counts, "other_kinds": dict(self.others)}})


def _many(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def differences(groups: Iterable[Group]) -> str:
    """Return for people what would differ, clients that move the same way together."""
    moves: dict[str, list[str]] = {}
    for group in groups:
        kind = f" ({group.subject.kind})" if group.subject.kind else ""
        rules = " -> ".join(_rule(verdict) or "no rule" for verdict in (group.before, group.after))
        head = f"{_where_to(group.before)} -> {_where_to(group.after)}"
        requests = _many(group.requests, "request")
        moves.setdefault(head, []).append(
            f"  {group.subject.label} on {group.subject.place}{kind}: {rules}; {requests}"
        )
    if not moves:
        return "nothing would differ"
    return "\n".join(text for head, lines in moves.items() for text in (head, *lines))


def packet_text(verdict: Verdict) -> str:
    """Return for people the octets that leave, decoded, next to what came in."""
    if verdict.sent is None:
        return f"  nothing leaves: {_fate(verdict)}"
    to = verdict.target or ", ".join(f"{server} port {packet.SERVER_PORT}" for server in verdict.servers)
    came = verdict.datagram.payload
    lines = [f"  {verdict.message} to {to}"]
    if verdict.standing == UNKNOWN_GIADDR:
        lines.append(
            f"  giaddr stands for that of {verdict.subject.place}, which is not known here; give --giaddr"
        )
    for text in (decode.as_text(came, verdict.sent), "", decode.hexdump(came, verdict.sent)):
        lines.extend(f"  {line}".rstrip() for line in text.split("\n"))
    return "\n".join(lines)


def packet_plain(verdict: Verdict) -> dict[str, Any]:
    """Return for programs the same."""
    found: dict[str, Any] = _outcome(verdict)
    if verdict.sent is not None:
        shown, gone = decode.compared(verdict.datagram.payload, verdict.sent)
        found["octets"] = verdict.sent.hex()
        found["fields"] = [
            {"name": field.name, "text": field.text, "was": was or None, "new": new}
            for field, was, new in shown
        ]
        found["gone"] = [{"name": field.name, "text": field.text} for field in gone]
    return found


def difference_json(group: Group) -> str:
    """Return for programs what would differ for one client."""
    return _json(
        {
            **group.subject.plain,
            "requests": group.requests,
            "before": _outcome(group.before),
            "after": _outcome(group.after),
        }
    )


def _where_to(verdict: Verdict) -> str:
    return _servers(verdict) or f"dropped ({verdict.drop.value if verdict.drop else verdict.reason})"


def _rule(verdict: Verdict) -> str:
    """Tell which entry chose, and where it stands; nothing if none was asked."""
    return f"{words.why(verdict.match)} ({verdict.source})" if verdict.match else ""
