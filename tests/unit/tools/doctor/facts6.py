"""Facts of a host where all is well in DHCPv6, for tests of what `doctor` makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address
from types import MappingProxyType
from typing import Any

from pxerelay.policy.links import Link
from pxerelay.policy.ports6 import assign
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.tools.doctor import network6
from pxerelay.tools.doctor.facts import Holder
from pxerelay.tools.doctor.facts6 import HostFacts6, Settings6
from tests.unit.configs import build
from tests.unit.configs6 import LINKS

CONFIG6 = """
servers: {ris: "2001:db8:20::10", altiris: "2001:db8:20::20"}
default: ris
dhcpv4: false
dhcpv6: true
interfaces:
  vlan10: {}
  vlan20: {default: altiris}
"""
RIS6, ALTIRIS6 = IPv6Address("2001:db8:20::10"), IPv6Address("2001:db8:20::20")
LINK_ADDRESS = "2001:db8:10::1"


def facts6(
    text: str = CONFIG6,
    like: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    leaves_by: Mapping[tuple[IPv6Address, int], str] | None = None,
    **more: Any,
) -> HostFacts6:
    """Return the facts of a healthy host, but for what is said; `like` says more of links by name."""
    config = build(text)
    links: Sequence[Link] = [one._replace(**like.get(one.name, {})) for one in LINKS]
    answers = ResolvedNames()
    given: dict[str, Any] = {
        "config": config,
        "answers": answers,
        "ports": assign(config, links, "h"),
        "ours": frozenset(one.address for link in links for one in link.addresses6 if one.usable),
        "settings": {link.name: Settings6() for link in links},
        "daemon": True,
        "holders": (Holder("::", "pxerelay", 4711, "pxerelay run", ours=True),),
        "waiting": {},
        "leaves_by": {(RIS6, 0): "core", (ALTIRIS6, 0): "core"} if leaves_by is None else leaves_by,
    }
    return HostFacts6(**{**given, **more})


def of_network6(given: HostFacts6, interface: str | None = None) -> list[str]:
    return [
        f"{one.severity.value} {one.subject} {one.code.value}" for one in network6.findings(given, interface)
    ]
