"""The daemon's life: start, reload, follow the network, stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pxerelay import __version__
from pxerelay.config.findings import ConfigError
from pxerelay.config.places import RulePlaces
from pxerelay.daemon import loader_process, stats
from pxerelay.daemon.active_config import ActiveConfig
from pxerelay.daemon.control import ControlServer
from pxerelay.daemon.export import Export
from pxerelay.daemon.handlers import Handlers
from pxerelay.daemon.healthcheck import HealthCheck
from pxerelay.daemon.loader import loaded
from pxerelay.daemon.loader_process import LoadError, Loading
from pxerelay.daemon.own_health import InForce, OwnHealth
from pxerelay.daemon.port_log import PortLog
from pxerelay.daemon.traffic import Traffic
from pxerelay.linux import clock, memory, names, notify, sockets
from pxerelay.linux.clock import Alarm
from pxerelay.linux.drain_mark import DrainMark
from pxerelay.linux.interfaces import Changes, watch
from pxerelay.linux.listener import Listener
from pxerelay.linux.localsocket import TakenError
from pxerelay.linux.log import LOGGER
from pxerelay.linux.tasks import end
from pxerelay.linux.vrfs import VrfSockets
from pxerelay.linux.ways import Ways
from pxerelay.policy.model import Config
from pxerelay.policy.ports import Change, Link, PortTable, vrfs_to_hear
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.relay.account import Narrator
from pxerelay.relay.askers import Askers
from pxerelay.relay.relay import Relay

_NAMES_WAITED_FOR = 1.0
"""Seconds that the end of the start waits for DNS answers; packets do not wait for it."""

_LONGEST_ERROR = 500
"""Characters of an error that `status` and the service manager are told."""


class StartError(Exception):
    """The daemon can't start for a reason outside its configuration; the message says what to do."""


