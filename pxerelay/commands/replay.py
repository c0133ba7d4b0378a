"""`pxerelay replay`: what the relay would have done with each packet of a capture."""

from __future__ import annotations

import argparse
import platform
from datetime import datetime, timezone
from pathlib import Path

from pxerelay.commands.common import FAILED, OK, Commands, add_any_config, add_command, add_format, fail, tell
from pxerelay.commands.files import load_named
from pxerelay.commands.heard import HeardPacket, add_hints, hear, hints_of
from pxerelay.config.findings import ConfigError
from pxerelay.linux import clock
from pxerelay.tools.diff.git_source import RevisionError
from pxerelay.tools.simulate import dual_stack, replay_text
from pxerelay.tools.simulate.captures import CaptureError
from pxerelay.tools.simulate.verdict import Decider

_MORE = """
Where the configuration relays DHCPv6, its packets are told of too, with those of DHCPv4 in one stream. A
client's MAC is that of its frame; where a capture has no Ethernet frames, a configuration with rules can't
tell of it. What relay agents and servers say to each other has its interface by Interface-Id or link-address.

A packet's client interface is told by --vlan for its tag, else by --interface, by the name that a pcapng file
has, by the one interface whose name ends in the tag's number, or by being the only one.
"""

_EXAMPLES = """\
  tcpdump -i eth0 -s 0 -w boot.pcap 'udp port 67 or udp port 68 or (vlan and (udp port 67 or udp port 68))'
  pxerelay replay boot.pcap
  pxerelay replay boot.pcap --vlan 10=vlan10 --giaddr vlan10=10.10.10.1
  pxerelay replay boot.pcap --against new.yml
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "replay",
        _replay,
        {OK: "told", FAILED: "could not run, or not tell of all"},
        "what the relay would have done with each packet of a capture",
        more=_MORE,
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "capture", type=Path, metavar="CAPTURE", help="a pcap or pcapng file; - is standard input"
    )
    add_any_config(parser)
    parser.add_argument(
        "--against", metavar="OTHER", help="show only what this other configuration would change"
    )
    add_hints(parser)
    add_format(parser)


def _replay(arguments: argparse.Namespace) -> int:
    try:
        loaded = load_named(arguments.config)
        hints = hints_of(arguments, loaded.config)
        other = load_named(arguments.against) if arguments.against else None
        configs = [one.config for one in (loaded, other) if one]
        heard = hear(arguments.capture, ipv6=any(one.dhcpv6 for one in configs))
    except (ConfigError, RevisionError, CaptureError, LookupError) as error:
        return fail(str(error.args[0] if isinstance(error, LookupError) else error))
    today, host = clock.today(), platform.node()
    config = loaded.config.on(today)
    one = dual_stack.deciding(config, loaded.documents, heard.datagrams, hints, host)
    if other is None:
        return _finish(heard, _tell(heard, one, as_json=arguments.format == "json"))
    second = dual_stack.deciding(
        other.config.on(today), other.documents, heard.datagrams, hints, host, one.interfaces
    )
    found = dual_stack.differences(heard.datagrams, one, second)
    if arguments.format == "json":
        for group in found:
            tell(replay_text.difference_json(group))
    else:
        tell(replay_text.differences(found))
    total = replay_text.Sum()
    for datagram in heard.datagrams:
        total.add(one.verdict(datagram))
    return _finish(heard, total)


def _tell(heard: HeardPacket, one: Decider, *, as_json: bool) -> replay_text.Sum:
    total = replay_text.Sum(heard.others)
    for datagram in heard.datagrams:
        verdict = one.verdict(datagram)
        total.add(verdict)
        show = replay_text.as_json if as_json else replay_text.line
        tell(show(verdict, _time(datagram.time, universal=as_json)))
    tell(total.as_json() if as_json else total.text())
    return total


def _time(seconds: float, *, universal: bool) -> str:
    """Spell a time: for programs in UTC, for people as it is here."""
    try:
        when = datetime.fromtimestamp(seconds, timezone.utc)
        if universal:
            return when.isoformat(timespec="microseconds")
        return when.astimezone().replace(tzinfo=None).isoformat(" ", "microseconds")
    except (OverflowError, ValueError, OSError):  # a damaged capture's
        return f"{seconds:.6f}"


def _finish(heard: HeardPacket, total: replay_text.Sum) -> int:
    """Say what could not be told, and return the exit code."""
    wrong = [*total.advice, *([heard.fault] if heard.fault else [])]
    return fail("\n".join(wrong)) if wrong else OK
