"""Judges what a host is: the daemon, port 67, limits, the clock."""

from __future__ import annotations

from collections.abc import Iterator

from pxerelay.policy.days import FOREVER
from pxerelay.tools.doctor.facts import Facts, Holder
from pxerelay.tools.doctor.verdict import Code, Finding, error, note, warning
from pxerelay.wire.packet import SERVER_PORT

CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW = 10, 12, 13
"""Numbers of bits (linux/capability.h)."""

_NAMES = {CAP_NET_BIND_SERVICE: "CAP_NET_BIND_SERVICE", CAP_NET_RAW: "CAP_NET_RAW"}

_HOST = "host"

_SMALL = 1 << 20
"""Octets of net.core.rmem_max below which a few hundred clients that are switched on together fill it."""

_WANTED = 128 << 20
"""What the role sets."""

_REQUEST = 1280
"""Octets that the kernel counts for a request that waits; it grants twice of what is asked for."""

_CLOCK_SLACK = 3600.0
"""Seconds between the clocks of the machines that files come from, and ours."""


def findings(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong with the host as a whole."""
    yield from _daemon(facts)
    yield from _capabilities(facts)
    yield from _port(facts)
    yield from _buffer(facts)
    yield from _clock(facts)


def _daemon(facts: Facts) -> Iterator[Finding]:
    running = facts.running
    if running is None:
        holder = next((one for one in facts.holders if one.is_pxerelay), None)
        if holder or facts.denied:
            runs = f"pxerelay holds port 67 (process {holder.pid}); " if holder else ""
            yield warning(
                Code.NOT_CHECKED,
                "daemon",
                f"{runs}{facts.no_daemon}",
                "run this as root or in the group pxerelay, with the daemon's --socket",
            )
        else:
            yield error(
                Code.NO_DAEMON,
                "daemon",
                f"no request is relayed: {facts.no_daemon}",
                "systemctl start pxerelay, then look at: journalctl -u pxerelay -n 20",
            )
        return
    if running.last_error:
        yield error(
            Code.CONFIG_NOT_IN_FORCE,
            "daemon",
            f"it refused a new configuration, the old one is in force: {running.last_error}",
            f"pxerelay check {running.path}, mend that, then: pxerelay reload",
        )
    elif running.sha256 != facts.sha256:
        same = running.path == facts.path
        yield warning(
            Code.CONFIG_NOT_IN_FORCE,
            "daemon",
            f"it relays by what {running.path} said before its last change, not by what it says now"
            if same
            else f"it relays by {running.path}, and what was examined here is {facts.path}",
            "pxerelay reload" if same else f"pxerelay doctor --config {running.path}",
        )
    if running.no_metrics:
        yield warning(
            Code.METRICS_NOT_SERVED,
            "daemon",
            f"it relays, and nobody can read its metrics: {running.no_metrics}",
            f"free that place, install what is missing, or change `metrics:` in {running.path}",
            "then: pxerelay reload",
        )


def _capabilities(facts: Facts) -> Iterator[Finding]:
    running = facts.running
    bits = facts.capabilities if running is None else running.capabilities
    if bits is None:
        return
    needed = [CAP_NET_BIND_SERVICE, CAP_NET_RAW]
    if facts.unprivileged_ports <= SERVER_PORT:
        needed.remove(CAP_NET_BIND_SERVICE)
    lacking = ", ".join(_NAMES[bit] for bit in needed if not bits & 1 << bit)
    if lacking and running is None:
        yield note(
            Code.CAPABILITIES,
            "doctor",
            f"this process lacks {lacking}, and can't ask servers itself",
            _AS_ROOT,
        )
    elif lacking:
        yield warning(
            Code.CAPABILITIES,
            "daemon",
            f"it lacks {lacking}: it will not start again so, nor hear VRFs that come later",
            "in its unit: AmbientCapabilities=CAP_NET_RAW CAP_NET_BIND_SERVICE, and the same in "
            "CapabilityBoundingSet=; then: systemctl daemon-reload",
        )


_AS_ROOT = "run this as root"


def _port(facts: Facts) -> Iterator[Finding]:
    for holder in facts.holders:
        if holder.ours or (
            facts.running is None and (holder.is_pxerelay or (facts.denied and not holder.pid))
        ):
            continue  # it is, or may be, the daemon's
        who = f"{holder.command or 'a process'} (process {holder.pid})" if holder.pid else ""
        who = who or f"a process of {holder.user}"
        harm = "takes datagrams away from the daemon" if facts.running else "keeps the daemon from starting"
        yield error(
            Code.PORT_67_TAKEN,
            _HOST,
            f"{who} has UDP port 67 of {holder.address} open and {harm}",
            *ends(holder),
        )


def ends(holder: Holder, port: int = SERVER_PORT) -> Iterator[str]:
    """Yield how to end another relay or server, which has a port."""
    if "libvirt" in holder.command:
        yield "virsh net-destroy default && virsh net-autostart default --disable (or the network it is)"
    elif holder.unit == "systemd-networkd.service":
        yield "in its .network file: DHCPServer=no; then: networkctl reload"
    elif holder.unit:
        yield f"systemctl disable --now {holder.unit}"
    elif holder.pid:
        yield f"find out what starts it (systemctl status {holder.pid}), and end it there"
    else:
        yield f"ss -lunp 'sport = :{port}', as root, tells which; end it"
    if "dnsmasq" in holder.command:
        yield "if it is wanted for DNS alone: take dhcp-range out of its configuration"


def _buffer(facts: Facts) -> Iterator[Finding]:
    running = facts.running
    advice = (
        f"sysctl -w net.core.rmem_max={_WANTED}, the same in /etc/sysctl.d/; then: systemctl restart pxerelay"
    )
    if running and running.not_received:
        yield warning(
            Code.RECEIVE_BUFFER,
            _HOST,
            f"{running.not_received} datagrams were lost since the daemon started: the receive buffer was "
            f"full (net.core.rmem_max is {facts.receive_limit})",
            advice,
        )
        return
    bits = running.capabilities if running else None
    forced = bits is not None and bits & 1 << CAP_NET_ADMIN
    if facts.receive_limit < _SMALL and not forced:
        yield warning(
            Code.RECEIVE_BUFFER,
            _HOST,
            f"net.core.rmem_max is {facts.receive_limit}: about {2 * facts.receive_limit // _REQUEST} "
            "requests may wait, and of more clients that are switched on together some are lost",
            advice,
        )


def _clock(facts: Facts) -> Iterator[Finding]:
    dated = any(until != FOREVER for until in facts.config.policy.rules.ends)
    behind = facts.newest_file - facts.now
    if dated and behind > _CLOCK_SLACK:
        yield warning(
            Code.CLOCK_BEHIND,
            _HOST,
            f"a file of the configuration was written {behind / 3600:.0f} hours after what the clock says "
            "now; rules end by this clock",
            "timedatectl, and see that it is synchronised",
        )
