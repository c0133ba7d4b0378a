"""Gathers the facts of this host, and of the daemon that runs on it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from pxerelay.config.loaded import Loaded
from pxerelay.linux import clock, control_client, interfaces, names
from pxerelay.linux.netlink import Lister
from pxerelay.policy.ports import assign
from pxerelay.policy.ports6 import assign as ports6_of
from pxerelay.policy.resolved import ResolvedName, ResolvedNames
from pxerelay.tools.doctor import kernel, plan, processes
from pxerelay.tools.doctor.facts import Arrival, Facts, Running


class ElsewhereError(Exception):
    """The daemon is on another network than this process; the message says what to do."""


async def facts(
    loaded: Loaded,
    path: Path,
    socket_path: Path,
    servers: Sequence[str],
    interface: str | None,
    *,
    timeout: float = control_client.TIMEOUT,
) -> Facts:
    """Return what is known of this host; routes only to some servers, if these are given.

    A daemon that does not answer is waited for `timeout` seconds.

    Raises ElsewhereError if the daemon that answers is in another network namespace, and
    plan.UnknownNameError if there is no such server, or client interface.
    """
    running, no_daemon, status = _running(socket_path, timeout)
    if running and processes.same_network(running.pid) is False:
        raise ElsewhereError(
            f"the daemon (process {running.pid}) is in another network namespace than this command; type: "
            f"nsenter --net=/proc/{running.pid}/ns/net pxerelay doctor"
        )
    config = loaded.config.on(clock.today())
    answers = await _answers(config.dns_names, status)
    links = await interfaces.listed(ipv6=config.dhcpv6 is not None)
    ports = assign(config, links, socket.gethostname())
    ports6 = ports6_of(config, links, socket.gethostname()) if config.dhcpv6 else ()
    plan.check_interface((*ports, *ports6), interface)
    chosen = plan.chosen(config, answers, servers)
    wanted = [server for server in chosen if isinstance(server, IPv4Address)]
    known = {link.index: link.name for link in links}
    with contextlib.closing(Lister()) as lister:
        nics = await kernel.nics(lister)
        ways = await kernel.ways(lister, config, wanted, ports, links)
        clients = await kernel.refused_clients(lister, ports, nics, known)
        replies: list[Arrival] = []
        for way in ways:
            port = next((one for one in ports if not one.waiting and one.vrf == way.vrf), None)
            nic = nics.get(way.interface)
            if port and port.giaddr and nic and not way.local:
                arrival = await kernel.refused(lister, way.server, port.giaddr, nic, known)
                replies += [arrival] if arrival else []
    return Facts(
        config=config,
        sha256=loaded.sha256,
        path=str(path),
        answers=answers,
        running=running,
        no_daemon=no_daemon,
        denied=running is None and _is_denied(socket_path),
        capabilities=processes.capabilities(os.getpid()) or 0,
        holders=processes.holders(running.pid if running else None),
        links=links,
        nics=nics,
        ports=ports,
        ways=ways,
        wanted6=tuple(server for server in chosen if isinstance(server, IPv6Address)),
        refused_clients=tuple(clients),
        refused_replies=tuple(replies),
        receive_limit=kernel.setting("core/rmem_max"),
        unprivileged_ports=kernel.setting("ipv4/ip_unprivileged_port_start"),
        now=time.time(),
        newest_file=_newest(loaded),
    )


def _running(path: Path, timeout: float) -> tuple[Running | None, str, dict[str, Any]]:
    """Return the daemon, or why there is none that answers, and its status."""
    try:
        status = control_client.ask(path, "status", timeout)
    except control_client.NoDaemonError as error:
        return None, str(error), {}
    pid = processes.peer(path) or 0
    running = Running(
        pid=pid,
        path=status["config"]["path"],
        sha256=status["config"]["sha256"],
        last_error=status["config"]["last_error"],
        waiting={name: one["waiting"] for name, one in status["interfaces"].items() if one["waiting"]},
        not_received=status["counters"]["not_received"],
        capabilities=processes.capabilities(pid),
        no_metrics=status["metrics"]["error"],
        waiting6={
            name: one["ipv6"]["waiting"]
            for name, one in status["interfaces"].items()
            if one.get("ipv6", {}).get("waiting")
        },
        by_kernel=status.get("counters6", {}).get("by_kernel", 0),
    )
    return running, "", status


def _is_denied(path: Path) -> bool:
    """Whether there may be a daemon at a path that does not let us talk to it."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(path, os.W_OK)


async def _answers(wanted: frozenset[str], status: dict[str, Any]) -> ResolvedNames:
    """Return what DNS names stand for: as the daemon was told, else as we are."""
    told = {}
    for name, one in status.get("dns", {}).items():
        if name in wanted:
            found = list(map(ip_address, one["addresses"]))
            told[name] = ResolvedName(
                tuple(address for address in found if isinstance(address, IPv4Address)),
                one["error"] or "",
                tuple(address for address in found if isinstance(address, IPv6Address)),
            )
    missing = wanted - told.keys()
    if missing:
        told |= await names.DnsClient(lambda _name, _answer: None).resolve(missing)
    return ResolvedNames(told)


def _newest(loaded: Loaded) -> float:
    times = []
    for name in loaded.files:
        with contextlib.suppress(OSError):
            times.append(Path(name).stat().st_mtime)
    return max(times, default=0.0)
