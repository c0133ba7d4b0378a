"""`diff` and the daemon agree: it names the clients whose decision changed, and no others."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from itertools import combinations, product
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from pxerelay.config import config, document
from pxerelay.config.budget import TooMuchError
from pxerelay.config.data import Document
from pxerelay.config.findings import ConfigError
from pxerelay.policy.model import Config
from pxerelay.policy.servers import Pool, Target, hosts_of
from pxerelay.tools.diff.compare import compare
from pxerelay.tools.diff.values import Moves
from pxerelay.wire.client import DescribedClient
from pxerelay.wire.mac import Pattern, parse_mac, parse_pattern

SERVERS = ("a", "b", "c", "drop")
MACS = tuple(f"02:00:00:00:00:{one}{other}" for one in "01f" for other in "012")
PATTERNS = (
    "02:00:00",
    "02:00:00:0?:*",
    "02:00:00:0?:00:*",
    "02:00:00:00:00:0?",
    "02:00:00:00:00:?1",
    "02:00:00:00:00:?0",
    "02:00:00:00:?0:1?",
    "02:*",
    "?2:00:00:00:*",
    "02:?0:00:00:00:*",
    "*",
)
INTERFACES = ("vlan1", "vlan2", "vlan*", "eth*")
HEARD_ON = ("vlan1", "vlan2", "vlan3", "eth0", None)
VENDORS = (b"", b"PXEClient", b"PXEClient:Arch", b"HTTPClient")
ARCHITECTURES = ((), (0,), (7,), (11,), (0, 7), (7, 11), (0, 7, 11), (99,))
TODAY, PAST, FUTURE = 738000, "2000-01-01", "2999-01-01"

POOLS: tuple[dict[str, Any], ...] = (
    {"addresses": ["10.0.0.2"], "strategy": "hash"},
    {"addresses": ["10.0.0.1", "10.0.0.2"], "strategy": "all"},
    {"addresses": ["10.0.0.1", "10.0.0.2"], "strategy": "failover"},
    {"addresses": ["10.0.0.2", "10.0.0.1"], "strategy": "failover"},
    {"addresses": ["10.0.0.1", "10.0.0.2"], "strategy": "hash"},
    {"addresses": ["10.0.0.2", "10.0.0.1"], "strategy": "hash", "probe": {"every": 5}},
)

servers = st.sampled_from(SERVERS)
said = servers | st.fixed_dictionaries(
    {"server": servers}, optional={"until": st.sampled_from((PAST, FUTURE)), "owner": st.just("me")}
)
rules = st.dictionaries(st.sampled_from((*MACS, *PATTERNS)), said, max_size=10)
classes = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("xyz"), "server": servers},
        optional={
            "vendor_class": st.sampled_from(("PXEClient", "PXEClient:A", "HTTP")),
            "arch": st.lists(st.sampled_from((0, 7, 11)), min_size=1, max_size=2, unique=True),
            "interfaces": st.lists(st.sampled_from(("vlan1", "vlan*")), min_size=1, max_size=2, unique=True),
        },
    ),
    max_size=3,
    unique_by=lambda one: str(one["name"]),
)
interfaces = st.dictionaries(
    st.sampled_from(INTERFACES),
    st.fixed_dictionaries({}, optional={"default": servers}),
    min_size=1,
    max_size=4,
)
mappings = st.fixed_dictionaries(
    {
        "servers": st.fixed_dictionaries(
            {
                "a": st.sampled_from(("10.0.0.1", "10.0.0.2")),
                "b": st.sampled_from(("10.0.0.2", *POOLS)),
                "c": st.sampled_from(([*("10.0.0.3", "10.0.0.4")], ["10.0.0.4", "10.0.0.3"], "10.0.0.3")),
            }
        ),
        "default": servers,
        "interfaces": interfaces,
        "rules": rules,
        "classes": classes,
    },
    optional={"accept_relayed_from": st.just(["10.0.0.0/8"])},
)


SIX: tuple[Any, ...] = (
    ["10.0.0.1", "2001:db8::1"],
    ["10.0.0.1", "2001:db8::2"],
    "10.0.0.1",
    ["2001:db8::1"],
    {"addresses": ["10.0.0.1", "2001:db8::1", "2001:db8::2"], "strategy": "failover"},
    {"addresses": ["10.0.0.1", "2001:db8::2", "2001:db8::1"], "strategy": "failover"},
    {"addresses": ["10.0.0.1", "10.0.0.2", "2001:db8::2"], "strategy": "hash"},
)
of_both = st.fixed_dictionaries(
    {
        "servers": st.fixed_dictionaries({name: st.sampled_from(SIX) for name in "abc"}),
        "default": servers,
        "interfaces": interfaces,
        "rules": rules,
        "classes": classes,
        "dhcpv6": st.just(True),
    },
    optional={"accept_relayed_from": st.sampled_from((["10.0.0.0/8"], ["2001:db8::/32"]))},
)


@st.composite
def edits(
    draw: st.DrawFn, mappings: st.SearchStrategy[dict[str, Any]] = mappings
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a mapping and another one that is like it but for some entries."""
    old: dict[str, Any] = draw(mappings)
    other: dict[str, Any] = draw(mappings)
    new = {key: other[key] if key in other and draw(st.booleans()) else value for key, value in old.items()}
    mixed = {**old["rules"], **other["rules"]}
    for key in draw(st.lists(st.sampled_from((*MACS, *PATTERNS)), max_size=4)):
        mixed.pop(key, None)
    new["rules"] = draw(st.sampled_from((mixed, old["rules"], other["rules"])))
    return old, new


