"""Serves metrics over HTTP, to this host alone: on a loopback port or a Unix socket.

The event loop takes connections, reads what peers ask and sends the answers, so that nothing wakes up while
nobody asks, and no peer holds up another (`slots`). Threads make answers of questions (wsgiref,
prometheus-client), while packets flow.
"""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import Metric

from pxerelay.daemon import metrics
from pxerelay.daemon.slots import Slot, Slots
from pxerelay.linux import peers
from pxerelay.linux.acceptor import Acceptor
from pxerelay.linux.localsocket import LocalSocket, TakenError
from pxerelay.linux.log import LOGGER

_PEER_TIMEOUT = 5.0
"""Seconds for which a peer may take to say what it wants, and again to take its answer."""

_LONGEST_REQUEST = 16384
"""Octets of a request with its headers."""

_RETRY = 5.0
"""Seconds until a place where listening failed is tried again."""

_THREADS = 2
"""Answers that are made at once."""

_PEERS, _PEERS_EACH = 32, 8
"""Peers at a time, and those of one user."""

_BACKLOG = 128

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
        """Listen at `ADDRESS:PORT` or a path from now on; None: nowhere. A failure is logged.

        A socket whose file was removed is made again.
        """
        if at == self._at and (at is None or (self._server and self._server.is_there)):
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
            self._listening = self._local.socket
        else:
            self._listening = _loopback(at)
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(_Collector(lambda: collect(self._loop)))
        self._http = _Http()
        self._http.set_app(make_wsgi_app(registry))
        self._threads = ThreadPoolExecutor(_THREADS, "metrics")
        self._slots = Slots(_PEERS, _PEERS_EACH)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._acceptor = Acceptor(self._listening, self._admit)

    @property
    def is_there(self) -> bool:
        """Whether peers can find it still: a socket's file may have been removed."""
        return self._local is None or self._local.is_there

    def close(self) -> None:
        self._closed = True
        self._acceptor.close()
        if self._local:
            self._local.unlink()
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _admit(self, peer: socket.socket) -> None:
        """Serve a peer, if there is a slot for it."""
        slot = self._slots.take(peers.user(peer))
        if slot is None:
            peer.close()
            return

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._slots.give_back(slot)
            peer.close()

        task = self._loop.create_task(self._serve(peer, slot))
        slot.leave = task.cancel
        self._tasks.add(task)
        task.add_done_callback(done)

    async def _serve(self, peer: socket.socket, slot: Slot) -> None:
        reader, writer = await asyncio.open_connection(sock=peer, limit=_LONGEST_REQUEST)
        try:
            asked = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PEER_TIMEOUT)
            if self._closed:  # before Python 3.12 wait_for may forget that it was cancelled
                return
            slot.busy = True
            answer = await self._loop.run_in_executor(self._threads, self._http.answer, asked)
            slot.busy = False
            self._slots.served(slot)
            writer.transport.set_write_buffer_limits(0)  # drain() then waits until all is written
            writer.write(answer)
            await asyncio.wait_for(writer.drain(), _PEER_TIMEOUT)
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError):
            pass  # the peer went away, or said or took nothing: its own loss
        finally:
            writer.transport.abort()  # close() would wait for a peer that takes nothing


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
    """Speaks HTTP, without a socket: what a peer asked in, the answer out."""

    def __init__(self) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()

    def answer(self, asked: bytes) -> bytes:
        """Return the answer to a request; takes its time, and so is called in a thread."""
        connection = _Memory(asked)
        _Handler(connection, ("local", 0), self)  # type: ignore[arg-type]  # it reads and writes, and no more
        return bytes(connection.answer)


class _Memory:
    """A connection in memory: gives wsgiref the request, and keeps the response that it writes."""

    def __init__(self, asked: bytes) -> None:
        self._asked = asked
        self.answer = bytearray()

    def makefile(self, *_: object) -> io.BytesIO:
        """Return the file that wsgiref reads the request from."""
        return io.BytesIO(self._asked)

    def sendall(self, octets: bytes) -> None:
        """Keep a part of the response."""
        self.answer += octets


class _Handler(WSGIRequestHandler):
    """One connection, one request."""

    def get_stderr(self) -> Any:
        """Return where wsgiref tells of faults that were logged before."""
        return io.StringIO()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: somebody asks every 15 seconds."""
