"""YAML 1.2 scalars, positions, and texts that are no YAML."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.config import document
from pxerelay.config.data import List, Map, Mark
from pxerelay.config.document import parse


def data(text: str) -> Any:
    parsed = parse("f.yml", text)
    assert parsed.faults == ()
    return parsed.data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("12:30", "12:30"),
        ("yes", "yes"),
        ("off", "off"),
        ("0010", 10),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("2026-11-24", "2026-11-24"),
        ("=", "="),
        ("9" * 41, "9" * 41),
    ],
)
def test_scalars_are_read_by_yaml_1_2(text: str, value: object) -> None:
    found = data(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(data("key: .nan")["key"])


@pytest.mark.parametrize("key", ["52:54:00:12:34:56", "0080.64", "12", "true", "null", "1e3"])
def test_a_plain_key_is_a_string(key: str) -> None:
    assert data(f"{key}: 1") == {key: 1}


def test_everything_knows_where_it_stands() -> None:
    parsed = parse("f.yml", "a:\n  - x\n  - {b: 7}\nc: |\n  text\n")
    assert isinstance(parsed.data, Map)
    assert isinstance(parsed.data["a"], List)
    assert parsed.data == {"a": ["x", {"b": 7}], "c": "text\n"}
    assert parsed.mark_of(("a",), key=True) == Mark(1, 1)
    assert parsed.mark_of(("a",)) == Mark(2, 3)
    assert parsed.mark_of(("a", 1, "b")) == Mark(3, 9)
    assert parsed.mark_of(("a", 1, "b"), key=True) == Mark(3, 6)
    assert parsed.mark_of(("c",)) == Mark(4, 4)


def test_a_finding_shows_line_and_caret_also_behind_tabs_and_wide_text() -> None:
    parsed = parse("f.yml", "a:\tb\r\nüñ: x\n")
    assert str(parsed.finding(Mark(1, 4), "odd")) == "f.yml:1:4: odd\n    a:\tb\n      \t^"
    assert str(parsed.finding(parsed.mark_of(("üñ",)), "odd")) == "f.yml:2:5: odd\n    üñ: x\n        ^"


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "the first is in line 1"),
        ("x: {a: 1, a: 2}", 1, 11, "a second time"),
        ("a: *nope", 1, 4, "&nope must stand before it"),
        ("a: &loop [*loop]", 1, 11, "would never end"),
        ("? [a]\n: b", 1, 3, "can't be a key"),
        ("? {a: b}\n: c", 1, 3, "can't be a key"),
        ("a: !vault x", 1, 4, "!vault means nothing"),
        ("a: !ris [b]", 1, 4, "!ris means nothing"),
        ("a: !!nonsense b", 1, 4, "nonsense means nothing"),
        ("--- 1\n--- 2\n", 2, 1, "a second document"),
        ("a: b: c", 1, 5, "not YAML"),
        ("a:\n\t- b", 2, 1, "indent with spaces"),
        ("a: 'open", 1, 9, "not YAML"),
        ("a: \x07", 1, 4, "may not stand here"),
        ("a: &x 7\n*x : 1", 2, 1, "'7' can't be a key"),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, line: int, column: int, says: str) -> None:
    (fault,) = parse("f.yml", text).faults
    assert says in fault.message
    assert (fault.file, fault.line, fault.column) == ("f.yml", line, column)
    assert fault.text in text.split("\n")


@pytest.mark.parametrize(
    ("character", "what"),
    [
        ("\r", "a carriage return alone"),
        ("\u2028", "U+2028"),
        ("\u2029", "U+2029"),
        ("\x85", "U+0085"),
    ],
)
def test_a_line_end_that_grep_does_not_see_is_a_fault(character: str, what: str) -> None:
    """What stands behind it in a comment is YAML, and nobody who reviews the file sees it."""
    text = f"a: 1\r\n# was: {character}b: *nope\nc: *no\n"
    parsed = parse("f.yml", text)
    assert [(one.line, one.column) for one in parsed.faults] == [(2, 8), (2, 12), (3, 4)]
    assert parsed.faults[0].message.startswith(f"{what} ends a line of YAML here, which editors")
    assert [one.text for one in parsed.faults] == [f"# was: {character}b: *nope"] * 2 + ["c: *no"]
    assert set(parsed.data) == {"a", "b", "c"}
    quoted = parse("f.yml", f'a: "x{character}y"\n')
    assert [(one.line, one.column) for one in quoted.faults] == [(1, 6)]


def test_what_is_not_yaml_has_its_place_behind_such_a_line_end_too() -> None:
    parsed = parse("f.yml", "a: 1\n# x\u2029\nb: c: d\n")
    assert [(one.line, one.column) for one in parsed.faults] == [(2, 4), (3, 5)]


def test_a_file_of_an_old_mac_has_one_fault() -> None:
    (fault,) = parse("f.yml", "a: 1\rb: 2\rc: 3\r").faults
    assert (fault.line, fault.column) == (1, 5)
    assert "save the file with line ends of Unix (LF)" in fault.message
    assert parse("f.yml", "a: 1\r\nb: 2\r\n").faults == ()


def test_all_double_keys_are_told() -> None:
    assert [fault.line for fault in parse("f.yml", "a: 1\na: 2\nb: 1\nb: 2\na: 3\n").faults] == [2, 4, 5]


def test_an_alias_is_the_same_value_at_another_place() -> None:
    parsed = parse("f.yml", "a: &x [1]\nb: *x\n")
    assert parsed.data["b"] is parsed.data["a"]
    assert parsed.mark_of(("b",)) == Mark(2, 4)


@pytest.mark.parametrize("depth", [33, 400, 900, 5000])
def test_what_is_nested_too_deep_is_a_fault(depth: int) -> None:
    parsed = parse("f.yml", "a: " + "[" * depth + "]" * depth)
    assert any("nested more than" in fault.message or "not YAML" in fault.message for fault in parsed.faults)
    height, here = 0, parsed.data
    while isinstance(here, list | dict) and here:
        height, here = height + 1, next(iter(here.values() if isinstance(here, dict) else here))
    assert height <= 32


def test_what_aliases_stand_for_has_a_bound() -> None:
    def laughs(levels: int) -> str:
        return "a0: &a0 [x]\n" + "".join(
            f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, levels)
        )

    assert len(data(laughs(4))) == 4
    faults = parse("f.yml", laughs(30)).faults
    assert faults
    assert all("write out what is meant" in fault.message for fault in faults)


@given(st.text(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,?~\n\t 01", max_size=60))
def test_any_text_is_data_or_faults(text: str) -> None:
    parsed = parse("f.yml", text)
    for fault in parsed.faults:
        assert fault.line >= 1
        assert fault.column >= 1
        assert str(fault)


@given(
    st.recursive(
        st.text(alphabet="abc :#'", max_size=6) | st.integers(-99, 99) | st.booleans() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(alphabet="abc", max_size=4), inner, max_size=4)
        ),
    )
)
def test_what_pyyaml_writes_is_read_back(value: object) -> None:
    assert data(yaml.safe_dump(value, default_style='"' if isinstance(value, str) else None)) == value


def test_the_pure_python_parser_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, 52:54:00:12:34:56, {b: c}]\nd: 'e'\na: x\n"
    fast = parse("f.yml", text)
    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    slow = parse("f.yml", text)
    assert slow.data == fast.data
    assert slow.faults == fast.faults