def _load(name: str, mapping: dict[str, Any]) -> tuple[Config, Document]:
    read = document.parse(name, yaml.safe_dump(mapping, sort_keys=False))
    return config.build(read), read


def _decision(held: Config, client: DescribedClient, family: int) -> frozenset[str]:
    setting = held.setting_for(client.interface) if client.interface else None
    choice = held.policy.choose(client, setting.default if setting else None).choice
    return _in_family(choice.servers, family)


def _in_family(servers: Sequence[Target], family: int) -> frozenset[str]:
    """Return who gets requests of a family, in words."""
    kind = IPv6Address if family == 6 else IPv4Address
    found = set()
    for target in servers:
        hosts = [host for host in hosts_of(target) if isinstance(host, kind)]
        if isinstance(target, Pool) and len(hosts) > 1:
            found.add(str(replace(target, hosts=tuple(hosts))))
        else:
            found.update(map(str, hosts))
    return frozenset(found or ({f"nobody (no IPv{family} address)"} if servers else set()))


def _contexts(old: Config, new: Config, family: int) -> Iterator[tuple[str | None, bytes, tuple[int, ...]]]:
    served = [name for name in HEARD_ON if name and old.setting_for(name) and new.setting_for(name)]
    key = "accept_relayed_from6" if family == 6 else "accept_relayed_from"
    routed = bool(getattr(old, key) and getattr(new, key))
    yield from product(
        [*served, *([None] if routed or not served else [])],
        VENDORS,
        ARCHITECTURES,
    )


def _changed(old: Config, new: Config, mac: bytes, family: int) -> bool:
    clients = (DescribedClient(mac, *context) for context in _contexts(old, new, family))
    return any(_decision(old, client, family) != _decision(new, client, family) for client in clients)


def _settled(held: Config, mac: bytes, family: int) -> frozenset[str] | None:
    choice = held.policy.rules.choice(mac)
    return _in_family(choice.servers, family) if choice else None


def _told(difference: Moves, mac: bytes) -> list[tuple[object, object]]:
    """Return from where to where the diff says that an address with no rule of its own goes."""
    moves = [move for move in difference.patterns if parse_pattern(move.key).matches(mac)]
    return [(_servers(move.before.servers), _servers(move.after.servers)) for move in moves]


def _servers(servers: Iterable[object] | None) -> frozenset[str] | None:
    return None if servers is None else frozenset(map(str, servers))


def _probes(listed: Sequence[str], filling: int) -> Iterator[bytes]:
    """Yield the listed addresses, and some that wildcards match."""
    yield from map(parse_mac, listed)
    patterns = [parse_pattern(text) for text in PATTERNS]
    both = [
        Pattern(one.mask | other.mask, one.value | other.value)
        for one, other in combinations(patterns, 2)
        if one.overlaps(other)
    ]
    for mask, value in (*patterns, *both):
        yield (value | (filling & ~mask)).to_bytes(6, "big")


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(edits(), st.integers(0, 2**48 - 1))
def test_diff_names_exactly_whose_decision_changed(
    pair: tuple[dict[str, Any], dict[str, Any]], filling: int
) -> None:
    _assert_agreement(*pair, filling)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(edits(of_both), st.integers(0, 2**48 - 1))
