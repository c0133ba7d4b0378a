"""Names of servers to addresses, wherever the configuration mentions one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from typing import Any

from pxerelay.config import addresses, schema
from pxerelay.config.addresses import Twice
from pxerelay.config.data import Document, List, Map
from pxerelay.config.findings import MOST, MOST_HINTS, Finding, did_you_mean
from pxerelay.policy.rules import Choice
from pxerelay.policy.servers import Address, Host, Pool, Probing, Strategy, Target
from pxerelay.wire.mac import MacError, parse_mac
from pxerelay.wire.text import ends

DROP = "drop"
"""The choice that is no server."""

ALL = "all"
"""The strategy by which each server of a list gets a copy; the others are members of `Strategy`."""

NOBODY = bytes.fromhex("027078650000")
"""Whom servers are asked for where the file does not say: an address that no hardware has (locally
administered, IEEE 802, 8.4), with `pxe` in it."""


MOST_SERVERS = 64
"""Servers that one request may go to, and addresses of one name."""


_MEANT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
"""What somebody meant for a server's name, or an address; of other texts the schema tells."""


class EnoughError(Exception):
    """There are so many faults that others need not be looked for."""


class Resolver:
    """Knows the `servers:` of the main file, and notes every fault that it is told of or meets.

    `servers` holds the addresses, DNS names or the pool behind each name; `mentioned` every host that
    requests may go to, `leaseless` those that the file says give no addresses; `findings` grows. Values of
    a shape that the schema refuses resolve to nothing, without a fault.
    """

    def __init__(self, main: Document) -> None:
        self.main = main
        self.findings: list[Finding] = []
        self.servers: dict[str, tuple[Target, ...]] = {}
        self.mentioned: set[Host] = set()
        self.leaseless: set[Target] = set()
        self._choices: dict[str, Choice | None] = {}
        servers = main.data.get("servers") if isinstance(main.data, Map) else None
        if isinstance(servers, Map):
            self._read_servers(servers)

    def fault(
        self, document: Document, path: Sequence[str | int], message: str, *, key: bool = False
    ) -> None:
        """Note a fault at the value of a path, or at its key; EnoughError if there are too many."""
        self.note(document.finding(document.mark_of(path, key=key), message))

    def note(self, finding: Finding) -> None:
        """Note a fault; EnoughError if there are too many."""
        self.findings.append(finding)
        if len(self.findings) > MOST:
            raise EnoughError

    def hint(self, name: str, known: Iterable[str]) -> str:
        """Return what may have been meant; nothing where there are very many faults already."""
        return did_you_mean(name, known) if len(self.findings) < MOST_HINTS else ""

    def choice(self, document: Document, value: Any, path: Sequence[str | int]) -> Choice | None:
        """Resolve a choice; equal ones are one object."""
        if isinstance(value, str):
            known = self._choices.get(value)
            if known is None:
                known = self._choices[value] = self._choice(document, value, path)
            return known
        return self._choice(document, value, path)

    def _choice(self, document: Document, value: Any, path: Sequence[str | int]) -> Choice | None:
        if value == DROP:
            return Choice(DROP, ())
        targets = self.targets(document, value, path)
        if not targets:
            return None
        label = value if isinstance(value, str) else ", ".join(map(str, value))
        return Choice(label, targets)

    def targets(self, document: Document, value: Any, path: Sequence[str | int]) -> tuple[Target, ...]:
        """Resolve names and addresses; each target once, in the order of the file."""
        found: dict[Target, None] = {}
        items = value if isinstance(value, List) else [value]
        twice = Twice(value) if isinstance(value, List) else None
        for at, item in enumerate(items):
            here = (*path, at) if isinstance(value, List) else path
            if not isinstance(item, str) or not _MEANT.fullmatch(item) or item == DROP:
                continue
            if item in self.servers:
                found.update(dict.fromkeys(self.servers[item]))
            elif addresses.looks_like_one(item):
                address = self._address(document, item, here)
                if address is not None:
                    self._find_double(document, here, twice, address, at)
                    self.mentioned.add(address)
                    found[address] = None
            else:
                hint = self.hint(item, self.servers) or "; name it under `servers:`"
                self.fault(document, here, f"unknown server '{ends(item)}'{hint}")
            if len(found) > MOST_SERVERS:
                message = f"more than {MOST_SERVERS} servers would get a copy of each request; name fewer"
                self.fault(document, path, message)
                break
        return tuple(found)

    def _address(self, document: Document, item: Any, path: Sequence[str | int]) -> Address | None:
        if not isinstance(item, str):
            return None
        address = addresses.parse(item)
        if address is None:
            if path[0] != "servers":
                self.fault(document, path, addresses.not_one(item))
            return None
        why = addresses.why_no_server(item, address)
        if why:
            self.fault(document, path, why)
            return None
        return address

    def _find_double(
        self, document: Document, path: Sequence[str | int], twice: Twice | None, address: Address, at: int
    ) -> None:
        """Note a fault if the address of an item stands in its list already, spelled in another way."""
        message = twice.said_of(address, at) if twice is not None else ""
        if message:
            self.fault(document, path, message)

    def _read_servers(self, servers: Map) -> None:
        for name, value in servers.items():
            path: tuple[str | int, ...] = ("servers", name)
            if isinstance(value, Map):
                found = self._hosts(value.get("addresses"), (*path, "addresses"))
                self.servers[name] = self._strategic(name, value, found)
                if value.get("leases") is False:
                    self.leaseless.update(self.servers[name])
            else:
                found = self._hosts(value, path)
                self.servers[name] = tuple(found)
            self.mentioned.update(found)

    def _hosts(self, value: Any, path: tuple[str | int, ...]) -> list[Host]:
        found: list[Host] = []
        if isinstance(value, List) and len(value) > MOST_SERVERS:
            message = f"{len(value)} addresses of one server; name at most {MOST_SERVERS}"
            self.fault(self.main, path, message)
            return []
        twice = Twice(value) if isinstance(value, List) else None
        for at, item in enumerate(value if isinstance(value, List) else [value]):
            if isinstance(item, str) and schema.pattern_of("hostname").search(item):
                found.append(item.rstrip(".").lower())
                continue
            here = (*path, at) if isinstance(value, List) else path
            address = self._address(self.main, item, here)
            if address is not None:
                self._find_double(self.main, here, twice, address, at)
                found.append(address)
        return found

    def _strategic(self, name: str, entry: Map, hosts: Sequence[Host]) -> tuple[Target, ...]:
        """Return what an entry with a strategy stands for; of one address a family, nothing is to choose."""
        text = entry.get("strategy", ALL)
        probing = self._probing(entry, ("servers", name, "probe"))
        if text == ALL:
            if probing is not None:
                message = (
                    "`probe` has a say with `strategy: failover` or `hash` only; take it out, or set one"
                )
                self.fault(self.main, ("servers", name, "probe"), message, key=True)
            return tuple(hosts)
        if text not in [strategy.value for strategy in Strategy] or not hosts:
            return tuple(hosts)
        ours = [isinstance(host, IPv4Address) for host in hosts if not isinstance(host, str)]
        if len(ours) == len(hosts) and max(ours.count(True), ours.count(False)) == 1:
            return tuple(hosts)
        strategy = Strategy(text)
        members = tuple(sorted(hosts, key=str) if strategy is Strategy.HASH else hosts)
        return (Pool(name, strategy, members, probing),)

    def _probing(self, entry: Map, path: tuple[str | int, ...]) -> Probing | None:
        value = entry.get("probe", False)
        if isinstance(value, bool):
            value = Map() if value else None
        if not isinstance(value, Map):
            return None
        every, timeout = (_seconds(value, key) for key in ("every", "timeout"))
        if every and timeout > every:
            message = (
                f"`timeout`, {timeout} s, is longer than `every`, {every} s, after which the server is asked "
                f"again; write a `timeout` of {every} or less, or a larger `every`"
            )
            self.fault(self.main, (*path, "timeout") if "timeout" in value else path, message)
        chaddr = NOBODY
        if isinstance(value.get("mac"), str):
            try:
                chaddr = parse_mac(value["mac"])
            except MacError as error:
                self.fault(self.main, (*path, "mac"), str(error))
        return Probing(every, timeout, chaddr)


def _seconds(probe: Map, key: str) -> int:
    """Return a number of seconds of `probe`, or its default; 0 for one that the schema refuses."""
    part = schema.schema()["$defs"]["probe"]["properties"][key]
    value = probe.get(key, part["default"])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if part["minimum"] <= value <= part["maximum"] else 0
