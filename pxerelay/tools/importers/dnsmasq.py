"""dnsmasq: clients whose tags have a boot server, and `dhcp-relay`.

    dhcp-host=02:00:00:10:00:01,set:thin        dhcp-mac=set:thin,02:80:64:*:*:*
    dhcp-boot=tag:thin,pxelinux.0,boot,10.20.0.20

Options that say nothing of boot servers are passed over: addresses, names and leases are none of a relay's.
In a file that has such options only the comments right above clients are kept: the others are about these.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pxerelay.tools.importers.found import Found, Remark, Servers, not_imported
from pxerelay.tools.importers.source import Source, Word, is_given, printable, quoted

NOTE = (
    "dnsmasq told these clients where to fetch their boot file. pxerelay sends their DHCP requests to that "
    "server: it must answer DHCP or proxyDHCP itself. If another server gives the addresses, name that one "
    "under dhcp_servers."
)

_ETHERNET = 1
"""The hardware type that MAC rules are about (IANA, ARP parameters)."""

_CLIENTS = frozenset({"dhcp-host", "dhcp-mac"})
_MAC = re.compile(r"(?:([0-9A-Fa-f]{1,2})-)?((?:[0-9A-Fa-f]{1,2}|\*)(?::(?:[0-9A-Fa-f]{1,2}|\*)){5})")
_OPTIONS = frozenset({"66", "option:tftp-server", "150", "option:server-ip-address"})
_KEY = re.compile(r"[ \t]*([a-z][a-z0-9-]*)[ \t]*(?:=[ \t]*|$|(?=[ \t]#))")
_FILES = frozenset(
    {"conf-file", "conf-dir", "dhcp-hostsfile", "dhcp-hostsdir", "dhcp-optsfile", "dhcp-optsdir"}
)
_NO_SERVER = "with no boot server"
_IGNORED = "with ignore (for a client that no server at all should serve, write the rule MAC: drop)"


class _Line(NamedTuple):
    """An option's name and the words of its value, and the comment behind it."""

    source: Source
    key: str
    words: list[Word]
    comment: str


class _Boot(NamedTuple):
    """A server that a tag stands for, and where that is said."""

    server: str
    line: _Line


def read(sources: Sequence[Source], found: Found) -> None:
    """Read all files as one configuration: tags of one may be used in another."""
    files = [list(_lines(source, sources, found)) for source in sources]
    lines = [line for file in files for line in file if isinstance(line, _Line)]
    boots: dict[str, _Boot] = {}
    for line in lines:
        _boot(line, boots, found)
    left_out: Counter[str] = Counter()
    for file in files:
        left_out.update(_clients(file, boots, found))
    _relays(lines, found)
    found.notes.extend(
        f"Left out, lines of dhcp-host and dhcp-mac {why}: {n}." for why, n in left_out.items()
    )
    if found.rules:
        found.notes.append(NOTE)


def _host(line: _Line, boots: Mapping[str, _Boot], found: Found) -> str:
    """Keep the rules of a line, or return why it makes none; what is wrong with it is noted."""
    macs, tags = _client(line)
    servers = {boots[tag].server: tag for tag in tags if tag in boots}
    if not servers:
        return _IGNORED if any(word.text == "ignore" for word in line.words) else _NO_SERVER
    if len(servers) == 1 and macs:
        for mac in macs:
            _rule(line, mac, tuple(servers), found)
        return ""
    place = (macs or line.words)[0]
    if not macs:
        message = (
            "this has a boot server but no MAC, and rules are about MACs; write a rule with the client's"
        )
    else:
        first, second = list(servers.values())[:2]
        message = f"the tags {quoted(first)} and {quoted(second)} have different servers; leave one of them"
    found.fault(line.source, place, message)
    found.not_imported(line.source, place.line)
    return ""


def _clients(lines: Sequence[_Line | Remark], boots: Mapping[str, _Boot], found: Found) -> Iterator[str]:
    """Keep the rules of a file with their comments, and yield why lines make none."""
    mixed = any(isinstance(line, _Line) and line.key not in _CLIENTS for line in lines)
    above: list[Remark] = []
    for line in lines:
        if isinstance(line, Remark):
            above = [line] if mixed and line.text is None else [*above, line]
            continue
        if line.key in _CLIENTS:
            before = len(found.entries)
            found.entries.extend(above)
            reason = _host(line, boots, found)
            if reason:
                yield reason
            if reason and mixed:
                del found.entries[before:]
        above = []
    if not mixed:
        found.entries.extend(above)


def _lines(source: Source, sources: Sequence[Source], found: Found) -> Iterator[_Line | Remark]:
    """Yield options, comments on lines of their own, and empty lines."""
    for number, text in enumerate(source.lines, 1):
        key = _KEY.match(text)
        if key:
            words, comment = _split(text, number, key.end())
            if key[1] in _FILES and words and not is_given(words[0].text, sources):
                message = f"{key[1]} is not followed; import those files together with this one"
                found.fault(source, Word(text, number, key.start(1) + 1), message)
            yield _Line(source, key[1], words, comment)
            continue
        words, comment = _split(text, number, 0)
        if not words:
            yield Remark(comment if "#" in text else None)
        elif len(words) > 1 or _MAC.fullmatch(words[0].text):
            yield _Line(source, "dhcp-host", words, comment)
        else:
            message = (
                f"{quoted(text.strip())} is neither an option with its value, such as "
                "dhcp-host=02:00:00:10:00:01,set:thin, nor a line of a dhcp-hostsfile"
            )
            found.fault(source, words[0], message)
            yield Remark(not_imported(source, number))