def test_it_does_so_in_either_family(pair: tuple[dict[str, Any], dict[str, Any]], filling: int) -> None:
    _assert_agreement(*pair, filling)


CROSSING = ("02:00:00:0?:00:*", "?2:00:00:00:*", "02:?0:00:00:00:*", "02:00:00:00:?0:1?", "02:*")
few_rules = st.dictionaries(st.sampled_from(CROSSING), st.sampled_from("ab"))


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(few_rules, few_rules, st.sampled_from("ab"), st.integers(0, 2**48 - 1))
def test_wildcards_that_cross_are_told_where_they_do(
    old: dict[str, str], new: dict[str, str], default: str, filling: int
) -> None:
    common = {"servers": {"a": "10.0.0.1", "b": "10.0.0.2"}, "default": default}
    _assert_agreement({**common, "rules": old}, {**common, "rules": new}, filling)


def _assert_agreement(before: dict[str, Any], after: dict[str, Any], filling: int) -> None:
    try:
        (old, old_document), (new, new_document) = _load("old", before), _load("new", after)
    except ConfigError:
        reject()
    whole = compare(old, [old_document], new, [new_document], TODAY)
    old, new = old.on(TODAY), new.on(TODAY)
    assert whole.moves4 is not None
    _assert_moves(old, new, whole.moves4, filling, 4)
    if old.dhcpv6:
        assert whole.moves6 is not None
        _assert_moves(old, new, whole.moves6, filling, 6)
        told = [move.key for _, some in whole.by_family() for move in some.addresses]
        keys = {move.key for some in (whole.moves4, whole.moves6) for move in some.addresses}
        assert set(told) == keys
    if before == after:
        assert not whole


def _assert_moves(old: Config, new: Config, difference: Moves, filling: int, family: int) -> None:
    named = {parse_mac(move.key) for move in difference.addresses}
    exact = {address for held in (old, new) for address, _ in held.policy.rules.exact()}
    assert named == {mac for mac in exact if _changed(old, new, mac, family)}
    for mac in _probes(MACS, filling):
        if mac in exact:
            continue
        changed = _changed(old, new, mac, family)
        ends = _settled(old, mac, family), _settled(new, mac, family)
        if ends == (None, None):
            assert changed == bool(difference.unlisted)
        elif changed:
            assert ends in _told(difference, mac)
    for move in difference.patterns:
        example = _generic(parse_pattern(move.key), exact)
        assert example is None or _changed(old, new, example, family)
    for reach in difference.unlisted:
        assert set(reach.before.servers or ()) != set(reach.after.servers or ())
    for move in (*difference.patterns, *difference.addresses):
        assert move.before != move.after


def _generic(pattern: Pattern, exact: set[bytes]) -> bytes | None:
    """Return an address that matches a pattern and no narrower one of those in the tests."""
    narrower = [one for one in map(parse_pattern, PATTERNS) if one.overlaps(pattern)]
    narrower = [one for one in narrower if one.mask & pattern.mask != one.mask]
    for digit in range(16):
        filled = int(f"{digit:x}" * 12, 16)
        mac = (pattern.value | (filled & ~pattern.mask)).to_bytes(6, "big")
        if mac not in exact and not any(one.matches(mac) for one in narrower):
            return mac
    return None


def test_classes_by_the_hundred_are_compared_soon_or_not_at_all() -> None:
    """Each has a beginning and a number of its own: that makes 200 * 20,000 kinds of clients."""
    classes = "".join(
        f"  - {{name: c{at}, vendor_class: v{at}, arch: {at}, server: drop}}\n" for at in range(200)
    )
    text = f"default: drop\ninterfaces: {{vlan10: {{}}}}\nclasses:\n{classes}"
    one = document.parse("one.yml", text)
    begun = time.monotonic()
    with pytest.raises(TooMuchError, match="tell more kinds of clients apart than can be tried"):
        compare(config.build(one), [one], config.build(one), [one], 0)
    assert time.monotonic() - begun < 20
