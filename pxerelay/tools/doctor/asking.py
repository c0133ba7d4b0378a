"""Has servers asked: by the daemon, or, where none runs, by sockets of our own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

from pxerelay.daemon import hearing, survey
from pxerelay.daemon.hearing import Sound
from pxerelay.linux import control_client, sockets
from pxerelay.linux.inbox import Inbox
from pxerelay.linux.listener import Listener, Taken
from pxerelay.linux.outbox import UdpOutbox
from pxerelay.linux.vrfs import VrfSockets
from pxerelay.relay.decision import ToServers
from pxerelay.relay.questions import Questions, heard
from pxerelay.relay.relay import Relay
from pxerelay.relay.survey_request import MOST, Survey, SurveyError
from pxerelay.tools.doctor import firewall, network
from pxerelay.tools.doctor.firewall import Hear
from pxerelay.tools.doctor.verdict import Code, Finding, note
from pxerelay.wire import bootserver, packet, packet6
from pxerelay.wire.batch import NOWHERE
from pxerelay.wire.bootserver import Service

_SO_BINDTOIFINDEX = 62
"""Not in Python's socket module; asm-generic/socket.h."""

_TRIES = (0.5, 1.5)
"""Seconds to wait for a boot server, each time that it is asked."""

_DHCPV6 = 6
_PORTS = {4: packet.SERVER_PORT, _DHCPV6: packet6.SERVER_PORT}

Ask = Callable[[Survey], Awaitable[list[dict[str, Any]]]]
"""Carries a survey out; AskError if it can't."""


CHADDR = b"\x02pxerl"
"""Locally administered, and an address that no client has: in servers' logs 02:70:78:65:72:6c."""


@dataclass(frozen=True)
class Wish:
    """What is to be examined: only an interface or some servers, by name; in whose name.

    `seconds` are how long to wait for servers, `timeout` for a daemon that does not answer.
    """

    interface: str | None = None
    servers: tuple[str, ...] = ()
    probe: bool = True
    everywhere: bool = False
    chaddr: bytes = CHADDR
    seconds: float = 4.0
    timeout: float = control_client.TIMEOUT


class AskError(Exception):
    """Servers can't be asked, or nothing be listened for; the message says why."""


class Asker(NamedTuple):
    """What asks servers, and what listens for a message; either raises AskError if it can't."""

    ask: Ask
    hear: Hear


def by_daemon(path: Path) -> Asker:
    """Return what has the daemon ask and listen."""

    async def ask(asked: Survey) -> list[dict[str, Any]]:
        try:
            answer = await asyncio.to_thread(control_client.ask, path, "survey", **asked.plain())
        except control_client.NoDaemonError as error:
            raise AskError(str(error)) from None
        if "error" in answer:
            raise AskError(f"the daemon refuses: {answer['error']}")
        found: list[dict[str, Any]] = answer["asked"]
        return found

    async def hear(sound: Sound) -> Sequence[str]:
        try:
            answer = await asyncio.to_thread(control_client.ask, path, "hear", **sound.plain())
        except control_client.NoDaemonError as error:
            raise AskError(str(error)) from None
        if "error" in answer:
            raise AskError(f"the daemon refuses: {answer['error']}")
        return [str(name) for name in answer["heard"]]

    return Asker(ask, hear)


class _OwnWay:
    """Sends requests as the daemon would, and hears replies to these alone: it relays nothing."""

    def __init__(self, udp: socket.socket, relay: Relay) -> None:
        self.questions = Questions()
        self._udp = udp
        self._relay = relay
        self._inbox = Inbox()
        self._outbox = UdpOutbox()

    def close(self) -> None:
        """Close what was opened to send by."""
        self._outbox.close()

    def send(self, message: packet.Message, decision: ToServers) -> list[str]:
        """Send a request of our own, and return what failed."""
        control_ = b""
        if decision.source is not None or decision.vrf:
            control_ = sockets.packet_info(decision.source or packet.UNSET, decision.vrf)
        for server in decision.servers:
            self._outbox.put([decision.message or message], server, control_)
        return [
            f"could not send to {IPv4Address(failure.destination)}: {os.strerror(failure.errno)}"
            for failure in self._outbox.flush(self._udp, storm=False)
        ]

    def readable(self, sock: socket.socket) -> Taken:
        """Tell whoever asked of what is waiting at a socket."""
        batch = self._inbox.receive(sock)
        for at in range(len(batch)):
            message, interface, source, _ = batch.arrival(at)
            if interface == NOWHERE or len(message) < packet.HEADER_SIZE:
                continue
            if message[packet.OP] == packet.BOOTREPLY:
                decision = self._relay.decide(message, interface, source, source_port=batch.port(at))
                self.questions.take(heard(batch, at, decision))
        return Taken(len(batch))


