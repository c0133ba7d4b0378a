"""`pxerelay import`: what other relays and servers are configured by, to a configuration file."""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Interface, IPv6Interface, ip_network
from pathlib import Path

from pxerelay.commands.common import FOUND, OK, Commands, add_command, fail, tell
from pxerelay.config import config, document, findings
from pxerelay.config.findings import ConfigError
from pxerelay.config.resolve import DROP
from pxerelay.config.schema import schema
from pxerelay.linux import interfaces
from pxerelay.policy.addresses6 import is_global
from pxerelay.tools.importers import choose, dhcrelay, families, hosts, table
from pxerelay.tools.importers.formats import FORMATS
from pxerelay.tools.importers.found import Found, Network, Servers, Told, address6, server_fault
from pxerelay.tools.importers.source import Source, decoded, printable
from pxerelay.tools.importers.writer import name_fault, render

_MORE = """
Comments are kept. A line that was not understood is named with its place and becomes a comment; what was
understood is printed all the same. With no --default, and none in the files, the result says what to add: a
main file needs `default:`.

formats:
{formats}
"""

_EXAMPLES = """\
  pxerelay import /etc/dhcrelay.hosts --server ris=10.20.0.10 --default ris > pxerelay.yml
  pxerelay import /etc/default/isc-dhcp-relay > pxerelay.yml
  pxerelay import --dhcrelay -- -i eth0 -c 10 -a -ch /etc/dhcrelay.hosts 10.20.0.10 > pxerelay.yml
  pxerelay check pxerelay.yml
"""


class _UnusableError(Exception):
    """Nothing can be imported; the message says why."""


def add(commands: Commands) -> None:
    """Declare the command."""
    formats = "\n".join(f"  {name:<15} {format_.meaning}" for name, format_ in FORMATS.items())
    parser = add_command(
        commands,
        "import",
        _import,
        {OK: "all understood", FOUND: "some lines were not understood, each is named"},
        "make a configuration of what other relays and servers have",
        description="Print a configuration file with what other programs' files say.",
        more=_MORE.format(formats=formats),
        examples=_EXAMPLES,
    )
    parser.add_argument("files", nargs="+", metavar="F", help="files of one format; - is standard input")
    parser.add_argument(
        "--from",
        dest="format",
        choices=FORMATS,
        metavar="FORMAT",
        help="one of the formats below; default: told by what is in the files",
    )
    parser.add_argument(
        "--dhcrelay", action="store_true", help="what stands behind -- is the command line of a dhcrelay"
    )
    parser.add_argument(
        "--server",
        dest="servers",
        action="append",
        default=[],
        metavar="NAME=ADDRESS",
        help="a name for a server, or for several: NAME=ADDRESS,ADDRESS; NAME alone for a list of MACs, "
        "where another file has its address",
    )
    parser.add_argument(
        "--default",
        metavar="SERVER",
        help="where clients go that no rule names: a name of --server, an address, A,B, or drop",
    )
    parser.add_argument(
        "--interface",
        dest="interfaces",
        action="append",
        default=[],
        metavar="SUBNET=NAME",
        help="the relay host's interface in a subnet of the files, or in a network that they have by name; "
        "else told by this host's addresses",
    )
    parser.add_argument(
        "--self",
        dest="own_address",
        metavar="ADDRESS",
        help="the address of the host that the files are from, where clients fetch their boot file from it",
    )
    parser.add_argument(
        "--column",
        dest="columns",
        action="append",
        default=[],
        metavar="KEY=HEADER",
        help=f"the column of a table that is meant by a key: {', '.join(table.COLUMNS)}",
    )


def _import(arguments: argparse.Namespace) -> int:
    try:
        found = Found(_told(arguments))
        origin = _read_command(arguments, found) if arguments.dhcrelay else _read_files(arguments, found)
    except _UnusableError as error:
        return fail(str(error))
    families.settle(found)
    text = render(found, origin, found.default)
    if all(found.given.values()):
        found.findings.extend(_left_over(text, complete=bool(found.default)))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what configuration files are in, whatever the terminal is
    tell(text.removesuffix("\n"))
    for note in found.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    if found.findings:
        return fail(findings.as_text(_in_order(found.findings)), FOUND)
    return OK


def _in_order(found: Sequence[findings.Finding]) -> list[findings.Finding]:
    """Return findings from top to bottom of each file."""
    files = {file: at for at, file in enumerate(dict.fromkeys(one.file for one in found))}
    return sorted(found, key=lambda one: (files[one.file], one.line, one.column))


def _servers(texts: Sequence[str]) -> dict[str, Servers]:
    """Return what --server says."""
    given: dict[str, Servers] = {}
    for text in texts:
        name, sign, addresses = text.partition("=")
        if not sign and len(texts) == 1 and not name_fault(name):
            return {name: ()}  # another file has its address
        if not sign:
            raise _UnusableError(f"--server {text}: {choose.NO_ADDRESS}")
        servers = tuple(dict.fromkeys(map(_spelled, addresses.split(","))))
        message = name_fault(name) or next(filter(None, map(server_fault, servers)), "")
        if not message and name in given:
            message = "that name stands there twice; give each server its own"
        if message:
            raise _UnusableError(f"--server {text}: {message}")
        given[name] = servers
    return given


