"""Facts of a host where all is well, for tests of what `doctor` makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pxerelay.policy.links import Link
from pxerelay.policy.ports import assign
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.tools.doctor import host, network, plan
from pxerelay.tools.doctor.facts import Facts, Holder, Nic, Running, ServerRoute
from pxerelay.tools.doctor.verdict import Finding
from tests.unit.configs import build

DOCS = Path(__file__).parents[4] / "docs" / "doctor.md"

CONFIG = """
servers: {ris: 10.20.0.10, altiris: 10.20.0.20}
default: ris
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
"""
RIS, ALTIRIS = IPv4Address("10.20.0.10"), IPv4Address("10.20.0.20")
GIADDR = IPv4Address("10.10.10.1")
ALL = (1 << 40) - 1


def nic(index: int, name: str, *addresses: str, **more: Any) -> Nic:
    return Nic(index, name, addresses=tuple(map(IPv4Interface, addresses)), **more)


NICS = (
    nic(2, "core", "10.20.0.1/24"),
    nic(10, "vlan10", "10.10.10.1/24"),
    nic(20, "vlan20", "10.10.20.1/24"),
)
RUNNING = Running(4711, "/etc/p.yml", "abc", None, {}, 0, ALL)


def facts(
    text: str = CONFIG,
    nics: tuple[Nic, ...] = NICS,
    vrfs: dict[int, int] | None = None,
    like: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    **more: Any,
) -> Facts:
    """Return the facts of a healthy host, but for what is said; `like` says more of links by name."""
    config = build(text)
    vrfs = vrfs or {}
    links = [
        Link(
            one.index,
            one.name,
            up=one.up and one.carrier,
            mtu=1500,
            addresses=tuple(address.ip for address in one.addresses),
            vrf=vrfs.get(one.index, 0),
            **like.get(one.name, {}),
        )
        for one in nics
    ]
    known = more.pop("answers", ResolvedNames())
    ways = [
        ServerRoute(server, 0, "core", None, IPv4Address("10.20.0.1"))
        for server in plan.servers(config, known)
    ]
    given: dict[str, Any] = {
        "config": config,
        "sha256": "abc",
        "path": "/etc/p.yml",
        "answers": known,
        "running": RUNNING,
        "no_daemon": "",
        "denied": False,
        "capabilities": ALL,
        "holders": (Holder("0.0.0.0", "pxerelay", 4711, "pxerelay run", ours=True),),
        "links": tuple(links),
        "nics": {one.name: one for one in nics},
        "ports": assign(config, links, "h"),
        "ways": tuple(ways),
    }
    return Facts(**{**given, **more})


def of_host(given: Facts) -> list[str]:
    return [spelled(one) for one in host.findings(given)]


def of_network(given: Facts, interface: str | None = None) -> list[str]:
    servers = tuple(dict.fromkeys(way.server for way in given.ways))
    return [spelled(one) for one in network.findings(given, servers, interface)]


def spelled(finding: Finding) -> str:
    return f"{finding.severity.value} {finding.subject} {finding.code.value}"


def changed(name: str, **more: Any) -> tuple[Nic, ...]:
    return tuple(replace(one, **more) if one.name == name else one for one in NICS)


def way(server: IPv4Address = RIS, vrf: int = 0, interface: str = "core", **more: Any) -> ServerRoute:
    return ServerRoute(server, vrf, interface, **more)
