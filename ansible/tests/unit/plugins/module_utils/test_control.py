# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The daemon's control socket, with somebody at its other end."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from ansible_collections.pxerelay.pxerelay.plugins.module_utils import control


class Peer:
    """Answers each connection with the next of some octets, and notes what it was asked."""

    def __init__(self, path, *answers: bytes) -> None:
        self.asked = []
        self._answers = answers
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.bind(str(path))
        self._sock.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for octets in self._answers:
            connection = self._sock.accept()[0]
            with connection, connection.makefile("rb") as lines:
                self.asked.append(json.loads(lines.readline()))
                connection.sendall(octets)

    def close(self) -> None:
        """End it, once all answers are given."""
        self._thread.join(30)
        self._sock.close()


def test_what_is_asked_and_answered_is_json(tmp_path) -> None:
    path = tmp_path / "control.sock"
    peer = Peer(path, b'{"version": "1.0.0"}\n')
    assert control.ask(str(path), "trace", mac="02:00:00:10:00:01") == {"version": "1.0.0"}
    peer.close()
    assert peer.asked == [{"command": "trace", "mac": "02:00:00:10:00:01"}]


@pytest.mark.parametrize(
    ("octets", "said"),
    [(b"", "hung up"), (b"no json\n", "no pxerelay"), (b"[1]\n", "no pxerelay")],
)
def test_what_is_no_daemon_is_told(tmp_path, octets, said) -> None:
    path = tmp_path / "control.sock"
    peer = Peer(path, octets)
    with pytest.raises(control.NoDaemonError, match=said):
        control.ask(str(path), "status")
    peer.close()


def test_a_socket_that_is_not_there_is_told(tmp_path) -> None:
    with pytest.raises(control.NoDaemonError, match=r"no daemon answers at .*No such file"):
        control.status(str(tmp_path / "gone"))


def test_a_daemon_that_starts_is_waited_for(tmp_path) -> None:
    path = tmp_path / "control.sock"
    peer = Peer(path, b"", b'{"version": "1.0.0"}\n')
    assert control.status(str(path), 30.0) == {"version": "1.0.0"}
    peer.close()
    assert len(peer.asked) == 2
