"""Objects in little room, which are as others."""

from __future__ import annotations

import json

import pytest

from pxerelay.web.rows import Row, loads


def test_a_row_is_as_the_dictionary_that_it_stands_for() -> None:
    plain = {"clients": [{"mac": "a", "n": 1, "of": [4, 6]}, {"mac": "b", "n": 2, "of": []}], "most": 5}
    found = loads(json.dumps(plain).encode())
    assert found["most"] == 5
    rows = found["clients"]
    assert [type(one) for one in rows] == [Row, Row]
    assert [{**one} for one in rows] == [{"mac": "a", "n": 1, "of": (4, 6)}, {"mac": "b", "n": 2, "of": ()}]
    assert rows[0]["mac"] == "a"
    assert rows[0].get("none") is None
    assert len(rows[0]) == 3
    assert rows[0]._keys is rows[1]._keys


def test_texts_are_there_once() -> None:
    one, two = loads(json.dumps({"clients": [{"is": "PXE client"}, {"is": "PXE client"}]}).encode())[
        "clients"
    ]
    assert one["is"] is two["is"]


@pytest.mark.parametrize("line", [b"[]", b"5", b"{", b"", b'{"a":' * 5])
def test_what_is_no_object_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(line)
