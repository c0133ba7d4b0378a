"""Has servers asked by DHCPv6 where no daemon runs: by sockets of our own, as `asking` does in DHCPv4."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from ipaddress import IPv6Address
from typing import Any

from pxerelay.daemon import hearing, hearing6, survey6
from pxerelay.daemon.hearing import Sound
from pxerelay.linux import sockets6
from pxerelay.linux.groups import Groups
from pxerelay.linux.inbox6 import Inbox6
from pxerelay.linux.listener import Listener, Taken
from pxerelay.linux.outbox6 import UdpOutbox6
from pxerelay.linux.vrfs import VrfSockets
from pxerelay.relay.decision6 import Arrival6, ToServers6
from pxerelay.relay.questions6 import Questions6, heard
from pxerelay.relay.relay6 import Relay6
from pxerelay.relay.survey_request import Survey, SurveyError
from pxerelay.tools.doctor.asking import Asker, AskError, why_not
from pxerelay.wire.batch import NOWHERE
from pxerelay.wire.packet import Message
from pxerelay.wire.packet6 import (
    ALL_RELAYS_AND_SERVERS,
    RELAY_HEADER_SIZE,
    RELAY_REPL,
    SERVER_PORT,
    TYPE,
    UNSET,
)


class _OwnWay6:
    """Sends requests as the daemon would, and hears replies to these alone: it relays nothing."""

    def __init__(self, udp: socket.socket, relay: Relay6) -> None:
        self.questions = Questions6()
        self._udp = udp
        self._relay = relay
        self._inbox = Inbox6()
        self._outbox = UdpOutbox6()

    def close(self) -> None:
        """Close what was opened to send by."""
        self._outbox.close()

    def send(self, message: Message, decision: ToServers6) -> list[str]:
        """Send a request of our own, and return what failed."""
        control = b""
        if decision.source is not None or decision.vrf:
            control = sockets6.packet_info(decision.source or UNSET, decision.vrf)
        for server in decision.servers:
            self._outbox.put([decision.header + message], server, control)
        return [
            f"could not send to {IPv6Address(failure.destination)}: {os.strerror(failure.errno)}"
            for failure in self._outbox.flush(self._udp, storm=False)
        ]

    def readable(self, sock: socket.socket) -> Taken:
        """Tell whoever asked of what is waiting at a socket."""
        batch = self._inbox.receive(sock)
        for at in range(len(batch)):
            one = batch.datagram(at)
            if one.interface == NOWHERE or len(one.message) < RELAY_HEADER_SIZE:
                continue
            if one.message[TYPE] == RELAY_REPL:
                arrival = Arrival6(one.message, one.interface, one.source, one.port, one.destination)
                self.questions.take(heard(arrival, self._relay.decide(arrival)))
        return Taken(len(batch))


@contextlib.asynccontextmanager
async def by_ourselves(relay: Relay6, vrfs: Mapping[int, str]) -> AsyncIterator[Asker]:
    """Open port 547 for the block, and yield what asks and listens; AskError if that can't be done.

    As a relay agent it is a member of ff02::1:2 on the client interfaces meanwhile, and does not relay.
    """
    try:
        udp = sockets6.open_udp()
    except OSError as error:
        raise why_not(SERVER_PORT, error) from None
    way = _OwnWay6(udp, relay)
    with contextlib.ExitStack() as stack:
        stack.callback(way.close)
        stack.enter_context(udp)
        elsewhere = VrfSockets(udp, way.readable, open_in=sockets6.open_udp_in)
        stack.callback(elsewhere.close)
        elsewhere.follow(vrfs)
        groups = Groups(ALL_RELAYS_AND_SERVERS)
        stack.callback(groups.close)
        groups.follow({port.index for port in relay.ports if not port.waiting and port.index is not None})
        stack.callback(Listener(udp, way.readable).close)

        async def ask(asked: Survey) -> list[dict[str, Any]]:
            try:
                return await survey6.ask(way, relay, asked)
            except SurveyError as error:
                raise AskError(str(error)) from None

        names = {port.index: port.name for port in relay.ports}

        async def hear(sound: Sound) -> Sequence[str]:
            try:
                return await hearing6.listen(way.questions, lambda index: names.get(index, ""), sound)
            except hearing.HearingError as error:
                raise AskError(str(error)) from None

        yield Asker(ask, hear)