class Daemon:
    """One running relay. What changes at run time is exchanged as a whole, by one assignment.

    `first` is the loading of the configuration to begin with, if somebody has begun it already.
    """

    def __init__(
        self, config_path: Path, control_path: Path, *, debug: bool, first: Loading | None = None
    ) -> None:
        self._first = first
        self._config_path = config_path
        self._control_path = control_path
        self._debug = debug
        self._export = Export(self.status)
        self._control: ControlServer | None = None
        self._active: ActiveConfig
        self._relay_now: Relay
        self._askers = Askers()
        self._last_error: str | None = None
        self._last_reload_at: datetime | None = None  # there was none since the start
        self._alarm = Alarm(self._follow_clock)
        self._answers = ResolvedNames()
        self._has_names = asyncio.Event()
        self._naming: asyncio.Task[None]
        self._questioner = names.DnsClient(self._take_late_answer)
        self._teller = names.DnsLog()
        self._links: Mapping[int, Link] = {}
        self._table: PortTable
        self._port_log = PortLog()
        self._loading = asyncio.Lock()
        self._next_reload: asyncio.Task[dict[str, Any]] | None = None
        self._reloads: set[asyncio.Task[dict[str, Any]]] = set()

    async def run(self) -> None:
        """Relay until SIGTERM or SIGINT; ConfigError or StartError if that can't begin."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._request_reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, loader_process.SIGNALS)
        stopped = loop.create_task(stop.wait())
        relaying = loop.create_task(self._relay())
        await asyncio.wait((stopped, relaying), return_when=asyncio.FIRST_COMPLETED)
        notify.notify("STOPPING=1")
        await end((stopped, relaying, *self._reloads))  # none may apply what it loaded when all is closed
        await end(self._reloads)
        failure = None if relaying.cancelled() else relaying.exception()
        if failure and not stop.is_set():  # else it may have failed because the loader was told to stop too
            raise failure
        LOGGER.info("stopped")

    async def _relay(self) -> None:
        """Start, then follow what changes until cancelled."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._loading:  # a reload that somebody asks for now comes after the start
                states = await self._start(stack)
            await asyncio.gather(self._follow(states), self._follow_names())

    async def _start(self, stack: contextlib.AsyncExitStack) -> AsyncGenerator[Changes, None]:
        """Begin to relay, leaving to `stack` how to end it, and return the states of the network to come."""
        states = watch()
        listing = asyncio.ensure_future(anext(states))  # while the child loads
        stack.push_async_callback(states.aclose)
        stack.push_async_callback(end, (listing,))
        try:
            held = await self._load()
        except (LoadError, OSError) as error:
            raise StartError(str(error)) from error
        udp, link = stack.enter_context(_open_sockets())
        self._ways = Ways()
        stack.callback(self._ways.close)
        self._traffic = Traffic(udp, link)
        stack.callback(self._traffic.close)
        self._vrfs = VrfSockets(udp, self._traffic.readable, self._apply_again)
        stack.callback(self._vrfs.close)
        stack.callback(self._alarm.close)
        self._healthcheck = HealthCheck(self._traffic, self._apply_again)
        stack.callback(self._healthcheck.close)
        mark = DrainMark(self._control_path)
        self._own_health = OwnHealth(self._in_force, self._traffic, self._healthcheck, self._ways.to, mark)
        stack.push_async_callback(self._export.serve, None)
        self._links = (await listing).links
        self._apply(held, self._answers.renewed(dict.fromkeys(held.loaded.config.dns_names, names.NOT_YET)))
        stack.callback(Listener(udp, self._traffic.readable).close)
        self._naming = asyncio.get_running_loop().create_task(self._renew_names())
        stack.push_async_callback(end, (self._naming,))
        await asyncio.wait((self._naming,), timeout=_NAMES_WAITED_FOR)
        await self._export.serve(held.config.metrics)
        stack.push_async_callback(self._close_control)
        self._renew_control()
        self._report_start()
        memory.settle()
        notify.notify("READY=1", self._status_text())
        return states

    async def _load(self) -> ActiveConfig:
        loading = self._first or loader_process.start(self._config_path, documents=self._debug)
        self._first = None
        fresh = await loaded(loading)
        places, since = RulePlaces(fresh.documents), datetime.now(timezone.utc)
        took = asyncio.get_running_loop().time() - loading.since
        return ActiveConfig.on_day(clock.today(), fresh, places, since, took)

    async def reload(self) -> dict[str, Any]:
        """Load the configuration again; one that does not load changes nothing but `last_error`."""
        return await asyncio.shield(self._request_reload())

    def _request_reload(self) -> asyncio.Task[dict[str, Any]]:
        """Return the next reload; whoever asks before it begins shares it."""
        if self._next_reload is None:
            self._next_reload = asyncio.get_running_loop().create_task(self._reload())
            self._reloads.add(self._next_reload)
            self._next_reload.add_done_callback(self._reloads.discard)
        return self._next_reload

    async def _reload(self) -> dict[str, Any]:
        async with self._loading:
            self._next_reload = None
            notify.reloading()
            try:
                self._renew_control()
            except StartError as error:
                LOGGER.warning("%s", error)
            self._export.renew(self._active.config.metrics)
            try:
                held = await self._load()
                answers = await self._ask_names(held.loaded.config)
                await asyncio.sleep(0)  # packets first, here and below
                self._apply(held, answers)
            except Exception as error:  # noqa: BLE001  # whatever it is, the old configuration stays
                return self._refuse(error)
            self._last_error = None
            self._last_reload_at = held.since
            await self._export.serve(held.config.metrics)
            await asyncio.sleep(0)
            memory.give_back()
            LOGGER.info("reloaded %s: %s", self._config_path, self._summary())
            notify.notify("READY=1", self._status_text())
            return {"sha256": held.loaded.sha256, "rules": len(held.loaded.config.policy.rules)}

    def _refuse(self, error: Exception) -> dict[str, Any]:
        """Tell everybody that the new configuration is not in force."""
        expected = isinstance(error, ConfigError | LoadError | OSError)
        text = str(error) if expected else repr(error)
        summary = error.summary() if isinstance(error, ConfigError) else text
        self._last_error = " ".join(summary.split())[:_LONGEST_ERROR]
        self._last_reload_at = datetime.now(timezone.utc)
        LOGGER.error(
            "the new configuration does not load, the old one stays:\n%s",
            text,
            exc_info=None if expected else error,
        )
        notify.notify("READY=1", f"STATUS=new configuration refused: {self._last_error}")
        self._traffic.ledger.watches.announce({"event": "refused", "error": self._last_error})
        return {"error": text}

    def status(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        loaded, relay, traffic = self._active.loaded, self._relay_now, self._traffic
        now, reloaded = asyncio.get_running_loop().time(), self._last_reload_at
        return {
            "version": __version__,
            "prefix": sys.prefix,
            "config": {
                **self._active.described(self._config_path),
                "load_seconds": round(self._active.took, 3),
                "last_reload_at": reloaded.isoformat(timespec="seconds") if reloaded else None,
                "rules": len(loaded.config.policy.rules),
                "ended": self._active.ended,
                "next_end": self._active.next_end_text,
                "last_error": self._last_error,
            },
            "health": self._own_health.told(),
            "interfaces": stats.interfaces(relay),
            "dns": stats.dns(relay),
            "metrics": {
                "at": self._active.config.metrics,
                "error": self._export.error,
            },
            "counters": traffic.totals(),
            "traffic": stats.traffic(relay, traffic.ledger.counters),
            "servers": stats.servers(
                relay, traffic.ledger.counters, traffic.ledger.transactions, now, self._healthcheck.states()
            ),
            "clients": stats.last_clients(relay, traffic.names, traffic.ledger.transactions, now),
            "unknown": len(traffic.ledger.unknown),
        }

    def _in_force(self) -> InForce:
        return InForce(self._relay_now, self._active.loaded.sha256, self._naming.done())

    async def _answer_status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return self.status()

    def _apply(self, held: ActiveConfig, answers: ResolvedNames) -> None:
        """Put a configuration or new answers into force: build, then swap."""
        held, healthcheck = held.on(clock.today()), self._healthcheck
        config = held.config
        links, thought = self._links.values(), (healthcheck.standing, healthcheck.sticky(config))
        table = PortTable(config, links, socket.gethostname())
        relay = Relay(config, table.ports, links, answers, *thought, self._askers, self._ways.to)
        if held.dated:
            self._alarm.set(None if held.next_end is None else held.next_end + 1)
        else:
            self._alarm.close()
        if config.dns_names:
            self._has_names.set()
        else:
            self._has_names.clear()  # nothing to ask for, and so no reason to wake up
        self._active, self._answers, self._table, self._relay_now = held, answers, table, relay
        self._traffic.narrator = Narrator(relay, held.places.line_of) if self._debug else None
        self._traffic.obey(relay, table.names)
        self._traffic.ledger.watches.obey(relay, table.names, held.described(self._config_path))
        healthcheck.follow(relay)
        self._hear_vrfs()
        self._port_log.tell_all(relay.ports)

    def _follow_network(self, change: Change) -> None:
        """Patch what depends on links and their addresses, where these changed."""
        relay, described = self._relay_now, self._active.described(self._config_path)
        relay.follow(self._table.ports, change)
        self._traffic.follow(relay, change.indexes)
        self._traffic.ledger.watches.obey(relay, self._table.names, described)
        self._hear_vrfs()
        self._port_log.tell(change.fresh)
        notify.notify(self._status_text())

    def _hear_vrfs(self) -> None:
        links = self._links.values()
        heard = self._vrfs.follow(vrfs_to_hear(self._active.config, self._relay_now.ports, links))
        self._traffic.elsewhere = frozenset(link.index for link in links if link.vrf in heard)

    def _apply_again(self) -> None:
        """Build the relay again with the same configuration: something else has changed."""
        self._apply(self._active, self._answers)

    async def _follow(self, states: AsyncGenerator[Changes, None]) -> None:
        """Keep up with the network; of most links nothing is of interest."""
        async with contextlib.aclosing(states):
            async for changes in states:
                self._links = changes.links
                self._traffic.settle()  # for names change with the table
                change = self._table.update(changes.changed)
                if change.matters:
                    self._follow_network(change)

    def _follow_clock(self) -> None:
        """Pass over the rules whose last day is over; where the clock was set back they apply again."""
        before = self._active
        self._apply_again()
        for line in self._active.changes_since(before):
            LOGGER.info("%s", line)

    async def _follow_names(self) -> None:
        """Ask for servers' DNS names again and again."""
        await self._naming
        while True:
            await self._has_names.wait()
            await asyncio.sleep(names.INTERVAL)
            await self._renew_names()

    async def _renew_names(self) -> None:
        """Ask for servers' DNS names; what is in force stays until an answer differs."""
        held = self._active
        answers = await self._ask_names(held.loaded.config)
        if answers != self._answers and held.loaded is self._active.loaded:  # no reload came in between
            self._apply(self._active, answers)

    async def _ask_names(self, config: Config) -> ResolvedNames:
        fresh = self._answers.renewed(await self._questioner.resolve(config.dns_names))
        self._teller.tell(fresh, self._answers)
        return fresh

    def _take_late_answer(self, name: str, answer: ResolvedName) -> None:
        """Put an answer into force that came after its round, if the name is still one of a server."""
        if name in self._answers.by_name:
            fresh = self._answers.updated(name, answer)
            self._teller.tell(fresh, self._answers)
            if fresh != self._answers:
                self._apply(self._active, fresh)

    def _renew_control(self) -> None:
        """Listen at the control socket, also if it was removed or could not be made before; else say why not.

        Raises StartError if another daemon has it; on a reload that is a warning.
        """
        try:
            if self._control is None:
                self._control = ControlServer(
                    self._control_path,
                    {
                        "status": self._answer_status,
                        "reload": lambda _: self.reload(),
                        **self._own_health.handlers(),
                        **Handlers(self._traffic, lambda: self._relay_now).handlers(),
                    },
                )
            elif self._control.renew():
                LOGGER.warning("the control socket %s was removed; it is there again", self._control_path)
        except TakenError as error:
            raise StartError(f"{error}: give this one a `--socket` of its own") from None
        except OSError as error:
            LOGGER.warning("no control socket at %s: %s", self._control_path, error.strerror)

    async def _close_control(self) -> None:
        if self._control:
            await self._control.close()

    def _report_start(self) -> None:
        LOGGER.info("pxerelay %s relays by %s: %s", __version__, self._config_path, self._summary())
        config = self._active.loaded.config
        if not config.interfaces and not config.accept_relayed_from:
            LOGGER.warning(
                "there is nothing to relay: neither `interfaces:` nor `accept_relayed_from:` is set"
            )

    def _summary(self) -> str:
        rules = len(self._active.loaded.config.policy.rules)
        ports = self._relay_now.ports
        active = sum(not port.waiting for port in ports)
        return f"{rules} rules, {active} of {len(ports)} client interfaces active"

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
