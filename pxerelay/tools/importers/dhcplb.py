"""The overrides of dhcplb: `{"v4": {MAC: {"host": ADDRESS, "tier": NAME, "expiration": TIME}}, "v6": {}}`.

Those of v6 are by MAC, too. An override that has expired holds no more, as a rule after its `until`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pxerelay.config import document
from pxerelay.config.data import Map, Mark
from pxerelay.policy.days import day_text, parse_day
from pxerelay.tools.importers import families
from pxerelay.tools.importers.found import Found, Servers, address6, family_of
from pxerelay.tools.importers.source import Source, Word, quoted

_EXPECTED = 'write {"v4": {"02:00:00:10:00:01": {"host": "10.20.0.20"}}}'


def read(sources: Sequence[Source], found: Found) -> None:
    """Read the overrides of all files."""
    said: dict[str, list[tuple[Source, Map]]] = {"v4": [], "v6": []}
    for source in sources:
        data = _parsed(source, found)
        if data is None:
            continue
        of4, of6 = (data.get(name) for name in said)
        if isinstance(of4, Map):
            said["v4"].append((source, of4))
        elif of4 is not None or not isinstance(of6, Map):
            found.fault(source, Word("", 1, 1), f'there is no mapping "v4"; {_EXPECTED}')
        if isinstance(of6, Map) and (of6 or of4 is None):
            said["v6"].append((source, of6))
        elif of6 is not None and not isinstance(of6, Map):
            found.fault(source, Word("", 1, 1), f'"v6" is no mapping; {_EXPECTED}')
    sides = {name: found.apart() if all(said.values()) else found for name in said}
    for name, parts in said.items():
        for source, overrides in parts:
            for key, value in overrides.items():
                _override(source, overrides, key, value, sides[name], _FAMILIES[name])
    if all(said.values()):
        families.join(sides["v4"], sides["v6"], found)
    elif said["v6"]:
        families.only_6(found)


_FAMILIES = {"v4": 4, "v6": 6}


def _parsed(source: Source, found: Found) -> Map | None:
    """Return the document, with places: JSON's parser judges it, that of YAML tells places."""
    try:
        json.loads(source.text)
    except json.JSONDecodeError as error:
        place = Word("", error.lineno, error.colno)
        found.fault(source, place, f"not JSON: {error.msg}; mend it here or in the line above")
        return None
    except (RecursionError, ValueError):
        found.fault(
            source,
            Word("", 1, 1),
            f"no overrides of dhcplb: nested too deep, or a number too long; {_EXPECTED}",
        )
        return None
    parsed = document.parse(source.name, source.text.replace("\t", " "))
    found.findings.extend(parsed.faults)
    if isinstance(parsed.data, Map):
        return parsed.data
    if not parsed.faults:
        found.fault(source, Word("", 1, 1), f"this is no mapping; {_EXPECTED}")
    return None


def _override(source: Source, overrides: Map, key: str, value: Any, found: Found, family: int) -> None:
    mac = _word(key, overrides.key_mark(key))
    if not isinstance(value, Map):
        found.fault(
            source, _word("", overrides.value_mark(key)), 'this is no override; write {"host": "10.20.0.20"}'
        )
        return
    comments: list[str] = []
    more: tuple[tuple[str, str], ...] = ()
    if value.get("expiration"):
        expiration = _word(str(value["expiration"]), value.value_mark("expiration"))
        day = _last_day(expiration.text)
        if day is None:
            message = f"{quoted(expiration.text)} is no time of dhcplb, such as 2027/01/31 18:00 +0100"
            found.fault(source, expiration, message)
        else:
            more = (("until", day),)
            comments.append(f"until {expiration.text} in dhcplb, here to the end of {day}")
    if value.get("host"):
        host = _word(str(value["host"]), value.value_mark("host"))
        server = str(address6(host.text) or host.text)
        servers: Servers | None = (server,) if found.server(source, host, family) else None
    elif value.get("tier"):
        tier = _word(str(value["tier"]), value.value_mark("tier"))
        given = found.given.get(tier.text)
        servers = None if given is None else tuple(one for one in given if family_of(one) in (0, family))
        comments.insert(0, f"tier {tier.text}")
        if not servers:
            which = "address" if given is None else f"IPv{family} address"
            found.fault(
                source,
                tier,
                f"the tier {quoted(tier.text)} has no {which} here; add --server NAME=ADDRESS with this name",
            )
    else:
        servers = None
        found.fault(source, mac, f'{quoted(key)} has neither "host" nor "tier"; {_EXPECTED}')
    if not servers or not found.rule(source, mac, servers, ", ".join(comments), more):
        found.remark(f" not imported, line {mac.line}: {key[:100]}")


def _word(text: str, mark: Mark) -> Word:
    return Word(text, mark.line, mark.column)


_TIME = re.compile(r"(\d{4})/(\d{2})/(\d{2}) (\d{2}):(\d{2}) [+-]\d{4}")
"""How dhcplb writes when an override ends."""


def _last_day(text: str) -> str | None:
    """Return the last day on which an override holds, if only for a part of it; None for no such time."""
    match = _TIME.fullmatch(text.strip())
    if match is None or int(match[4]) > _LAST_HOUR or int(match[5]) > _LAST_MINUTE:
        return None
    try:
        day = parse_day(f"{match[1]}-{match[2]}-{match[3]}")
    except ValueError:
        return None
    return day_text(day - (match[4] + match[5] == "0000"))


_LAST_HOUR, _LAST_MINUTE = 23, 59
