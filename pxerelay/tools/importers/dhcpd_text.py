"""The text of a dhcpd.conf: its blocks, one within another, and the statements in them that are of use here.

A file that `include` names is read where that stands, if it is one of the sources: its statements hold for
the block that they are included in (dhcpd.conf(5), "The include statement").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from pxerelay.tools.importers.found import Found
from pxerelay.tools.importers.source import Source, Word, is_given, quoted

_SIGNS = frozenset("{};,")

_SOME_CLIENTS = frozenset({"class", "subclass", "if", "else", "elsif", "switch", "case", "default"})
"""Blocks whose settings hold for some of the clients."""

_BOOT_URL = "dhcp6.bootfile-url"
"""dhcpd's name of DHCPv6's option 59 (RFC 5970, 3.1; dhcp-options(5))."""

_ALL_CLIENTS = frozenset({"", "group", "subnet", "shared-network", "pool", "host"})
"""Blocks whose settings hold for all clients in them."""

_NESTED = 100
"""Blocks one within another; a file with more is none of dhcpd's."""


@dataclass
class Comments:
    """The comments of a file: on lines of their own, and behind something."""

    own: dict[int, str] = field(default_factory=dict)
    behind: dict[int, str] = field(default_factory=dict)


@dataclass
class Block:
    """A block; `start` is its first word, `head` all of them, `above` the line of what stands before it.

    `denies_booting` and `denies_unknown` are the statements that say so. Words of `ranges` and `fixed` are
    addresses or names.
    """

    kind: str
    start: Word
    source: Source
    above: int = 0
    outer: Block | None = None
    head: tuple[Word, ...] = ()
    next_server: Word | None = None
    tftp_server: Word | None = None
    filename: Word | None = None
    hardware: list[Word] = field(default_factory=list)
    identifier: Word | None = None
    fixed: list[Word] = field(default_factory=list)
    ranges: list[Word] = field(default_factory=list)
    denies_booting: Word | None = None
    denies_unknown: Word | None = None
    end: int = 0

    @property
    def name(self) -> str:
        """What stands behind its kind."""
        return self.head[1].text if len(self.head) > 1 else ""

    def chain(self) -> Iterator[Block]:
        """Yield it, and the blocks around it from the nearest to the outermost."""
        block: Block | None = self
        while block is not None:
            yield block
            block = block.outer

    def network(self) -> IPv4Network | None:
        """Return the network of a subnet block."""
        if self.kind != "subnet" or len(self.head) < 4:
            return None
        try:
            return IPv4Network(f"{self.head[1].text}/{self.head[3].text}", strict=False)
        except (AddressValueError, NetmaskValueError, ValueError):
            return None


@dataclass
class Tree:
    """All blocks of all files: what stands outside of them, and those of some kinds in their order.

    `divided` says that some clients of a subnet may have another server than others.
    """

    root: Block
    hosts: list[Block] = field(default_factory=list)
    subnets: list[Block] = field(default_factory=list)
    pools: list[Block] = field(default_factory=list)
    comments: dict[str, Comments] = field(default_factory=dict)
    divided: bool = False


def read(sources: Sequence[Source], found: Found) -> Tree:
    """Return the blocks of all files; what is wrong with the text is noted."""
    return _Reader(sources, found).read()


