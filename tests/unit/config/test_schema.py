"""The schema drives editors, so it refuses whatever one value alone shows to be wrong.

Held against `check`, by files that were right before one of their values was changed.
"""

from __future__ import annotations

import copy
import json
import re
from calendar import monthrange
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from pxerelay.config import config, document, keywords, paths, schema
from pxerelay.config.findings import ConfigError, Finding
from pxerelay.policy.model import PLACEHOLDERS6
from pxerelay.policy.servers import can_be_server
from pxerelay.wire.agentinfo import PLACEHOLDERS
from pxerelay.wire.arch import ARCHITECTURES
from pxerelay.wire.mac import MacError, parse_mac, parse_pattern
from tests.unit.config.test_examples import EXAMPLES
from tests.unit.config.test_keywords import FULL, plain

WHOLE = schema.schema()
VALIDATOR = jsonschema.Draft202012Validator(WHOLE)


def meets(definition: str, value: Any) -> bool:
    """Whether a value meets a definition; an assertion if our keywords and the library differ."""
    part = {"$ref": f"#/$defs/{definition}"}
    ours = keywords.meets(value, part, WHOLE["$defs"])
    assert ours == jsonschema.Draft202012Validator({**part, "$defs": WHOLE["$defs"]}).is_valid(value)
    return ours


def is_key(text: str) -> bool:
    names = WHOLE["$defs"]["rules"]["propertyNames"]
    return keywords.meets(text, names, WHOLE["$defs"])


def parses(text: str) -> bool:
    try:
        parse_pattern(text)
    except MacError:
        return False
    return True


NEAR_MACS = some.builds(
    lambda text, at, new, kept: text[:at] + new + text[at + kept :],
    some.sampled_from(
        [
            "00:11:22:33:44:55",
            "00-11-22-33-44-5A",
            "0011.2233.44ff",
            "00:80:64",
            "70:b3:d5:1",
            "70-b3-d5-12-3",
            "70b3.d512.3",
            "0080.64",
            "52:54:00:12:3?:*",
            "5254.00*",
            "?2:*",
            "*",
        ]
    ),
    some.integers(0, 18),
    some.sampled_from(["", ":", "-", ".", "0", "a", "?", "*", "g", ":0", "::", "00", "\n", " "]),
    some.integers(0, 2),
)


@settings(max_examples=1000)
@given(some.one_of(NEAR_MACS, some.text("0123456789abcdefABCDEF?*:-.g \n", max_size=20)))
@example("")
@example("00:11:22:33:44:55:")
@example("00-11:22-33:44-55")
@example("00:11")
@example("00:11:22:33:44:5")
@example("00:11:22:33:44:55:66")
def test_keys_of_rules_are_those_that_the_parser_takes(text: str) -> None:
    assert is_key(text) == parses(text)
    try:
        assert len(parse_mac(text)) == 6 or not meets("mac", text)
    except MacError:
        assert not meets("mac", text)


@given(some.text("0123456789abcdefABCDEF:-.*? ", max_size=20))
def test_a_mac_is_one_address(text: str) -> None:
    if meets("mac", text):
        assert len(parse_mac(text)) == 6


def test_days_are_those_of_the_calendar() -> None:
    day = schema.pattern_of("day")
    for year in range(2000, 3000):
        for month in range(14):
            last = monthrange(year, month)[1] if 1 <= month <= 12 else 0
            found = [at for at in range(34) if day.search(f"{year}-{month:02}-{at:02}")]
            assert found == list(range(1, last + 1)), (year, month)
    assert not any(map(day.search, ("1999-01-01", "2027-1-1", "2027-01-01\n", "2024-02-29\n", "3000-01-01")))


def test_ports_are_those_that_there_are() -> None:
    endpoint = schema.pattern_of("endpoint")
    found = [at for at in range(100_000) if endpoint.search(f"127.0.0.1:{at}")]
    assert found == list(range(1, 65536))
    assert endpoint.search("/run/pxerelay/metrics.sock")
    folders = ("/", "/run/", "/run/.", "/run/..", "/.", "/run/a\0b")
    assert not any(map(endpoint.search, (*folders, "10.0.0.1:80", "127.0.0.1", "127.0.0.300:80")))


def test_architectures_are_those_of_the_registry() -> None:
    part = WHOLE["$defs"]["arch"]
    assert part["examples"] == list(ARCHITECTURES.values())
    for name in ARCHITECTURES.values():
        assert all(meets("arch", one) for one in (name, name.upper(), name.lower(), name.swapcase()))
        assert not any(
            meets("arch", one) for one in (f"{name} ", name[1:], f"{name}\n", name.replace(" ", "")[:-1])
        )
    assert all(meets("arch", at) for at in (0, 11, 65535))
    assert not any(meets("arch", at) for at in (-1, 65536, 1.5, "7", "", None, True))


