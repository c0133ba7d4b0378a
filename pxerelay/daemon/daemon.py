"""The daemon's life: start, reload, follow the network, stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxerelay import __version__
from pxerelay.config.findings import ConfigError
from pxerelay.config.places import RulePlaces
from pxerelay.daemon import loader_process, stats
from pxerelay.daemon.active_config import ActiveConfig
from pxerelay.daemon.control import ControlServer
from pxerelay.daemon.export import Export
from pxerelay.daemon.flow import Flow, StartError, ToObey
from pxerelay.daemon.flow4 import Flow4
from pxerelay.daemon.handlers import Handlers
from pxerelay.daemon.healthcheck import HealthCheck
from pxerelay.daemon.loader import loaded
from pxerelay.daemon.loader_process import LoadError, Loading
from pxerelay.daemon.own_health import InForce, OwnHealth
from pxerelay.daemon.server_names import ServerNames
from pxerelay.linux import clock, memory, notify
from pxerelay.linux.clock import Alarm
from pxerelay.linux.drain_mark import DrainMark
from pxerelay.linux.interfaces import Changes, Families, listed, watch
from pxerelay.linux.localsocket import TakenError
from pxerelay.linux.log import LOGGER
from pxerelay.linux.tasks import end
from pxerelay.linux.ways import Ways
from pxerelay.policy.links import Link
from pxerelay.policy.model import Config
from pxerelay.policy.port_table import AnyPort
from pxerelay.policy.resolved import ResolvedNames

if TYPE_CHECKING:
    from pxerelay.daemon.flow6 import Flow6

_LONGEST_ERROR = 500
"""Characters of an error that `status` and the service manager are told."""


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
        self._described: dict[str, Any] = {}
        self._last_error: str | None = None
        self._last_reload_at: datetime | None = None  # there was none since the start
        self._alarm = Alarm(self._follow_clock)
        self._names = ServerNames(lambda: self._active.loaded.config, self._obey_answers)
        self._families = Families()
        self._links: Mapping[int, Link] = {}
        self._ways = Ways()
        self._flow4 = Flow4(self._apply_again, self._ways.to)
        self._flow6: Flow6 | None = None
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
            await asyncio.gather(self._follow(states), self._names.follow())

    async def _start(self, stack: contextlib.AsyncExitStack) -> AsyncGenerator[Changes, None]:
        """Begin to relay, leaving to `stack` how to end it, and return the states of the network to come."""
        states = watch(self._families)
        listing = asyncio.ensure_future(anext(states))  # while the child loads
        stack.push_async_callback(states.aclose)
        stack.push_async_callback(end, (listing,))
        try:
            held = await self._load()
        except (LoadError, OSError) as error:
            raise StartError(str(error)) from error
        stack.callback(self._ways.close)
        stack.callback(self._close_flows)
        self._open_flows(held.config)
        stack.callback(self._alarm.close)
        self._healthcheck = HealthCheck(self._apply_again)
        stack.callback(self._healthcheck.close)
        mark = DrainMark(self._control_path)
        self._own_health = OwnHealth(
            self._in_force, self._flow4.traffic.recent, self._healthcheck, self._ways.to, mark
        )
        stack.push_async_callback(self._export.serve, None)
        self._links = (await listing).links
        await self._learn_ipv6(held.config)
        self._apply(held, self._names.unasked(held.loaded.config))
        stack.push_async_callback(self._names.close)
        await self._names.begin()
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
                answers = await self._names.ask(held.loaded.config)
                await self._learn_ipv6(held.config)
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
        expected = isinstance(error, ConfigError | LoadError | OSError | StartError)
        text = str(error) if expected else repr(error)
        summary = error.summary() if isinstance(error, ConfigError) else text
        self._shut_flows(self._active.config)  # those that were opened for it
        self._last_error = " ".join(summary.split())[:_LONGEST_ERROR]
        self._last_reload_at = datetime.now(timezone.utc)
        LOGGER.error(
            "the new configuration does not load, the old one stays:\n%s",
            text,
            exc_info=None if expected else error,
        )
        notify.notify("READY=1", f"STATUS=new configuration refused: {self._last_error}")
        self._flow4.traffic.ledger.watches.announce({"event": "refused", "error": self._last_error})
        return {"error": text}

    def status(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        loaded, relay, traffic = self._active.loaded, self._flow4.relay, self._flow4.traffic
        now, reloaded, flow6 = asyncio.get_running_loop().time(), self._last_reload_at, self._flow6
        counted = [flow.counted for flow in (self._flow4, flow6) if flow]
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
            "interfaces": stats.interfaces(relay.ports, flow6.relay.ports if flow6 else ()),
            "dns": stats.dns(self._names.answers),
            "metrics": {
                "at": self._active.config.metrics,
                "error": self._export.error,
            },
            "counters": traffic.totals(),
            **({"counters6": flow6.traffic.totals()} if flow6 else {}),
            "traffic": stats.traffic(self._flow4.counted),
            **({"traffic6": stats.traffic(flow6.counted)} if flow6 else {}),
            "servers": stats.servers(counted, now, self._healthcheck.states()),
            "clients": stats.last_clients(counted, traffic.names, now),
            "unknown": len(traffic.ledger.unknown),
        }

    def _in_force(self) -> InForce:
        on = self._flows_in_force()
        relays, traffics = [flow.relay for flow in on], [flow.traffic for flow in on]
        return InForce(relays, traffics, self._names.answers, self._active.loaded.sha256, self._names.asked)

    async def _answer_status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return self.status()

    def _apply(self, held: ActiveConfig, answers: ResolvedNames) -> None:
        """Put a configuration or new answers into force: build, then swap."""
        held, healthcheck = held.on(clock.today()), self._healthcheck
        config = held.config
        line_of = held.places.line_of if self._debug else None
        force = ToObey(config, held.described(self._config_path), self._links, line_of)
        self._open_flows(config)
        built = self._flow4.built(force, answers, healthcheck.standing)
        built6 = self._flow6.built(force, answers, healthcheck.standing) if self._flow6 else None
        if held.dated:
            self._alarm.set(None if held.next_end is None else held.next_end + 1)
        else:
            self._alarm.close()
        self._active = held
        self._names.in_force(config, answers)
        self._flow4.obey(built, force)
        if self._flow6 and built6:
            self._flow6.obey(built6, force)
        self._described = force.described
        self._shut_flows(config)
        self._renew_views()
        healthcheck.follow(config, [flow.checked for flow in self._flows_in_force()])

    def _open_flows(self, config: Config) -> None:
        """Have sockets for the families that a configuration relays; StartError if that can't be."""
        if config.dhcpv4:
            self._flow4.open()
        if config.dhcpv6:
            if self._flow6 is None:
                from pxerelay.daemon.flow6 import Flow6  # most hosts have no use for it

                traffic = self._flow4.traffic
                self._flow6 = Flow6(self._apply_again, self._ways.to, traffic.recent, traffic.ledger.common)
            self._flow6.open()

    def _shut_flows(self, config: Config) -> None:
        """Hear the families that a configuration relays, and have no sockets for others."""
        self._families.want_ipv6(config.dhcpv6 is not None)
        if config.dhcpv4:
            self._flow4.listen()
        else:
            self._flow4.shut()
        if self._flow6 and config.dhcpv6:
            self._flow6.listen()
        elif self._flow6:
            self._flow6.close()
            self._flow6 = None

    def _flows_in_force(self) -> list[Flow]:
        """Return the families that are on."""
        flow4 = self._flow4 if self._active.config.dhcpv4 else None
        return [flow for flow in (flow4, self._flow6) if flow]

    def _renew_views(self) -> None:
        """Have traces tell of the families as they are."""
        views = (flow.view for flow in self._flows_in_force())
        self._flow4.traffic.ledger.watches.obey(views, self._described)

    def _close_flows(self) -> None:
        self._flow4.close()
        if self._flow6:
            self._flow6.close()

    async def _learn_ipv6(self, config: Config) -> None:
        """List IPv6 addresses too where a configuration is the first to need them."""
        if config.dhcpv6 and not self._families.ipv6:
            self._families.want_ipv6(True)
            found = {link.index: link for link in await listed(ipv6=True)}
            self._links = {index: _with_ipv6(link, found.get(index)) for index, link in self._links.items()}

    def _apply_again(self) -> None:
        """Build the relay again with the same configuration: something else has changed."""
        self._apply(self._active, self._names.answers)

    def _obey_answers(self, answers: ResolvedNames) -> None:
        self._apply(self._active, answers)

    async def _follow(self, states: AsyncGenerator[Changes, None]) -> None:
        """Keep up with the network; of most links nothing is of interest."""
        async with contextlib.aclosing(states):
            async for changes in states:
                self._links = changes.links
                matters = self._flow4.follow(changes.links, changes.changed)
                if self._flow6:
                    matters |= self._flow6.follow(*changes)
                if matters:
                    self._renew_views()
                    notify.notify(self._status_text())

    def _follow_clock(self) -> None:
        """Pass over the rules whose last day is over; where the clock was set back they apply again."""
        before = self._active
        self._apply_again()
        for line in self._active.changes_since(before):
            LOGGER.info("%s", line)

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
                        **Handlers(
                            self._flow4.traffic, lambda: self._flow4.relay, self._flows_in_force
                        ).handlers(),
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
        if not (config.interfaces or config.accept_relayed_from or config.accept_relayed_from6):
            LOGGER.warning(
                "there is nothing to relay: neither `interfaces:` nor `accept_relayed_from:` is set"
            )

    def _summary(self) -> str:
        rules = len(self._active.loaded.config.policy.rules)
        serving = [f"{_active(self._flow4.relay.ports)} client interfaces active"]
        if self._flow6:
            serving.append(f"{_active(self._flow6.relay.ports)} in DHCPv6")
        return f"{rules} rules, {', '.join(serving)}"

    def _status_text(self) -> str:
        return f"STATUS={self._summary()}"


def _with_ipv6(link: Link, found: Link | None) -> Link:
    """Return a link as it is by now, with what was found of it in IPv6."""
    return link._replace(addresses6=found.addresses6, has_ipv6=found.has_ipv6) if found else link


def _active(ports: Sequence[AnyPort]) -> str:
    return f"{sum(not port.waiting for port in ports)} of {len(ports)}"
