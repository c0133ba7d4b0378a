"""Serves metrics over HTTP, to this host alone: on a loopback port or a Unix socket.

The event loop takes connections, so that nothing wakes up while nobody asks. A few threads speak HTTP
(wsgiref, prometheus-client), for as long as a peer may take, while packets flow.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import Metric

from pxerelay.daemon import metrics
from pxerelay.linux.localsocket import LocalSocket, TakenError
from pxerelay.linux.log import LOGGER

_PEER_TIMEOUT = 5.0
"""Seconds for which a peer may say nothing, or take nothing of its answer."""

_DEADLINE = 10.0
"""Seconds for all of it, also for one that says a little now and then."""

_RETRY = 5.0
"""Seconds until a place where listening failed is tried again."""

_THREADS = 2
"""Peers that are served at once."""

_WAITING = 8
"""Peers beyond these that are not even heard."""

_BACKLOG = 16

Status = Callable[[], dict[str, Any]]
"""Tells the daemon's state; to be called in the event loop."""


class Exporter:
    """Listens where it is told to, and answers with metrics until it is closed.

    `error` is why it does not; it tries again now and then.
    """

    def __init__(self, status: Status) -> None:
        self._status = status
        self._at: str | None = None
        self._server: _Server | None = None
        self._retry: asyncio.TimerHandle | None = None
        self.error: str | None = None

    def listen(self, at: str | None) -> None:
        """Listen at `ADDRESS:PORT` or a path from now on; None: nowhere. A failure is logged."""
        if at == self._at and (self._server or at is None):
            return
        told = self.error if at == self._at else None
        self.close()
        self._at = at
        if at is None:
            return
        try:
            self._server = _Server(at, self._collect)
        except (OSError, TakenError) as error:
            self.error = str(error.strerror if isinstance(error, OSError) else error)
            self._retry = asyncio.get_running_loop().call_later(_RETRY, self.listen, at)
            if self.error != told:
                LOGGER.warning("no metrics at %s: %s", at, self.error)
        else:
            LOGGER.info("metrics at %s", at)

    def close(self) -> None:
        """Stop, and hang up on everybody."""
        if self._retry:
            self._retry.cancel()
        if self._server:
            self._server.close()
        self._server = self._at = self._retry = self.error = None

    def _collect(self, loop: asyncio.AbstractEventLoop) -> Iterable[Metric]:
        """Return the metrics as they are; called in a thread."""

        async def ask() -> dict[str, Any]:
            return self._status()

        try:
            return list(metrics.families(asyncio.run_coroutine_threadsafe(ask(), loop).result(_PEER_TIMEOUT)))
        except Exception as error:
            LOGGER.warning("could not tell metrics: %r", error)
            raise


class _Collector:
    """What prometheus-client asks for metrics."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self.collect = collect

    def describe(self) -> list[Metric]:
        return []


class _Server:
    """One listening socket."""

    def __init__(self, at: str, collect: Callable[[asyncio.AbstractEventLoop], Iterable[Metric]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._local: LocalSocket | None = None
        if at.startswith("/"):
            self._local = LocalSocket(Path(at))
            listening = self._local.socket
        else:
            listening = _loopback(at)
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(_Collector(lambda: collect(self._loop)))
        self._http = _Http(listening)
        self._http.set_app(make_wsgi_app(registry))
        self._threads = ThreadPoolExecutor(_THREADS, "metrics")
        self._peers: set[socket.socket] = set()
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._http.socket)
        if self._local:
            self._local.unlink()
        self._http.socket.close()
        for peer in self._peers:
            _hang_up(peer)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _accept(self) -> None:
        try:
            peer, _ = self._http.socket.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                self._rest()
            return
        if len(self._peers) >= _THREADS + _WAITING:
            peer.close()
            return
        self._peers.add(peer)
        peer.setblocking(True)
        served = self._loop.run_in_executor(self._threads, self._http.serve, peer)
        deadline = self._loop.call_later(_DEADLINE, _hang_up, peer)
        served.add_done_callback(partial(self._done, peer, deadline))

    def _rest(self) -> None:
        """Try again in a moment: there is no descriptor left for another connection."""
        self._loop.remove_reader(self._http.socket)
        self._loop.call_later(1.0, self._again)

    def _again(self) -> None:
        if self._http.socket.fileno() >= 0:
            self._loop.add_reader(self._http.socket, self._accept)

    def _done(self, peer: socket.socket, deadline: asyncio.TimerHandle, served: asyncio.Future[None]) -> None:
        deadline.cancel()
        self._peers.discard(peer)
        peer.close()
        if not served.cancelled():
            served.exception()  # a peer's failure is its own loss


def _hang_up(peer: socket.socket) -> None:
    """Let no thread wait any more for what a peer will say or take."""
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)


def _loopback(at: str) -> socket.socket:
    address, _, port = at.rpartition(":")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, int(port)))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


class _Http(WSGIServer):
    """Speaks HTTP on a socket that listens already."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()

    def serve(self, peer: socket.socket) -> None:
        """Answer one peer, in a thread."""
        with contextlib.suppress(OSError):
            self.process_request(peer, ("local", 0))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a peer that goes away is its own loss."""


class _Handler(WSGIRequestHandler):
    """One connection, one request."""

    timeout = _PEER_TIMEOUT

    def get_stderr(self) -> Any:
        """Return where wsgiref tells of faults that were logged before."""
        return io.StringIO()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: somebody asks every 15 seconds."""