def test_placeholders_of_templates_are_those_that_are_filled_in() -> None:
    (names,) = re.findall(r"\(\?!\(([a-z_|]+)\)", WHOLE["$defs"]["template"]["pattern"])
    assert set(names.split("|")) == set(PLACEHOLDERS)
    for text in ("x", "{interface}", "{{interface}}", "{", "}{", "a{giaddr}b{hostname}"):
        assert meets("template", text), text
    for text in ("{}", "{interfaces}", "{ interface}", "{interface}{vlan}", "a\n{b}", "{{x}}"):
        assert not meets("template", text), text


def test_placeholders_of_dhcpv6_are_those_that_are_filled_in() -> None:
    (names,) = re.findall(r"\(\?!\(([a-z_|]+)\)", WHOLE["$defs"]["template6"]["pattern"])
    assert set(names.split("|")) == set(PLACEHOLDERS6)
    assert meets("template6", "{link_address}")
    assert not meets("template6", "{giaddr}")


OCTETS = some.sampled_from([0, 1, 10, 63, 64, 126, 127, 128, 192, 223, 224, 239, 240, 254, 255])


@settings(max_examples=500)
@given(some.tuples(OCTETS, OCTETS, OCTETS, OCTETS))
def test_a_server_has_the_address_of_one_host(octets: tuple[int, ...]) -> None:
    text = ".".join(map(str, octets))
    assert meets("unicast4", text) == can_be_server(IPv4Address(text))
    assert meets("target", text) == can_be_server(IPv4Address(text))


@given(some.integers(0, 2**128 - 1).map(IPv6Address), some.booleans())
@example(IPv6Address("::"), False)
@example(IPv6Address("::1"), False)
@example(IPv6Address("fe80::1"), False)
@example(IPv6Address("ff02::1:2"), False)
@example(IPv6Address("::ffff:10.0.0.1"), False)
@example(IPv6Address("2000::"), True)
@example(IPv6Address("3fff:ffff::"), False)
@example(IPv6Address("fc00::1"), False)
@example(IPv6Address("FDFF::1"), True)
def test_a_server_has_a_global_or_unique_local_address(address: IPv6Address, is_long: bool) -> None:
    text = address.exploded.upper() if is_long else str(address)
    assert meets("unicast6", text) == can_be_server(address)
    assert meets("target", text) == can_be_server(address)


def test_a_network_has_no_bits_behind_its_prefix() -> None:
    network4 = schema.pattern_of("network4")
    for bits in range(33):
        for at in range(4):
            for octet in range(256):
                octets = [0, 0, 0, 0]
                octets[at] = octet
                address = ".".join(map(str, octets))
                is_one = int(IPv4Address(address)) & ((1 << 32 - bits) - 1) == 0
                assert bool(network4.search(f"{address}/{bits}")) == is_one, (address, bits)
    for text in ("10.0.0.1", "0.0.0.0/0", "10.20.30.40/32", "172.16.0.0/12", "192.168.4.0/22"):
        assert network4.search(text), text
    for text in (
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0/8",
        "10.0.0.0/8\n",
        "10.0.0.0.0/8",
        "a/8",
    ):
        assert not network4.search(text), text


def test_names_of_servers() -> None:
    for text in ("ris", "_x", "a-b", "A9"):
        assert meets("serverName", text)
        assert meets("target", text)
    for text in (
        "drop",
        "1a",
        "a.b",
        "wds.example.net",
        "",
        "a b",
        "10.1.1.300",
        "a\n",
        "10.1.1",
        "2001:db8",
    ):
        assert not meets("serverName", text)
        assert not meets("target", text)


def test_paths_of_includes() -> None:
    assert WHOLE["$defs"]["path"]["maxLength"] == paths.LONGEST
    for text in ("rules.d/*.yml", "**", "a/**/b.yml", "/etc/**", "a*/b?.yml", "**/**"):
        assert meets("path", text), text
    for text in ("**.yml", "a**", "a/**b/c", "***", "a/b**", "**/a**", "a\0b", "", "**\n", "x" * 4097):
        assert not meets("path", text), text


