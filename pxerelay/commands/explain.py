"""`pxerelay explain`: which server clients get, and why; and the packets that would leave."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pxerelay.commands import explain6
from pxerelay.commands.common import (
    FAILED,
    OK,
    Commands,
    add_any_config,
    add_command,
    add_format,
    architecture,
    fail,
    tell,
)
from pxerelay.commands.files import load_named
from pxerelay.commands.heard import add_hints, hear, hints_of
from pxerelay.config.findings import ConfigError
from pxerelay.config.loaded import Loaded
from pxerelay.linux import clock
from pxerelay.relay import words
from pxerelay.relay.decision import BROADCAST
from pxerelay.tools.diff.git_source import RevisionError
from pxerelay.tools.simulate import replay, replay_text, review
from pxerelay.tools.simulate.captures import CaptureError
from pxerelay.tools.simulate.offline import Hints
from pxerelay.tools.simulate.replay import Replayer
from pxerelay.tools.simulate.review6 import Reviewer6, Said6, heard, solicit
from pxerelay.wire import packet, probe
from pxerelay.wire.dissect import Datagram
from pxerelay.wire.facts import Facts
from pxerelay.wire.mac import MAC_OCTETS, MacError, format_mac, parse_mac

_XID = b"\x12\x34\x56\x78"
"""Of a request that nobody sends."""

_FIRMWARE = b"PXEClient"
"""What a client is taken for that does not say what it is."""

_LEAST = packet.CHADDR_START + MAC_OCTETS
"""Octets of a message that tell whose it is."""

_MORE = """
With --capture the clients are those whose requests it has, or those of them that MACs or --file name; what
they are and where they were heard is what the capture shows. --packet shows the octets that would leave: *
marks what the relay changes, + what it adds.
"""

_EXAMPLES = """\
  pxerelay explain 00:11:22:33:44:55 00:80:64:00:00:01 --interface vlan10
  pxerelay explain --file inventory.txt --interface vlan10
  pxerelay explain --capture boot.pcap
  pxerelay explain 00:11:22:33:44:55 --interface vlan10 --packet
  pxerelay explain --peer fe80::ff:fe12:3456 --duid 00:03:00:01:02:00:00:12:34:56
