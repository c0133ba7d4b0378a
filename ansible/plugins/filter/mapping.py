"""From Ansible's variables to the daemon's configuration.

Pure functions on plain data. A variable that cannot mean what its author wrote is never guessed at:
every such finding is collected, and all of them stop the play at once, each naming its variable.
What a well-formed value may be is not decided here; that is the daemon's `pxerelay check`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible import constants

PREFIX = "pxerelay_"
# The order of the file, which is the order in which an administrator reads it.
KEYS = (
    "servers",
    "default",
    "dhcp_servers",
    "pxe_only",
    "dhcpv4",
    "dhcpv6",
    "interfaces",
    "accept_relayed_from",
    "accept_replies_from",
    "source_address",
    "source_ports",
    "rules",
    "classes",
    "max_hops",
    "max_requests",
    "option82",
    "metrics",
)
_BOOLEANS = frozenset({"pxe_only", "dhcpv4", "dhcpv6"})
_TEXTS = ("owner", "note")
_NUMBERS = frozenset({"max_hops", "max_requests"})
RULES = "pxerelay_rules"
MORE_RULES = "pxerelay_rules__"

# YAML 1.1 (https://yaml.org/type/int.html) reads 52:54:00 as 52 * 60**2 + 54 * 60 + 0.
SIXTY = 60
OUI_GROUPS = 3
MAC_GROUPS = 6
IPV6_GROUPS = 8

_PAIRS = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2})*([:-][0-9a-f])?")
_CISCO = re.compile(r"[0-9a-f]{4}(\.[0-9a-f]{4})*(\.[0-9a-f]{1,4})?")
_DIGITS = re.compile(r"[0-9a-f?]+\*?")


def config(variables: Mapping[str, Any], include: str = "") -> dict[str, Any]:
    """Return the daemon's configuration of one host's `pxerelay_*` variables; unset ones leave no key."""
    findings: list[str] = []
    document: dict[str, Any] = {}
    for key in KEYS:
        name = PREFIX + key
        value = _rules(variables, findings) if key == "rules" else _declared(key, variables.get(name))
        if key == "interfaces":
            value = _without_vlans(value)
        if value is None:
            continue
        findings += (f"{name}: {text}" for text in _unquoted(key, value))
        document[key] = value
    if include:
        document["include"] = include
    if findings:
        raise AnsibleFilterError("\n".join(["these variables need a correction:", *findings]))
    return document


def origins(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that rules come from, by the rule as the file has it, but for `pxerelay_rules`."""
    found: dict[str, str] = {}
    for name in sorted(filter(_adds_rules, variables), reverse=True):  # the first one that has it wins
        rules = variables[name]
        for mac in rules if isinstance(rules, Mapping) else ():
            found[_canonical(str(mac))] = name
    return {mac: name for mac, name in found.items() if name != RULES}


def text(document: Mapping[str, Any]) -> str:
    """Return a configuration as YAML that means the same to readers of YAML 1.1 and of YAML 1.2."""
    return yaml.dump(
        _plain(document), Dumper=_Dumper, indent=2, sort_keys=False, width=1000, allow_unicode=True
    )


def rendered(variables: Mapping[str, Any], include: str = "") -> str:
    """Return `text(config(variables, include))`, made once for all hosts that have the same variables."""
    plain = _plain(variables)
    # Ansible forks for each task: memory would not last. This folder does, for its processes alone.
    name = hashlib.sha256(repr((include, plain)).encode()).hexdigest()
    kept = Path(constants.DEFAULT_LOCAL_TMP) / f"pxerelay-{name}"
    try:
        return kept.read_text(encoding="utf-8")
    except OSError:
        made = text(config(plain, include))
    fresh = kept.with_suffix(f".{os.getpid()}")
    try:
        fresh.write_text(made, encoding="utf-8")
        fresh.replace(kept)
    except OSError:
        fresh.unlink(missing_ok=True)
    return made


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 takes for a number too, such as 1e3, 0o17 and 08 (core schema, 10.3.2)."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # nobody reads anchors with pleasure
        return True


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|0o[0-7]+$|0x[0-9a-fA-F]+$"),
    list("-+.0123456789"),
)


