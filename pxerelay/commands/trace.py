"""`pxerelay trace`: follow clients live through the running daemon."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pxerelay.commands import watching
from pxerelay.commands.common import (
    FOUND,
    NO_DAEMON,
    OK,
    Commands,
    add_command,
    add_daemon,
    add_format,
    fail,
    tell,
)
from pxerelay.config.data import Document
from pxerelay.config.document import parse
from pxerelay.config.source import DISK
from pxerelay.linux import control_client
from pxerelay.policy.rules import Choice, Match, Reason
from pxerelay.tools.simulate.review import Origins
from pxerelay.wire.mac import MacError, parse_pattern

_MORE = """
MAC is an address or, as in rules, an OUI or a wildcard. Each message is a line: what the client is, which
rule of which file chose, which server got it; what came back, and how long after. It needs no --debug.
"""

_EXAMPLES = """\
  pxerelay trace 00:11:22:33:44:55
  pxerelay trace '52:54:00:*' --interface vlan10
  pxerelay trace 00:11:22:33:44:55 --seconds 60 --count 4 --json
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "trace",
        _trace,
        {
            OK: "ended by Ctrl-C, --seconds or --count",
            FOUND: "fewer messages than --count within --seconds, or the daemon refused",
            NO_DAEMON: "no daemon answers, or it ended",
        },
        "follow a client live: each message, decision, answer",
        more=_MORE,
        examples=_EXAMPLES,
    )
    parser.add_argument("mac", type=_pattern, metavar="MAC")
    parser.add_argument(
        "--interface", metavar="I", help="only on this interface, or behind the router with this address"
    )
    add_format(parser, meaning="a JSON object a line, for programs")
    parser.add_argument("--seconds", type=_positive, metavar="N", help="end after this time")
    parser.add_argument("--count", type=_positive, metavar="N", help="end after so many messages")
    add_daemon(parser)


def _pattern(text: str) -> str:
    try:
        parse_pattern(text)
    except MacError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:10]) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return int(text[:10])


def _trace(arguments: argparse.Namespace) -> int:
    try:
        with control_client.asking(
            arguments.socket, "trace", arguments.timeout, mac=arguments.mac, interface=arguments.interface
        ) as answers:
            start = answers.first()
            if "error" in start:
                return fail(start["error"], FOUND)
            return _follow(arguments, answers, start)
    except control_client.NoDaemonError as error:
        return fail(str(error), NO_DAEMON)
    except KeyboardInterrupt:
        return OK


def _follow(
    arguments: argparse.Namespace, answers: control_client.AnswerStream, start: dict[str, Any]
) -> int:
    began = time.monotonic()
    end = began + arguments.seconds if arguments.seconds else float("inf")
    left = arguments.count
    as_json = arguments.format == "json"
    show = _show_json if as_json else _show_text
    if not as_json:
        tell(watching.start_text(start))
    places = _Places(start)
    show(start, places)
    silence = watching.Silence(start, time.monotonic())
    while True:
        now = time.monotonic()
        if now >= end:
            return FOUND if left else OK
        event = answers.next(min(end, silence.next) - now)
        now = time.monotonic()
        if event is None:
            if now >= silence.next:
                seconds, text = silence.told(now)
                show({"event": "silence", "seconds": round(seconds), "text": text}, places)
            continue
        if event["event"] == "reload":
            places = _Places(event)
        show(event, places)
        if event["event"] == "message":
            silence.broken(event, now)
            if left:
                left -= 1
                if not left:
                    return OK


def _show_text(event: Mapping[str, Any], places: _Places) -> None:
    if event["event"] == "start":
        lines = [*places.remarks, *watching.state_text(event, places.of)]
        for line in lines:
            tell(line)
        return
    when = datetime.fromtimestamp(event["at"]) if "at" in event else datetime.now()
    stamp = when.isoformat(sep=" ", timespec="milliseconds")[11:]
    first, *more = [event["text"]] if event["event"] == "silence" else watching.event_text(event, places.of)
    for line in (f"{stamp} {first}", *more, *(places.remarks if event["event"] == "reload" else ())):
        tell(line)


def _show_json(event: Mapping[str, Any], places: _Places) -> None:
    more: dict[str, Any] = {}
    if event["event"] == "message":
        more["source"] = places.of(Reason(event["reason"]), event["rule"]) if event["reason"] else ""
    if "mapping" in event:
        more["mapping"] = [
            {**entry, "source": places.of(Reason(entry["reason"]), entry["rule"])}
            for entry in event["mapping"]
        ]
    tell(json.dumps({**event, **more}, ensure_ascii=False))


class _Places:
    """Where the entries of the daemon's configuration stand.

    The daemon does not keep that: for a large mapping it is memory for nothing. The files say it, as long as
    they are those that the daemon loaded; what can't be read so has no place, and `remarks` say why. A large
    mapping is read besides, while messages are told without.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._origins: Origins | None = None
        self.remarks: list[str] = []
        reading = threading.Thread(target=self._read, args=(event["config"]["files"],), daemon=True)
        reading.start()
        reading.join(_PATIENCE)
        if reading.is_alive():
            self.remarks = ["where rules stand is told in a while: the mapping is large"]

    def _read(self, files: Mapping[str, str]) -> None:
        with contextlib.suppress(OSError):
            os.nice(_NICE)  # this thread alone (sched(7)): it gives way to the daemon
        try:
            origins = Origins([_document(name, digest) for name, digest in files.items()])
            with contextlib.suppress(KeyError):
                origins.of(Match(Reason.MAC, _NOBODY, _ANY))  # the first time takes the longest
            self._origins = origins
        except OSError as error:
            self.remarks = [f"where rules stand is not told: {error.filename}: {error.strerror}"]
        except ValueError as error:
            self.remarks = [f"where rules stand is not told: {error}"]

    def of(self, reason: Reason, rule: str) -> str:
        """Return the `file:line` of an entry, empty if that is not known."""
        return self._origins.of(Match(reason, rule, _ANY)) if self._origins else ""


_PATIENCE = 1.0
"""Seconds that messages wait for their places: enough for 50,000 rules."""

_NICE = 10
"""As the daemon's loader."""

_NOBODY = "00:00:00:00:00:00"

_ANY = Choice("", ())


def _document(name: str, digest: str) -> Document:
    """Read a file that the daemon has loaded; ValueError if it is another by now."""
    octets = DISK.read(Path(name))
    if hashlib.sha256(octets).hexdigest() != digest:
        raise ValueError(f"{name} is not as the daemon loaded it; `pxerelay reload` loads it")
    return parse(name, octets.decode("utf-8-sig"))