def _split(text: str, line: int, start: int) -> tuple[list[Word], str]:
    """Return the words between commas, and the comment; both # and commas are plain text in quotes."""
    words: list[Word] = []
    begin, in_quotes, at = start, False, start
    comment = ""
    for at in range(start, len(text) + 1):
        character = text[at : at + 1]
        if character == '"':
            in_quotes = not in_quotes
        ends = character == "#" and not in_quotes and (at == 0 or text[at - 1].isspace())
        if ends or not character or (character == "," and not in_quotes):
            piece = text[begin:at]
            column = begin + len(piece) - len(piece.lstrip()) + 1
            words.append(Word(piece.strip().strip('"'), line, column))
            begin = at + 1
        if ends:
            comment = text[at + 1 :].rstrip()
            break
    return ([] if len(words) == 1 and not words[0].text else words), comment


def _tags(words: Sequence[Word]) -> tuple[list[str], list[Word]]:
    """Return the tags that a value begins with, and the rest of it."""
    tags = []
    rest = list(words)
    while rest and rest[0].text.startswith(("tag:", "net:")):
        tags.append(rest.pop(0).text[4:])
    return tags, rest


def _boot(line: _Line, boots: dict[str, _Boot], found: Found) -> None:
    """Keep which server a tag stands for, if the line says so."""
    tags, rest = _tags(line.words)
    server = None
    if line.key == "dhcp-boot" and len(rest) > 2:
        server = rest[2]
    elif line.key == "pxe-service" and len(rest) > 3:
        server = rest[3]
    elif line.key in ("dhcp-option", "dhcp-option-force") and len(rest) > 1 and rest[0].text in _OPTIONS:
        server = rest[1]
    if server is None or not server.text:
        return
    if len(tags) > 1 or any(tag.startswith("!") for tag in tags):
        message = (
            f"{quoted(server.text)} is for clients with several tags, or without one; write rules for them"
        )
        found.fault(line.source, server, message)
    elif server.text == "0.0.0.0":  # noqa: S104, what dnsmasq calls itself
        message = "0.0.0.0 is dnsmasq's own host; write its address"
        found.fault(line.source, server, message)
    elif not found.server(line.source, server):
        pass
    elif not tags:
        found.default = found.default or (server.text,)
    else:
        first = boots.setdefault(tags[0], _Boot(server.text, line))
        found.suggested.setdefault(first.server, tags[0])
        if first.server != server.text:
            where = f"{first.line.source.name}:{first.line.words[0].line}"
            message = f"the tag {quoted(tags[0])} has {first.server} in {where} already; that one was taken"
            found.fault(line.source, server, message)


def _client(line: _Line) -> tuple[list[Word], list[str]]:
    """Return the MACs of a line, and the tags that it sets."""
    macs = [word for word in line.words if _MAC.fullmatch(word.text)]
    tags = [word.text[4:] for word in line.words if word.text.startswith(("set:", "net:"))]
    if line.key == "dhcp-mac" and not tags and len(line.words) > 1:
        tags = [line.words[0].text]  # the form before `set:`
    return macs, tags


def _rule(line: _Line, mac: Word, servers: Servers, found: Found) -> None:
    match = _MAC.fullmatch(mac.text)
    hardware, address = (match[1], match[2]) if match else (None, mac.text)
    done = False
    if hardware is not None and int(hardware, 16) != _ETHERNET:
        message = f"{quoted(mac.text)} is of hardware type {hardware}; rules are about Ethernet addresses"
        found.fault(line.source, mac, message)
    else:
        done = found.rule(line.source, mac._replace(text=_wildcard(address)), servers, line.comment.strip())
    if not done:
        found.not_imported(line.source, mac.line)


def _wildcard(address: str) -> str:
    """Return an address whose octets may be stars, as our rules spell it: stars within are ??."""
    if "*" not in address:
        return address
    groups = ["??" if group == "*" else group.rjust(2, "0") for group in address.split(":")]
    while groups and groups[-1] == "??":
        groups.pop()
    return ":".join(groups) if len(groups) == 6 else ":".join([*groups, "*"])


def _relays(lines: Sequence[_Line], found: Found) -> None:
    """Make a default of `dhcp-relay`, and of `interface` the client interfaces."""
    relays: dict[str, list[str]] = {}
    for line in lines:
        if line.key != "dhcp-relay" or not line.words:
            continue
        local = line.words[0]
        if ":" in local.text:
            found.notes.append(
                f"Left out: dhcp-relay of {printable(local.text)}, for pxerelay relays DHCPv4 only."
            )
        elif len(line.words) < 2 or not line.words[1].text:
            message = "this relays by broadcast; write the server's address behind a comma"
            found.fault(line.source, local, message)
        else:
            server = line.words[1]
            address, _, port = server.text.partition("#")
            if found.server(line.source, server._replace(text=address)):
                relays.setdefault(local.text, []).append(address)
                if port not in ("", "67"):
                    message = f"port {quoted(port)} has no counterpart: servers are asked at port 67"
                    found.fault(line.source, server, message)
    if not relays:
        return
    choices = {tuple(dict.fromkeys(servers)) for servers in relays.values()}
    found.default = min(choices) if len(choices) == 1 else found.default
    for line in lines:
        if line.key == "interface":
            found.settings.interfaces.update(
                (word.text, "") for word in line.words if word.text not in ("", "lo")
            )
    for address, servers in relays.items():
        found.settings.remarks.append(
            f"dnsmasq relayed from its address {printable(address)} to {', '.join(servers)}: "
            "the interface that has it must stand under interfaces"
            + ("." if len(choices) == 1 else f", with its own default: {', '.join(servers)}.")
        )