def _plain(value: Any) -> Any:
    """Return a value without what Ansible hangs on to it."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    if isinstance(value, str):
        return str.__str__(value)  # str() leaves it what it is: before 2.19, Ansible's texts say so
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def _declared(key: str, value: Any) -> Any:
    """Return a value as the type that its variable is declared with; what can't be is left to `check`.

    From the command line and INI inventories Ansible gets nothing but strings.
    """
    if isinstance(value, str):
        with contextlib.suppress(TypeError, ValueError):
            if key in _BOOLEANS:
                return boolean(value, strict=True)
            if key in _NUMBERS:
                return int(value)
    return value


def _without_vlans(interfaces: Any) -> Any:
    """Return the interfaces without their key `vlan`, which is for networkd and not for the daemon."""
    if not isinstance(interfaces, Mapping):
        return interfaces
    return {
        name: {key: value for key, value in settings.items() if key != "vlan"}
        if isinstance(settings, Mapping)
        else settings
        for name, settings in interfaces.items()
    }


def _rules(variables: Mapping[str, Any], findings: list[str]) -> dict[Any, Any] | None:
    """Merge `pxerelay_rules` and every `pxerelay_rules__*`, in this order, then by name."""
    names = sorted(filter(_adds_rules, variables))  # a name comes before its own extensions
    for stray in sorted(variables):
        if re.match(r"pxerelay_rules?_", stray) and not _adds_rules(stray):
            suffix = re.sub(r"^pxerelay_rules?_+", "", stray)
            findings.append(f"{stray}: would be ignored; did you mean {MORE_RULES}{suffix}?")
    merged: dict[Any, Any] = {}
    first: dict[str, tuple[str, str, Any]] = {}
    for name in names:
        rules = variables[name]
        if rules is None:
            continue
        if not isinstance(rules, Mapping):
            findings.append(f"{name}: must map MAC addresses to servers, and is {_called(rules)}")
            continue
        for mac, server in rules.items():
            wrong = [*_not_a_mac(mac), *_not_a_server(mac, server)]
            if wrong:
                findings += (f"{name}: {text}" for text in wrong)
                continue
            key = _comparable(mac)
            if key not in first:
                first[key] = (name, mac, server)
                merged[_canonical(mac)] = _written(server)
                continue
            other_name, other_mac, other_server = first[key]
            if _choice(server) != _choice(other_server):
                findings.append(
                    f"{other_name} maps {other_mac!s} to {_spelled(other_server)}, but {name} maps "
                    f"{mac!s} to {_spelled(server)}: one MAC, two answers; remove one of the two"
                )
    return merged if names else None


def _adds_rules(name: str) -> bool:
    """Tell whether a variable of this name adds rules."""
    return name == RULES or (name.startswith(MORE_RULES) and name != MORE_RULES)


def _not_a_mac(mac: object) -> Iterator[str]:
    """Yield what is wrong with a rule's key that YAML 1.1 did not leave a string."""
    if isinstance(mac, str):
        return
    was = _before_base_60(mac) if isinstance(mac, int) and not isinstance(mac, bool) else []
    if was:
        quoted = " or ".join(f'"{spelling}"' for spelling in was)
        yield (
            f"the number {mac} was the MAC {' or '.join(was)} until YAML 1.1 read it in base 60; "
            f"quote it: {quoted}"
        )
    else:
        yield f'{_called(mac)} where a MAC address should be; quote it, as in "0080.6412.3456"'


def _not_a_server(mac: object, server: object) -> Iterator[str]:
    """Yield what is wrong with a rule's value that cannot be the name or address of a server.

    What a rule says of itself besides, in a mapping, must be text too; a day may be one of YAML 1.1's.
    """
    if isinstance(server, Mapping):
        for key, value in server.items():
            if key in _TEXTS and not isinstance(value, str):
                yield f"the {key} of {_spelled(mac)} is {_called(value)}; quote it"
            elif key == "until" and not (isinstance(value, str) or _is_day(value)):
                yield f"the last day of {_spelled(mac)} is {_called(value)}; write it as in until: 2027-01-31"
        server = server.get("server")
    if server is None or server == []:
        yield f"{_spelled(mac)} has no server"
        return
    for one in server if isinstance(server, list) else [server]:
        if not isinstance(one, str):
            yield f"the server of {_spelled(mac)} is {_called(one)}; quote it if it is a name"


def _is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _written(server: object) -> object:
    """Return a rule's value as the file is to have it: YAML 1.1 reads 2027-01-31 as a date."""
    if isinstance(server, Mapping):
        return {key: str(value) if _is_day(value) else value for key, value in server.items()}
    return server


