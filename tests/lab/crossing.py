"""Boots that begin through one relay and go on through another, which thinks otherwise of a server.

The second server's answers to the questions of one relay are dropped on their way, so that relay takes it for
down, though requests reach it. Then another relay is drained between the OFFERs and the REQUESTs.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, closing
from ipaddress import ip_address
from typing import Any, NamedTuple

from tests.lab import dhcp6
from tests.lab.anycast import CORE, RELAYS, SERVER_PLACES, SERVERS, AnycastNetwork, place_of, wait_for
from tests.lab.frames import Datagram
from tests.lab.helper import LINGER, Asked, Helper, options
from tests.lab.network import Host
from tests.lab.relayhost import PXERELAY, RelayHost
from tests.lab.wire import Station
from tests.lab.wire6 import Station6
from tests.unit.messages import DISCOVER

CLIENTS = 300
MISTAKEN, DRAINED = "relay2", "relay1"
"""The relay that takes a server for down, and the one that is drained in the middle."""

_UNHEARD = "boot2"
_EVERY = 1 / 300
_TYPE = 53


class _Seen(NamedTuple):
    """Where a message of a client has arrived: at which server, through which relay."""

    server: str
    relay: str


def cross(network: AnycastNetwork) -> dict[str, Any]:
    """Return for each family what became of the boots of CLIENTS clients.

    `offered`, `confirmed`: clients with an OFFER (ADVERTISE), with an answer to their REQUEST. `moved`: those
    whose REQUEST came through another relay. `elsewhere`: whose REQUEST was at no server that the DISCOVER
    was at (only the one that it names confirms it). `both`: whose DISCOVER was at both, as where a server is
    in doubt. `copied`: whose REQUEST was at both, as in DHCPv6 where a relay does not know yet whose DUID it
    names. `mistaken`: whose REQUEST the mistaken relay sent to the server that it takes for down.
    """
    mistaken = RelayHost(network.lab.name, MISTAKEN)
    drained = RelayHost(network.lab.name, DRAINED)
    unheard, core = SERVERS[SERVER_PLACES[_UNHEARD]], CORE[place_of(MISTAKEN)]
    with ExitStack() as stack:
        helpers = stack.enter_context(network.helpers())
        stack.enter_context(network.cut(f"from {unheard} to {core}"))
        wait_for(lambda: _thinks(mistaken, str(unheard)) == "down", network.announced)
        watchers = [_Watcher(network, stack, six=six) for six in (False, True)]
        first = [[helper.ask(number) for helper in _paced(helpers)] for number in range(CLIENTS)]
        _hear(helpers)
        drained.run(PXERELAY, "drain")
        stack.callback(drained.run, PXERELAY, "undrain")
        wait_for(lambda: not network.uses(DRAINED), network.announced)
        wait_for(lambda: len(network.announced()[1]) < len(RELAYS), network.announced)
        then = [
            [helper.ask(number, began.answer) for helper, began in zip(_paced(helpers), row, strict=True)]
            for number, row in enumerate(first)
            if all(began.answer for began in row)
        ]
        _hear(helpers)
        return {
            f"ipv{version}": watchers[at].told([row[at] for row in first], [row[at] for row in then])
            for at, version in enumerate((4, 6))
        }


def _paced(helpers: tuple[Helper, Helper]) -> tuple[Helper, Helper]:
    time.sleep(_EVERY)
    return helpers


def _hear(helpers: tuple[Helper, Helper]) -> None:
    helpers[0].hear(LINGER)
    helpers[1].hear(0.5)  # what has come meanwhile waits in its sockets


def _thinks(relay: RelayHost, server: str) -> str:
    """Return what a relay thinks of a server."""
    status = json.loads(relay.run(PXERELAY, "status", "--json").stdout)
    views: dict[str, dict[str, Any]] = {}
    for addresses in status["servers"].values():
        views |= addresses
    return str(views.get(server, {}).get("state"))


class _Watcher:
    """Sees what arrives at the servers in one family."""

    def __init__(self, network: AnycastNetwork, stack: ExitStack, *, six: bool) -> None:
        self._six = six
        self._stations = {
            name: stack.enter_context(closing((Station6 if six else Station)(Host(network.lab, name))))
            for name in SERVER_PLACES
        }

    def told(self, first: list[Asked], then: list[Asked]) -> dict[str, int]:
        """Return the sums, and what stood in the way of the rest."""
        began: dict[bytes, list[_Seen]] = {}
        went_on: dict[bytes, list[_Seen]] = {}
        for name, station in self._stations.items():
            for datagram in station.arrivals():
                self._note(name, datagram, began, went_on)
        asked = [one.mac for one in then]
        pairs = [(began[mac], went_on[mac]) for mac in asked if mac in began and mac in went_on]
        relay = self._relay(place_of(MISTAKEN))
        return {
            "offered": sum(one.answer is not None for one in first),
            "confirmed": sum(one.answer is not None for one in then),
            "arrived": len(pairs),
            "moved": sum(before[0].relay != after[0].relay for before, after in pairs),
            "elsewhere": sum(not _servers(before) & _servers(after) for before, after in pairs),
            "both": sum(len(_servers(before)) > 1 for before, _ in pairs),
            "copied": sum(len(_servers(after)) > 1 for _, after in pairs),
            "mistaken": sum((_UNHEARD, relay) in after for _, after in pairs),
        }

    def _relay(self, place: int) -> str:
        return str(ip_address("2001:db8:20::") + place) if self._six else str(CORE[place])

    def _note(
        self,
        server: str,
        datagram: Datagram,
        began: dict[bytes, list[_Seen]],
        went_on: dict[bytes, list[_Seen]],
    ) -> None:
        payload, seen = datagram.payload, _Seen(server, datagram.source)
        if self._six and datagram.port == 547 and payload[0] == dhcp6.RELAY_FORW:
            found = dhcp6.innermost(payload)
            mac = (found.one(dhcp6.CLIENT_ID) or b"")[-6:]
            first = found.kind == dhcp6.SOLICIT
        elif not self._six and datagram.port == 67 and payload[0] == 1:
            mac, first = payload[28:34], options(payload)[_TYPE][0] == DISCOVER
        else:
            return
        (began if first else went_on).setdefault(mac, []).append(seen)


def _servers(seen: list[_Seen]) -> set[str]:
    return {one.server for one in seen}
