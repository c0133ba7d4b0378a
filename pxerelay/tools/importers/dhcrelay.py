"""ISC dhcrelay 4.4: its command line, or what init scripts make one of, to a complete configuration.

These are /etc/default/isc-dhcp-relay of Debian, /etc/sysconfig/dhcrelay of RHEL and SUSE,
/etc/conf.d/dhcrelay of Alpine and Gentoo, rc.conf of FreeBSD, and units of systemd.

What an option means is that of dhcrelay(8); those of dhcrelay -6 are in `dhcrelay6`. Each that has no
counterpart becomes a comment that says why.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pxerelay.config.findings import did_you_mean
from pxerelay.tools.importers import dhcrelay6, families, units
from pxerelay.tools.importers.found import Found, Interface
from pxerelay.tools.importers.source import Source, Word, printable, quoted

_MOST_HOPS = 16
"""No relay agent may let more pass (RFC 1542, 4.1.1)."""

_THEIR_HOPS = 10
"""What dhcrelay takes for -c."""

_MOST_LINES = 50
"""Lines that a quoted value may have."""

_UNCHANGED = "nothing to set"
_FLAGS = {
    "-4": f"{_UNCHANGED}: pxerelay relays DHCPv4.",
    "-d": f"{_UNCHANGED}: pxerelay run stays in the foreground.",
    "-q": f"{_UNCHANGED}: pxerelay prints no banner.",
    "--no-pid": f"{_UNCHANGED}: pxerelay writes no pid file.",
    "-D": (
        "no counterpart: pxerelay takes replies from its servers only, takes its own "
        "option 82 out of them, and leaves another relay's in."
    ),
}
"""Options without a value that become a comment, and what it says."""

_MODES = {
    "forward": f"{_UNCHANGED}: pxerelay leaves the option 82 of a router's request as it is.",
    "append": "no counterpart: pxerelay leaves the option 82 of a router's request as it is, and adds none.",
    "replace": "no counterpart: pxerelay leaves the option 82 of a router's request as it is.",
    "discard": "no counterpart: pxerelay leaves the option 82 of a router's request as it is; "
    "only routers that accept_relayed_from names may send any.",
}
"""The values of -m. All of them are about requests that a router has relayed."""

_VALUES = {
    "-p": "no counterpart: pxerelay uses the ports of RFC 2131, 67 and 68.",
    "-rp": "no counterpart: pxerelay asks servers from port 67.",
    "-pf": f"{_UNCHANGED}: pxerelay writes no pid file; systemd knows the process.",
    "-A": "no counterpart: option 82 is added up to the MTU and to what the client says it takes.",
    "-g": "no counterpart: pxerelay leaves giaddr in replies as it is.",
    "-iu": f"{_UNCHANGED}: replies are taken on any interface, from the addresses of servers only.",
}
"""The same of options with a value."""

_TAKING = frozenset({*_VALUES, "-c", "-m", "-i", "-id", "-U", "-ch"})
_KNOWN = frozenset({*_FLAGS, *_TAKING, "-a", "-6"})

ROUTERS = (
    "dhcrelay takes requests of every router that sends any. pxerelay takes those of the routers that "
    "accept_relayed_from names, such as accept_relayed_from: [10.10.0.0/16]; by default none."
)
REPLIES = (
    "dhcrelay takes replies from every address. pxerelay takes those of the servers above, and of "
    "what accept_replies_from names: a server with several addresses may answer from another one."
)
BOTH_WAYS = (
    "dhcrelay -i names the interfaces of clients and those of servers alike. Here only the ones with clients "
    "should stand: take out those that lead to servers alone."
)


@dataclass
class _Told:
    """What the options said so far."""

    servers: list[str] = field(default_factory=list)
    link_selection: str = ""
    both_ways: bool = False
    agent: bool = False
    modes: list[str] = field(default_factory=list)
    hops: int = _THEIR_HOPS
    hops_comment: str = "dhcrelay's own default, -c 10, drops a request that passed 10 relay agents"


VARIABLES = {
    "SERVERS": "servers",
    "INTERFACES": "interfaces",
    "OPTIONS": "options",
    "DHCPSERVERS": "servers",
    "DHCRELAYARGS": "options",
    "DHCRELAY_SERVERS": "servers",
    "DHCRELAY_INTERFACES": "interfaces",
    "DHCRELAY_OPTIONS": "options",
    "DHCRELAY_OPTS": "options",
    "DHCRELAY6_SERVERS": "upper",
    "DHCRELAY6_INTERFACES": "lower",
    "DHCRELAY6_UPPER_INTERFACES": "upper",
    "DHCRELAY6_LOWER_INTERFACES": "lower",
    "DHCRELAY6_OPTIONS": "options6",
    "IFACE": "interfaces",
    "dhcrelay_servers": "servers",
    "dhcrelay_ifaces": "interfaces",
    "dhcrelay_flags": "options",
}
"""Variables of init scripts, and what they say."""


def read(sources: Sequence[Source], found: Found) -> None:
    """Read files of init scripts, or units; what -ch names is left in `found.settings.hosts_files`."""
    if any(units.is_unit(source.text) for source in sources):
        _read_units(sources, found)
        return
    commands: list[_Command] = []
    for source in sources:
        commands += _commands(source, dict(_assignments(source, found)))
    _take_all(commands, found)


class _Command(NamedTuple):
    """The words of a command line, without its program; `lacks` is where and what is wrong with no server."""

    source: Source
    words: Sequence[Word]
    lacks: tuple[Word, str]

    @property
    def is_6(self) -> bool:
        """Whether it is a dhcrelay -6."""
        return dhcrelay6.is_meant(self.words)


def _take_all(commands: Sequence[_Command], found: Found) -> None:
    """Take command lines: of both families each apart, and then together."""
    both = len({command.is_6 for command in commands}) > 1
    four, six = (found.apart(), found.apart()) if both else (found, found)
    for command in commands:
        side, taking = (six, dhcrelay6.take) if command.is_6 else (four, _take)
        if not taking(command.source, command.words, side):
            side.fault(command.source, *command.lacks)
    if both:
        families.off_where_unnamed(four, six)
        families.join(four, six, found)
    elif commands and commands[0].is_6:
        families.only_6(found)


def _read_units(sources: Sequence[Source], found: Found) -> None:
    """Read a unit with its drop-ins, in their order, and the files of variables that it names."""
    variables: dict[str, list[Word]] = {}
    for source in sources:
        if not units.is_unit(source.text):
            variables.update(_assignments(source, found))
    unit = units.read([source for source in sources if units.is_unit(source.text)], variables, found)
    if unit.starts and not any(re.fullmatch(r"(.*/)?dhcrelay", words[0].text) for _, words in unit.starts):
        source, words = unit.starts[0]
        found.fault(source, words[0], f"{quoted(words[0].text)} is not dhcrelay")
        return
    _take_all([_of_words(source, words) for source, words in unit.starts], found)
    if not unit.starts:
        found.fault(
            sources[0], Word("", 1, 1), "no ExecStart is here; import the unit together with its drop-ins"
        )


def read_command(source: Source, words: Sequence[Word], found: Found) -> None:
    """Read the words of a command line, its program's name among them or not."""
    _take_all([_of_words(source, words)], found)


