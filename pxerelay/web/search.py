"""A search: what somebody types, to what is known of a client, or to those that may be meant."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pxerelay.linux.control_client import NoDaemonError
from pxerelay.linux.memory import give_back
from pxerelay.linux.vendors import blocks_of, vendors
from pxerelay.policy.rules import Reason
from pxerelay.web.advice import advice
from pxerelay.web.daemon_client import DaemonClient, RefusedError
from pxerelay.web.rule_index import Entry, RuleIndex, build
from pxerelay.web.seen import Memory
from pxerelay.wire.mac import MAC_DIGITS, format_mac
from pxerelay.wire.text import printable_all

MOST = 50
"""Rules, and clients, that are listed of those that a text may mean."""

LONGEST = 100
"""Characters of a text that is looked for."""

_AGAIN = 30.0
"""Seconds until files that could not be read are tried again."""

_LEAST_DIGITS = 2
_MOST_BLOCKS = 3000
_VENDORS_KEPT = 32

_SEPARATORS = re.compile(r"[\s:.\-]+")
_HEX = re.compile(r"[0-9a-f]+")


def digits_of(text: str) -> str:
    """Return the hex digits of a text that may be an address or a part of one; empty if it is none."""
    bare = _SEPARATORS.sub("", text.strip().lower().removesuffix("*"))
    return bare if _HEX.fullmatch(bare) and _LEAST_DIGITS <= len(bare) <= MAC_DIGITS else ""


def mac_of(text: str) -> str:
    """Return the address that a text spells, in whatever way; empty if it is none."""
    digits = digits_of(text)
    return format_mac(bytes.fromhex(digits)) if len(digits) == MAC_DIGITS else ""


class Search:
    """Looks in the mapping that runs, and in what was heard."""

    def __init__(self, daemon: DaemonClient, memory: Memory) -> None:
        self._daemon = daemon
        self._memory = memory
        self._index = RuleIndex()
        self._built = float("-inf")
        self._building: asyncio.Task[None] | None = None
        self._blocks: OrderedDict[str, list[str]] = OrderedDict()

    @property
    def rules(self) -> int:
        """How many rules are indexed."""
        return len(self._index)

    async def refresh(self, config: Mapping[str, Any], patience: float = 1.0) -> None:
        """Have the index be that of a configuration; one that takes longer to read comes when it is ready."""
        known = config.get("sha256") == self._index.sha256
        if known and (not self._index.trouble or time.monotonic() - self._built < _AGAIN):
            return
        if self._building is None or self._building.done():
            self._building = asyncio.get_running_loop().create_task(self._build(config))
        await asyncio.wait({self._building}, timeout=patience)

    async def _build(self, config: Mapping[str, Any]) -> None:
        self._index = await asyncio.to_thread(build, dict(config))
        give_back()  # what reading took
        self._built = time.monotonic()

    def place_of(self, reason: str, rule: str) -> str:
        """Return the `file:line` of an entry; empty if it is not known."""
        entry = self._index.find(Reason(reason), rule)
        return entry.source if entry else ""

    async def find(self, text: str) -> dict[str, Any]:
        """Return what a text means: a client, or lists of rules and clients; or the `error` of the daemon."""
        text = text.strip()[:LONGEST]
        found: dict[str, Any] = {"query": text, "client": None, "rules": [], "clients": [], "error": ""}
        if not text:
            return found
        try:
            if mac := mac_of(text):
                found["client"] = await self.client(mac)
            else:
                found |= await self._listed(text)
        except (NoDaemonError, RefusedError) as error:
            found["error"] = str(error)
        checked: dict[str, Any] = printable_all(found)
        return checked

    async def client(self, mac: str) -> dict[str, Any]:
        """Return all there is to say of a client."""
        start = await self._daemon.client(mac)
        await self.refresh(start["config"])
        octets = bytes.fromhex(mac.replace(":", ""))
        names = await asyncio.to_thread(vendors, [octets])
        seen, now = self._memory.of(mac), time.time()
        return {
            "mac": mac,
            "vendor": names.get(octets, ""),
            "mapping": [self._placed(entry) for entry in start["mapping"]],
            "places": self._index.trouble or ("" if self._current(start) else "the rules are being read"),
            "seen": {str(family): known for family, known in sorted(seen.items())},
            "listening_since": self._memory.since,
            "fell_to_default": start["unknown"],
            "advice": advice(seen, start, now),
            "now": now,
        }

    def _current(self, start: Mapping[str, Any]) -> bool:
        return bool(start["config"].get("sha256") == self._index.sha256)

    def _placed(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the mapping says, with what the files say of it."""
        told = {"family": 4, **entry, **self._said(entry)}
        told["lost"] = [{**loser, **self._said(loser)} for loser in entry.get("lost", ())]
        return told

    def _said(self, entry: Mapping[str, Any]) -> dict[str, str]:
        found = self._index.find(Reason(entry["reason"]), entry["rule"]) or Entry("", "")
        return {"source": found.source, "owner": found.owner, "until": found.until, "note": found.note}

    async def _listed(self, text: str) -> dict[str, Any]:
        status = await self._daemon.status()
        await self.refresh(status["config"])
        index, memory, digits = self._index, self._memory, digits_of(text)
        age, answer = await self._daemon.unknown()
        unknown = answer["clients"]
        rules, macs, strangers = list[Entry](), list[str](), list[Mapping[str, Any]]()
        if digits:
            rules += await asyncio.to_thread(index.of_digits, digits, MOST)
            macs += memory.with_digits(digits, MOST)
            strangers += [one for one in unknown if digits in str(one["mac"] or "").replace(":", "")]
        rules += await asyncio.to_thread(index.of_remark, text, MOST)
        if blocks := await self._vendor(text):
            rules += await asyncio.to_thread(index.of_blocks, blocks, MOST)
            macs += memory.of_blocks(blocks, MOST)
            begins = tuple(blocks)
            strangers += [one for one in unknown if str(one["mac"] or "").replace(":", "").startswith(begins)]
        return {
            "rules": [rule.plain for rule in dict.fromkeys(rules)][:MOST],
            "clients": self._clients(macs, strangers, time.time() - age),
            "places": index.trouble,
            "most": MOST,
        }

    def _clients(
        self, macs: Iterable[str], strangers: Iterable[Mapping[str, Any]], told_at: float
    ) -> list[dict[str, Any]]:
        """Return those that were heard, and those of the unknown clients, as the daemon told of them then."""
        told: dict[str, dict[str, Any]] = {}
        for mac in macs:
            for known in self._memory.of(mac).values():
                asked = known.get("asked") or {}
                at = asked.get("at") or (known.get("answered") or {}).get("at")
                told[mac] = {
                    "mac": mac,
                    "interface": asked.get("interface", ""),
                    "at": at,
                    "what": asked.get("client", ""),
                }
        for one in strangers:
            if one["mac"]:
                row = {
                    "mac": one["mac"],
                    "interface": one["interface"] or one["router"] or "",
                    "at": told_at - one["last_ago"],
                    "what": one["vendor_class"],
                }
                told.setdefault(one["mac"], row)
        return _newest(list(told.values()))

    async def _vendor(self, text: str) -> Sequence[str]:
        """Return the blocks of vendors with such a name."""
        key = text.lower()
        if key not in self._blocks:
            self._blocks[key] = await asyncio.to_thread(blocks_of, key, _MOST_BLOCKS) if len(key) > 2 else []
            if len(self._blocks) > _VENDORS_KEPT:
                self._blocks.popitem(last=False)
        return self._blocks[key]


def _newest(clients: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(clients, key=lambda client: -(client["at"] or 0))[:MOST]
