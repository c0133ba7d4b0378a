"""DHCPv4: its sockets, its client interfaces and its relay."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any

from pxerelay.daemon import hearing, prober, survey
from pxerelay.daemon.flow import Flow, ToObey
from pxerelay.daemon.healthcheck4 import Check4
from pxerelay.daemon.port_log import PortLog
from pxerelay.daemon.prober import Question
from pxerelay.daemon.stats import Counted
from pxerelay.daemon.traffic4 import Traffic4
from pxerelay.linux import sockets
from pxerelay.policy.links import Link
from pxerelay.policy.pools import Standing
from pxerelay.policy.ports import Port, PortTable, vrfs_to_hear
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.ways import WayTo
from pxerelay.relay.account import Narrator
from pxerelay.relay.askers import Askers
from pxerelay.relay.relay import Relay
from pxerelay.relay.survey_request import Survey
from pxerelay.relay.trace_view import View4
from pxerelay.relay.words import port_text
from pxerelay.wire.packet import SERVER_PORT

Built = tuple[PortTable, Relay]
"""What is to be exchanged at once."""


class Flow4(Flow):
    """Relays DHCPv4. `way_to` tells the way to a server."""

    family = 4
    port = SERVER_PORT

    def __init__(self, again: Callable[[], object], way_to: WayTo) -> None:
        super().__init__(again)
        self._log = PortLog(port_text)
        self.traffic: Traffic4 = Traffic4()
        self.checked: Check4 = Check4(self.traffic)
        self.relay: Relay
        self._way_to = way_to
        self._askers = Askers()
        self._table: PortTable
        self._force: ToObey

    @property
    def ports(self) -> tuple[Port, ...]:
        """The client interfaces, also those that wait."""
        return self.relay.ports

    @property
    def view(self) -> View4:
        """The family as traces see it."""
        return View4(self.relay, self._table.names)

    @property
    def counted(self) -> Counted:
        """What was counted, with what names servers."""
        ledger = self.traffic.ledger
        return Counted(self.relay, self.relay.answers.of, ledger.counters, ledger.transactions)

    async def survey(self, asked: Survey) -> list[dict[str, Any]]:
        """Ask servers, whatever the mapping says."""
        return await survey.ask(self.traffic, self.relay, asked)

    async def hear(self, sound: hearing.Sound) -> list[str]:
        """Return the interfaces that a message is heard on."""
        return await hearing.listen(self.traffic.questions, self.traffic.name_of, sound)

    async def probe(self, asked: Question) -> dict[str, Any]:
        """Ask servers in the name of a client."""
        return await prober.ask(self.traffic, self.relay, asked)

    def _open_sockets(self, stack: contextlib.ExitStack) -> socket.socket:
        udp = stack.enter_context(sockets.open_udp())
        link = stack.enter_context(sockets.open_link())
        self.traffic.use(udp, link)
        stack.callback(self.traffic.use, None, None)
        return udp

    def _open_in(self, vrf: int, main: socket.socket) -> socket.socket:
        return sockets.open_udp_in(vrf, main)

    def built(
        self,
        force: ToObey,
        answers: ResolvedNames,
        standing: Standing,
    ) -> Built:
        """Return what relays by a configuration, and by what is known and thought of servers."""
        links = force.links.values()
        table = PortTable(force.config, links, socket.gethostname())
        thought = answers, standing, self.checked.sticky if force.config.pools else None
        return table, Relay(force.config, table.ports, links, *thought, self._askers, self._way_to)

    def obey(self, built: Built, force: ToObey) -> None:
        """Relay by what was built from now on."""
        self._force = force
        self._table, self.relay = table, relay = built
        self.checked.relay = relay
        self.traffic.narrator = Narrator(relay, force.line_of) if force.line_of else None
        self.traffic.obey(relay, table.names)
        self._hear_vrfs(force.links)
        self._log.tell_all(relay.ports)

    def follow(self, links: Mapping[int, Link], changed: Mapping[int, Link | None]) -> bool:
        """Patch what depends on links where these changed; return whether anything does."""
        self.traffic.settle()  # for names change with the table
        change = self._table.update(changed)
        if not change.matters:
            return False
        self.relay.follow(self._table.ports, change)
        self.traffic.follow(self.relay, change.indexes)
        self._hear_vrfs(links)
        self._log.tell(change.fresh)
        return True

    def _hear_vrfs(self, links: Mapping[int, Link]) -> None:
        self._hear(vrfs_to_hear(self._force.config, self.relay.ports, links.values()), links.values())
