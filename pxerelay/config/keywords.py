"""Whether data meets our JSON Schema (draft 2020-12), by the keywords that it has.

Most files have no fault. To say so needs no library that takes longer to import than the file to load;
`jsonschema` says what is wrong where something is, and a test holds the two equal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

_DEFINITION = "#/$defs/"


def meets(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    """Whether a value is valid; False too where a keyword is not known here, for then another has to say.

    `definitions` are what `$ref` may refer to.
    """
    for keyword, wanted in schema.items():
        if keyword == "$ref":
            name = wanted.removeprefix(_DEFINITION)
            if name not in definitions or not meets(value, definitions[name], definitions):
                return False
        elif keyword == "anyOf":
            if not any(meets(value, branch, definitions) for branch in wanted):
                return False
        elif keyword in _OF_MAPPINGS:
            if isinstance(value, dict) and not _OF_MAPPINGS[keyword](value, schema, definitions):
                return False
        elif keyword == "items":
            if isinstance(value, list) and not all(meets(item, wanted, definitions) for item in value):
                return False
        elif keyword in _OF_VALUES:
            if not _OF_VALUES[keyword](value, wanted):
                return False
        elif keyword not in _SAYS_NOTHING and not keyword.startswith("x-"):
            return False
    return True


_SAYS_NOTHING = frozenset({"$schema", "$id", "$defs", "title", "description", "default", "examples"})
"""Keywords that no value can fail."""


def _properties(value: dict[str, Any], schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    known = schema["properties"]
    return all(meets(value[key], known[key], definitions) for key in value if key in known)


def _further(value: dict[str, Any], schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    known, wanted = schema.get("properties", {}), schema["additionalProperties"]
    if isinstance(wanted, bool):
        return wanted or known.keys() >= value.keys()
    return all(meets(value[key], wanted, definitions) for key in value if key not in known)


def _names(value: dict[str, Any], schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    return all(meets(key, schema["propertyNames"], definitions) for key in value)


def _required(value: dict[str, Any], schema: Mapping[str, Any], _: Mapping[str, Any]) -> bool:
    return value.keys() >= set(schema["required"])


_OF_MAPPINGS: Mapping[str, Callable[[dict[str, Any], Mapping[str, Any], Mapping[str, Any]], bool]] = {
    "properties": _properties,
    "additionalProperties": _further,
    "propertyNames": _names,
    "required": _required,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: (
        _is_number(value) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
}


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are the same as JSON has them: 1 and 1.0 are, and neither is true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)


def _spelled(value: Any) -> Any:
    """Return a value in which numbers that are equal are spelled alike: 1 and 1.0 are one number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_spelled(one) for one in value]
    return {key: _spelled(one) for key, one in value.items()} if isinstance(value, dict) else value


def unique_items(value: Any, *, wanted: bool) -> bool:
    """Whether a list has no item twice, if that is wanted.

    That takes a time that grows with the list, for each item is looked up by how JSON spells it.
    """
    if not wanted or not isinstance(value, list):
        return True
    if all(isinstance(one, str) for one in value):
        return len(set(value)) == len(value)
    return len({json.dumps(_spelled(one), sort_keys=True) for one in value}) == len(value)


_compiled = lru_cache(maxsize=64)(re.compile)

_OF_VALUES: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, names: any(
        name in _TYPES and _TYPES[name](value) for name in ([names] if isinstance(names, str) else names)
    ),
    "const": _equal,
    "enum": lambda value, wanted: any(_equal(value, one) for one in wanted),
    "pattern": lambda value, text: not isinstance(value, str) or _compiled(text).search(value) is not None,
    "minLength": lambda value, least: not isinstance(value, str) or len(value) >= least,
    "maxLength": lambda value, most: not isinstance(value, str) or len(value) <= most,
    "minimum": lambda value, least: not _is_number(value) or not value < least,
    "maximum": lambda value, most: not _is_number(value) or not value > most,
    "minItems": lambda value, least: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most: not isinstance(value, list) or len(value) <= most,
    "uniqueItems": lambda value, wanted: unique_items(value, wanted=wanted),
}
"""Keywords that ask something of a value alone, by what they ask."""
