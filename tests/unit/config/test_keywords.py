"""Our own check of the schema's keywords says what the library says."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pxerelay.config import document, keywords, schema
from tests.unit.config.test_examples import EXAMPLES

SCALARS = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-2, 70000),
    some.sampled_from([0.0, 1.0, 1.5, 4.0, float("inf"), float("nan")]),
    some.sampled_from(
        ["", "drop", "ris", "10.0.0.1", "10.0.0.0/8", "vlan10", "vlan*", "two words", "-x", "a\n", "route"]
    ),
    some.text(max_size=5),
)
"""Values that files have, and near misses of them."""


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each part of the schema that says something of a value."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key in ("properties", "$defs"):
                for one in inner.values():
                    yield from parts(one)
            elif key in ("items", "additionalProperties", "propertyNames"):
                yield from parts(inner)
            elif key == "anyOf":
                for one in inner:
                    yield from parts(one)


WHOLE = schema.schema()
PARTS = list(parts(WHOLE))
KEYS = sorted({key for part in PARTS for key in part.get("properties", {})} | {"nonsense", "00:80:64"})

VALUES = some.recursive(
    SCALARS,
    lambda inner: some.one_of(
        some.lists(inner, max_size=3), some.dictionaries(some.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


def agree(value: Any, part: dict[str, Any]) -> bool:
    """Return what both say; an assertion if they differ."""
    ours = keywords.meets(value, part, WHOLE["$defs"])
    theirs = jsonschema.Draft202012Validator({**part, "$defs": WHOLE["$defs"]}).is_valid(value)
    assert ours == theirs, (value, part)
    return ours


@settings(max_examples=300)
@given(VALUES, some.sampled_from(PARTS))
def test_it_says_of_made_up_values_what_the_library_says(value: Any, part: dict[str, Any]) -> None:
    agree(value, part)


def _texts() -> list[tuple[str, str | None]]:
    return [
        (path.read_text("utf-8", "replace"), "ruleFile" if path.parent.name == "rules.d" else None)
        for path in sorted(EXAMPLES.rglob("*.yml"))
    ]


@pytest.mark.parametrize(("text", "definition"), _texts())
def test_it_says_of_examples_what_the_library_says(text: str, definition: str | None) -> None:
    data = document.parse("example.yml", text).data
    if data is not None:
        agree(data, schema.part(definition))


FULL = document.parse(
    "pxerelay.yml",
    """
servers: {ris: 10.20.0.10, more: [10.20.0.20, dhcp.example.net], pool: {addresses: [10.20.0.30, 10.20.0.31],
  strategy: failover, probe: {every: 10, timeout: 2, mac: "02:00:00:00:00:01"}}}
default: [ris, more]
dhcp_servers: [10.20.0.2]
pxe_only: true
interfaces: {vlan10: {giaddr: 10.10.10.1, default: drop, pxe_only: false}, "vlan2*": {}}
accept_relayed_from: [10.30.0.0/16]
accept_replies_from: [10.40.0.1]
classes: [{name: http, vendor_class: HTTPClient, arch: [11, x64 UEFI], interfaces: [vlan10], server: ris}]
include: [rules.d/*.yml]
max_hops: 4
max_requests: 100
source_address: giaddr
option82: {circuit_id: "{interface}", remote_id: x, link_selection: true, server_override: false,
  relay_id: "00:01", trusted: [vlan10]}
metrics: 127.0.0.1:9100
rules: {"00:80:64": {server: more, owner: me, until: 2027-01-31, note: x}, "00:80:65": [ris, more]}
""",
).data


def test_the_full_example_is_valid() -> None:
    assert agree(FULL, WHOLE)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(inner, (*here, key))


@settings(max_examples=300)
@given(some.sampled_from([place for place in places(FULL) if place]), VALUES, some.booleans())
def test_one_value_changed_in_a_valid_file_is_judged_alike(
    place: tuple[Any, ...], value: Any, leave_out: bool
) -> None:
    changed = copy.deepcopy(plain(FULL))
    *way, last = place
    inner = changed
    for step in way:
        inner = inner[step]
    if leave_out:
        del inner[last]
    else:
        inner[last] = value
    agree(changed, WHOLE)


def plain(value: Any) -> Any:
    """Return the same data without marks."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def test_a_keyword_that_is_not_known_leaves_it_to_the_library() -> None:
    assert not keywords.meets(1, {"type": "integer", "multipleOf": 1}, {})
    assert all(
        keyword in keywords._OF_VALUES
        or keyword in keywords._OF_MAPPINGS
        or keyword in keywords._SAYS_NOTHING
        or keyword in ("$ref", "anyOf", "items")
        or keyword.startswith("x-")
        for part in PARTS
        for keyword in part
    ), "the schema has a keyword that costs every start the library"