"""


class _Client(NamedTuple):
    """A client to explain; `request` is one of its own, None for one that nobody has heard."""

    chaddr: bytes
    interface: str | None
    vendor_class: bytes
    architectures: tuple[int, ...]
    request: Datagram | None = None


def add(commands: Commands) -> None:
    """Declare the command."""
    explain = add_command(
        commands,
        "explain",
        _explain,
        {OK: "told", FAILED: "could not run, or not tell of all"},
        "which server a client gets, and why",
        more=_MORE,
        examples=_EXAMPLES,
    )
    explain.add_argument("macs", nargs="*", metavar="MAC")
    explain.add_argument(
        "--file",
        type=Path,
        metavar="LIST",
        help="more MACs, one a line, # begins a comment; - is standard input",
    )
    explain.add_argument("--capture", type=Path, metavar="F", help="each client in this pcap or pcapng file")
    add_any_config(explain)
    explain.add_argument("--interface", metavar="I", help="client interface; default: relayed by a router")
    explain.add_argument(
        "--arch",
        action="append",
        default=[],
        metavar="N",
        help="option 93, in DHCPv6 61: number or IANA name",
    )
    explain.add_argument(
        "--vendor-class",
        metavar="S",
        help="option 60, in DHCPv6 16; default PXEClient, '' for a client that is not booting from "
        "the network",
    )
    explain.add_argument("--packet", action="store_true", help="show the packet that would leave, decoded")
    explain6.add_arguments(explain)
    add_hints(explain, interface=False)
    add_format(explain)


def _explain(arguments: argparse.Namespace) -> int:
    faults: list[str] = []
    try:
        _check(arguments)
        loaded = load_named(arguments.config)
        hints = hints_of(arguments, loaded.config)
        wanted = dict.fromkeys(_macs(arguments, faults))
        said: list[Said6] = []
        if arguments.capture:
            clients, one, said = _heard(arguments, loaded, hints, wanted, faults)
        else:
            clients, one = _described(arguments, wanted), _replayer(loaded, [], hints)
        heard_on = [*(client.interface for client in clients), *(item.interface for item in said)]
        shown = _Shown(arguments, loaded, one if arguments.packet else None, filter(None, heard_on), hints)
        if explain6.is_described(arguments):
            shown.relayed()
        for client in clients:
            try:
                shown.client(client)
            except LookupError as error:
                faults.append(str(error.args[0]))
        for item in said:
            shown.said(item, explain6.about(item), explain6.plain(item))
    except (ConfigError, RevisionError, CaptureError, LookupError, OSError) as error:
        faults.append(str(error.args[0] if isinstance(error, LookupError) else error))
    return fail("\n".join(faults), FAILED) if faults else OK


def _check(arguments: argparse.Namespace) -> None:
    """Raise LookupError for arguments that do not go together."""
    described = explain6.is_described(arguments)
    if not (arguments.macs or arguments.file or arguments.capture or described):
        raise LookupError("which clients? give MACs, --file LIST or --capture F")
    if described and (arguments.macs or arguments.file or arguments.capture or arguments.interface):
        message = "--option79, --peer and --duid describe a client behind a router, and go without"
        raise LookupError(f"{message} MACs, --file, --capture and --interface")
    if arguments.capture and (arguments.arch or arguments.vendor_class is not None):
        raise LookupError("--arch and --vendor-class go without --capture, which shows what its clients are")
    if arguments.packet and not (arguments.capture or arguments.interface or described):
        raise LookupError("--packet needs --interface: the giaddr that is put in is that interface's")


def _macs(arguments: argparse.Namespace, faults: list[str]) -> Iterator[bytes]:
    """Yield the addresses that are named; what is none becomes a fault, with its place."""
    texts = [("", text) for text in arguments.macs]
    if arguments.file:
        piped = str(arguments.file) == "-"
        octets = sys.stdin.buffer.read() if piped else _read(arguments.file)
        name = "standard input" if piped else arguments.file
        for number, line in enumerate(octets.decode("utf-8-sig", "replace").split("\n"), 1):
            if text := line.partition("#")[0].strip():
                texts.append((f"{name}:{number}: ", text))
    for place, text in texts:
        try:
            yield parse_mac(text)
        except MacError as error:
            faults.append(f"{place}{error}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise LookupError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None


def _replayer(loaded: Loaded, datagrams: list[Datagram], hints: Hints) -> Replayer:
    config = loaded.config.on(clock.today())
    return replay.replayer(config, loaded.documents, datagrams, hints, platform.node())


def _described(arguments: argparse.Namespace, wanted: Mapping[bytes, None]) -> list[_Client]:
    return [_Client(chaddr, arguments.interface, *_said(arguments)) for chaddr in wanted]


def _said(arguments: argparse.Namespace) -> tuple[bytes, tuple[int, ...]]:
    """Return the vendor class and the architectures that are given."""
    given = arguments.vendor_class
    octets = _FIRMWARE if given is None else os.fsencode(given)
    return octets, tuple(map(architecture, arguments.arch))


def _heard(
    arguments: argparse.Namespace,
    loaded: Loaded,
    hints: Hints,
    wanted: Mapping[bytes, None],
    faults: list[str],
) -> tuple[list[_Client], Replayer, list[Said6]]:
    """Return the clients of a capture, one for each way it shows itself, and what decides on packets.

    Those of DHCPv6 come last, each with a message of its own.
    """
    heard = hear(arguments.capture, ipv6=loaded.config.dhcpv6 is not None)
    one = _replayer(loaded, heard.of4, hints)
    found: dict[_Client, _Client] = {}
    parts: dict[_Client, Datagram] = {}
    for datagram in heard.of4:
        message = datagram.payload
        if len(message) < _LEAST or message[packet.OP] != packet.BOOTREQUEST:
            continue
        chaddr = packet.ethernet_chaddr(message)
        if chaddr is None or (wanted and chaddr not in wanted):
            continue
        interface, giaddr = one.place(datagram)
        if interface is None and giaddr is None:
            faults.append(f"{format_mac(chaddr)}: {one.advice(datagram)}")
            continue
        if not datagram.is_whole:
            parts.setdefault(_Client(chaddr, interface, _FIRMWARE, ()), datagram)
            continue
        if not packet.is_request(message):
            continue
        facts = Facts(message)
        client = _Client(chaddr, interface, facts.vendor_class, facts.architectures)
        known = found.get(client)
        better = known and known.request and not one.verdict(known.request).is_decided
        if known is None or (better and one.verdict(datagram).is_decided):
            found[client] = client._replace(request=datagram)
    whole = {client.chaddr for client in found}
    for client, datagram in parts.items():
        if client.chaddr not in whole:
            found[client] = client
            faults.append(
                f"{format_mac(client.chaddr)}: the capture has {len(datagram.payload)} of the "
                f"{datagram.size} octets of its requests, so it is taken for a PXEClient; "
                "tcpdump -s 0 keeps all"
            )
    said = []
    if loaded.config.dhcpv6:
        said = explain6.heard_clients(heard.of6, loaded.config, hints, wanted, faults)
    missing = wanted.keys() - {client.chaddr for client in found} - {item.client.chaddr for item in said}
    faults.extend(
        f"{format_mac(chaddr)}: no request of it in {arguments.capture}"
        for chaddr in wanted
        if chaddr in missing
    )
    faults.extend([heard.fault] if heard.fault else [])
    faults[:] = dict.fromkeys(faults)
    return list(found.values()), one, said


class _Shown:
    """Tells of clients, one after the other; with `one` also which packets would leave."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        loaded: Loaded,
        one: Replayer | None,
        names: Iterable[str],
        hints: Hints,
    ) -> None:
        self._arguments = arguments
        self._config = loaded.config
        self._origins = review.Origins(loaded.documents)
        self._one = one
        self._today = clock.today()
        self._reviewer: Reviewer6 | None = None
        if self._config.dhcpv6:
            config, host = self._config.on(self._today), platform.node()
            self._reviewer = Reviewer6(config, names, host, hints.link_addresses)

    def client(self, client: _Client) -> None:
        """Tell of a client that is described by its MAC, or that a capture has."""
        explanation = review.explain(
            self._config,
            self._origins,
            client.chaddr,
            self._today,
            client.interface,
            client.vendor_class,
            client.architectures,
            self._reviewer,
        )
        if client.request and explanation.of6:
            explanation = replace(explanation, of6=None)  # its DHCPv6 messages tell of that
        packets = []
        more: dict[str, Any] = {}
        if client.request:
            more["interface"] = client.interface
            more["vendor_class"] = client.vendor_class.decode("utf-8", "backslashreplace")
            more["arch"] = client.architectures
        if self._one and explanation.of4:
            verdict = self._one.verdict(client.request or _made_up(client))
            packets.append(replay_text.packet_text(verdict))
            more["packet"] = replay_text.packet_plain(verdict)
        if self._one and explanation.of6 and self._reviewer and client.interface and not client.request:
            said = heard(client.chaddr, client.interface, solicit(client.vendor_class, client.architectures))
            packets.append(explain6.packet_text(self._reviewer, said))
            more["packet6"] = explain6.packet_plain(self._reviewer, said)
        about = ""
        if client.request:
            kind = words.client_kind(Facts(client.request.payload))
            place = f"on {client.interface}" if client.interface else "behind a router"
            about = f"{place} ({kind})"
        self._tell(explanation, about, packets, more)

    def relayed(self) -> None:
        """Tell of the client that `--option79`, `--peer` and `--duid` describe."""
        if self._reviewer is None:
            raise LookupError("this configuration does not relay DHCPv6; write `dhcpv6: true`")
        said = explain6.described(self._arguments, self._config, *_said(self._arguments))
        self.said(said, "behind a router", {})

    def said(self, said: Said6, about: str, more: dict[str, Any]) -> None:
        """Tell of a client that a DHCPv6 message shows."""
        reviewer = self._reviewer or Reviewer6(self._config)
        explanation = review.explain6(self._config, self._origins, said, self._today, reviewer)
        packets = []
        if self._arguments.packet:
            packets.append(explain6.packet_text(reviewer, said))
            more["packet6"] = explain6.packet_plain(reviewer, said)
        self._tell(explanation, about, packets, more)

    def _tell(
        self, explanation: review.Explanation, about: str, packets: Iterable[str], more: dict[str, Any]
    ) -> None:
        if self._arguments.format == "json":
            tell(review.as_json(explanation, more))
            return
        for text in (review.as_text(explanation, about), *packets):
            tell(text)


def _made_up(client: _Client) -> Datagram:
    """Return a request that this client would send."""
    message = bytes(probe.discover(client.chaddr, _XID, client.vendor_class, client.architectures))
    ports = packet.CLIENT_PORT, packet.SERVER_PORT
    return Datagram(0, 0.0, client.interface, (), packet.UNSET, BROADCAST, *ports, message, len(message))