def _of_words(source: Source, words: Sequence[Word]) -> _Command:
    begins = bool(words) and re.fullmatch(r"(.*/)?dhcrelay", words[0].text) is not None
    end = words[-1] if words else Word("", 1, 1)
    lacks = "no server is named; write its address at the end, such as 10.20.0.10"
    if dhcrelay6.is_meant(words):
        lacks = "no server is named; write -u and its address, such as -u 2001:db8:20::10%eth1"
    return _Command(source, words[1:] if begins else words, (end, lacks))


def command_line(arguments: Sequence[str]) -> tuple[Source, list[Word]]:
    """Return a command line as a text, and its words with their places in it."""
    text, words = "", []
    for argument in arguments:
        words.append(Word(argument, 1, len(text) + 1))
        text += f"{shlex.quote(printable(argument))} "
    return Source("command line", text.rstrip()), words


_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=")


def _commands(source: Source, settings: Mapping[str, list[Word]]) -> Iterator[_Command]:
    """Yield the command lines that an init script makes of the settings: one of each family that is there."""
    said: dict[str, list[Word]] = {}
    for name, words in settings.items():
        said.setdefault(VARIABLES.get(name, ""), []).extend(words)
    interfaces = _each("-i", said.get("interfaces", ()))
    names = [name for name in settings if VARIABLES.get(name) == "servers"]
    place = next(iter(settings[names[0]]), Word("", 1, 1)) if names else Word("", 1, 1)
    name = names[0] if names else "SERVERS"
    words = [*said.get("options", ()), *interfaces, *said.get("servers", ())]
    of_6 = [*said.get("options6", ()), *_each("-l", said.get("lower", ()))]
    of_6 += _each("-u", said.get("upper", ()))
    if words or not of_6:
        yield _Command(source, words, (place, f'{name} names no server; write {name}="10.20.0.10"'))
    if of_6:
        six = Word("-6", of_6[0].line, of_6[0].column)
        lacks = "no upper interface with a server's address is named; write 2001:db8:20::10%eth1"
        yield _Command(source, [six, *of_6], (six, lacks))


def _each(option: str, words: Iterable[Word]) -> list[Word]:
    return [part for word in words for part in (word._replace(text=option), word)]


