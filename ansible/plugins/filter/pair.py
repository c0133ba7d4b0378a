"""Two relay hosts on the same VLANs: what the daemon and keepalived are told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from ipaddress import IPv4Interface
from typing import Any

from ansible.errors import AnsibleFilterError

INTERFACES = "pxerelay_interfaces"
HIGHEST_ID = 255
"""Of virtual routers (RFC 5798, 5.2.3)."""

HIGHEST, STEP = 150, 50
"""Priorities of the two (RFC 5798, 5.2.4); 254 would be the most that is not the address's owner."""


def priority(pair: Mapping[str, Any], host: str) -> int:
    """Return a host's VRRP priority: the first of the pair is the one that relays when both begin."""
    return HIGHEST - STEP * list(pair["hosts"]).index(host)


def paired(variables: Mapping[str, Any], pair: Mapping[str, Any], host: str) -> dict[str, Any]:
    """Return a host's `pxerelay_*` variables with the pair's addresses as giaddr of their interfaces.

    So the daemon relays on the host that has the address, and waits on the other. AnsibleFilterError, with
    all that is wrong, for a pair that cannot be meant so.
    """
    if not pair:
        return dict(variables)
    interfaces = dict(variables.get(INTERFACES) or {})
    findings = _wrong_hosts(pair, host)
    if not 1 <= pair["id"] <= HIGHEST_ID:
        findings.append(f"id: {pair['id']} is none of 1 to {HIGHEST_ID}")
    shared = 0
    for name, text in pair["addresses"].items():
        try:
            address = IPv4Interface(text)
        except ValueError:
            findings.append(f"addresses: {name}: {text} is no address with a prefix, such as 10.10.10.1/24")
            continue
        if "/" not in str(text):
            findings.append(f"addresses: {name}: {text} lacks its prefix, as in {text}/24")
        if name not in interfaces:
            globs = [glob for glob in interfaces if fnmatchcase(name, glob)]
            if globs:
                findings.append(f'addresses: {name}: give it an entry of {INTERFACES} beside "{globs[0]}"')
            continue
        shared += 1
        settings = dict(interfaces[name] or {})
        if settings.setdefault("giaddr", str(address.ip)) != str(address.ip):
            findings.append(
                f"addresses: {name}: {address.ip}, but {INTERFACES} gives it another giaddr, "
                f"{settings['giaddr']}; take that out"
            )
        interfaces[name] = settings
    if not shared and not findings:
        findings.append(f"addresses: none of {', '.join(pair['addresses'])} is an entry of {INTERFACES}")
    if findings:
        raise AnsibleFilterError("\n".join(f"pxerelay_pair: {finding}" for finding in findings))
    return {**variables, INTERFACES: interfaces}


def _wrong_hosts(pair: Mapping[str, Any], host: str) -> list[str]:
    hosts = list(pair["hosts"])
    if len(set(hosts)) != 2:  # a pair
        return [f"hosts: two different ones make a pair, and these are {', '.join(hosts)}"]
    if host not in hosts:
        return [f"hosts: {host} is neither {hosts[0]} nor {hosts[1]}, though the variable is set for it"]
    return []


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {"paired": paired, "priority": priority}
