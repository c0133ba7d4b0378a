"""What was found to the text of a configuration file, comments in their places."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pxerelay.config import schema
from pxerelay.config.document import plain_scalar
from pxerelay.config.resolve import DROP
from pxerelay.tools.importers.found import Class, Found, Interface, Remark, Rule, Servers, family_of
from pxerelay.tools.importers.source import printable

_WIDTH = 100
"""Characters of a line of our own comments."""

_COMMENT_COLUMN = 60
"""Comments of one block stand below each other, if that takes no more than this."""

_PAIR = 2

_PLAIN = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.:?*-]*")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_OF_OTHER_YAML = re.compile(r"[0-9:]+")
"""What YAML 1.1 may take for a number of base 60."""

_WORDS_OF_OTHER_YAML = frozenset({"yes", "no", "on", "off", "y", "n", DROP})
"""What YAML 1.1 reads as true or false, and what is taken."""


class Names:
    """Names for servers: the user's, else the files' own, else one made of the address."""

    def __init__(self, given: Mapping[str, Servers], suggested: Mapping[str, str]) -> None:
        self._suggested = suggested
        self._targets: dict[str, Servers] = dict(given)
        self._names: dict[Servers, str] = {}
        for name, servers in given.items():
            self._names.setdefault(servers, name)

    def of(self, server: str) -> str:
        """Return the name of one server."""
        name = self._names.get((server,))
        if name is None:
            name = self._free(_wished(self._suggested.get(server, ""), server))
            self._names[(server,)] = name
            self._targets[name] = (server,)
        return name

    def choice(self, servers: Servers) -> str:
        """Return what a rule or a default says for these servers, in YAML."""
        if servers == (DROP,):
            return DROP
        if servers in self._names:
            return self._names[servers]
        if len(servers) == 1:
            return self.of(servers[0])
        if {family_of(one) for one in servers} == {4, 6} and len(servers) == _PAIR:
            name = self._free(_wished(self._suggested.get(servers[0], ""), servers[0]))
            self._names[servers], self._targets[name] = name, servers  # one host, in both families
            return name
        return _flow(map(self.of, servers))

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the entries of `servers:`."""
        for name, servers in self._targets.items():
            if not servers:
                continue  # another file has its address
            texts = [_scalar(one) if ":" in one else one for one in servers]
            yield f"{name}: {texts[0] if len(texts) == 1 else _flow(texts)}", ""

    def _free(self, name: str) -> str:
        found, number = name, 1
        while found in self._targets:
            number += 1
            found = f"{name}-{number}"
        return found


def _wished(suggested: str, server: str) -> str:
    name = _NOT_IN_NAMES.sub("-", suggested or server.rstrip(".")).strip("-")
    usable = name.lower() not in _WORDS_OF_OTHER_YAML and isinstance(plain_scalar(name), str)
    if usable and name[:1].isalpha():
        return name
    return f"server-{name}" if name else f"server-{_NOT_IN_NAMES.sub('-', server)}"


def name_fault(name: str) -> str:
    """Return what is wrong with the user's name for a server; empty if nothing is."""
    names = schema.schema()["$defs"]["serverName"]
    usable = re.search(names["pattern"], name) and isinstance(plain_scalar(name), str)
    return "" if usable else f"'{printable(name)}' is not {names['x-expected']}"


def render(found: Found, origin: str, default: Servers) -> str:
    """Return the file. `origin` says where it comes from; with no default it is a file to complete.

    Where the address of a server is in another file it is a file of rules, for that one to include.
    """
    names = Names(found.given, found.suggested)
    default_line = f"default: {names.choice(default)}" if default else ""
    settings = list(_settings(found, names))
    rules = _rules(found, names)
    lines = list(_wrapped(f"{origin}, by pxerelay import."))
    for note in found.notes:
        lines.extend(_wrapped(note))
    servers = list(_block(names.lines(), "  "))
    lines.extend(["servers:", *servers, ""] if servers else [""])
    if not all(found.given.values()):
        lines.pop()
    elif default_line:
        lines.append(default_line)
    else:
        lines.extend(_wrapped("Missing: where all clients go that no rule names, such as"))
        lines.append(f"# default: {next(iter(found.given), 'SERVER')}")
    lines.extend(settings)
    lines.extend(rules)
    return "\n".join(lines) + "\n"


