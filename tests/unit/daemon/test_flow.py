"""Flows whose sockets can't be opened say why, and have none open then."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from pxerelay.daemon.flow import Flow, StartError
from pxerelay.daemon.hearing import Sound
from pxerelay.daemon.prober import Question
from pxerelay.linux.listener import Taken
from pxerelay.policy.port_table import AnyPort
from pxerelay.relay.survey_request import Survey
from pxerelay.relay.trace import View


class Failing(Flow):
    """Opens one socket, and fails with the next."""

    port = 547

    def __init__(self, code: int) -> None:
        super().__init__(lambda: None)
        self._code = code
        self.first: socket.socket | None = None

    def _open_sockets(self, stack: contextlib.ExitStack) -> socket.socket:
        self.first = stack.enter_context(socket.socket(socket.AF_UNIX))
        raise OSError(self._code, "no")

    @property
    def ports(self) -> Sequence[AnyPort]:
        """Return none: it is never asked."""
        raise NotImplementedError

    @property
    def view(self) -> View:
        """Show nothing: it is never asked."""
        raise NotImplementedError

    async def probe(self, asked: Question) -> dict[str, Any]:
        """Find nothing: it is never asked."""
        raise NotImplementedError

    def _open_in(self, vrf: int, main: socket.socket) -> socket.socket:
        raise NotImplementedError

    async def hear(self, sound: Sound) -> list[str]:
        """Hear nothing."""
        raise NotImplementedError

    async def survey(self, asked: Survey) -> list[dict[str, Any]]:
        """Ask nobody."""
        raise NotImplementedError

    def _readable(self, sock: socket.socket) -> Taken:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EADDRINUSE, "port 547 is taken"),
        (errno.EACCES, "CAP_NET_BIND_SERVICE"),
        (errno.EAFNOSUPPORT, "runs without IPv6"),
    ],
)
def test_a_socket_that_can_not_be_opened_is_told_with_what_to_do(code: int, says: str) -> None:
    flow = Failing(code)
    with pytest.raises(StartError, match=says):
        flow.open()
    assert flow.first is not None
    assert flow.first.fileno() == -1


def test_another_error_is_told_as_it_is() -> None:
    with pytest.raises(OSError, match="no") as failed:
        Failing(errno.EMFILE).open()
    assert failed.value.errno == errno.EMFILE
