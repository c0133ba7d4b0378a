"""The report, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pxerelay.relay.decision import Drop
from pxerelay.tools.doctor.answers6 import is_taken
from pxerelay.tools.doctor.facts import Asked, Facts
from pxerelay.tools.doctor.facts6 import Asked6, HostFacts6
from pxerelay.tools.doctor.verdict import Finding, Severity

_ORDER = tuple(Severity)


def text(
    facts: Facts,
    asked: Sequence[Asked],
    found: Sequence[Finding],
    facts6: HostFacts6 | None = None,
    asked6: Sequence[Asked6] = (),
) -> str:
    """Return what was found, the worst first, and below it what was answered, by either family."""
    lines = []
    for finding in sorted(found, key=lambda one: _ORDER.index(one.severity)):
        lines.append(f"{finding.severity.value:8}{finding.subject}: {finding.message} [{finding.code.value}]")
        lines += (f"{'':8}-> {step}" for step in finding.advice)
    lines += (f"{'ok':8}{line}" for one in asked for line in _answered(facts, one))
    if facts6:
        lines += (f"{'ok':8}{line}" for one in asked6 for line in _answered6(facts6, one))
    count = Counter(finding.severity for finding in found)
    active, ports = len(facts.active), len(facts.ports)
    lines.append(
        f"errors: {count[Severity.ERROR]}, warnings: {count[Severity.WARNING]}; "
        f"{active} of {ports} client interfaces active, {len({one.server for one in asked})} servers asked"
    )
    if facts6:
        lines[-1] += (
            f"; in DHCPv6 {len(facts6.active)} of {len(facts6.ports)} client interfaces active, "
            f"{len({one.server for one in asked6})} servers asked"
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


def _answered6(facts: HostFacts6, asked: Asked6) -> Iterable[str]:
    for answer in [one for one in asked.answers if is_taken(asked, one)][:1]:
        place = asked.interface or f"link-address {asked.link_address}"
        yield (
            f"{facts.named(asked.server)}: from {place} answered after {answer.milliseconds} ms: "
            f"address {answer.address or 'none'}, boot file {answer.boot_file or 'none'}"
        )


def as_json(
    facts: Facts,
    asked: Sequence[Asked],
    found: Sequence[Finding],
    facts6: HostFacts6 | None = None,
    asked6: Sequence[Asked6] = (),
) -> str:
    """Return the same as an object: `findings`, `daemon`, `interfaces`, `routes`, `servers`.

    What is of DHCPv6 is under `ipv6`, with keys of the same names.
    """
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
    if facts6:
        whole["ipv6"] = _of6(facts6, asked6)
    return json.dumps(whole, indent=2)


def _of6(facts: HostFacts6, asked: Sequence[Asked6]) -> dict[str, Any]:
    names = {link.index: link.name for port in facts.ports for link in (port.link,) if link}
    return {
        "interfaces": {
            port.name: {
                "state": port.state,
                "link_address": str(port.link_address) if port.link_address else None,
                "link_local": str(port.link_local) if port.link_local else None,
                "waiting": port.waiting or None,
            }
            for port in facts.ports
        },
        "routes": [
            {"server": str(server), "vrf": names.get(vrf), "interface": interface or None}
            for (server, vrf), interface in facts.leaves_by.items()
        ],
        "servers": [
            {
                "server": str(facts.named(one.server)),
                "address": str(one.server),
                "interface": one.interface,
                "link_address": one.link_address,
                "error": one.error or None,
                "failures": list(one.failures),
                "answers": [
                    {
                        "source": str(answer.source),
                        "milliseconds": answer.milliseconds,
                        "octets": answer.octets,
                        "dropped": answer.dropped,
                        "address": answer.address,
                        "boot_file": answer.boot_file,
                        "status": answer.status,
                    }
                    for answer in one.answers
                ],
            }
            for one in asked
        ],
    }


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
