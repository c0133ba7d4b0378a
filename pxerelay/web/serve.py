"""Serving the page: the socket that it listens at, and uvicorn, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Generator
from pathlib import Path

import uvicorn

from pxerelay.linux.localsocket import LocalSocket, TakenError
from pxerelay.linux.notify import notify
from pxerelay.web.app import build
from pxerelay.web.settings import Settings
from pxerelay.web.site import Site

_BACKLOG = 128
_CONNECTIONS = 200
"""Connections at a time; to more the answer is 503."""

_IDLE = 10
"""Seconds for which a connection that is not used stays open."""


class ListenError(Exception):
    """The page can't listen where it is told to; the message says why."""


class _Server(uvicorn.Server):
    """uvicorn, which ends on SIGTERM as other services do, and has those who follow a client end first."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and tell the service manager that requests are answered."""
        await super().startup(sockets)
        notify("READY=1")

    def _end(self) -> None:
        self.should_exit = True
        self._site.live.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone: of those that it takes uvicorn would die in the end."""
        yield

    def install_signal_handlers(self) -> None:
        """Leave signals alone; the same of older versions."""


def run(control_socket: Path, settings: Settings) -> None:
    """Serve until SIGTERM; ListenError if that can't begin, PasswordError for a bad password file."""
    try:
        app, site = build(control_socket, settings)
    except OSError as error:
        raise ListenError(f"a `ca_file` of `relays:` can't be used: {error.strerror or error}") from None
    _check_certificate(settings)
    local: LocalSocket | None = None
    try:
        if settings.path is not None:
            local = LocalSocket(Path(settings.path), folder=True)
            listening = local.socket
        else:
            listening = _listening(settings)
    except (TakenError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ListenError(f"can't listen at {settings.at}: {reason}") from None
    try:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_IDLE,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
        )
        asyncio.run(_Server(config, site).serve(sockets=[listening]))
    except OSError as error:
        raise ListenError(f"can't serve at {settings.at}: {error.strerror or error}") from None
    finally:
        if local:
            local.close()
        listening.close()


def _check_certificate(settings: Settings) -> None:
    """Raise ListenError if the certificate and its key can't be used."""
    if settings.certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key)
    except OSError as error:
        reason = str(error.strerror or error)
    else:
        return
    names = f"{settings.certificate} and {settings.key}"
    raise ListenError(f"`tls:` can't be used: {names} must be a certificate and its key, in PEM ({reason})")


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.address, settings.port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