def _told(arguments: argparse.Namespace) -> Told:
    """Return what the options say."""
    servers = _servers(arguments.servers)
    own = arguments.own_address or ""
    if own and server_fault(own):
        raise _UnusableError(f"--self {own}: {server_fault(own)}")
    subnets, networks = _interfaces(arguments.interfaces)
    return Told(
        servers,
        _default(arguments.default, servers) if arguments.default else (),
        tuple(subnets),
        networks,
        tuple(_own_addresses()),
        own,
        _columns(arguments.columns),
    )


def _interfaces(texts: Sequence[str]) -> tuple[list[tuple[Network, str]], dict[str, str]]:
    """Return what --interface says, of subnets and of networks that have a name."""
    names = schema()["$defs"]["interfaceName"]
    subnets, named = [], {}
    for text in texts:
        network, sign, name = text.partition("=")
        if sign and not re.search(names["pattern"], name):
            raise _UnusableError(f"--interface {text}: {printable(name)!r} is not {names['x-expected']}")
        if sign and re.fullmatch(r"[A-Za-z][\w-]*", network):
            named[network] = name
            continue
        try:
            subnets.append((ip_network(network, strict=False), name))
        except ValueError:
            sign = ""
        if not sign:
            raise _UnusableError(f"--interface {text}: write SUBNET=NAME, such as 10.10.10.0/24=vlan10")
    return subnets, named


def _columns(texts: Sequence[str]) -> dict[str, str]:
    """Return what --column says."""
    columns = {}
    for text in texts:
        key, sign, header = text.partition("=")
        if not sign or not header or key not in table.COLUMNS:
            raise _UnusableError(f"--column {text}: write KEY=HEADER with one of {', '.join(table.COLUMNS)}")
        columns[key] = header
    return columns


def _own_addresses() -> Iterator[tuple[IPv4Interface | IPv6Interface, str]]:
    """Yield the addresses of this host's interfaces; none where the kernel does not tell."""
    try:
        links = asyncio.run(interfaces.listed(ipv6=True))
    except OSError:
        return
    for link in links:
        for address in () if link.loopback else link.standing:
            length = max((net.prefixlen for net in link.subnets if address in net), default=32)
            yield IPv4Interface(f"{address}/{length}"), link.name
        for one in () if link.loopback else link.addresses6:
            if is_global(one.address):
                yield IPv6Interface((one.address, one.prefix)), link.name


def _default(text: str, given: Mapping[str, Servers]) -> Servers:
    """Return what --default says."""
    if text == DROP:
        return (DROP,)
    servers: dict[str, None] = {}
    for item in map(_spelled, text.split(",")):
        if item not in given and server_fault(item):
            raise _UnusableError(f"--default {text}: {server_fault(item)}, or a name that --server has")
        servers.update(dict.fromkeys(given.get(item, (item,))))
    return tuple(servers)


def _spelled(server: str) -> str:
    """Return an IPv6 address as RFC 5952 spells it, and all else as it is."""
    return str(address6(server) or server)


def _read_files(arguments: argparse.Namespace, found: Found) -> str:
    """Read files of one format; return in words where all of it comes from."""
    sources = [_source(name, "-") for name in arguments.files]
    try:
        name = choose.read(sources, arguments.format, found)
    except choose.UnknownError as error:
        raise _UnusableError(str(error)) from None
    if name == "dhcrelay":
        _read_hosts(found)
    return f"From {', '.join(source.name for source in sources)} ({name})"


def _read_command(arguments: argparse.Namespace, found: Found) -> str:
    if not all(found.given.values()):
        raise _UnusableError(f"--server {next(iter(found.given))}: {choose.NO_ADDRESS}")
    source, words = dhcrelay.command_line(arguments.files)
    dhcrelay.read_command(source, words, found)
    _read_hosts(found)
    return f"From the command line {source.text}"


def _read_hosts(found: Found) -> None:
    """Read what -ch names."""
    for named_in, word in found.settings.hosts_files:
        try:
            source = _source(word.text)
        except _UnusableError as error:
            found.fault(named_in, word, f"{error}; put it there, or import it by itself and add its rules")
        else:
            side = found.apart()
            hosts.read([source], side)
            families.add_of_4(found, side)


def _source(name: str, standard_input: str | None = None) -> Source:
    """Read a file; `standard_input` is the name that means no file."""
    piped = name == standard_input
    try:
        octets = sys.stdin.buffer.read() if piped else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _UnusableError(f"{printable(name)} can't be read: {reason}") from None
    text = decoded(octets)
    if text is None:
        raise _UnusableError(f"{printable(name)} is no text: it has NUL octets in it")
    return Source("standard input" if piped else name, text)


def _left_over(text: str, *, complete: bool) -> list[findings.Finding]:
    """Return what `pxerelay check` will say of the result."""
    try:
        config.build(document.parse("(the result)", text if complete else f"{text}default: {DROP}\n"))
    except ConfigError as error:
        return list(error.findings)
    return []
