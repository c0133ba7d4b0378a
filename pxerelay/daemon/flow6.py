"""DHCPv6: its sockets, its client interfaces and its relay. Only imported where DHCPv6 is on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pxerelay.daemon import hearing6, prober6, survey6
from pxerelay.daemon.flow import Flow, ToObey
from pxerelay.daemon.healthcheck6 import Check6
from pxerelay.daemon.hearing import Sound
from pxerelay.daemon.port_log import PortLog
from pxerelay.daemon.prober import Question
from pxerelay.daemon.stats import Counted
from pxerelay.daemon.traffic6 import Traffic6
from pxerelay.linux import sockets, sockets6
from pxerelay.linux.faces import Faces
from pxerelay.linux.groups import Groups
from pxerelay.policy.links import Link
from pxerelay.policy.pools import Standing
from pxerelay.policy.ports6 import Change6, Port6, PortTable6, vrfs_to_hear
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.ways import WayTo
from pxerelay.relay.account6 import Narrator6
from pxerelay.relay.ledger import Common
from pxerelay.relay.recent import Recent
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.server_ids import ServerIds
from pxerelay.relay.survey_request import Survey
from pxerelay.relay.trace6 import View6
from pxerelay.relay.words6 import port_text
from pxerelay.wire.packet6 import ALL_RELAYS_AND_SERVERS, SERVER_PORT

Built6 = tuple[PortTable6, Relay6]
"""What is to be exchanged at once."""

_TRY_AGAIN = 5.0
"""Seconds until an interface that could not join ff02::1:2 is tried again."""


class Flow6(Flow):
    """Relays DHCPv6. `way_to` tells the way to a server.

    `recent` hears what was sent and lost, `common` of clients, as they do from DHCPv4.
    """

    family = 6
    port = SERVER_PORT

    def __init__(self, again: Callable[[], object], way_to: WayTo, recent: Recent, common: Common) -> None:
        super().__init__(again)
        self._log = PortLog(port_text, "6")
        self.traffic: Traffic6 = Traffic6(recent, common)
        self.checked: Check6 = Check6(self.traffic)
        self.relay: Relay6
        self._server_ids = ServerIds()
        self._way_to = way_to
        self._groups = Groups(ALL_RELAYS_AND_SERVERS)
        self._trying_again: asyncio.TimerHandle | None = None
        self._table: PortTable6
        self._force: ToObey

    @property
    def ports(self) -> tuple[Port6, ...]:
        """The client interfaces, also those that wait."""
        return self.relay.ports

    @property
    def view(self) -> View6:
        """The family as traces see it."""
        return View6(self.relay, self._table.names)

    @property
    def counted(self) -> Counted:
        """What was counted, with what names servers."""
        ledger = self.traffic.ledger
        return Counted(self.relay, self.relay.answers.of6, ledger.counters, ledger.transactions)

    async def survey(self, asked: Survey) -> list[dict[str, Any]]:
        """Ask servers, whatever the mapping says."""
        return await survey6.ask(self.traffic, self.relay, asked)

    async def hear(self, sound: Sound) -> list[str]:
        """Return the interfaces that a message is heard on."""
        return await hearing6.listen(self.traffic.questions, self.traffic.name_of, sound)

    async def probe(self, asked: Question) -> dict[str, Any]:
        """Ask servers in the name of a client."""
        return await prober6.ask(self.traffic, self.relay, asked)

    def _open_sockets(self, stack: contextlib.ExitStack) -> socket.socket:
        udp = stack.enter_context(sockets6.open_udp())
        link = stack.enter_context(sockets.open_link())
        faces = Faces()
        stack.callback(faces.close)
        self.traffic.use(udp, link, faces)
        stack.callback(self.traffic.use, None, None, None)
        stack.callback(self._groups.close)
        stack.callback(self._rest)
        return udp

    def _open_in(self, vrf: int, main: socket.socket) -> socket.socket:
        return sockets6.open_udp_in(vrf, main)

    def built(self, force: ToObey, answers: ResolvedNames, standing: Standing) -> Built6:
        """Return what relays by a configuration, and by what is known and thought of servers."""
        links = force.links.values()
        table = PortTable6(force.config, links, socket.gethostname())
        relay = Relay6(
            force.config,
            table.ports,
            links,
            answers,
            standing,
            self.checked.sticky if force.config.pools else None,
            way_to=self._way_to,
            behind=self.traffic.behind,
            server_ids=self._server_ids,
        )
        return table, relay

    def obey(self, built: Built6, force: ToObey) -> None:
        """Relay by what was built from now on."""
        self._force = force
        self._table, self.relay = built
        self.checked.relay = self.relay
        self._join()
        self.traffic.narrator = Narrator6(self.relay, force.line_of) if force.line_of else None
        self.traffic.obey(self.relay, self._table.names)
        self._hear_vrfs(force.links)
        self._log.tell_all(self.relay.ports)

    def follow(
        self, links: Mapping[int, Link], changed: Mapping[int, Link | None], renewed: AbstractSet[int]
    ) -> bool:
        """Patch what depends on links where these changed; return whether anything does.

        On those of `renewed` ff02::1:2 is joined anew.
        """
        change, forgotten = self._table.update(changed), self._groups.forget(renewed)
        if not change.matters and not forgotten:
            return False
        self.relay.follow(self._table.ports, change)
        changes = [change, *self._join()]
        self.traffic.follow(self.relay, self._table.names)
        self._hear_vrfs(links)
        fresh = {port.name: port for change in changes for port in change.fresh}
        self._log.tell(fresh.values())
        return True

    def _join(self) -> list[Change6]:
        """Be a member of ff02::1:2 on the interfaces that serve; return what it changes where that failed."""
        self._rest()
        failed_before = dict(self._groups.failed)
        self._groups.follow(self._table.to_join)
        failed = self._groups.failed
        changes = []
        for index in sorted({*failed_before, *failed}):
            change = self._table.joined(index, os.strerror(failed[index]) if index in failed else "")
            self.relay.follow(self._table.ports, change)
            changes.append(change)
        if failed:
            self._trying_again = asyncio.get_running_loop().call_later(_TRY_AGAIN, self._again)
        return changes

    def _rest(self) -> None:
        """Try nothing again until the next `_join`."""
        if self._trying_again:
            self._trying_again.cancel()
            self._trying_again = None

    def _hear_vrfs(self, links: Mapping[int, Link]) -> None:
        self._hear(vrfs_to_hear(self._force.config, self.relay.ports, links.values()), links.values())
