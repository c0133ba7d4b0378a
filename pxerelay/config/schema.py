"""The JSON Schema of the configuration, and its verdict on a document in words.

The schema file is the one statement of the format. Each of its parts may carry `x-expected`, a noun
phrase that completes "this is not ...": that is where an error's "what would be right" comes from.
"""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from pxerelay.config import keywords
from pxerelay.config.data import Document, List, Mark
from pxerelay.config.findings import MOST, MOST_HINTS, Finding, did_you_mean
from pxerelay.wire.text import ends, printable

if TYPE_CHECKING:
    from jsonschema import ValidationError

FILE_NAME = "pxerelay.schema.json"


@cache
def schema() -> dict[str, Any]:
    """Return the schema of the main file, as shipped in the package."""
    loaded: dict[str, Any] = json.loads(pkgutil.get_data("pxerelay", FILE_NAME) or b"")
    return loaded


def part(definition: str | None) -> dict[str, Any]:
    """Return the schema of the main file, or that of a file which is to meet one of its definitions."""
    whole = schema()
    return whole if definition is None else {**whole, **_only(whole, definition)}


def _errors(data: Any, wanted: Mapping[str, Any], told: Collection[Mark]) -> Iterator[ValidationError]:
    """Yield what is wrong; the library that knows takes long to import, and most files have no fault."""
    if keywords.meets(data, wanted, wanted["$defs"]):
        return
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    def items(validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
        """Look at items but those that are told of: there may be very many of them."""
        for index, item in enumerate(instance if isinstance(instance, List) else ()):
            if instance.mark(index) not in told:
                yield from validator.descend(item, wanted, path=index)

    keywords_of_ours = {"uniqueItems": _unique_items, "items": items}
    validator = extend(Draft202012Validator, keywords_of_ours)  # type: ignore[no-untyped-call]
    yield from validator(wanted).iter_errors(data)


def _unique_items(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """Look for the same item twice, in a time that grows with the list: jsonschema compares each with all."""
    from jsonschema import ValidationError

    if not keywords.unique_items(instance, wanted=wanted):
        yield ValidationError("an item stands there twice")


def _only(whole: Mapping[str, Any], definition: str) -> dict[str, Any]:
    own: dict[str, Any] = whole["$defs"][definition]
    return {"properties": {}, "required": [], **own}


@cache
def pattern_of(definition: str) -> re.Pattern[str]:
    """Return a definition's `pattern`, compiled: `address4`, `target` ..."""
    return re.compile(schema()["$defs"][definition]["pattern"])


def default_of(key: str) -> Any:
    """Return what holds where the main file does not have a key."""
    return schema()["properties"][key]["default"]


def findings(document: Document, definition: str | None = None, told: Collection[Mark] = ()) -> list[Finding]:
    """Return the faults that the schema finds in a document.

    `definition` names the part of the schema that a file of another kind must meet (`ruleFile`). `told` are
    places where something is wrong with a value by what `config` says, which knows better what that is.
    Keys of `rules` are left to the parser of MACs.
    """
    if document.data is None and document.faults:
        return []  # what could not be read is told already
    if document.data is None:
        expected = "`rules:`" if definition else "at least `default:`"
        return [Finding(document.name, 1, 1, f"the file is empty; it needs {expected}")]
    return faults(document, _without_plain_rules(document.data), part(definition), told)


def faults(
    document: Document, data: Any, wanted: Mapping[str, Any], told: Collection[Mark] = ()
) -> list[Finding]:
    """Return what is wrong with data of a document by a schema, which may be that of another kind of file."""
    found: list[Finding] = []
    places = set(told)
    for error in _errors(data, wanted, told):
        for leaf in _leaves(error):
            for finding in _explain(document, leaf, hints=len(found) < MOST_HINTS):
                if leaf.validator not in _OF_KEYS:
                    place = Mark(finding.line, finding.column)
                    if place in places:
                        continue
                    places.add(place)
                found.append(finding)
                if len(found) > MOST:
                    return found
    return found


def _without_plain_rules(data: Any) -> Any:
    """Leave out the rules whose value the schema's own pattern accepts: large mappings have little else."""
    rules = data.get("rules") if isinstance(data, dict) else None
    if not isinstance(rules, dict):
        return data
    accepted = {schema()["$defs"]["choice"]["anyOf"][0]["const"]}
    target = pattern_of("serverName")
    doubtful: dict[str, Any] = {}
    for key, value in rules.items():
        server = value
        if isinstance(value, dict) and _is_plain_entry(value):
            server = value["server"]
        if isinstance(server, str):
            if server in accepted:
                continue
            if target.search(server):
                accepted.add(server)
                continue
        doubtful[key] = value
    return {**data, "rules": doubtful}


def _is_plain_entry(value: dict[str, Any]) -> bool:
    """Whether a rule's mapping is right but for its server, which is there."""
    known = schema()["$defs"]["ruleEntry"]["properties"]
    if "server" not in value or not known.keys() >= value.keys():
        return False
    if not all(isinstance(text, str) and text for key, text in value.items() if key != "server"):
        return False
    return "until" not in value or pattern_of("day").search(value["until"]) is not None


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """Of a list or mapping that may stand for a scalar, tell what is wrong inside: it is what was meant."""
    if error.validator == "anyOf" and isinstance(error.instance, (list, dict)):
        inside = [
            inner
            for inner in error.context or ()
            if inner.relative_path or inner.validator not in _OF_ANOTHER_KIND
        ]
        if inside and not _alternatives(error):
            for inner in inside:
                yield from _leaves(inner)
            return
    yield error


_OF_KEYS = frozenset({"required", "additionalProperties"})
"""What is wrong with the keys of a mapping, whatever their values are."""

_OF_ANOTHER_KIND = frozenset({"type", "const", "enum", "anyOf"})
"""What branches for other kinds of values complain of, at the value itself."""


def _explain(document: Document, error: ValidationError, *, hints: bool) -> Iterator[Finding]:
    path = list(error.absolute_path)
    label = _label(path)
    part: Any = error.schema
    instance: Any = error.instance
    expected = part.get("x-expected", "what the schema wants")
    split = _split_address(instance)
    if split:
        message = f'{label}YAML takes {split} for a mapping; quote it: "{split}"'
        yield document.finding(document.mark_of(path), message)
    elif "propertyNames" in error.absolute_schema_path:
        if "rules" in path:
            return
        mark = document.mark_of([*path, instance], key=True)
        yield document.finding(mark, f"{label}{_shown(instance)} is not {expected}")
    elif error.validator == "additionalProperties":
        known = part.get("properties", {})
        for key in instance:
            if key not in known:
                mark = document.mark_of([*path, key], key=True)
                hint = did_you_mean(key, known) if hints else ""
                yield document.finding(mark, f"{label}unknown key '{ends(key)}'{hint}")
    elif error.validator == "required":
        missing = error.message.split("'")[1]
        meaning = part.get("properties", {}).get(missing, {}).get("description", "")
        hint = f": {meaning}" if meaning else ""
        yield document.finding(document.mark_of(path), f"{label}the key '{missing}' is missing{hint}")
    elif error.validator == "anyOf" and (names := _alternatives(error)):
        yield document.finding(document.mark_of(path), f"{label}one of {', '.join(names)} is missing")
    else:
        mark = document.mark_of(path)
        mend = remedy(instance) if isinstance(instance, str) else ""
        yield document.finding(mark, f"{label}{_shown(instance)} is not {expected}{mend}")


def _split_address(value: Any) -> str:
    """Return the IPv6 address that YAML read as a mapping for its last colon; empty if the value is none."""
    if not isinstance(value, dict) or list(value.values()) != [None]:
        return ""
    text = f"{next(iter(value))}:"
    return text if pattern_of("address6").search(text) else ""


_AROUND_ADDRESS = (
    (re.compile(r"%[^%]*\Z"), "without the zone"),
    (re.compile(r"^\[|\](:[0-9]*)?\Z"), "without brackets, and without a port"),
    (re.compile(r"/(12[0-8]|1[01][0-9]|[1-9]?[0-9])\Z"), "without the prefix length"),
)
"""What people write around IPv6 addresses elsewhere, and how to do without."""


def remedy(text: str) -> str:
    """Return `; write ...` if a text is an IPv6 address but for what stands around it, else nothing."""
    for around, how in _AROUND_ADDRESS:
        bare = around.sub("", text)
        if bare != text and pattern_of("address6").search(bare):
            if IPv6Address(bare).is_link_local:
                return "; a link-local address is good on one link only, write a global one"
            return f"; write {bare}, {how}"
    return ""


def _alternatives(error: ValidationError) -> list[str]:
    """Return the keys one of which must be there, if that is what failed."""
    value: Any = error.validator_value
    branches = [branch.get("required", []) for branch in value]
    return [name for branch in branches for name in branch]


def _label(path: list[str | int]) -> str:
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f"{'.' if text else ''}{ends(step)}"
    return f"{text}: " if text else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]" if len(value) <= 8 else f"a list of {len(value)}"
    if isinstance(value, str):
        return f"'{printable(ends(value))}'"
    return json.dumps(value)