@contextlib.asynccontextmanager
async def by_ourselves(relay: Relay, vrfs: Mapping[int, str]) -> AsyncIterator[Asker]:
    """Open port 67 for the block, and yield what asks and listens; AskError if that can't be done."""
    try:
        udp = sockets.open_udp()
    except OSError as error:
        raise why_not(packet.SERVER_PORT, error) from None
    way = _OwnWay(udp, relay)
    with contextlib.ExitStack() as stack:
        stack.callback(way.close)
        stack.enter_context(udp)
        elsewhere = VrfSockets(udp, way.readable)
        stack.callback(elsewhere.close)
        elsewhere.follow(vrfs)
        stack.callback(Listener(udp, way.readable).close)

        async def ask(asked: Survey) -> list[dict[str, Any]]:
            try:
                return await survey.ask(way, relay, asked)
            except SurveyError as error:
                raise AskError(str(error)) from None

        names = {port.index: port.name for port in relay.ports}

        async def hear(sound: Sound) -> Sequence[str]:
            try:
                return await hearing.listen(way.questions, lambda index: names.get(index, ""), sound)
            except hearing.HearingError as error:
                raise AskError(str(error)) from None

        yield Asker(ask, hear)


def why_not(port: int, error: OSError) -> AskError:
    """Return what says why a port can't be opened."""
    texts = {
        errno.EACCES: f"this process may not open port {port}: run it as root",
        errno.EADDRINUSE: f"another process has port {port}, and no daemon can be told to ask",
    }
    return AskError(texts.get(error.errno or 0) or f"port {port} can't be opened: {error.strerror}")


async def boot_service(asked: Survey, service: Service, own: IPv4Address, vrf: int) -> str:
    """Ask a boot server at port 4011, from an address of ours, and return what became of that.

    `answered`, `closed` where ICMP says that nobody listens, `silent`, or what the kernel says.
    """
    loop = asyncio.get_running_loop()
    xid = secrets.token_bytes(4)
    message = bootserver.request(asked.chaddr, xid, asked.vendor_class, asked.architectures, service, own)
    with socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    ) as sock:
        try:
            if vrf:
                sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, struct.pack("@i", vrf))
            sock.bind((str(own), 0))
            sock.connect((str(service.address), bootserver.PORT))
            for seconds in _TRIES:
                sock.send(message)
                if await _answered(loop, sock, xid, seconds):
                    return "answered"
        except ConnectionRefusedError:
            return "closed"
        except OSError as error:
            return error.strerror or str(error)
    return "silent"


async def _answered(loop: asyncio.AbstractEventLoop, sock: socket.socket, xid: bytes, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            octets = await asyncio.wait_for(loop.sock_recv(sock, 65535), left)
        except asyncio.TimeoutError:
            return False
        if octets[packet.XID] == xid:
            return True
    return False


async def unheard(hear: Hear, chaddr: bytes, interfaces: Sequence[str], family: int = 4) -> list[Finding]:
    """Return what is wrong with the way from client interfaces to the relay's socket of a family."""
    what = "whether a firewall of this host drops what clients send"
    if family == _DHCPV6:
        what += " by DHCPv6"
    try:
        deaf = await firewall.unheard(hear, chaddr, interfaces, family)
    except OSError as error:
        advice = ("run this as root",) if isinstance(error, PermissionError) else ()
        return [note(Code.NOT_CHECKED, "firewall", f"{what}: {error.strerror}", *advice)]
    except AskError as error:
        return [note(Code.NOT_CHECKED, "firewall", f"{what}: {error}")]
    return list(network.closed(deaf, firewall.managers(), _PORTS[family]))


def split(asked: Survey, size: int = MOST) -> Sequence[Survey]:
    """Return surveys that are small enough, one after the other as many errands as there are."""
    return [
        Survey(
            asked.chaddr,
            asked.vendor_class,
            asked.architectures,
            asked.seconds,
            asked.errands[start : start + size],
        )
        for start in range(0, len(asked.errands), size)
    ]