def _before_base_60(number: int) -> list[str]:
    """Return the spellings that YAML 1.1 reads as NUMBER.

    The first group of such a MAC is 10 to 99 (a leading zero keeps it a string), so the magnitude tells
    how many groups there were.
    """
    for groups in range(OUI_GROUPS, MAC_GROUPS + 1):
        if 10 * SIXTY ** (groups - 1) <= number < 100 * SIXTY ** (groups - 1):
            break
    else:
        return []
    rest, parts = number, []
    for _unused in range(groups - 1):
        rest, part = divmod(rest, SIXTY)
        parts.append(part)
    text = ":".join(f"{part:02d}" for part in [rest, *reversed(parts)])
    # A 28-bit or 36-bit block ends in a group of one digit, which reads as the same number.
    short = [text[:-2] + text[-1]] if OUI_GROUPS < groups < MAC_GROUPS and text[-2] == "0" else []
    return [*short, text]


# Where in a value names and addresses stand: of an interface, a class, the settings of DHCPv6.
_ADDRESSED = {
    "interfaces": frozenset({"default", "giaddr", "link_address"}),
    "classes": frozenset({"server"}),
    "dhcpv6": frozenset({"relay_id"}),
}
_ADDRESSES = ("default", "dhcp_servers", "accept_relayed_from", "accept_replies_from", "source_address")


def _unquoted(key: str, value: object) -> Iterator[str]:
    """Yield the scalars below VALUE that must be strings and are not."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            if not isinstance(name, str):
                yield f"{_called(name)} where a name should be; quote it"
            elif key == "servers" or name == "addresses":
                yield from _unquoted("default", below)
            elif name == "probe":
                yield from _unquoted("probe", below)
            elif key == "probe" and name == "mac" and not isinstance(below, str):
                yield f"{_called(below)} where a MAC should be; quote it"
            elif key == "interfaces" and isinstance(below, Mapping):
                yield from _in_entry(key, below)
        if key == "dhcpv6":
            yield from _in_entry(key, value)
    elif isinstance(value, list):
        for below in value:
            yield from _in_entry(key, below) if key == "classes" else _unquoted(key, below)
    elif not isinstance(value, str) and key in _ADDRESSES:
        yield f"{_called(value)} where a name or an address should be; quote it"


def _in_entry(key: str, entry: object) -> Iterator[str]:
    """Yield such scalars in an entry where names and addresses stand at certain keys."""
    if isinstance(entry, Mapping):
        for name in _ADDRESSED[key] & entry.keys():
            yield from _unquoted("default", entry[name])


def _before_base_60_of_ipv6(number: int) -> str:
    """Return the IPv6 address that YAML 1.1 reads as NUMBER, empty if there is none.

    It has eight groups of decimal digits, all but the first below 60; the first has at most four digits.
    """
    rest, parts = number, []
    for _unused in range(IPV6_GROUPS - 1):
        rest, part = divmod(rest, SIXTY)
        parts.append(part)
    return ":".join(map(str, [rest, *reversed(parts)])) if 0 < rest <= _LARGEST_GROUP else ""


_LARGEST_GROUP = 9999


def _comparable(mac: str) -> str:
    """Return a key that is equal for all spellings of one MAC, OUI or wildcard."""
    digits = re.sub(r"[:.-]", "", mac).lower()
    return digits.rstrip("?*") if _DIGITS.fullmatch(digits) else mac


def _canonical(mac: str) -> str:
    """Return MAC in lower case with colons: written out, every YAML reads that as a string.

    Ansible quotes what YAML 1.1 would take for a number, but Cisco's 5254.0e1 is one in YAML 1.2 only.
    Wildcards stay as they are, and so does what is no MAC, for `check` to name.
    """
    lower = mac.lower()
    if not (_PAIRS.fullmatch(lower) or _CISCO.fullmatch(lower)):
        return str(mac)
    digits = re.sub(r"[:.-]", "", lower)
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _choice(server: object) -> tuple[frozenset[object], object]:
    """Return the servers as a set, for each of them gets a copy, in no order; and until when."""
    until = None
    if isinstance(server, Mapping):
        server, until = server["server"], server.get("until")
    servers = frozenset(server) if isinstance(server, list) else frozenset([server])
    return servers, None if until is None else str(until)


def _spelled(value: object) -> str:
    """Return a value as its author would know it."""
    if isinstance(value, Mapping):
        until = f" until {value['until']}" if "until" in value else ""
        return f"{_spelled(value['server'])}{until}"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _called(value: object) -> str:
    """Return what YAML made of a value, in words."""
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int):
        was = _before_base_60_of_ipv6(value)
        read = f", which was {was} until YAML 1.1 read it in base 60," if was else ""
        return f"the number {value}{read}"
    if isinstance(value, float):
        return f"the number {value}"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    return f"the {type(value).__name__} {value}"


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {
            "config": config,
            "origins": origins,
            "rendered": rendered,
            "text": text,
        }
