"""The clients that were heard since the page began to listen: when, where, what they said, who answered.

It is made of the sample of messages that the daemon tells of (`relay.trace.SAMPLE`), and forgotten with the
process. Texts are as long as they may be of use; so many clients are remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pxerelay.web.texts import Texts
from pxerelay.wire.text import ends, printable

MOST = 8192
"""Clients that are remembered: some 0.7 KB each."""

_MOST_TEXTS = 4096
"""Texts that are there once, however many clients say them."""

_LONGEST = 100
"""Characters of a text that somebody said."""

_OF_REQUEST = ("interface", "router", "client", "message", "reason", "rule", "choice", "dropped", "meaning")
_OF_REPLY = ("message", "boot_file", "next_server", "address", "milliseconds", "dropped", "meaning")

_ASKED = ("at", *_OF_REQUEST, "servers")
_ANSWERED = ("at", *_OF_REPLY, "leases", "server")

Seen = dict[str, Any]
"""What is known of a client in one family: `asked` and `answered`, each None or with `at` (since 1970)."""

_Values = tuple[Any, ...]
"""Those of `_ASKED` or `_ANSWERED`: a dictionary for each client would take three times the room."""


class Memory:
    """Remembers clients by MAC; of too many the one that was heard longest ago is forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self.since: float | None = None
        self._most = most
        self._texts = Texts(_MOST_TEXTS)
        self._clients: OrderedDict[str, dict[int, tuple[_Values | None, _Values | None]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._clients)

    def note(self, event: Mapping[str, Any]) -> None:
        """Take down an event `message` of a trace."""
        mac = event.get("mac")
        if not isinstance(mac, str) or not mac:
            return
        families = self._clients.get(mac)
        if families is None:
            families = self._clients[mac] = {}
            if len(self._clients) > self._most:
                self._clients.popitem(last=False)
        self._clients.move_to_end(mac)
        family = int(event.get("family", 4))
        asked, answered = families.get(family, (None, None))
        once = self._texts.once
        if event.get("request"):
            servers = tuple(once(_server(one)) for one in event.get("servers", ()))
            asked = *_told(event, _OF_REQUEST, once), servers
        else:
            leases = tuple(ends(str(one), _LONGEST) for one in event.get("leases", ()))[:4]
            told = *_told(event, _OF_REPLY, once), leases, once(_server(event.get("server")))
            if told[_BOOT_FILE] or not (answered and answered[_BOOT_FILE]):
                answered = told
        families[family] = asked, answered

    def of(self, mac: str) -> dict[int, Seen]:
        """Return what is known of a client, by family."""
        return {
            family: {"asked": _named(_ASKED, asked), "answered": _named(_ANSWERED, answered)}
            for family, (asked, answered) in self._clients.get(mac, {}).items()
        }

    def with_digits(self, digits: str, most: int) -> list[str]:
        """Return MACs with these hex digits in a row, the last heard first."""
        found = (mac for mac in reversed(self._clients) if digits in mac.replace(":", ""))
        return [mac for mac, _ in zip(found, range(most), strict=False)]

    def of_blocks(self, blocks: Iterable[str], most: int) -> list[str]:
        """Return MACs that begin with one of these hex digits, the last heard first."""
        begins = tuple(blocks)
        found = (mac for mac in reversed(self._clients) if mac.replace(":", "").startswith(begins))
        return [mac for mac, _ in zip(found, range(most), strict=False)] if begins else []


_BOOT_FILE = _ANSWERED.index("boot_file")


def _told(event: Mapping[str, Any], keys: Iterable[str], once: Callable[[str], str]) -> _Values:
    """Return when it was and these values; texts that many clients have are there once."""
    values = (event.get(key, "") for key in keys)
    texts = (once(printable(ends(one, _LONGEST))) if isinstance(one, str) else one for one in values)
    return event.get("at"), *texts


def _named(keys: Sequence[str], values: _Values | None) -> Seen | None:
    if values is None:
        return None
    return {key: list(one) if isinstance(one, tuple) else one for key, one in zip(keys, values, strict=True)}


def _server(server: Mapping[str, Any] | None) -> str:
    """Return a server's name and address."""
    if not server:
        return ""
    name, address = server.get("name"), server.get("address", "")
    return printable(f"{name} {address}" if name and name != address else str(address))
