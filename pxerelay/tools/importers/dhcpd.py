"""ISC dhcpd: `host` blocks with a hardware address, subnets, and the next-server that applies to each.

Which one that is follows dhcpd itself (dhcpd.conf(5), "Declarations"; execute_statements_in_scope): what the
host's own blocks say, up to those that its subnet is in too; then the pool of the address, its subnet, and
what is around these. Where no `next-server` applies, an `option tftp-server-name` does in the same way; where
there is only a `filename`, clients fetch it from dhcpd's own host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from typing import NamedTuple

from pxerelay.config.resolve import DROP
from pxerelay.tools.importers import dhcpd_text, vlans
from pxerelay.tools.importers.dhcpd_text import Block, Tree
from pxerelay.tools.importers.found import Found, Remark, Servers, paragraph
from pxerelay.tools.importers.source import Source, Word, quoted

NOTE = (
    "dhcpd told these clients where to fetch their boot file. pxerelay sends their DHCP requests to that "
    "server: it must answer DHCP or proxyDHCP itself. If dhcpd goes on giving the addresses, name that one "
    "under dhcp_servers."
)


class _Said(NamedTuple):
    """A setting, the word that says it, and the block that it stands in."""

    server: str
    word: Word
    block: Block


class _Way(NamedTuple):
    """How a client may get an address: in a subnet, of a pool or of none."""

    subnet: Block
    pool: Block | None

    def chain(self) -> Iterator[Block]:
        """Yield the blocks that apply, from the nearest."""
        if self.pool is not None:
            around = set(map(id, self.subnet.chain()))
            yield from (block for block in self.pool.chain() if id(block) not in around)
        yield from self.subnet.chain()

    @property
    def lan(self) -> Block:
        """What stands for the network that clients are on: the shared network, else the subnet."""
        return next((block for block in self.subnet.chain() if block.kind == "shared-network"), self.subnet)


class _Lan(NamedTuple):
    """A shared network or lone subnet: the ways to get an address there."""

    ways: list[_Way]
    networks: tuple[IPv4Network, ...]


def read(sources: Sequence[Source], found: Found) -> None:
    """Read all files as one configuration."""
    tree = dhcpd_text.read(sources, found)
    reader = _Reader(tree, found)
    reader.default()
    reader.vlans()
    reader.hosts()
    if found.rules:
        found.notes.append(NOTE)


class _Reader:
    """Makes rules and defaults of a tree."""

    def __init__(self, tree: Tree, found: Found) -> None:
        self._tree = tree
        self._found = found
        self._named: set[int] = set()
        self._lans = list(_lans(tree))

    def default(self) -> None:
        """Take what stands outside of all blocks as the default."""
        said = self._said([self._tree.root], self._tree.root)
        if said:
            self._found.default_is(self._usable(said))

    def vlans(self) -> None:
        """Give each subnet its default."""
        settled = []
        for lan in self._lans:
            said: dict[str, _Said | None] = {}
            for way in lan.ways:
                one = self._said(way.chain(), way.subnet)
                said.setdefault(one.server if one else "", one)
            first, *others = said.values()
            place = lan.ways[0].subnet
            if others:
                self._divided(lan, [one for one in said.values() if one])
            elif first and first.block is not self._tree.root:
                servers = self._usable(first)
                if servers:
                    settled.append(vlans.Vlan(lan.networks, servers, first.block.source, first.word))
                continue
            settled.append(vlans.Vlan(lan.networks, (), place.source, place.start))
            self._unknown_clients(lan)
        vlans.settle(settled, self._found)

    def _unknown_clients(self, lan: _Lan) -> None:
        """Name the statement by which clients without a host block get nothing."""
        denying = [
            next((b.denies_unknown for b in way.chain() if b.denies_unknown), None) for way in lan.ways
        ]
        word = denying[0]
        if word is None or None in denying or not self._found.default or self._found.told.default:
            return
        block = next(b for b in lan.ways[0].chain() if b.denies_unknown is word)
        if id(word) in self._named:
            return
        self._named.add(id(word))
        self._found.fault(
            block.source,
            word,
            f"unknown clients get no address of {vlans.spelled(lan.networks)}; here they have the default. "
            f"Say "
            "--default drop if no server is to answer them, or --default SERVER",
        )

    def _divided(self, lan: _Lan, said: Sequence[_Said]) -> None:
        """Name what holds for some clients of a network only, by the pool that their address is of."""
        last = said[-1]
        others = ", ".join(dict.fromkeys(one.server or "none" for one in said[:-1])) or "none"
        self._found.fault(
            last.block.source,
            last.word,
            f"clients of {vlans.spelled(lan.networks)} have this server or {others}, by the pool that "
            f"their address "
            "is of; an interface has one default: write rules or `classes:` for the others",
        )

    def hosts(self) -> None:
        """Make a rule of each host that has a server."""
        left_out = followers = 0
        kept: dict[str, str] = {}
        for host in self._tree.hosts:
            ways = self._ways_of(host)
            results = [self._of_host(host, way) for way in ways]
            servers = {one.server for one in results if one}
            own = bool(results) and all(
                one and one.block in self._own(host, way) for one, way in zip(results, ways, strict=True)
            )
            if not servers:
                left_out += 1
            elif not host.hardware:
                left_out += not self._without_mac(host, own)
            elif len(servers) > 1 or None in results or (self._tree.divided and not own):
                without = [self._said(way.chain(), way.subnet) for way in ways if way]
                if [one and one.server for one in results] == [one and one.server for one in without]:
                    followers += 1
                else:
                    self._several(host, ways, results)
            else:
                self._rule(host, next(one for one in results if one), kept)
        if left_out:
            self._found.notes.append(f"Left out, hosts with no next-server or no MAC: {left_out}.")
        if followers:
            self._found.notes.append(
                f"Left out, hosts that boot from what their subnet or class says: {followers}."
            )

    def _ways_of(self, host: Block) -> list[_Way | None]:
        """Return how a host may get its address; None is a subnet that the files do not have."""
        every = [way for lan in self._lans for way in lan.ways]
        fixed = dhcpd_text.addresses(host.fixed)
        if fixed and len(fixed) == len(host.fixed):
            subnets = [
                subnet
                for subnet in self._tree.subnets
                if (n := subnet.network()) and any(a in n for a in fixed)
            ]
            return [_Way(subnet, None) for subnet in subnets] or [None]
        return list(every) or [None]

    def _own(self, host: Block, way: _Way | None) -> list[Block]:
        """Return the host's blocks that its subnet is not in too."""
        limit = set(map(id, (way.pool or way.subnet).chain())) if way else {id(self._tree.root)}
        return [block for block in host.chain() if id(block) not in limit]

    def _of_host(self, host: Block, way: _Way | None) -> _Said | None:
        chain = [*self._own(host, way), *(way.chain() if way else [self._tree.root])]
        return self._said(chain, host)

    def _said(self, chain: Iterable[Block], whose: Block) -> _Said | None:
        """Return the server that applies in blocks, the nearest of which comes first."""
        blocks = list(chain)
        if whose.kind == "host":
            denying = next((block for block in blocks if block.denies_booting), None)
            if denying and denying.denies_booting:
                return _Said(DROP, denying.denies_booting, denying)
        for block in blocks:
            if block.next_server is not None:
                return _Said(block.next_server.text, block.next_server, block)
        for block in blocks:
            if block.tftp_server is not None:
                return _Said(block.tftp_server.text, block.tftp_server, block)
        for block in blocks:
            if block.filename is not None:
                return _Said(self._found.told.own_address, block.filename, block)
        return None

    def _usable(self, said: _Said) -> Servers:
        """Return the server as it is written; if it can't be one that is named, once for each place."""
        first = id(said.word) not in self._named
        self._named.add(id(said.word))
        if said.server == DROP:
            return (DROP,)
        if not said.server:
            if first:
                self._found.fault(
                    said.block.source,
                    said.word,
                    "no next-server applies here, so that clients fetch this from dhcpd's own host; say "
                    "which "
                    "address that has by --self ADDRESS",
                )
            return ()
        scratch = self._found if first else Found()
        return (
            (said.server,) if scratch.server(said.block.source, said.word._replace(text=said.server)) else ()
        )

    def _without_mac(self, host: Block, own: bool) -> bool:
        """Name a host that has a server of its own and no MAC; return whether it was named."""
        if not own:
            return False
        said = host.identifier or host.start
        self._found.fault(
            host.source,
            said,
            f"the host {quoted(host.name)} has a server, and no hardware ethernet: rules are about MACs; "
            f"write a "
            "rule with the client's",
        )
        self._found.not_imported(host.source, said.line)
        return True

    def _several(self, host: Block, ways: Sequence[_Way | None], results: Sequence[_Said | None]) -> None:
        """Name a host that has different servers in different subnets."""
        places: dict[str, str] = {}
        for way, one in zip(ways, results, strict=True):
            network = way.subnet.network() if way else None
            places.setdefault(one.server if one else "", str(network or "another subnet"))
        listed = ", ".join(f"{server or 'no server'} in {place}" for server, place in places.items())
        self._found.fault(
            host.source,
            host.hardware[0],
            f"this client has {listed}; a rule has one server: write the one of the subnet that it is in",
        )
        self._found.not_imported(host.source, host.hardware[0].line)

    def _rule(self, host: Block, said: _Said, kept: dict[str, str]) -> None:
        """Keep a host's rules and comments."""
        servers = self._usable(said)
        comments = self._tree.comments[host.source.name]
        lines = range(host.start.line, host.end + 1)
        above = [line for line in range(host.above + 1, host.start.line) if line in comments.own]
        for remark in paragraph([Remark(comments.own[line]) for line in above]):
            self._found.remark(remark.text)
        for line in lines:
            if line in comments.own:
                self._found.remark(comments.own[line])
        behind = "; ".join(comments.behind[line].strip() for line in lines if line in comments.behind)
        name = host.name
        comment = f"{name}: {behind}" if behind and name else name or behind
        for mac in host.hardware:
            key = mac.text.lower()
            if servers and kept.get(key) == said.server:
                continue  # dhcpd has a block for each subnet that a client may be in; they agree
            if not servers or not self._found.rule(host.source, mac, servers, comment):
                self._found.not_imported(host.source, mac.line)
            else:
                kept[key] = said.server


def _lans(tree: Tree) -> Iterator[_Lan]:
    """Yield the networks that clients are on."""
    grouped: dict[int, list[_Way]] = {}
    for subnet in tree.subnets:
        if subnet.network() is None:
            continue
        ways = list(_ways(tree, subnet))
        grouped.setdefault(id(ways[0].lan), []).extend(ways)
    for ways in grouped.values():
        networks = dict.fromkeys(network for way in ways if (network := way.subnet.network()))
        yield _Lan(ways, tuple(networks))


def _ways(tree: Tree, subnet: Block) -> Iterator[_Way]:
    """Yield how a client without a fixed address gets one of a subnet."""
    network = subnet.network()
    found = False
    for pool in tree.pools:
        inside = subnet in pool.chain()
        if pool.ranges and (
            inside or any(network and one in network for one in dhcpd_text.addresses(pool.ranges))
        ):
            found = True
            yield _Way(subnet, pool)
    if subnet.ranges or not found:
        yield _Way(subnet, None)
