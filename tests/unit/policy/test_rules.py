"""Precedence and lookup."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.policy.rules import Choice, Default, PatternRule, Reason, RuleTable
from pxerelay.wire.client import Client, DescribedClient
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import Pattern, parse_mac
from tests.unit.configs import build
from tests.unit.messages import request
from tests.unit.wire.test_mac import patterns

MAPPING = """
servers: {a: 10.0.0.1, b: 10.0.0.2, c: 10.0.0.3, d: 10.0.0.4, e: 10.0.0.5, f: 10.0.0.6}
default: f
interfaces: {vlan10: {default: e}, vlan20: {}}
rules:
  00:11:22:33:44:55: a
  00:11:22:33:4?:*: b
  00:11:22: c
classes:
  - {name: http, vendor_class: HTTPClient, server: d}
  - {name: arm, arch: [ARM 64-bit UEFI, 19], interfaces: [vlan20], server: a}
"""


def reasons(mac: str, interface: str | None, vendor: bytes = b"", arch: tuple[int, ...] = ()) -> list[str]:
    config = build(MAPPING)
    setting = config.setting_for(interface) if interface else None
    client = DescribedClient(parse_mac(mac), interface, vendor, arch)
    found = config.policy.candidates(client, setting.default if setting else None)
    return [f"{match.reason.value}:{match.choice.label}" for match in found]


def test_precedence_is_mac_then_most_digits_then_class_then_defaults() -> None:
    assert reasons("00:11:22:33:44:55", "vlan10", b"HTTPClient:Arch:00016") == [
        "mac:a",
        "wildcard:b",
        "oui:c",
        "class:d",
        "interface-default:e",
        "default:f",
    ]


def test_an_interface_without_default_leaves_the_files() -> None:
    assert reasons("02:00:00:00:00:01", "vlan20") == ["default:f"]
    assert reasons("02:00:00:00:00:01", None) == ["default:f"]


def test_all_conditions_of_a_class_must_hold() -> None:
    assert reasons("02:00:00:00:00:01", "vlan20", b"PXEClient", (7, 11)) == ["class:a", "default:f"]
    assert reasons("02:00:00:00:00:01", "vlan20", b"PXEClient", (7,)) == ["default:f"]
    assert reasons("02:00:00:00:00:01", "vlan10", b"PXEClient", (11,)) == ["interface-default:e", "default:f"]
    assert reasons("02:00:00:00:00:01", "vlan20", b"HTTPClient", (19,)) == ["class:d", "class:a", "default:f"]


@pytest.mark.parametrize(
    ("names", "fitting"), [("vlan10", [10]), ('"vlan1*"', [10, 11]), ('"vlan*"', [10, 11, 20])]
)
def test_a_class_takes_interfaces_by_name_or_glob(names: str, fitting: list[int]) -> None:
    chosen = f"classes: [{{name: c, interfaces: [{names}], server: drop}}]"
    policy = build(f"default: 10.0.0.1\ninterfaces: {{'vlan*': {{}}}}\n{chosen}").policy
    heard = {number: DescribedClient(bytes(6), f"vlan{number}", b"", ()) for number in (10, 11, 20)}
    assert [number for number, client in heard.items() if policy.choose(client, None).rule == "c"] == fitting
    assert policy.choose(DescribedClient(bytes(6), None, b"", ()), None).rule == "default"


def test_rule_16_without_an_ethernet_address_only_defaults_apply() -> None:
    config = build(MAPPING)
    setting = config.setting_for("vlan10")
    assert setting is not None
    for odd in (request(chaddr="00:11:22:33:44:55", htype=32), request(chaddr="00:11:22:33:44:55", hlen=8)):
        matches = list(config.policy.candidates(Client(Facts(odd), "vlan10"), setting.default))
        assert [match.reason for match in matches] == [Reason.INTERFACE_DEFAULT, Reason.DEFAULT]


CHOICES = [Choice(name, (IPv4Address(f"10.0.0.{at}"),)) for at, name in enumerate("abc", 1)]


@given(
    st.dictionaries(st.binary(min_size=6, max_size=6), st.sampled_from(CHOICES), max_size=20),
    st.dictionaries(patterns, st.sampled_from(CHOICES), max_size=30),
    st.data(),
)
def test_lookup_agrees_with_walking_the_list(
    exact: dict[bytes, Choice], wild: dict[Pattern, Choice], data: st.DataObject
) -> None:
    """The table by shapes finds what the 2008 patch's walk over all rules would."""
    table = RuleTable(exact, [PatternRule(str(pattern), pattern, choice) for pattern, choice in wild.items()])
    known = [*exact, *((pattern.value).to_bytes(6, "big") for pattern in wild)]
    near = st.sampled_from(known) if known else st.nothing()
    chaddr = data.draw(near | st.binary(min_size=6, max_size=6))
    walked = [choice for mac, choice in exact.items() if mac == chaddr]
    hits = [(pattern.fixed_digits, choice) for pattern, choice in wild.items() if pattern.matches(chaddr)]
    found = list(table.matching(chaddr))
    assert len(table) == len(exact) + len(wild)
    assert table.choice(chaddr) == (found[0].choice if found else None)
    assert [match.choice for match in found][: len(walked)] == walked
    rest = found[len(walked) :]
    digits = [Pattern(0, 0).fixed_digits if match.rule == "*" else _digits(match.rule) for match in rest]
    assert digits == sorted(digits, reverse=True)
    assert sorted((d, m.choice.label) for d, m in zip(digits, rest, strict=True)) == sorted(
        (d, choice.label) for d, choice in hits
    )


def _digits(text: str) -> int:
    return sum(character in "0123456789abcdef" for character in text)


def test_a_default_is_the_last_resort() -> None:
    config = build("default: 10.0.0.9")
    match = config.policy.choose(DescribedClient(bytes(6), None, b"", ()), None)
    assert match == (Reason.DEFAULT, "default", Choice("10.0.0.9", (IPv4Address("10.0.0.9"),)))
    assert config.policy.default == Default(Reason.DEFAULT, "default", match.choice)