def test_an_interface_is_never_the_loopback_one() -> None:
    assert not meets("interfaceName", "lo")
    assert all(meets("interfaceName", name) for name in ("lo0", "vlan*", "eth0.20", "*"))


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of scalars, and those of keys that a user chooses, which end in None."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if here in (("rules",), ("servers",), ("interfaces",)):
                yield (*here, key, None)
            yield from places(inner, (*here, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places(inner, (*here, at))
    else:
        yield here


def _good() -> Iterator[tuple[Any, list[tuple[Any, ...]]]]:
    texts = [path.read_text() for path in sorted((EXAMPLES / "valid").glob("*/*.yml"))]
    texts += [path.read_text() for path in sorted((EXAMPLES / "valid").glob("*.yml"))]
    for data in (FULL, *(document.parse("good.yml", text).data for text in texts)):
        if not isinstance(data, dict) or "default" not in data:
            continue
        found = plain(data)
        if not found_in(found):
            yield found, list(places(found))


def found_in(data: Any) -> list[Finding]:
    """Return what `check` says of data, written as JSON, which is YAML."""
    parsed = document.parse("file.yml", json.dumps(data))
    try:
        config.build(parsed)
    except ConfigError as error:
        return list(error.findings)
    return []


def changed(data: Any, place: tuple[Any, ...], change: Any) -> Any:
    """Return a copy of data with another value, or with another key where a place ends in None."""
    *way, last = place
    copied = inner = copy.deepcopy(data)
    if last is None:
        *way, key = way
        for step in way:
            inner = inner[step]
        new = change(key)
        entries = {
            new if name == key else name: value for name, value in inner.items() if name == key or name != new
        }
        inner.clear()
        inner.update(entries)
        return copied
    for step in way:
        inner = inner[step]
    inner[last] = change(inner[last])
    return copied


GOOD = list(_good())
"""Data of files that are right, and the places in it; the first file has every key."""

OF_SEVERAL = re.compile(
    r"unknown server '[A-Za-z_][A-Za-z0-9_-]*( \.\.\. \d+ more characters .*)?'"
    r"|is none of the `interfaces:`|has a rule.* already; keep one"
    r"|stands in line \d+ already|are equally specific and both match|is longer than `every`"
    r"|so replies could not be told apart|`probe` has a say with|server_override|servers that lease"
    r"|in a folder of its own|can't be read|this matches the file itself"
    r"|`enterprise` (is missing|has a say with)|is off for all interfaces|nothing is relayed"
    r"|is a second IPv[46] address|, which stands in line .* already; keep one"
    r"|more than 64 servers would get a copy"
)
"""Faults that one value alone does not show."""

OF_PREFIX6 = re.compile(r":.* has bits set past its prefix")
"""What a pattern would have to do sums for; an IPv4 network it can look at octet by octet."""

OF_OCTETS = re.compile(r"has \d+ octets; write a path that has at most")
"""What no pattern can count."""


def judge(data: Any) -> None:
    """Hold what `check` says of data, one value of which was changed, and what the schema says."""
    findings = found_in(data)
    by_schema = VALIDATOR.is_valid(data)
    assert keywords.meets(data, WHOLE, WHOLE["$defs"]) == by_schema
    if not by_schema:
        assert findings, "the schema refuses what `check` takes"
    else:
        alone = [
            one.message
            for one in findings
            if not any(known.search(one.message) for known in (OF_SEVERAL, OF_OCTETS, OF_PREFIX6))
        ]
        assert alone == [], "`check` refuses by one value what the schema takes"
    told = [(one.line, one.column) for one in findings]
    assert len(set(told)) == len(told), [str(one) for one in findings]


def test_good_files_are_good() -> None:
    assert len(GOOD) > 5
    for data, found in GOOD:
        assert found
        judge(data)


WRONG = [
    "00:11:22:33:44:5",
    "00:11:22:33:44:55:66",
    "00-11:22-33:44-55",
    "00:11",
    "0.0.0.0",
    "255.255.255.255",
    "127.0.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "10.1.1.300",
    "10.1.1",
    "10.1.1.1.1",
    "010.1.1.1",
    "10.1.2.3/16",
    "10.1.0.0/33",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "169.254.1.1",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%eth0",
    "[2001:db8::1]:67",
    "::1",
    "ff02::1:2",
    "::ffff:10.0.0.1",
    "2001:db8:::1",
    "2001:db8::/32",
    "2001:db8::1/32",
    "2001:db8::/129",
    "wds.example.net",
    "1abc",
    "a.b",
    "drop",
    "x65 UEFI",
    "x64 uefi",
    "{vlan}",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:9100",
    "/run/",
    "2027-02-30",
    "2028-02-29",
    "2027-02-29",
    "rules**/x.yml",
    "lo",
    "two words",
    "",
    "a\n",
    -1,
    0,
    1,
    65536,
    1.5,
    1e300,
    None,
    True,
    [],
    {},
    ["10.1.1.1", "10.1.1.1"],
    ["10.1.1.1", "224.0.0.1", "10.1.1.300", "a.b"],
    "x" * 300,
    "ö" * 60,
]
"""Values that are wrong in one place or another."""


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: repr(one)[:20])
def test_what_check_refuses_by_one_value_the_schema_refuses_everywhere(wrong: Any) -> None:
    """In the file that has every key."""
    data, found = GOOD[0]
    for place in found:
        if place[-1] is not None or isinstance(wrong, str):
            judge(changed(data, place, lambda _: wrong))


TEXTS = ["", "0", "1", "9", ":", "-", ".", "/", "*", "?", "a", "Z", "_", " ", "\n", "{", "}", "00", "é"]


@settings(max_examples=500, deadline=None)
@given(some.data())
def test_a_character_more_or_less_is_judged_alike(data: some.DataObject) -> None:
    whole, found = data.draw(some.sampled_from(GOOD))
    place = data.draw(some.sampled_from(found))
    at, kept = data.draw(some.integers(0, 20)), data.draw(some.integers(0, 2))
    new = data.draw(some.sampled_from(TEXTS))

    def change(value: Any) -> Any:
        if isinstance(value, str):
            return value[:at] + new + value[at + kept :]
        if isinstance(value, bool) or not isinstance(value, int):
            return new
        return value * 10**kept - at

    judge(changed(whole, place, change))
