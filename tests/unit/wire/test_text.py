"""Text that comes from elsewhere, for a terminal."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pxerelay.wire.text import printable, printable_all, printable_lines

texts = st.text(st.characters())


@given(texts)
def test_nothing_but_text_is_left(text: str) -> None:
    assert printable(text).isprintable()
    assert all(line.isprintable() for line in printable_lines(text).replace("\t", "").split("\n"))
    printable(text).encode()  # lone surrogates, which no terminal is sent, are escaped too


@given(texts)
def test_json_stays_what_it_means(text: str) -> None:
    assert json.loads(printable_lines(json.dumps({"a": text}, indent=2, ensure_ascii=False))) == {"a": text}


def test_what_is_text_stays_as_it_is() -> None:
    assert printable("Küche, 2. Stock, 機械室") == "Küche, 2. Stock, 機械室"
    assert printable("a\x1b[2J\x7f\x9b\u202e\U000e0001") == "a\\x1b[2J\\u007f\\u009b\\u202e\\udb40\\udc01"
    assert printable_all({"a\n": ["\x1b", {"b": 1, "c": None}]}) == {"a\\n": ["\\x1b", {"b": 1, "c": None}]}
