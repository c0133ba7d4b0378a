"""Log lines: bounded, and never waited for."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from pxerelay.linux.log import Limiter, PatientHandler, _Formatter


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("pxerelay", level, "", 0, text, None, None)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_each_line_of_a_message_has_its_priority_for_journald() -> None:
    assert _Formatter(journal=True).format(record("one\ntwo", logging.ERROR)) == "<3>one\n<3>two"
    assert _Formatter(journal=False).format(record("one\ntwo")) == "one\ntwo"


def test_a_message_is_bounded() -> None:
    text = _Formatter(journal=False).format(record("x" * 1_000_000))
    assert text == "x" * 16384 + "\n... and 983616 characters more"


def test_a_full_pipe_loses_whole_messages_and_says_how_many(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    handler = PatientHandler(writing)
    handler.setFormatter(_Formatter(journal=True))
    for number in range(2000):
        handler.handle(record(f"{number} " + "x" * 100))
    first = os.read(reading, 1 << 20).splitlines()
    handler.handle(record("after"))
    then = os.read(reading, 1 << 20).splitlines()
    lines = b"\n".join((*first, *then)).replace(b"\n<", b"\n\n<").split(b"\n\n")
    told = sum(line.startswith(b"<6>") and b"after" not in line for line in lines)
    assert 0 < told < 2000
    assert f"<4>{2000 - told} messages were not logged: nobody was reading them".encode() in lines
    assert lines[-1] == b"<6>after"


def test_a_message_larger_than_a_pipe_takes_at_once_arrives_in_one_piece(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    handler = PatientHandler(writing)
    handler.handle(record("x" * 16000))
    assert os.read(reading, 1 << 20) == b"x" * 16000 + b"\n"


def test_a_pipe_that_nobody_has_any_more_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    handler = PatientHandler(writing)
    for _ in range(3):
        handler.handle(record("to nobody"))
    os.close(writing)
    assert capsys.readouterr().err == "", "logging tells of a handler's errors there"


def test_a_full_disk_loses_whole_messages_and_says_how_many_and_why(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    full = os.open("/dev/full", os.O_WRONLY)
    handler = PatientHandler(full)
    for number in range(10):
        handler.handle(record(str(number)))
    os.dup2(writing, full)
    handler.handle(record("after"))
    os.close(full)
    missing = b"9 messages were not logged: No space left on device"
    assert os.read(reading, 1 << 20).splitlines() == [b"0", missing, b"after"]


def test_a_limiter_tells_how_many_it_kept_back() -> None:
    limiter = Limiter(10)
    assert [limiter.allow("a", now) for now in (0.0, 1.0, 9.9, 10.0, 10.1)] == [0, None, None, 2, None]
    assert limiter.allow("b", 1.0) == 0


def test_a_limiter_takes_bounded_memory() -> None:
    limiter = Limiter()
    for number in range(100_000):
        limiter.allow(number, 1.0)
        limiter.allow(number, 1.0)
    assert len(limiter._next) <= Limiter.KINDS
    assert len(limiter._active) <= Limiter.KINDS


def test_log_lines_are_text_alone() -> None:
    """What a configuration or a client says moves no cursor, and begins no line of its own."""
    hostile = logging.LogRecord(
        "pxerelay", logging.INFO, "", 0, "class %s\nnext", ("\x1b[2J\r<0>\u202e",), None
    )
    shown = _Formatter(journal=True).format(hostile)
    assert shown == "<6>class \\x1b[2J\\r<0>\\u202e\n<6>next"
