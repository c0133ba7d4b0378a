"""Thousands of objects with the same keys, as JSON has them, in little room."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pxerelay.web.texts import Texts

_MOST_SHAPES = 256
"""Sets of keys that are there once; a daemon's answers have some dozen."""


_MOST_TEXTS = 1 << 16
"""Texts of one answer that are there once: more than it has."""


class Row(Mapping[str, Any]):
    """An object: its values, and keys that it shares with others. A dictionary takes three times as much."""

    __slots__ = ("_keys", "_values")

    def __init__(self, keys: Mapping[str, int], values: tuple[Any, ...]) -> None:
        """Take the values, and where each key's is among them."""
        self._keys, self._values = keys, values

    def __getitem__(self, key: str) -> Any:
        """Return a value; KeyError if there is no such key."""
        return self._values[self._keys[key]]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(self._keys)

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._keys)


def loads(line: bytes) -> dict[str, Any]:
    """Return an object whose inner objects are rows; ValueError or RecursionError as of `json.loads`.

    Texts are there once, and lists become tuples.
    """
    shapes: dict[tuple[str, ...], dict[str, int]] = {}
    once = Texts(_MOST_TEXTS).once

    def shared(value: Any) -> Any:
        if isinstance(value, str):
            return once(value)
        return tuple(value) if isinstance(value, list) else value

    def row(pairs: list[tuple[str, Any]]) -> Row:
        keys = tuple(key for key, _ in pairs)
        shape = shapes.get(keys)
        if shape is None:
            shape = {key: at for at, key in enumerate(keys)}
            if len(shapes) < _MOST_SHAPES:
                shapes[keys] = shape
        return Row(shape, tuple(shared(value) for _, value in pairs))

    found = json.loads(line, object_pairs_hook=row)
    if not isinstance(found, Row):
        raise ValueError("no object")
    return dict(found)