def _settings(found: Found, names: Names) -> Iterator[str]:
    settings = found.settings
    if settings.interfaces:
        yield ""
        yield "interfaces:"
        entries = [
            (f"{_scalar(name)}: {_interface(entry, names)}", entry.comment)
            for name, entry in settings.interfaces.items()
        ]
        yield from _block(entries, "  ")
    if settings.classes:
        yield ""
        yield "classes:"
    for entry in settings.classes:
        yield from _class(entry, names)
    if settings.keys:
        yield ""
    for key, (value, comment) in settings.keys.items():
        if isinstance(value, dict):
            yield from _block([(f"{key}:", comment)], "")
            yield from _block(((f"{name}: {_scalar(item)}", "") for name, item in value.items()), "  ")
        else:
            yield from _block([(f"{key}: {_scalar(value)}", comment)], "")
    if settings.remarks:
        yield ""
    for remark in settings.remarks:
        yield from _wrapped(remark)


def _interface(entry: Interface, names: Names) -> str:
    said = [f"default: {names.choice(entry.default)}"] if entry.default else []
    if entry.link_address:
        said.append(f"link_address: {json.dumps(entry.link_address)}")
    return _braced([*said, *(f"{family}: false" for family in entry.off)])


def _braced(items: Iterable[str]) -> str:
    return f"{{{', '.join(items)}}}"


def _class(entry: Class, names: Names) -> Iterator[str]:
    """Yield the lines of a class."""
    comment = f"  {_comment(entry.comment)}" if entry.comment else ""
    yield f"  - name: {_scalar(printable(entry.name))}{comment}"
    if entry.vendor_class:
        yield f"    vendor_class: {_scalar(entry.vendor_class)}"
    if entry.arch:
        yield f"    arch: {entry.arch[0] if len(entry.arch) == 1 else _flow(map(str, entry.arch))}"
    if entry.interfaces:
        yield f"    interfaces: {_flow(map(_scalar, entry.interfaces))}"
    yield f"    server: {names.choice(entry.servers)}"


def _value(entry: Rule, names: Names) -> str:
    """Return what stands behind a rule's MAC."""
    choice = names.choice(entry.servers)
    if not entry.more:
        return choice
    more = (
        f"{key}: {text if key == 'until' else json.dumps(text, ensure_ascii=False)}"
        for key, text in entry.more
    )
    return f"{{server: {choice}, {', '.join(more)}}}"


def _rules(found: Found, names: Names) -> list[str]:
    entries = list(found.entries)
    while entries and entries[-1] == Remark(None):
        entries.pop()
    while entries and entries[0] == Remark(None):
        entries.pop(0)
    if not entries:
        return []
    texts = [
        (f"{_key(entry.key)}: {_value(entry, names)}", entry.comment)
        if isinstance(entry, Rule)
        else ("", entry)
        for entry in entries
    ]
    head = "rules:" if any(text for text, _ in texts) else "rules: {}"
    return ["", head, *_block(texts, "  ")]


def _block(entries: Iterable[tuple[str, str | Remark]], indent: str) -> Iterator[str]:
    """Yield lines with their comments below each other; an entry with no text is a remark."""
    kept = list(entries)
    lengths = [len(text) for text, comment in kept if text and comment and len(text) < _COMMENT_COLUMN]
    width = max(lengths, default=0)
    for text, comment in kept:
        if isinstance(comment, Remark):
            yield "" if comment.text is None else f"{indent}{_comment(comment.text)}"
        elif comment:
            yield f"{indent}{text.ljust(width)}  {_comment(comment)}"
        else:
            yield f"{indent}{text}"


def _comment(text: str) -> str:
    clean = printable(text.rstrip())
    return f"#{clean}" if clean[:1] in ("", " ", "#") else f"# {clean}"


def _wrapped(text: str) -> Iterator[str]:
    for line in textwrap.wrap(printable(text), _WIDTH, subsequent_indent="  ", break_on_hyphens=False):
        yield f"# {line}"


def _key(mac: str) -> str:
    return mac if _PLAIN.fullmatch(mac) else json.dumps(mac)


def _flow(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _scalar(value: Any) -> str:
    number = isinstance(value, str) and _OF_OTHER_YAML.fullmatch(value)
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not value.endswith(":") and not number:
        return value if isinstance(plain_scalar(value), str) else json.dumps(value)
    return json.dumps(value)
