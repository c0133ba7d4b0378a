"""Clients as all relays of a fleet have seen them: traces on one clock, and unknown ones in one mapping."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

_STAMP = re.compile(r"(\d\d):(\d\d):(\d\d\.\d{3}) ")
"""How a message begins in the text of `pxerelay trace`; lines without it belong to the one before."""

_DAY = 86400.0
_HALF_A_DAY = 43200.0


def _last_line(answer: Mapping[str, Any]) -> str:
    told = str(answer.get("stderr") or answer.get("msg") or "no answer").strip().splitlines()
    return told[-1] if told else "no answer"


def timeline(answers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what clients did on all relays, in the order of time, each line with the relay's name.

    `answers` has for each host what came of `pxerelay trace` there, as text, with times in UTC. Hosts that
    said nothing of a message come last, with the reason if there is one.
    """
    width = max(map(len, answers), default=0)
    found: list[tuple[float, str]] = []
    silent = []
    for host, answer in answers.items():
        messages = _messages(str(answer.get("stdout", "")))
        found += [(at, f"{host:{width}}  {line}") for at, line in messages]
        if answer.get("unreachable"):
            silent.append(f"{host:{width}}  can't be reached")
        elif str(answer.get("rc")) != "0":
            silent.append(f"{host:{width}}  {_last_line(answer)}")
        elif not messages:
            silent.append(f"{host:{width}}  nothing was heard")
    times = [at for at, _unused in found]
    if times and max(times) - min(times) > _HALF_A_DAY:  # midnight was in between
        found = [(at if at > _HALF_A_DAY else at + _DAY, line) for at, line in found]
    return [line for _unused, line in sorted(found, key=lambda one: one[0])] + silent


def _messages(text: str) -> list[tuple[float, str]]:
    """Return the lines of messages, each with its seconds since midnight, without what comes before them."""
    found: list[tuple[float, str]] = []
    for line in text.splitlines():
        stamp = _STAMP.match(line)
        if stamp:
            hours, minutes, seconds = stamp.groups()
            found.append((int(hours) * 3600 + int(minutes) * 60 + float(seconds), line))
        elif found:
            found.append((found[-1][0], line))
    return found


def gathered(answers: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the unknown clients of all relays as one mapping in YAML, the last seen first.

    `answers` has for each host what came of `pxerelay unknown --json` there. A client is there once, with
    all places where it was seen, and falls to the server where it was seen last. MACs are quoted, so that
    Ansible understands them too. Hosts that did not answer are named.
    """
    seen: dict[str, list[_Sight]] = {}
    nameless: dict[str, list[_Sight]] = {}
    lines = []
    for host, answer in answers.items():
        if answer.get("unreachable") or str(answer.get("rc")) != "0":
            why = "can't be reached" if answer.get("unreachable") else _last_line(answer)
            lines.append(f"# {_plain(host)}: {_plain(why)}")
            continue
        told = json.loads(answer["stdout"])
        for client in told["clients"]:
            seen.setdefault(client["mac"], []).append(_sight(host, client))
        for client in told.get("without_mac", []):
            nameless.setdefault(client["duid"] or "none", []).append(_sight(host, client))
    if nameless:
        lines.append("# nobody told the MACs of these, so no rule can name them:")
        lines += [f"#   DUID {duid}, {_comment(places)}" for duid, places in _newest_first(nameless)]
    rules = [
        (f'  "{mac}": {_server(places[0][2]["server"])}', _comment(places))
        for mac, places in _newest_first(seen)
    ]
    if not rules:
        return (
            "\n".join(
                [
                    "# no client with a MAC fell to a default" if nameless else "# nobody fell to a default",
                    *lines,
                ]
            )
            + "\n"
        )
    width = max(len(rule) for rule, _unused in rules)
    head = "# fell to a default, newest first; put the right server in"
    return "\n".join([head, *lines, "rules:", *(f"{rule:{width}}  # {said}" for rule, said in rules)]) + "\n"


_Sight = tuple[datetime, str, Mapping[str, Any]]
"""When a client was seen last by a host, which host that is, and what it tells of the client."""


def _sight(host: str, client: Mapping[str, Any]) -> _Sight:
    return datetime.fromisoformat(client["last_seen"]), host, client


def _newest_first(seen: Mapping[str, list[_Sight]]) -> list[tuple[str, list[_Sight]]]:
    """Return clients by their names, each with its sights, all from the newest to the oldest."""
    rows = [(name, sorted(sights, key=_when, reverse=True)) for name, sights in seen.items()]
    return sorted(rows, key=lambda row: row[1][0][0], reverse=True)


def _when(sight: _Sight) -> datetime:
    return sight[0]


def _server(label: str) -> str:
    return f"[{label}]" if "," in label else label


def _comment(places: list[_Sight]) -> str:
    last, _unused, client = places[0]
    where: dict[str, list[str]] = {}
    for _unused, host, one in places:
        where.setdefault(one["interface"] or f"router {one.get('router') or one['giaddr']}", []).append(host)
    seen = "; ".join(f"{place} by {', '.join(hosts)}" for place, hosts in where.items())
    kind = client["vendor_class"] or ("booting" if client["pxe"] else "")
    parts = (seen, f"{last:%Y-%m-%d %H:%M}", kind, client.get("vendor", ""))
    return _plain(", ".join(filter(None, parts)))


def _plain(text: str) -> str:
    """Return text with nothing in it that would end a comment, or reach a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {"gathered": gathered, "timeline": timeline}
