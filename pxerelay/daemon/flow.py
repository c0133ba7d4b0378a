"""One family: its sockets, its client interfaces, and the relay that decides on what is heard.

A flow has its sockets only while its family is on. What it is built of is exchanged as a whole.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pxerelay.daemon.healthcheck import FamilyCheck
from pxerelay.daemon.hearing import Sound
from pxerelay.daemon.prober import Question
from pxerelay.daemon.traffic import Traffic
from pxerelay.linux.listener import Listener, Taken
from pxerelay.linux.vrfs import VrfSockets
from pxerelay.policy.links import Link
from pxerelay.policy.model import Config
from pxerelay.policy.port_table import AnyPort
from pxerelay.relay.any_relay import AnyRelay
from pxerelay.relay.survey_request import Survey
from pxerelay.relay.trace import View


class StartError(Exception):
    """The daemon can't start for a reason outside its configuration; the message says what to do."""


@dataclass(frozen=True)
class ToObey:
    """A configuration that comes into force: as it holds today, described for programs, and the host's links.

    `line_of` tells where a rule stands; it is there if each decision is to be logged.
    """

    config: Config
    described: dict[str, Any]
    links: Mapping[int, Link]
    line_of: Callable[[str], str] | None = None


class Flow(ABC):
    """What both families do alike. `again` is called when something that failed is to be tried anew."""

    family: int
    """4 or 6."""

    port: int
    """The UDP port of relay agents."""

    traffic: Traffic[Any, Any]
    """What moves its datagrams."""

    relay: AnyRelay[Any]
    """What decides on them."""

    checked: FamilyCheck[Any]
    """What asks its servers how they are."""

    def __init__(self, again: Callable[[], object]) -> None:
        self._again = again
        self._open: contextlib.ExitStack | None = None
        self._listening = False
        self._udp: socket.socket
        self._vrfs: VrfSockets

    def open(self) -> None:
        """Open the sockets, if they are not open; StartError if that can't be."""
        if self._open is not None:
            return
        with contextlib.ExitStack() as stack:
            try:
                self._udp = self._open_sockets(stack)
            except PermissionError as error:
                raise StartError(
                    "may not open the sockets: run as root, or with CAP_NET_BIND_SERVICE and CAP_NET_RAW"
                ) from error
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise StartError(
                        f"port {self.port} is taken: stop the other DHCP relay or server on this host"
                    ) from error
                if error.errno == errno.EAFNOSUPPORT:
                    raise StartError(
                        "this host's kernel runs without IPv6 (ipv6.disable=1?): take `dhcpv6` out of the "
                        "configuration, or start it with IPv6"
                    ) from error
                raise
            self._vrfs = VrfSockets(self._udp, self._readable, self._again, self._open_in)
            stack.callback(self._vrfs.close)
            self._open = stack.pop_all()

    def listen(self) -> None:
        """Take what is heard from now on, if the sockets are open."""
        if self._open is not None and not self._listening:
            self._open.callback(Listener(self._udp, self._readable).close)
            self._listening = True

    def shut(self) -> None:
        """Close the sockets, if they are open."""
        if self._open is not None:
            self._open.close()
            self._open, self._listening = None, False

    @property
    @abstractmethod
    def ports(self) -> Sequence[AnyPort]:
        """The client interfaces, also those that wait."""

    @property
    @abstractmethod
    def view(self) -> View:
        """The family as traces see it."""

    @abstractmethod
    async def probe(self, asked: Question) -> dict[str, Any]:
        """Ask servers in the name of a client, and return what was found; ProbeError if that can't be."""

    @abstractmethod
    def _open_sockets(self, stack: contextlib.ExitStack) -> socket.socket:
        """Open them, leaving to `stack` how to close them, and return the one that hears the default VRF."""

    @abstractmethod
    def _open_in(self, vrf: int, main: socket.socket) -> socket.socket:
        """Open one more that hears a VRF."""

    @abstractmethod
    async def survey(self, asked: Survey) -> list[dict[str, Any]]:
        """Ask servers, all of this family, whatever the mapping says; SurveyError if that can't be."""

    @abstractmethod
    async def hear(self, sound: Sound) -> list[str]:
        """Return the interfaces that a message of `doctor` is heard on; HearingError if that can't be."""

    def close(self) -> None:
        """End."""
        self.shut()
        self.traffic.close()

    def _readable(self, sock: socket.socket) -> Taken:
        """Relay what is waiting at a socket."""
        return self.traffic.readable(sock)

    def _hear(self, vrfs: Mapping[int, str], links: Iterable[Link]) -> None:
        """Hear these VRFs besides the default one, if the sockets are open."""
        if self._open is None:
            self.traffic.elsewhere = frozenset()
            return
        heard = self._vrfs.follow(vrfs)
        self.traffic.elsewhere = frozenset(link.index for link in links if link.vrf in heard)
