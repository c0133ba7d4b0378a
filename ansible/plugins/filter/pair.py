"""Two relay hosts on the same VLANs: what the daemon and keepalived are told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_interface
from typing import Any

from ansible.errors import AnsibleFilterError

INTERFACES = "pxerelay_interfaces"
HIGHEST_ID = 255
"""Of virtual routers (RFC 5798, 5.2.3)."""

HIGHEST = 150
STEP = 50
"""Priorities of the two (RFC 5798, 5.2.4); 254 would be the most that is not the address's owner."""


def priority(pair: Mapping[str, Any], host: str) -> int:
    """Return a host's VRRP priority: the first of the pair is the one that relays when both begin."""
    return HIGHEST - STEP * list(pair["hosts"]).index(host)


def paired(variables: Mapping[str, Any], pair: Mapping[str, Any], host: str) -> dict[str, Any]:
    """Return a host's `pxerelay_*` variables with the pair's addresses as giaddr and link_address.

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
    for name, texts in pair["addresses"].items():
        keys = _keys(name, texts, findings)
        if not keys:
            continue
        if name not in interfaces:
            globs = [glob for glob in interfaces if fnmatchcase(name, glob)]
            if globs:
                findings.append(f'addresses: {name}: give it an entry of {INTERFACES} beside "{globs[0]}"')
            continue
        shared += 1
        settings = dict(interfaces[name] or {})
        for key, address in keys.items():
            if settings.setdefault(key, address) != address:
                findings.append(
                    f"addresses: {name}: {address}, but {INTERFACES} gives it another {key}, "
                    f"{settings[key]}; take that out"
                )
        interfaces[name] = settings
    if not shared and not findings:
        findings.append(f"addresses: none of {', '.join(pair['addresses'])} is an entry of {INTERFACES}")
    if findings:
        raise AnsibleFilterError("\n".join(f"pxerelay_pair: {finding}" for finding in findings))
    return {**variables, INTERFACES: interfaces}


def _keys(name: str, texts: object, findings: list[str]) -> dict[str, str]:
    """Return an interface's addresses by what the file calls them; `findings` grows by what is wrong."""
    found: dict[str, str] = {}
    for text in texts if isinstance(texts, list) else [texts]:
        try:
            address = ip_interface(str(text))
        except ValueError:
            findings.append(f"addresses: {name}: {text} is no address with a prefix, such as 10.10.10.1/24")
            continue
        family = address.version
        if "/" not in str(text):
            prefix = {4: 24, 6: 64}[family]
            findings.append(f"addresses: {name}: {text} lacks its prefix, as in {text}/{prefix}")
        if _KEYS[family] in found:
            findings.append(
                f"addresses: {name}: {text} is a second one of IPv{family}; name one of each family"
            )
        found.setdefault(_KEYS[family], str(address.ip))
    return found


_KEYS = {4: "giaddr", 6: "link_address"}
"""What the address of a family is called in the configuration."""


def virtual(pair: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the pair's addresses for keepalived, each with its interface: those that it tells, and others.

    An instance tells addresses of one family in its advertisements (RFC 5798, 5.2.9). It is IPv4's, if there
    are any, and the others go along with them.
    """
    found: dict[int, list[str]] = {4: [], 6: []}
    for name, texts in pair["addresses"].items():
        for text in texts if isinstance(texts, list) else [texts]:
            found[ip_interface(str(text)).version].append(f"{text} dev {name}")
    told, others = (found[4], found[6]) if found[4] else (found[6], [])
    return {"told": told, "others": others}


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
        return {"paired": paired, "priority": priority, "virtual": virtual}