class _Reader:
    """Reads files into one tree."""

    def __init__(self, sources: Sequence[Source], found: Found) -> None:
        self._sources = sources
        self._found = found
        self._tree = Tree(Block("", Word("", 1, 1), sources[0]))
        self._tokens: dict[str, list[Word]] = {}
        for source in sources:
            comments = self._tree.comments.setdefault(source.name, Comments())
            self._tokens[source.name] = _tokens(source, comments, found)
        self._reading: list[str] = []

    def read(self) -> Tree:
        """Read all files that no other one includes."""
        included: set[str] = set()
        for source in self._sources:
            for word, after in zip(self._tokens[source.name], self._tokens[source.name][1:], strict=False):
                if word.text.lower() == "include":
                    included.update(one.name for one in self._named(after.text) if one is not source)
        first = [source for source in self._sources if source.name not in included]
        for source in first or self._sources:
            self._file(source, self._tree.root)
        return self._tree

    def _named(self, path: str) -> list[Source]:
        """Return the source that an include means: of that path, else the only one of that file name."""
        same = [one for one in self._sources if one.name == path]
        last = path.rpartition("/")[2]
        return same or [one for one in self._sources if last and one.name.rpartition("/")[2] == last][:1]

    def _file(self, source: Source, outer: Block) -> None:
        self._reading.append(source.name)
        here, depth = outer, 0
        statement: list[Word] = []
        above = 0
        for token in self._tokens[source.name]:
            if token.text == "{" and not token.quoted:
                depth += 1
                if depth > _NESTED:
                    self._found.fault(
                        source, token, f"blocks are nested more than {_NESTED} deep; none must be"
                    )
                    break
                here = self._opened(source, here, statement or [token], above)
                statement = []
            elif token.text == "}" and not token.quoted:
                if statement:
                    first = statement[0]
                    self._found.fault(source, first, f"{quoted(first.text)} has no ; behind it; write one")
                    statement = []
                if here is outer or here.outer is None:
                    self._found.fault(source, token, "this } closes nothing; take it out")
                else:
                    depth -= 1
                    here.end = token.line
                    here = here.outer
            elif token.text == ";" and not token.quoted:
                self._statement(source, here, statement)
                statement = []
            else:
                statement.append(token)
                continue
            above = token.line
        self._end(source, here, outer, statement)
        self._reading.pop()

    def _end(self, source: Source, here: Block, outer: Block, statement: Sequence[Word]) -> None:
        """Note what a file leaves open."""
        if statement and here is outer:
            first = statement[0]
            self._found.fault(source, first, f"{quoted(first.text)} has no ; behind it; write one")
        while here is not outer and here.outer is not None:
            kind = quoted(here.start.text)
            self._found.fault(source, here.start, f"the block of {kind} is never closed; write its }}")
            here.end = len(source.lines)
            here = here.outer

    def _opened(self, source: Source, outer: Block, head: Sequence[Word], above: int) -> Block:
        kind = head[0].text.lower() if head[0].text != "{" else "?"
        block = Block(kind, head[0], source, above, outer, tuple(head))
        tree = self._tree
        if kind == "host":
            tree.hosts.append(block)
        elif kind == "subnet":
            tree.subnets.append(block)
            if block.network() is None:
                self._found.fault(
                    source, head[0], "this is no subnet; write subnet 10.10.10.0 netmask 255.255.255.0 {"
                )
        elif kind == "pool":
            tree.pools.append(block)
        return block

    def _statement(self, source: Source, here: Block, words: Sequence[Word]) -> None:
        texts = [word.text.lower() for word in words[:3]]
        if texts[:1] == ["include"]:
            self._include(source, here, words)
        elif texts[:2] == ["hardware", "ethernet"] and len(words) == 3:
            here.hardware.append(words[2])
        elif texts[:1] == ["hardware"] and here.kind == "host":
            message = "rules are about Ethernet addresses; write hardware ethernet and the MAC"
            self._found.fault(source, words[0], message)
        elif texts[:1] == ["next-server"]:
            if len(words) != 2:
                message = "this is no next-server; write one address behind it, and a ;"
                self._found.fault(source, words[0], message)
            elif self._holds_for_all(source, here, words[1]):
                here.next_server = words[1]
        elif texts[:2] == ["option", "tftp-server-name"] and len(words) == 3:
            if self._holds_for_all(source, here, words[2]):
                here.tftp_server = words[2]
        elif texts[:2] == ["option", _BOOT_URL] and texts[2:] != ["code"]:
            self._found.fault(
                source,
                words[1],
                "this is where clients boot from by DHCPv6, which is not imported of dhcpd; add the IPv6 "
                "address of the server that answers them to its name under `servers:`, with `dhcpv6: true`",
            )
        elif texts[:1] == ["filename"] and len(words) == 2:
            here.filename = words[1] if words[1].text else None
        elif texts[:1] in (["dhcp-client-identifier"], ["host-identifier"], ["uid"]) or (
            texts[:2] == ["option", "dhcp-client-identifier"]
        ):
            here.identifier = words[0]
        elif texts[:1] == ["fixed-address"]:
            here.fixed.extend(word for word in words[1:] if word.text != ",")
        elif texts[:1] == ["range"]:
            here.ranges.extend(word for word in words[1:] if word.text.lower() != "dynamic-bootp")
        elif texts[:1] in (["deny"], ["ignore"], ["allow"]):
            _permit(here, words, texts)

    def _include(self, source: Source, here: Block, words: Sequence[Word]) -> None:
        path = words[-1].text
        named = self._named(path)
        if not named and not is_given(path, self._sources):
            message = "include is not followed; import that file together with this one"
            self._found.fault(source, words[0], message)
        for one in named:
            if one.name in self._reading or len(self._reading) > _NESTED:
                self._found.fault(source, words[0], f"{quoted(path)} includes itself; take this out")
            else:
                self._file(one, here)

    def _holds_for_all(self, source: Source, here: Block, server: Word) -> bool:
        """Return whether a block's settings hold for all clients in it; else name the server."""
        some = next((block for block in here.chain() if block.kind not in _ALL_CLIENTS), None)
        if some is None:
            return True
        self._tree.divided |= some.kind in _SOME_CLIENTS
        self._found.fault(
            source,
            server,
            f"this server holds for some of the clients only, those of {quoted(some.start.text)} in line "
            f"{some.start.line}; write a rule or one of `classes:` for them",
        )
        return False


def _permit(here: Block, words: Sequence[Word], texts: Sequence[str]) -> None:
    denied = texts[0] != "allow"
    what = [word.text.lower().removesuffix(";") for word in words[1:]]
    if what[:1] == ["booting"]:
        here.denies_booting = words[0] if denied else None
    elif what[:1] == ["unknown-clients"] or what[:2] == ["unknown", "clients"]:
        here.denies_unknown = words[0] if denied else None
    elif not denied and (what[:1] == ["known-clients"] or what[:2] == ["known", "clients"]):
        here.denies_unknown = words[0]


def addresses(words: Sequence[Word]) -> list[IPv4Address]:
    """Return those of the words that are addresses."""
    found = []
    for word in words:
        try:
            found.append(IPv4Address(word.text))
        except AddressValueError:
            continue
    return found


def _tokens(source: Source, comments: Comments, found: Found) -> list[Word]:
    """Return words, signs, and texts in quotes."""
    tokens = []
    opened: Word | None = None
    text: list[str] = []
    for number, line in enumerate(source.lines, 1):
        at = 0
        while at < len(line):
            character = line[at]
            if opened is not None:
                end = line.find('"', at)
                while end > 0 and line[end - 1] == "\\":
                    end = line.find('"', end + 1)
                text.append(line[at:] if end < 0 else line[at:end])
                at = len(line) if end < 0 else end + 1
                if end >= 0:
                    tokens.append(opened._replace(text="".join(text), quoted=True))
                    opened = None
            elif character == "#":
                where = comments.own if not line[:at].strip() else comments.behind
                where[number] = line[at + 1 :].rstrip()
                break
            elif character == '"':
                opened, text = Word("", number, at + 1), []
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
