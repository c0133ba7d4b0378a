"""ISC dhcpd: `host` blocks with a hardware address, and the next-server that applies to them.

A host has its own `next-server`, else that of the nearest block around it; where there is none, an
`option tftp-server-name` counts in the same way. Nothing else of a dhcpd.conf is a relay's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source, Word, is_given, quoted

NOTE = (
    "dhcpd told these clients where to fetch their boot file. pxerelay sends their DHCP requests to that "
    "server: it must answer DHCP or proxyDHCP itself. If dhcpd goes on giving the addresses, name that one "
    "under dhcp_servers."
)

_HANDED_DOWN = frozenset({"", "group", "subnet", "shared-network", "pool", "host"})
"""Blocks whose settings hold for all hosts in them; in a class or an if they hold for some clients."""

_SIGNS = frozenset("{};,")


@dataclass
class _Comments:
    """The comments of a file: on lines of their own, and behind something."""

    own: dict[int, str] = field(default_factory=dict)
    behind: dict[int, str] = field(default_factory=dict)


@dataclass
class _Block:
    """A block that was opened; `start` is its first word, `above` the line of what stands before it."""

    kind: str
    start: Word
    above: int
    outer: _Block | None = None
    name: str = ""
    next_server: Word | None = None
    tftp_server: Word | None = None
    hardware: list[Word] = field(default_factory=list)
    end: int = 0

    def server(self) -> Word | None:
        """Return what applies in this block."""
        return self._nearest("next_server") or self._nearest("tftp_server")

    def _nearest(self, setting: str) -> Word | None:
        block: _Block | None = self
        while block is not None:
            word: Word | None = getattr(block, setting)
            if word is not None:
                return word
            block = block.outer
        return None


def read(sources: Sequence[Source], found: Found) -> None:
    """Read the hosts of all files."""
    skipped = 0
    for source in sources:
        comments = _Comments()
        tokens = _tokens(source, comments, found)
        outermost, hosts = _blocks(source, tokens, sources, found)
        for host in hosts:
            skipped += not _host(source, host, comments, found)
        server = outermost.server()
        if server is not None and not found.default and found.server(source, server):
            found.default = (server.text,)
    if skipped:
        found.notes.append(f"Left out, hosts with no next-server or no MAC: {skipped}.")
    if found.rules:
        found.notes.append(NOTE)


def _tokens(source: Source, comments: _Comments, found: Found) -> list[Word]:
    tokens = []
    opened: Word | None = None
    text = ""
    for number, line in enumerate(source.lines, 1):
        at = 0
        while at < len(line):
            character = line[at]
            if opened is not None:
                end = line.find('"', at)
                while end > 0 and line[end - 1] == "\\":
                    end = line.find('"', end + 1)
                text += line[at:] if end < 0 else line[at:end]
                at = len(line) if end < 0 else end + 1
                if end >= 0:
                    tokens.append(opened._replace(text=text))
                    opened = None
            elif character == "#":
                where = comments.own if not line[:at].strip() else comments.behind
                where[number] = line[at + 1 :].rstrip()
                break
            elif character == '"':
                opened, text = Word("", number, at + 1), ""
                at += 1
            elif character in _SIGNS:
                tokens.append(Word(character, number, at + 1))
                at += 1
            elif character.isspace():
                at += 1
            else:
                end = at
                while end < len(line) and not line[end].isspace() and line[end] not in '{};,"#':
                    end += 1
                tokens.append(Word(line[at:end], number, at + 1))
                at = end
    if opened is not None:
        found.fault(source, opened, 'this quote is never closed; write the second "')
    return tokens


def _blocks(
    source: Source, tokens: Sequence[Word], sources: Sequence[Source], found: Found
) -> tuple[_Block, list[_Block]]:
    """Return what stands outside of all blocks, and the hosts in their order."""
    here = outermost = _Block("", Word("", 1, 1), 0)
    hosts: list[_Block] = []
    statement: list[Word] = []
    above = 0
    for token in tokens:
        if token.text == "{":
            start = statement[0] if statement else token
            kind = start.text.lower() if statement else "?"
            name = statement[1].text if len(statement) > 1 else ""
            here = _Block(kind, start, above, here, name)
            if kind == "host":
                hosts.append(here)
            statement = []
        elif token.text == "}":
            if statement:
                found.fault(
                    source, statement[0], f"{quoted(statement[0].text)} has no ; behind it; write one"
                )
                statement = []
            if here.outer is None:
                found.fault(source, token, "this } closes nothing; take it out")
            else:
                here.end = token.line
                here = here.outer
        elif token.text == ";":
            _statement(source, here, statement, sources, found)
            statement = []
        else:
            statement.append(token)
            continue
        above = token.line
    while here.outer is not None:
        found.fault(
            source, here.start, f"the block of {quoted(here.start.text)} is never closed; write its }}"
        )
        here.end = len(source.lines)
        here = here.outer
    return outermost, hosts


def _statement(
    source: Source, here: _Block, words: Sequence[Word], sources: Sequence[Source], found: Found
) -> None:
    texts = [word.text.lower() for word in words[:3]]
    server = None
    if texts[:1] == ["include"] and here.outer is None and is_given(words[-1].text, sources):
        pass
    elif texts[:1] == ["include"]:
        found.fault(source, words[0], "include is not followed; import that file together with this one")
    elif texts[:2] == ["hardware", "ethernet"] and len(words) == 3:
        here.hardware.append(words[2])
    elif texts[:1] == ["hardware"] and here.kind == "host":
        found.fault(
            source, words[0], "rules are about Ethernet addresses; write hardware ethernet and the MAC"
        )
    elif texts[:1] == ["next-server"]:
        server = here.next_server = words[-1]
        if len(words) != 2:
            found.fault(source, words[0], "this is no next-server; write one address behind it, and a ;")
            here.next_server = None
    elif texts[:2] == ["option", "tftp-server-name"] and len(words) == 3:
        server = here.tftp_server = words[2]
    if server is None:
        return
    block: _Block | None = here
    while block is not None and block.kind in _HANDED_DOWN:
        block = block.outer
    if block is not None:
        message = (
            f"this server holds for some of the clients only, those of {quoted(block.start.text)} in line "
            f"{block.start.line}; write a rule or one of `classes:` for them"
        )
        found.fault(source, server, message)
        here.next_server = here.tftp_server = None


def _host(source: Source, host: _Block, comments: _Comments, found: Found) -> bool:
    """Keep a host's rules and comments; return whether it has a server and a MAC."""
    server = host.server()
    if server is None or not host.hardware:
        return False
    lines = range(host.start.line, host.end + 1)
    for line in (*range(host.above + 1, host.start.line), *lines):
        if line in comments.own:
            found.remark(comments.own[line])
    behind = "; ".join(comments.behind[line].strip() for line in lines if line in comments.behind)
    comment = f"{host.name}: {behind}" if behind and host.name else host.name or behind
    usable = found.server(source, server)
    for mac in host.hardware:
        if not usable or not found.rule(source, mac, (server.text,), comment):
            found.not_imported(source, mac.line)
    return True
