"""What is right in a configuration of two families and yet worth a second look; `lint` makes findings of it.

Which clients reach nobody in one family, what does nothing, and where DHCPv6 differs from what people expect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from pxerelay.config.data import Document, List, Map
from pxerelay.config.mapping import last_day
from pxerelay.config.places import rules_of
from pxerelay.policy.model import Config
from pxerelay.policy.rules import Choice
from pxerelay.policy.servers import Address, Target, hosts_of

_TOLD = 3
"""Places that are named; of the others only how many there are."""

NO_IPV6_SERVER = "no-ipv6-server"
NO_IPV4_SERVER = "no-ipv4-server"
IPV6_UNUSED = "ipv6-unused"
FIRST_ANSWER_WINS = "first-answer-wins"
ROUTER_WITHOUT_MAC = "router-without-mac"
"""Codes of warnings, as in `lint.Kind`."""


class Doubt(NamedTuple):
    """A warning's code, and where it stands: at a value, or at its key."""

    code: str
    document: Document
    path: Sequence[str | int]
    message: str
    key: bool = True


def doubts(config: Config, documents: Sequence[Document], today: int) -> Iterator[Doubt]:
    """Yield the warnings about the families of a configuration on a day."""
    main = documents[0]
    if config.dhcpv6 is None:
        yield from _unused(config, main)
        return
    yield from _first_answer(config, main)
    yield from _routers(config, main)
    for family, code in ((IPv6Address, NO_IPV6_SERVER), (IPv4Address, NO_IPV4_SERVER)):
        if family is IPv6Address or config.dhcpv4:
            yield from _lacking(config, documents, today, family, code)


def reaches(targets: Sequence[Target], family: type[Address]) -> bool:
    """Whether some of the targets have an address of a family, or may: what DNS says is not known here."""
    return any(isinstance(host, (str, family)) for one in targets for host in hosts_of(one))


def _unused(config: Config, main: Document) -> Iterator[Doubt]:
    for name, targets in config.servers.items():
        hosts = (host for one in targets for host in hosts_of(one))
        found = next((host for host in hosts if isinstance(host, IPv6Address)), None)
        if found is not None:
            message = (
                f"'{name}' has the IPv6 address {found}, and DHCPv6 is not relayed; write `dhcpv6: true`, or "
                "take the address out"
            )
            yield Doubt(IPV6_UNUSED, main, ("servers", name), message)


def _first_answer(config: Config, main: Document) -> Iterator[Doubt]:
    everywhere = config.pxe_only and all(entry.pxe_only for entry in config.interfaces)
    if config.dhcpv6 and config.dhcpv6.dhcp_servers_for_all and config.dhcp_servers and not everywhere:
        message = (
            "firmware that boots over IPv6 may take its address from one of the `dhcp_servers`, ask that "
            "server alone for its boot file, and boot nothing; write `others`, unless these are proxies that "
            "give no addresses"
        )
        yield Doubt(FIRST_ANSWER_WINS, main, ("dhcpv6", "dhcp_servers"), message, key=False)


def _routers(config: Config, main: Document) -> Iterator[Doubt]:
    if not config.accept_relayed_from6 or not len(config.policy.rules):
        return
    items = main.data["accept_relayed_from"]
    at = next(at for at, item in enumerate(items) if isinstance(item, str) and ":" in item)
    message = (
        f"rules need the MAC of clients behind {items[at]}: have these routers send it (option 79, RFC 6939; "
        "docs/guide.md has the commands), else only clients with an EUI-64 address are found by their MAC"
    )
    yield Doubt(ROUTER_WITHOUT_MAC, main, ("accept_relayed_from", at), message, key=False)


def _lacking(
    config: Config, documents: Sequence[Document], today: int, family: type[Address], code: str
) -> Iterator[Doubt]:
    """Yield what is chosen somewhere and has no address of a family, each with the places that choose it."""
    known: dict[str, bool] = {}
    first: dict[str, list[tuple[Document, tuple[str | int, ...]]]] = {}
    counted: Counter[str] = Counter()
    for choice, label, document, path in _chosen(config, documents, today):
        if label not in known:
            known[label] = choice is not None and not choice.drop and not reaches(choice.servers, family)
        if known[label]:
            counted[label] += 1
            if counted[label] <= _TOLD:
                first.setdefault(label, []).append((document, path))
    words = ("IPv6", "DHCPv6") if family is IPv6Address else ("IPv4", "DHCPv4")
    main = documents[0]
    for label, places in first.items():
        told = [f"{document.name}:{document.mark_of(path).line}" for document, path in places]
        count = counted[label]
        more = f" and {count - _TOLD} more" if count > _TOLD else ""
        times = f"{count} entries send" if count > 1 else "one entry sends"
        message = (
            f"'{label}' has no {words[0]} address, and {times} clients there, whose {words[1]} requests then "
            f"reach no boot server: {', '.join(told)}{more}; add one if they are to boot by {words[1]}"
        )
        if label in config.servers:
            yield Doubt(code, main, ("servers", label), message)
        else:
            yield Doubt(code, *places[0], message, key=False)


def _chosen(
    config: Config, documents: Sequence[Document], today: int
) -> Iterator[tuple[Choice | None, str, Document, tuple[str | int, ...]]]:
    """Yield what entries choose, how they spell it, and where; None for what is not looked up yet."""
    main = documents[0]
    yield config.policy.default.choice, config.policy.default.choice.label, main, ("default",)
    for entry in config.interfaces:
        if entry.default is not None:
            choice = entry.default.choice
            yield choice, choice.label, main, ("interfaces", entry.name, "default")
    for at, one in enumerate(config.policy.classes):
        yield one.choice, one.choice.label, main, ("classes", at, "server")
    choices = _by_label(config)
    for document in documents:
        for key, value in rules_of(document).items():
            path: tuple[str | int, ...] = ("rules", key)
            if isinstance(value, Map):
                if last_day(value) < today:
                    continue
                path = (*path, "server")
            label = _label(value)
            yield choices.get(label), label, document, path


def _label(value: Any) -> str:
    """Return what a rule chooses, as `Choice.label` has it."""
    if isinstance(value, Map):
        value = value.get("server")
    return ", ".join(map(str, value)) if isinstance(value, List) else str(value)


def _by_label(config: Config) -> dict[str, Choice]:
    found: dict[str, Choice] = {}
    for _, choice in config.policy.rules.exact():
        found.setdefault(choice.label, choice)
    for rule in config.policy.rules.patterns():
        found.setdefault(rule.choice.label, rule.choice)
    return found
