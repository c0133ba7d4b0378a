"""Whom to ask from where: each server from one VLAN that sends to it, or from all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from pxerelay.config.findings import did_you_mean
from pxerelay.policy.model import Config
from pxerelay.policy.port_table import AnyPort
from pxerelay.policy.ports import Port
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.servers import Address, Target
from pxerelay.relay.survey_request import ServerQuery
from pxerelay.tools.doctor.facts import Facts


class UnknownNameError(Exception):
    """Somebody asks for what the configuration does not have; the message says what it has."""


def servers(config: Config, answers: ResolvedNames) -> tuple[IPv4Address, ...]:
    """Return the address of each configured server, in the order of the file, then those without a name."""
    return tuple(dict.fromkeys(address for one in _targets(config) for address in answers.of(one)))


def _targets(config: Config) -> list[Target]:
    named = [target for targets in config.servers.values() for target in targets]
    rest = sorted(map(str, config.mentioned.difference(named)))
    wanted = {str(target): target for target in config.mentioned}
    return [*named, *(wanted[text] for text in rest)]


def _addresses(config: Config, answers: ResolvedNames, target: Target) -> tuple[Address, ...]:
    return (
        *(answers.of(target) if config.dhcpv4 else ()),
        *(answers.of6(target) if config.dhcpv6 else ()),
    )


def chosen(config: Config, answers: ResolvedNames, texts: Sequence[str]) -> tuple[Address, ...]:
    """Return the servers that names or addresses stand for, all if none is given; UnknownNameError.

    They are those of the families that are relayed.
    """
    everyone = tuple(
        dict.fromkeys(one for target in _targets(config) for one in _addresses(config, answers, target))
    )
    wanted: list[Address] = []
    for text in texts:
        targets = config.servers.get(text, ())
        found = [address for target in targets for address in _addresses(config, answers, target)]
        found = found or [address for address in everyone if str(address) == text]
        if not found and text not in config.servers:
            hint = did_you_mean(text, [*config.servers, *map(str, everyone)])
            raise UnknownNameError(f"the configuration has no server '{text}'{hint}")
        wanted += found
    return tuple(address for address in everyone if address in wanted) if texts else everyone


def stand_ins(facts: Facts, server: IPv4Address) -> tuple[tuple[IPv4Address, ...], ...]:
    """Return who may answer in a server's stead: for each choice that it is in, the others of the same name.

    That is nobody where a choice has its bare address, or a name that stands for it alone.
    """
    config, of = facts.config, facts.answers.of
    names = {
        frozenset(address for target in targets for address in of(target))
        for targets in config.servers.values()
    }
    mine = [name for name in names if server in name]
    found = set()
    for targets in {*facts.choices, config.dhcp_servers, *config.servers.values()}:
        chosen = {address for target in targets for address in of(target)}
        if server in chosen:
            found.add(tuple(sorted({one for name in mine if name <= chosen for one in name} - {server})))
    return tuple(sorted(found))


def check_interface(ports: Iterable[AnyPort], name: str | None) -> None:
    """Raise UnknownNameError if there is no client interface of a name."""
    names = list(dict.fromkeys(port.name for port in ports))
    if name is not None and name not in names:
        raise UnknownNameError(f"{name} is no client interface{did_you_mean(name, names)}")


def always(config: Config, answers: ResolvedNames, port: Port) -> frozenset[IPv4Address]:
    """Return the servers that a VLAN's clients are sent to if nothing names them, and the dhcp_servers."""
    default = port.setting.default or config.policy.default
    targets = (*default.choice.servers, *config.dhcp_servers)
    return frozenset(address for target in targets for address in answers.of(target))


def needed(facts: Facts, server: IPv4Address, vrf: int) -> bool:
    """Whether clients in a VRF are sent to a server without a rule that names them."""
    return any(
        port.vrf == vrf and server in always(facts.config, facts.answers, port) for port in facts.active
    )


def errands(
    facts: Facts, asked: Collection[IPv4Address], interface: str | None, *, everywhere: bool
) -> Iterator[ServerQuery]:
    """Yield whom to ask from where.

    A server that is some VLANs' default is asked from the first of these, for it may know no others; one that
    rules name from the first VLAN that a route leads to it from. With `everywhere` it is each such VLAN.
    Where there is no active client interface, the answer is to come to the address that the route picks.
    """
    ports = [port for port in facts.active if interface in (None, port.name)]
    for server in asked:
        meant = [port for port in ports if server in always(facts.config, facts.answers, port)] or ports
        reached = [port for port in meant if _is_reached(facts, server, port.vrf)]
        for port in (reached or meant) if everywhere else (reached or meant)[:1]:
            yield ServerQuery(server, port.name)
        if not facts.active and interface is None:
            way = facts.way(server, 0)
            if way and way.source:
                yield ServerQuery(server, None, way.source)


def _is_reached(facts: Facts, server: IPv4Address, vrf: int) -> bool:
    way = facts.way(server, vrf)
    return way is not None and not way.refused and not way.local
