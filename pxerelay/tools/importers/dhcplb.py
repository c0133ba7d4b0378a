"""The overrides of dhcplb: `{"v4": {MAC: {"host": ADDRESS, "tier": NAME, "expiration": TIME}}, "v6": {}}`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pxerelay.config import document
from pxerelay.config.data import Map, Mark
from pxerelay.tools.importers.found import Found, Servers
from pxerelay.tools.importers.source import Source, Word, quoted

_EXPECTED = 'write {"v4": {"02:00:00:10:00:01": {"host": "10.20.0.20"}}}'


def read(sources: Sequence[Source], found: Found) -> None:
    """Read the overrides of all files."""
    for source in sources:
        data = _parsed(source, found)
        if data is None:
            continue
        overrides = data.get("v4")
        if isinstance(overrides, Map):
            for key, value in overrides.items():
                _override(source, overrides, key, value, found)
        else:
            found.fault(source, Word("", 1, 1), f'there is no mapping "v4"; {_EXPECTED}')
        if data.get("v6"):
            found.notes.append(
                f"Left out, overrides for DHCPv6, which pxerelay does not relay: {len(data['v6'])}."
            )


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


def _override(source: Source, overrides: Map, key: str, value: Any, found: Found) -> None:
    mac = _word(key, overrides.key_mark(key))
    if not isinstance(value, Map):
        found.fault(
            source, _word("", overrides.value_mark(key)), 'this is no override; write {"host": "10.20.0.20"}'
        )
        return
    comments = []
    if value.get("expiration"):
        comments.append(f"until {value['expiration']} in dhcplb, here for good")
    if value.get("host"):
        host = _word(str(value["host"]), value.value_mark("host"))
        servers: Servers | None = (host.text,) if found.server(source, host) else None
    elif value.get("tier"):
        tier = _word(str(value["tier"]), value.value_mark("tier"))
        servers = found.given.get(tier.text)
        comments.insert(0, f"tier {tier.text}")
        if servers is None:
            found.fault(
                source,
                tier,
                f"the tier {quoted(tier.text)} has no address here; add --server NAME=ADDRESS with this name",
            )
    else:
        servers = None
        found.fault(source, mac, f'{quoted(key)} has neither "host" nor "tier"; {_EXPECTED}')
    if servers is None or not found.rule(source, mac, servers, ", ".join(comments)):
        found.remark(f" not imported, line {mac.line}: {key[:100]}")


def _word(text: str, mark: Mark) -> Word:
    return Word(text, mark.line, mark.column)