def _assignments(source: Source, found: Found) -> Iterator[tuple[str, list[Word]]]:
    """Yield the variables of a shell fragment with the words of their values."""
    lines = enumerate(source.lines, 1)
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ASSIGNMENT.match(line)
        first = Word(line, number, len(line) - len(line.lstrip()) + 1)
        if not match:
            message = f'{quoted(line.strip())} is no assignment; write NAME="value"'
            found.fault(source, first, message)
            continue
        raw = line[match.end() :]
        values = _unquoted(raw)
        while values is None and raw.count("\n") < _MOST_LINES and (more := next(lines, None)):
            raw = f"{raw}\n{more[1]}"
            values = _unquoted(raw)
        if values is None:
            found.fault(source, first, f"the quote of {match[1]} is never closed; write its second quote")
        elif any("$" in value or "`" in value for value in values):
            message = (
                f"{match[1]} has a variable or command in it, which is not followed; write out its value"
            )
            found.fault(source, first, message)
        elif len(values) > 1:
            message = (
                f'{match[1]} is followed by {quoted(values[1])}; write all of it in quotes, {match[1]}="..."'
            )
            found.fault(source, first, message)
        else:
            text = values[0] if values else ""
            yield match[1], list(_placed(raw, text.split(), number, match.end()))


def _unquoted(raw: str) -> list[str] | None:
    """Return the words of a shell's line; None if a quote is open at its end."""
    try:
        return shlex.split(raw, comments=True)
    except ValueError:
        return None


def _placed(raw: str, texts: Sequence[str], line: int, start: int) -> Iterator[Word]:
    """Yield words with the places where they stand in a raw text."""
    at = 0
    for text in texts:
        begin = raw.find(text, at)
        at = max(begin, 0)
        last = raw.rfind("\n", 0, at)
        column = start + at + 1 if last < 0 else at - last
        yield Word(text, line + raw.count("\n", 0, at), column)
        at += len(text)


def _take(source: Source, words: Sequence[Word], found: Found) -> bool:
    """Take all words of a command line, and return whether one is a server."""
    told = _Told()
    remaining = iter(words)
    for word in remaining:
        if not word.text.startswith("-") or word.text == "-":
            if found.server(source, word):
                told.servers.append(word.text)
        elif word.text in _TAKING:
            value = next(remaining, None)
            if value is None:
                found.fault(source, word, f"{word.text} needs a value behind it")
            else:
                _option(source, word, value, told, found)
        elif word.text == "-a":
            told.agent = True
        elif word.text in _FLAGS:
            found.settings.remarks.append(f"{word.text}: {_FLAGS[word.text]}")
        else:
            hint = did_you_mean(word.text, _KNOWN) if len(word.text) < 16 else ""
            found.fault(source, word, f"{quoted(word.text)} is no option of dhcrelay 4.4{hint}")
    _settle(told, found)
    return bool(told.servers)


def _option(source: Source, option: Word, value: Word, told: _Told, found: Found) -> None:
    """Take an option with its value."""
    name, text, remarks = option.text, value.text, found.settings.remarks
    if name in _VALUES:
        remarks.append(f"{name} {text}: {_VALUES[name]}")
    elif name in ("-i", "-id"):
        if re.fullmatch(r"(?!lo$)[^/\s]{1,64}", text) and text.isprintable():
            found.settings.interfaces.setdefault(text, Interface())
            told.both_ways |= name == "-i"
        else:
            found.fault(source, value, f"{quoted(text)} is no interface; write its name, such as vlan10")
    elif name == "-c":
        if text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= 255:
            told.hops = int(text)
            told.hops_comment = (
                f"-c {told.hops}: dhcrelay drops a request that passed {told.hops} relay agents"
            )
        else:
            found.fault(source, value, f"{quoted(text)} is no number of hops; write one from 1 to 255")
    elif name == "-m":
        if text in _MODES:
            told.modes.append(text)
        else:
            message = f"{quoted(text)} is no way to treat option 82{did_you_mean(text[:16], _MODES)}"
            found.fault(source, value, message)
    elif name == "-U":
        told.agent, told.link_selection = True, text
    elif name == "-ch":
        found.settings.hosts_files.append((source, value))


def _settle(told: _Told, found: Found) -> None:
    """Make settings of all that was told."""
    settings = found.settings
    found.default = tuple(dict.fromkeys([*found.default, *told.servers]))
    if not settings.interfaces:
        settings.interfaces["*"] = Interface(
            (), "dhcrelay without -i listens everywhere; better name those with clients"
        )
    elif told.both_ways:
        settings.remarks.append(BOTH_WAYS)
    hops = min(max(told.hops - 1, 1), _MOST_HOPS)
    settings.keys["max_hops"] = hops, f"more are dropped; {told.hops_comment}"
    if told.agent:
        option82: dict[str, str | bool] = {"circuit_id": "{interface}"}
        comment = "-a: as with dhcrelay the circuit id is the interface's name; the server may go by it"
        if told.link_selection:
            option82["link_selection"] = True
            where = printable(told.link_selection)
            settings.remarks.append(
                f"-U {where}: link_selection. For giaddr to be the address of {where}, write giaddr: ADDRESS "
                "for each interface."
            )
        settings.keys["option82"] = option82, comment
    for mode in told.modes:
        settings.remarks.append(f"-m {mode}: {_MODES[mode]}")
    settings.remarks.extend((ROUTERS, REPLIES))
