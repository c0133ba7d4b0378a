"""Documents to a Config: what the examples in files do not show."""

from __future__ import annotations

import re
from ipaddress import IPv4Address

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxerelay.config import config, document, schema
from pxerelay.config.findings import ConfigError
from pxerelay.policy.rules import Choice
from pxerelay.wire.arch import ARCHITECTURES, NUMBER_OF
from pxerelay.wire.mac import Pattern, parse_pattern
from tests.unit.configs import build
from tests.unit.wire.test_mac import patterns


def messages(text: str) -> list[str]:
    try:
        build(text)
    except ConfigError as error:
        return [finding.message for finding in error.findings]
    return []


def test_the_schema_is_a_valid_schema_of_its_draft() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema())


def test_every_part_that_can_fail_says_what_is_expected() -> None:
    """Each schema part with a type, pattern or choice has words for it."""
    lacking = []

    def visit(part: object, path: str) -> None:
        if isinstance(part, dict):
            if {"type", "pattern", "enum", "anyOf"} & part.keys() and "x-expected" not in part:
                lacking.append(path)
            for key, value in part.items():
                visit(value, f"{path}/{key}")
        elif isinstance(part, list):
            for at, value in enumerate(part):
                visit(value, f"{path}/{at}")

    visit(schema.schema(), "")
    named_by_the_part_around = re.compile(r"/anyOf/\d+$")
    assert [path for path in lacking if not named_by_the_part_around.search(path)] == []


def test_every_key_is_described_for_the_editor() -> None:
    whole = schema.schema()
    for key, part in whole["properties"].items():
        described = part if "description" in part else whole["$defs"][part["$ref"].split("/")[-1]]
        assert described["description"], key


def test_defaults_are_those_of_the_schema() -> None:
    built = build("default: 10.20.0.10")
    assert built.max_requests == schema.default_of("max_requests") == 50
    assert built.max_hops == schema.default_of("max_hops") == 4
    assert built.source_address == schema.default_of("source_address") == "route"
    assert built.pxe_only is schema.default_of("pxe_only") is False
    assert list(built.accept_relayed_from) == schema.default_of("accept_relayed_from")
    assert list(built.accept_replies_from) == schema.default_of("accept_replies_from")


def test_architecture_names_are_unique() -> None:
    assert len(NUMBER_OF) == len(ARCHITECTURES)
    assert NUMBER_OF["arm 64-bit uefi"] == 11


def test_a_server_list_is_flat_and_without_repeats() -> None:
    built = build("servers: {a: [10.0.0.1, 10.0.0.2]}\ndefault: [a, 10.0.0.2, 10.0.0.3]")
    assert built.policy.default.choice == Choice(
        "a, 10.0.0.2, 10.0.0.3", tuple(IPv4Address(f"10.0.0.{n}") for n in (1, 2, 3))
    )


def test_replies_are_taken_from_every_address_mentioned() -> None:
    built = build(
        "servers: {unused: 10.0.0.1}\ndefault: 10.0.0.2\ndhcp_servers: 10.0.0.3\n"
        "interfaces: {v: {default: 10.0.0.4}}\nrules: {00:80:64: 10.0.0.5}\n"
        "classes: [{name: c, arch: 7, server: 10.0.0.6}]"
    )
    assert built.mentioned == {IPv4Address(f"10.0.0.{n}") for n in range(1, 7)}


def test_equal_choices_are_one_object() -> None:
    built = build("servers: {a: 10.0.0.1}\ndefault: a\nrules: {00:80:64: a, 00:80:65: a}")
    found = [next(built.policy.rules.matching(bytes((0, 0x80, n, 0, 0, 0)))).choice for n in (0x64, 0x65)]
    assert found[0] is found[1]


def test_rules_of_several_files_are_one_map() -> None:
    main = document.parse(
        "main.yml", "default: 10.0.0.1\nrules: {00:80:64: 10.0.0.2}\ninclude: rules.d/*.yml"
    )
    extra = document.parse("rules.d/a.yml", "rules: {00:80:65: drop}")
    assert [include.path for include in config.includes(main)] == ["rules.d/*.yml"]
    assert len(config.build(main, [extra]).policy.rules) == 2


def test_a_rule_file_may_hold_nothing_else() -> None:
    main = document.parse("main.yml", "default: 10.0.0.1")
    with pytest.raises(ConfigError, match=r"b\.yml:2:1: unknown key 'servers'"):
        config.build(main, [document.parse("b.yml", "rules: {}\nservers: {a: 10.0.0.9}")])


