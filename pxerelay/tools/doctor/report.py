"""The report, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pxerelay.relay.decision import Drop
from pxerelay.tools.doctor.facts import Asked, Facts
from pxerelay.tools.doctor.verdict import Finding, Severity

_ORDER = tuple(Severity)


def text(facts: Facts, asked: Sequence[Asked], found: Sequence[Finding]) -> str:
    """Return what was found, the worst first, and below it what was answered."""
    lines = []
    for finding in sorted(found, key=lambda one: _ORDER.index(one.severity)):
        lines.append(f"{finding.severity.value:8}{finding.subject}: {finding.message} [{finding.code.value}]")
        lines += (f"{'':8}-> {step}" for step in finding.advice)
    lines += (f"{'ok':8}{line}" for one in asked for line in _answered(facts, one))
    count = Counter(finding.severity for finding in found)
    active, ports = len(facts.active), len(facts.ports)
    lines.append(
        f"errors: {count[Severity.ERROR]}, warnings: {count[Severity.WARNING]}; "
        f"{active} of {ports} client interfaces active, {len({one.server for one in asked})} servers asked"
    )
    return "\n".join(lines)


def _answered(facts: Facts, asked: Asked) -> Iterable[str]:
    taken = (one for one in asked.answers if one.dropped in (None, Drop.NOT_OUR_GIADDR.value))
    for answer in list(taken)[:1]:
        place = asked.interface or f"giaddr {asked.giaddr}"
        states = [f"{service.address} {service.state}" for service in asked.services]
        more = f"port 4011: {', '.join(states)}" if states else "port 4011 not needed"
        yield (
            f"{facts.named(asked.server)}: from {place} answered after {answer.milliseconds} ms: "
            f"address {answer.address or 'none'}, boot file {answer.boot_file or 'none'}; {more}"
        )


def as_json(facts: Facts, asked: Sequence[Asked], found: Sequence[Finding]) -> str:
    """Return the same as an object: `findings`, `daemon`, `interfaces`, `routes`, `servers`."""
    whole: dict[str, Any] = {
        "config": facts.path,
        "daemon": {"pid": facts.running.pid, "config": facts.running.path} if facts.running else None,
        "findings": [
            {
                "severity": finding.severity.value,
                "code": finding.code.value,
                "subject": finding.subject,
                "message": finding.message,
                "advice": list(finding.advice),
            }
            for finding in sorted(found, key=lambda one: _ORDER.index(one.severity))
        ],
        "interfaces": {
            port.name: {
                "state": port.state,
                "giaddr": str(port.giaddr) if port.giaddr else None,
                "waiting": port.waiting or None,
            }
            for port in facts.ports
        },
        "routes": [
            {
                "server": str(way.server),
                "vrf": next((link.name for link in facts.links if link.index == way.vrf), None),
                "interface": way.interface or None,
                "gateway": str(way.gateway) if way.gateway else None,
                "source": str(way.source) if way.source else None,
                "refused": way.refused or None,
            }
            for way in facts.ways
        ],
        "servers": [_server(facts, one) for one in asked],
    }
    return json.dumps(whole, indent=2)


def _server(facts: Facts, asked: Asked) -> dict[str, Any]:
    return {
        "server": str(facts.named(asked.server)),
        "address": str(asked.server),
        "interface": asked.interface,
        "giaddr": str(asked.giaddr) if asked.giaddr else None,
        "error": asked.error or None,
        "failures": list(asked.failures),
        "answers": [
            {
                "source": str(answer.source),
                "destination": str(answer.destination),
                "milliseconds": answer.milliseconds,
                "octets": answer.octets,
                "dropped": answer.dropped,
                "address": answer.address,
                "boot_file": answer.boot_file,
            }
            for answer in asked.answers
        ],
        "wire_watched": asked.watched,
        "port_4011": {str(service.address): service.state for service in asked.services},
    }
