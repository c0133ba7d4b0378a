"""Entries with fields: what journald gets, and what happens where it does not take them."""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pxerelay.linux.fields import Fields
from pxerelay.linux.journal import JournalHandler, entry, is_journal
from pxerelay.linux.log import _Formatter

ABOUT = Fields("02:00:00:00:00:01", "vlan10", ("ris", "10.20.0.10"), "02:80:64", "flood")


class Kept(logging.Handler):
    """What went the old way."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.lines.append(record.getMessage())


@contextmanager
def journald(path: Path) -> Iterator[socket.socket]:
    """Listen as journald does."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        yield listening
    path.unlink()


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[tuple[JournalHandler, Kept, Path]]:
    kept, path = Kept(), tmp_path / "socket"
    made = JournalHandler(kept, path)
    made.setFormatter(_Formatter(journal=False))
    yield made, kept, path
    made.close()


def record(text: str, fields: Fields | None = ABOUT, level: int = logging.WARNING) -> logging.LogRecord:
    made = logging.LogRecord("pxerelay", level, "", 0, text, None, None)
    vars(made).update(fields.extra if fields else {})
    return made


def taken(octets: bytes) -> list[tuple[str, str]]:
    """Read an entry as the protocol says, apart from the code under test."""
    found, at = [], 0
    while at < len(octets):
        end = octets.index(b"\n", at)
        name, sign, value = octets[at:end].partition(b"=")
        at = end + 1
        if not sign:
            (size,) = struct.unpack_from("<Q", octets, at)
            value = octets[at + 8 : at + 8 + size]
            assert octets[at + 8 + size : at + 9 + size] == b"\n"
            at += 9 + size
        found.append((name.decode(), value.decode()))
    return found


def test_an_entry_has_its_fields_and_several_of_one_name(
    handler: tuple[JournalHandler, Kept, Path],
) -> None:
    made, kept, path = handler
    with journald(path) as journal:
        made.handle(record("dropped a message"))
        made.handle(record("a decision", Fields("02:00:00:00:00:01"), logging.DEBUG))
        assert taken(journal.recv(65536)) == [
            ("MESSAGE", "dropped a message"),
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", "pxerelay"),
            ("SYSLOG_FACILITY", "3"),
            ("PXERELAY_MAC", "02:00:00:00:00:01"),
            ("PXERELAY_INTERFACE", "vlan10"),
            ("PXERELAY_SERVER", "ris"),
            ("PXERELAY_SERVER", "10.20.0.10"),
            ("PXERELAY_RULE", "02:80:64"),
            ("PXERELAY_REASON", "flood"),
        ]
        assert taken(journal.recv(65536))[1:2] == [("PRIORITY", "7")]
    assert kept.lines == []


def test_a_value_may_have_several_lines_and_any_octets() -> None:
    odd = "one\ntwo=\N{SNOWMAN}\n\udcff"
    assert taken(entry([("MESSAGE", odd), ("B", "c")])) == [("MESSAGE", odd[:-1] + "\\udcff"), ("B", "c")]


def test_what_is_about_nobody_goes_the_old_way(handler: tuple[JournalHandler, Kept, Path]) -> None:
    made, kept, path = handler
    with journald(path) as journal:
        made.handle(record("stopped", None))
        made.handle(record("nothing known", Fields()))
        with pytest.raises(BlockingIOError):
            journal.recv(1)
    assert kept.lines == ["stopped", "nothing known"]


def test_the_largest_message_is_one_datagram(handler: tuple[JournalHandler, Kept, Path]) -> None:
    made, kept, path = handler
    with journald(path) as journal:
        made.handle(record("\N{SNOWMAN}" * 1_000_000))
        (_, text), *_ = taken(journal.recv(1 << 20))
    assert text.startswith("\N{SNOWMAN}" * 16384 + "\n... and")
    assert kept.lines == []


def test_a_journal_that_is_full_loses_entries_and_is_told_how_many(
    handler: tuple[JournalHandler, Kept, Path],
) -> None:
    made, kept, path = handler
    with journald(path) as journal:
        for number in range(5000):
            made.handle(record(f"{number}"))
        found = list(messages(journal))
        assert 0 < len(found) < 5000
        assert found == [f"{number}" for number in range(len(found))]
        made.handle(record("after"))
        lost = f"{5000 - len(found)} messages were not logged: the journal did not take them"
        assert list(messages(journal)) == [lost, "after"]
    assert kept.lines == []


def messages(journal: socket.socket) -> Iterator[str]:
    while True:
        try:
            yield dict(taken(journal.recv(65536)))["MESSAGE"]
        except BlockingIOError:
            return


def test_where_no_journald_is_the_old_way_is_left_until_one_is_back(
    handler: tuple[JournalHandler, Kept, Path],
) -> None:
    made, kept, path = handler
    made.handle(record("never there"))
    for turn in range(2):
        with journald(path) as journal:
            made.handle(record(f"there {turn}"))
            assert list(messages(journal)) == [f"there {turn}"]
        made.handle(record(f"gone {turn}"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ended:
        ended.bind(str(path))
    made.handle(record("a socket that nobody has any more"))
    assert kept.lines == ["never there", "gone 0", "gone 1", "a socket that nobody has any more"]


def test_a_message_that_is_too_large_for_the_socket_goes_the_old_way(
    handler: tuple[JournalHandler, Kept, Path],
) -> None:
    made, kept, path = handler
    made._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with journald(path):
        made.handle(record("x" * 16000))
    assert kept.lines == ["x" * 16000]


@pytest.mark.parametrize(
    ("value", "expected"), [("{dev}:{ino}", True), ("{dev}:1", False), ("", False), ("rubbish", False)]
)
def test_stderr_is_the_journal_if_systemd_says_so(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = socket.socketpair()
    with closing(one), closing(other):
        stat: Any = os.fstat(one.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", value.format(dev=stat.st_dev, ino=stat.st_ino))
        assert is_journal(one.fileno()) is expected
        assert is_journal(other.fileno()) is False
    monkeypatch.delenv("JOURNAL_STREAM")
    with closing(socket.socket()) as any_socket:
        assert is_journal(any_socket.fileno()) is False