def test_faults_come_file_by_file_from_top_to_bottom() -> None:
    main = document.parse("z.yml", "nope: 1\ndefault: nobody\nrules: {x: 1}")
    extra = document.parse("a.yml", "rules: {y: 10.0.0.1}")
    with pytest.raises(ConfigError) as caught:
        config.build(main, [extra])
    places = [(finding.file, finding.line) for finding in caught.value.findings]
    assert places == [("z.yml", 1), ("z.yml", 2), ("z.yml", 3), ("z.yml", 3), ("a.yml", 1)]


def test_a_hundred_thousand_faults_take_no_square_time() -> None:
    """The same file included under two names: every rule is a double."""
    rules = "rules:\n" + "".join(
        f"  02:00:00:{n >> 8:02x}:{n & 255:02x}:01: 10.0.0.1\n" for n in range(20000)
    )
    main = document.parse("main.yml", "default: 10.0.0.1")
    with pytest.raises(ConfigError) as caught:
        config.build(main, [document.parse("a.yml", rules), document.parse("b.yml", rules)])
    assert len(caught.value.findings) == 20000


@settings(max_examples=60)
@given(st.dictionaries(patterns, st.sampled_from(["10.0.0.1", "10.0.0.2", "drop"]), max_size=12))
def test_ambiguity_is_found_exactly_where_it_is(wild: dict[Pattern, str]) -> None:
    """Against every pair tried in turn: a pattern is reported if it clashes with another."""
    listed = list(wild.items())

    def settled(one: Pattern, other: Pattern) -> bool:
        both = Pattern(one.mask | other.mask, one.value | other.value)
        return any(
            rule.fixed_digits > one.fixed_digits and rule.mask & ~both.mask == 0 and rule.overlaps(both)
            for rule in wild
        )

    clash = any(
        one.fixed_digits == other.fixed_digits
        and one.overlaps(other)
        and server != rival
        and not settled(one, other)
        for at, (one, server) in enumerate(listed)
        for other, rival in listed[:at]
    )
    found = messages(mapping_of(wild))
    assert bool(found) == clash
    assert all("equally specific" in message for message in found)


@settings(max_examples=60)
@given(st.dictionaries(patterns, st.sampled_from(["10.0.0.1", "10.0.0.2", "drop"]), max_size=12))
def test_what_is_advised_against_an_ambiguity_mends_it(wild: dict[Pattern, str]) -> None:
    mended = dict(wild)
    for _ in range(200):
        found = messages(mapping_of(mended))
        if not found:
            return
        suggested = re.search(r"add a rule for (\S+) or", found[0])
        assert suggested
        assert parse_pattern(suggested[1]) not in mended
        mended[parse_pattern(suggested[1])] = "drop"
    raise AssertionError(f"still ambiguous: {found}")


def mapping_of(rules: dict[Pattern, str]) -> str:
    lines = [f"  '{pattern}': {server}" for pattern, server in rules.items()]
    return "\n".join(["default: 10.0.0.9", *(["rules:"] if lines else []), *lines])


def test_the_loopback_interface_is_refused() -> None:
    (message,) = messages("default: 10.0.0.1\ninterfaces: {lo: {}}")
    assert message == "lo is the loopback interface, where no client is; take it out"
    assert not messages("default: 10.0.0.1\ninterfaces: {'l*': {}}")


def test_the_same_servers_otherwise_spelled_are_no_ambiguity() -> None:
    text = (
        "servers: {{a: 10.0.0.1, same: 10.0.0.1, both: [10.0.0.1, 10.0.0.2]}}\ndefault: a\n"
        "rules: {{'52:54:00:12:3?:*': {}, '52:54:00:12:?3:*': {}}}"
    )
    assert not messages(text.format("a", "same"))
    assert not messages(text.format("a", "10.0.0.1"))
    assert not messages(text.format("both", "[10.0.0.2, a]"))
    assert messages(text.format("a", "both"))


def test_the_fast_way_past_the_validator_hides_nothing() -> None:
    """Rules left out of validation are just those whose value the schema accepts."""
    values = ["ris", "drop", "10.0.0.1", "two words", "-x", "", 7, None, True, ["ris"], [], ["drop"], {}]
    part = {"$ref": "#/$defs/choice", "$defs": schema.schema()["$defs"]}
    validator = jsonschema.Draft202012Validator(part)
    for value in values:
        kept = schema._without_plain_rules({"rules": {"00:80:64": value}})["rules"]
        if not kept:
            assert validator.is_valid(value)
