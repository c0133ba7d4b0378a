"""What `pxerelay trace` prints of the events that the daemon tells (`trace`), and of silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pxerelay.policy.rules import Reason
from pxerelay.relay.account import Account, AnyAccount
from pxerelay.relay.account6 import Account6
from pxerelay.relay.words import entry_text

QUIET, STILL_QUIET = 10.0, 60.0
"""Seconds of silence until it is told of, and told of again."""

_SHOWN = 8
"""Names that are shown of many."""

_DHCPV6 = 6

Place = Callable[[Reason, str], str]
"""Returns the `file:line` of an entry, given by its kind and its name; empty if that is not known."""


def nowhere(_reason: Reason, _rule: str) -> str:
    """Return no location: the `Place` to use where none is known."""
    return ""


def mapping_text(mapping: Iterable[Mapping[str, Any]], place: Place) -> list[str]:
    """Return what the mapping says of a client, by where it is heard, and what lost."""
    lines = []
    entries = list(mapping)
    for entry in entries:
        family = "DHCPv6: " if entry.get("family") == _DHCPV6 else ""
        alone = sum(other.get("family") == entry.get("family") for other in entries) == 1
        where = family if alone else f"{family}{_where(entry['where'])}: "
        to = ", ".join(entry["servers"]) or f"dropped: {entry['dropped']}"
        lines.append(f"  {where}{_entry(entry, place)} -> {to}")
        lines.extend(f"    lost: {_entry(loser, place)}" for loser in entry["lost"])
    return lines


def _where(names: Sequence[str | None]) -> str:
    shown = [name or "behind a router" for name in names[:_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _entry(entry: Mapping[str, Any], place: Place) -> str:
    reason, rule = Reason(entry["reason"]), entry["rule"]
    return f"{entry_text(reason, rule, place(reason, rule))} says {entry['choice']}"


def start_text(event: Mapping[str, Any]) -> str:
    """Return the first line: what is watched, and where."""
    where = f"on {event['interface']}" if event["interface"] else "wherever it is heard"
    return f"watching {event['watching']} {where}; Ctrl-C ends it"


def state_text(event: Mapping[str, Any], place: Place) -> list[str]:
    """Return the lines below it: what the mapping says, and which interfaces wait."""
    lines = [f"interface {text}" for text in event["waiting"]]
    if not event["active"] and not event["routers"]:
        lines.append("no client interface is active, so nothing can be heard")
    if event["mapping"]:
        lines = ["the mapping says now:", *mapping_text(event["mapping"], place), *lines]
    return lines


def event_text(event: Mapping[str, Any], place: Place) -> list[str]:
    """Return the lines of an event."""
    kind = event["event"]
    if kind == "message":
        return [message_text(event, place)]
    if kind == "lost":
        return [f"{event['lines']} lines lost: they came faster than they were taken"]
    if kind == "interface":
        return [f"interface {event['text']}"]
    if kind == "refused":
        return [f"a new configuration was refused, the old one stays: {event['error']}"]
    head = "the configuration was loaded again" if kind == "reload" else "the mapping changed"
    if not event["mapping"]:
        return [head]
    return [f"{head}; the mapping says now:", *mapping_text(event["mapping"], place)]


def account_of(event: Mapping[str, Any]) -> AnyAccount:
    """Return what a `message` event tells."""
    return Account6.of_plain(event) if event.get("family") == _DHCPV6 else Account.of_plain(event)


def message_text(event: Mapping[str, Any], place: Place) -> str:
    """Return the line of a message and what became of it."""
    account = account_of(event)
    source = place(Reason(account.reason), account.rule) if account.reason else ""
    took = event.get("milliseconds")
    text = account.text(source, f" after {took} ms" if took is not None else "")
    return text + "".join(f"; BUT {failure}" for failure in event["failures"])


class Silence:
    """Notices that nothing comes, and tells what that may mean. Times are monotonic seconds."""

    def __init__(self, start: Mapping[str, Any], now: float) -> None:
        self._start = start
        self._last: AnyAccount | None = None
        self._unanswered: AnyAccount | None = None
        self._since = now
        self._next = now + QUIET

    @property
    def next(self) -> float:
        """When there is something to tell, if nothing comes until then."""
        return self._next

    def broken(self, event: Mapping[str, Any], now: float) -> None:
        """Note a message."""
        account = self._last = account_of(event)
        if account.request:
            self._unanswered = account if account.servers else None
        elif not account.dropped:
            self._unanswered = None
        self._since, self._next = now, now + QUIET

    def told(self, now: float) -> tuple[float, str]:
        """Return for how many seconds nothing has come, and what to say of it."""
        self._next = now + STILL_QUIET
        quiet = now - self._since
        return quiet, f"nothing heard from {self._start['watching']} for {quiet:.0f} s{self._meaning()}"

    def _meaning(self) -> str:
        place, last = self._start["interface"], self._last
        if last is None:
            where = f"on {place}" if place else _heard_where(self._start)
            return (
                f": is it on, and past its power-on test? Cable, VLAN of its switch port? We hear {where}; "
                "behind a router: its helper address, and `accept_relayed_from:`"
            )
        if last.dropped:
            return f"; its last message was dropped: {last.meaning}"
        if self._unanswered is None:
            answered = f"; its last message was answered{f': {last.refusal}' if last.refusal else ''}"
            return "" if last.request else answered
        servers = ", ".join(map(str, self._unanswered.servers))
        return f"; its last request went to {servers}{self._unanswered.unanswered}"


def _heard_where(start: Mapping[str, Any]) -> str:
    routers = [f"routers in {text}" for text in start["routers"]]
    return ", ".join([*start["active"][:_SHOWN], *routers[:_SHOWN]]) or "nowhere"
