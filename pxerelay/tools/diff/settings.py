"""Everything but rules, before and after: servers, classes, interfaces and the other keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pxerelay.config.data import Document, List, Map
from pxerelay.config.places import rules_of
from pxerelay.policy.model import Config, InterfaceSetting
from pxerelay.policy.rules import Choice, ClientClass
from pxerelay.policy.servers import Pool, Target
from pxerelay.tools.diff.unlisted import representatives, server_texts
from pxerelay.tools.diff.values import ServerChange, SettingChange
from pxerelay.wire.mac import format_mac

OTHER_KEYS = (
    "pxe_only",
    "dhcpv4",
    "dhcpv6",
    "dhcp_servers",
    "accept_relayed_from",
    "accept_replies_from",
    "max_hops",
    "max_requests",
    "source_address",
    "option82",
)
"""Keys of the file that are shown as they stand, where what they mean differs."""


@dataclass(frozen=True)
class Whole:
    """A configuration and the files it was made of."""

    config: Config
    documents: Sequence[Document]

    @property
    def data(self) -> Map:
        """What the main file says."""
        data = self.documents[0].data
        return data if isinstance(data, Map) else Map()


def servers(old: Whole, new: Whole) -> Iterator[ServerChange]:
    """Yield the names that came, went or stand for others."""
    before, after = old.config.servers, new.config.servers
    used: dict[int, Counter[str]] = {}
    gone = [name for name in before if name not in after]
    fresh = dict.fromkeys(name for name in after if name not in before)
    twins: dict[frozenset[object], list[str]] = {}
    for name in reversed(fresh):
        twins.setdefault(_set(after[name]), []).append(name)
    renamed: dict[str, str] = {}
    for name in gone:
        if same := twins.get(_set(before[name])):
            renamed[name] = same.pop()
            del fresh[renamed[name]]
    for name in (*before, *fresh):
        if name in after and name in before and _same(before[name], after[name]):
            continue
        side = new if name in after else old
        if id(side) not in used:
            used[id(side)] = _rules_naming(side.documents)
        yield ServerChange(
            name,
            _server_texts(before[name]) if name in before else None,
            _server_texts(after[name]) if name in after else None,
            used[id(side)][name],
            renamed.get(name),
        )


def _set(targets: Sequence[object]) -> frozenset[object]:
    return frozenset(targets)


def _same(before: Sequence[Target], after: Sequence[Target]) -> bool:
    return _set(before) == _set(after) and _probing(before) == _probing(after)


def _probing(targets: Sequence[Target]) -> list[str]:
    """Return in words how servers are probed."""
    found = (target.probing for target in targets if isinstance(target, Pool))
    return [f"asked every {one.every} s for {format_mac(one.chaddr)}" for one in found if one]


def _server_texts(targets: Sequence[Target]) -> tuple[str, ...]:
    return (*server_texts(targets), *_probing(targets))


def _rules_naming(documents: Sequence[Document]) -> Counter[str]:
    found: Counter[str] = Counter()
    for document in documents:
        for value in rules_of(document).values():
            names = value.get("server") if isinstance(value, Map) else value
            if isinstance(names, str):
                found[names] += 1
            elif isinstance(names, List):
                found.update(set(names))
    return found


def classes(old: Whole, new: Whole) -> Iterator[SettingChange]:
    """Yield the classes that came, went or say something else, and whether they stand in another order."""
    before = {one.name: one for one in old.config.policy.classes}
    after = {one.name: one for one in new.config.policy.classes}
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            texts = (None if some is None else _class_text(some) for some in (one, other))
            yield SettingChange(name, *texts)
            continue
        if _moved(one.choice, other.choice):
            yield SettingChange(f"{name}: server", one.choice.label, other.choice.label)
        now = _conditions(other)
        for key, text in _conditions(one).items():
            if text != now[key]:
                yield SettingChange(f"{name}: {key}", text or None, now[key] or None)
    order = [[name for name in some if name in before and name in after] for some in (before, after)]
    if order[0] != order[1]:
        yield SettingChange("order", ", ".join(order[0]), ", ".join(order[1]))


def _conditions(one: ClientClass) -> dict[str, str]:
    return {
        "vendor_class": (one.vendor_class or b"").decode("utf-8", "replace"),
        "arch": "" if one.architectures is None else ", ".join(map(str, sorted(one.architectures))),
        "interfaces": "" if one.interfaces is None else ", ".join(sorted(one.interfaces.texts)),
    }


def _class_text(one: ClientClass) -> str:
    conditions = [f"{key} {text}" for key, text in _conditions(one).items() if text]
    return f"{one.choice.label} ({'; '.join(conditions) or 'every client'})"


def interfaces(old: Whole, new: Whole) -> Iterator[SettingChange]:
    """Yield the interfaces that are served before or after only, or otherwise."""
    for shown, name in representatives(old.config, new.config):
        before, after = old.config.setting_for(name), new.config.setting_for(name)
        if before is None and after is None:
            continue
        if before is None or after is None:
            yield SettingChange(
                shown,
                _interface_text(old.config, before) if before else None,
                _interface_text(new.config, after) if after else None,
            )
            continue
        one, other = _default(before), _default(after)
        if _moved(one, other):
            texts = (choice.label if choice else None for choice in (one, other))
            yield SettingChange(f"{shown}: default", *texts)
        if before.giaddr != after.giaddr:
            texts = (str(one.giaddr) if one.giaddr else None for one in (before, after))
            yield SettingChange(f"{shown}: giaddr", *texts)
        if before.link_address != after.link_address:
            texts = (str(one.link_address) if one.link_address else None for one in (before, after))
            yield SettingChange(f"{shown}: link_address", *texts)
        off = _off(old.config, before), _off(new.config, after)
        for family in sorted(off[0] ^ off[1]):
            yield SettingChange(f"{shown}: {family}", *(json.dumps(family not in one) for one in off))
        if before.pxe_only != after.pxe_only:
            yield SettingChange(f"{shown}: pxe_only", *(json.dumps(one.pxe_only) for one in (before, after)))


def _off(config: Config, setting: InterfaceSetting) -> frozenset[str]:
    """Return the families that are off on an interface, and on in the file."""
    of4 = {"dhcpv4"} if config.dhcpv4 and not setting.dhcpv4 else set()
    return frozenset(of4 | ({"dhcpv6"} if config.dhcpv6 and not setting.dhcpv6 else set()))


def _default(setting: InterfaceSetting) -> Choice | None:
    return setting.default.choice if setting.default else None


def _moved(before: Choice | None, after: Choice | None) -> bool:
    """Whether an entry sends elsewhere by what it says; that a server's address is another is told once."""
    if before is None or after is None:
        return before is not after
    return before.label != after.label and frozenset(before.servers) != frozenset(after.servers)


def _interface_text(config: Config, setting: InterfaceSetting) -> str:
    return f"unlisted clients go to {(setting.default or config.policy.default).choice.label}"


def others(old: Whole, new: Whole) -> Iterator[SettingChange]:
    """Yield the default and the other keys that mean something else."""
    before, after = old.config.policy.default.choice, new.config.policy.default.choice
    if _moved(before, after):
        yield SettingChange("default", before.label, after.label)
    for key in OTHER_KEYS:
        meanings = [[_comparable(value) for value in _meant(side.config, key)] for side in (old, new)]
        if meanings[0] != meanings[1]:
            texts = [_as_written(side.data, key) for side in (old, new)]
            if texts[0] != texts[1]:  # else a server's address is another, which is told once
                yield SettingChange(key, *texts)


def _meant(config: Config, key: str) -> list[Any]:
    """Return what a key means, in DHCPv6 too where that has a value of its own."""
    return [getattr(config, name) for name in (key, f"{key}6") if hasattr(config, name)]


def _comparable(value: Any) -> Any:
    """Return a value without the order that has no meaning."""
    return frozenset(value) if isinstance(value, tuple) else value


def _as_written(data: Map, key: str) -> str | None:
    if key not in data:
        return None
    value = data[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
