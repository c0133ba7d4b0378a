"""The daemon's life: start, reload, follow the network, stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from pxerelay import __version__, control, names, notify, sockets
from pxerelay.answers import Answers
from pxerelay.findings import ConfigError
from pxerelay.interfaces import Interfaces, watch
from pxerelay.load import Loaded, load
from pxerelay.log import LOGGER
from pxerelay.mapping import RulePlaces
from pxerelay.ports import Link, Port, assign, vrfs_to_hear
from pxerelay.relay import Relay
from pxerelay.traffic import Traffic
from pxerelay.vrfs import VrfSockets
from pxerelay.words import Narrator, port_text

_RETRY = 1.0
"""Seconds until the interfaces are listed again after netlink failed."""


class StartError(Exception):
    """The daemon can't start for a reason outside its configuration; the message says what to do."""


class Daemon:
    """One running relay. What changes at run time is exchanged as a whole, by one assignment."""

    def __init__(self, config_path: Path, control_path: Path, *, debug: bool) -> None:
        self._config_path = config_path
        self._control_path = control_path
        self._debug = debug
        self._loaded = load(config_path)
        self._loaded_at = datetime.now(timezone.utc)
        self._last_error: str | None = None
        self._answers = Answers()
        self._links: tuple[Link, ...] = ()
        self._ports: tuple[Port, ...] = ()
        self._reloading = asyncio.Lock()

    async def run(self) -> None:
        """Relay until SIGTERM or SIGINT; StartError if the sockets can't be opened."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        reloads: set[asyncio.Task[Any]] = set()

        def reload() -> None:
            task = loop.create_task(self.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        with _open_sockets() as (udp, link):
            self._traffic = Traffic(udp, link)
            self._vrfs = VrfSockets(udp, self._traffic.readable)
            async with watch() as interfaces:
                self._links = await interfaces.links()
                await self._ask_names(self._loaded)
                self._apply(self._loaded)
                loop.add_reader(udp, self._traffic.readable, udp)
                loop.add_signal_handler(signal.SIGHUP, reload)
                server = await self._open_control()
                tasks = (
                    loop.create_task(stop.wait()),
                    loop.create_task(self._follow(interfaces)),
                    loop.create_task(self._follow_names()),
                )
                self._report_start()
                notify.notify("READY=1", self._status_text())
                ended, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                notify.notify("STOPPING=1")
                loop.remove_reader(udp)
                self._vrfs.close()
                if server:
                    server.close()
                    self._control_path.unlink(missing_ok=True)
                for task in others:
                    task.cancel()
                await asyncio.wait(tasks)
                for task in ended:
                    task.result()  # the two that follow something never end by themselves: tell why
        LOGGER.info("stopped")

    async def reload(self) -> dict[str, Any]:
        """Load the configuration again; one that does not load changes nothing but `last_error`."""
        async with self._reloading:
            notify.reloading()
            try:
                loaded = await asyncio.to_thread(load, self._config_path)
            except ConfigError as error:
                self._last_error = error.summary()
                LOGGER.error("the new configuration does not load, the old one stays:\n%s", error)
                notify.notify("READY=1", f"STATUS=new configuration refused: {self._last_error}")
                return {"error": str(error)}
            await self._ask_names(loaded)
            self._last_error = None
            self._loaded_at = datetime.now(timezone.utc)
            self._apply(loaded)
            LOGGER.info("reloaded %s: %s", self._config_path, self._summary())
            notify.notify("READY=1", self._status_text())
            return {"sha256": loaded.sha256, "rules": len(loaded.config.policy.rules)}

    async def status(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        return {
            "version": __version__,
            "config": {
                "path": str(self._config_path),
                "sha256": self._loaded.sha256,
                "files": self._loaded.files,
                "loaded_at": self._loaded_at.isoformat(timespec="seconds"),
                "rules": len(self._loaded.config.policy.rules),
                "last_error": self._last_error,
            },
            "interfaces": {
                port.name: {
                    "state": port.state,
                    "giaddr": str(port.giaddr) if port.giaddr else None,
                    "waiting": port.waiting or None,
                }
                for port in self._ports
            },
            "dns": {
                name: {"addresses": list(map(str, answer.addresses)), "error": answer.error or None}
                for name, answer in self._answers.by_name.items()
            },
            "counters": self._traffic.counters(),
        }

    def _apply(self, loaded: Loaded) -> None:
        """Put a configuration, or a new state of the network, into force."""
        before = {port.name: port for port in self._ports}
        self._loaded = loaded
        self._ports = assign(loaded.config, self._links, socket.gethostname())
        relay = Relay(loaded.config, self._ports, self._links, self._answers)
        self._traffic.names = {link.index: link.name for link in self._links}
        if self._debug:
            self._traffic.narrator = Narrator(relay, RulePlaces(loaded.documents))
        else:
            self._loaded = Loaded(loaded.config, (), loaded.files, loaded.sha256)  # the texts can go
        self._traffic.relay = relay
        heard = self._vrfs.follow(vrfs_to_hear(loaded.config, self._ports, self._links))
        self._traffic.elsewhere = frozenset(link.index for link in self._links if link.vrf in heard)
        for port in self._ports:
            if before.get(port.name) != port:
                LOGGER.info("interface %s", port_text(port))

    async def _follow(self, interfaces: Interfaces) -> None:
        """Keep up with the network."""
        while True:
            try:
                async for _ in interfaces.changes():
                    links = await interfaces.links()
                    if links != self._links:
                        self._links = links
                        self._apply(self._loaded)
                        notify.notify(self._status_text())
            except (OSError, NetlinkError) as error:
                LOGGER.warning("netlink failed (%s), listing the interfaces again", error)
                await asyncio.sleep(_RETRY)

    async def _follow_names(self) -> None:
        """Ask for servers' DNS names again and again; what is in force stays until an answer differs."""
        while True:
            await asyncio.sleep(names.INTERVAL)
            if self._loaded.config.dns_names:
                before = self._answers
                await self._ask_names(self._loaded)
                if self._answers != before:
                    self._apply(self._loaded)

    async def _ask_names(self, loaded: Loaded) -> None:
        fresh = self._answers.renewed(await names.resolve(loaded.config.dns_names))
        for name, answer in fresh.by_name.items():
            before = self._answers.by_name.get(name)
            if answer == before:
                continue
            addresses = ", ".join(map(str, answer.addresses)) or "no address"
            if answer.error:
                LOGGER.warning("server %s: %s; using %s", name, answer.error, addresses)
            else:
                LOGGER.info("server %s is %s", name, addresses)
        self._answers = fresh

    async def _open_control(self) -> asyncio.Server | None:
        try:
            return await control.serve(self._control_path, {"status": self.status, "reload": self.reload})
        except OSError as error:
            LOGGER.warning("no control socket at %s: %s", self._control_path, error.strerror)
            return None

    def _report_start(self) -> None:
        LOGGER.info("pxerelay %s relays by %s: %s", __version__, self._config_path, self._summary())
        config = self._loaded.config
        if not config.interfaces and not config.accept_relayed_from:
            LOGGER.warning(
                "there is nothing to relay: neither `interfaces:` nor `accept_relayed_from:` is set"
            )

    def _summary(self) -> str:
        rules = len(self._loaded.config.policy.rules)
        active = sum(not port.waiting for port in self._ports)
        return f"{rules} rules, {active} of {len(self._ports)} client interfaces active"

    def _status_text(self) -> str:
        return f"STATUS={self._summary()}"


@contextlib.contextmanager
def _open_sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    with contextlib.ExitStack() as stack:
        try:
            udp = stack.enter_context(sockets.open_udp())
            link = stack.enter_context(sockets.open_link())
        except PermissionError as error:
            raise StartError(
                "may not open the sockets: run as root, or with CAP_NET_BIND_SERVICE and CAP_NET_RAW"
            ) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise StartError("port 67 is taken: stop the other DHCP relay or server on this host") from error
        yield udp, link
