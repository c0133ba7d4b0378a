"""Capture files, pcap and pcapng, gzipped too, read by scapy, which only those who read captures need."""

from __future__ import annotations

import contextlib
import gzip
import io
import logging
import shlex
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pxerelay.wire.dissect import LINK_TYPES, Frame

_INSTALL = (
    f"reading captures needs scapy; install it: {shlex.quote(sys.executable)} -m pip install 'scapy>=2.6.1'"
)

_LINKS = "what can be read is Ethernet, Linux cooked (tcpdump -i any) and raw IP"


class CaptureError(Exception):
    """A capture that can't be read, or not to its end; the message says why."""


def frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a capture; `-` is standard input.

    Raises CaptureError, behind all frames that could be read where only what follows them is damaged.
    """
    try:
        from scapy.config import conf
        from scapy.error import Scapy_Exception
        from scapy.utils import RawPcapReader
    except ImportError:
        raise CaptureError(_INSTALL) from None
    conf.warning_threshold = 0  # each warning, for it tells what is wrong with the file
    piped = str(path) == "-"
    name = "standard input" if piped else str(path)
    try:
        opened = sys.stdin.buffer if piped else path.open("rb")
    except (OSError, ValueError) as error:
        raise CaptureError(f"{name} can't be read: {_reason(error)}") from None
    with opened, _complaints() as complaints:
        packed = isinstance(opened, io.BufferedReader) and opened.peek(2)[:2] == _GZIP
        file = _File(gzip.GzipFile(fileobj=opened) if packed else opened)
        try:
            reader = RawPcapReader(file)
        except (Scapy_Exception, OSError, ValueError, EOFError, zlib.error) as error:
            why = (
                _reason(error) if isinstance(error, OSError) else "it is no capture in pcap or pcapng format"
            )
            raise CaptureError(f"{name} can't be read: {why}") from None
        link = getattr(reader, "linktype", None)
        if link is not None and link not in LINK_TYPES:
            raise CaptureError(f"{name} has link type {link}; {_LINKS}")
        number = 0
        while True:
            complaints.clear()
            try:
                octets, told = next(reader)
            except StopIteration:
                break
            except (Scapy_Exception, OSError, ValueError, LookupError, zlib.error) as error:
                raise CaptureError(f"{name} is damaged behind packet {number}: {_reason(error)}") from None
            if file.is_short or (file.ended and len(octets) < getattr(told, "caplen", 0)):
                file.is_short = True
                break
            number += 1
            yield _frame(number, reader, octets, told)
        if file.is_short:
            raise CaptureError(f"{name} was cut short: it ends within what follows packet {number}")
        if complaints or not file.ended:
            why = "; ".join(complaints) or "what follows is no packet"
            raise CaptureError(f"{name} is damaged behind packet {number}: {why}")


def _frame(number: int, reader: Any, octets: bytes, told: Any) -> Frame:
    """Return a packet that scapy read; pcapng has link type and time scale for each, pcap for all."""
    link = told.linktype if hasattr(told, "linktype") else reader.linktype
    heard_on = getattr(told, "ifname", None)
    if hasattr(told, "tsresol"):
        ticks = (told.tshigh or 0) << 32 | (told.tslow or 0)
        time = ticks / told.tsresol
    else:
        time = told.sec + told.usec / (1e9 if reader.nano else 1e6)
    text = heard_on.decode("utf-8", "replace").rstrip("\0") if heard_on else ""
    interface = text if text.isprintable() and text else None
    return Frame(number, time, link, octets, interface)


class _File:
    """A file that knows whether it was read to its end, and whether it had less than was asked for."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self.name = "capture"
        self.ended = False
        self.is_short = False

    def read(self, size: int) -> bytes:
        """Return as many octets, or what there is; room is only made for what there is."""
        found = bytearray()
        while len(found) < size:
            more = self._file.read(min(size - len(found), _PORTION))
            if not more:
                self.ended = True
                self.is_short = self.is_short or bool(found)
                break
            found += more
        return bytes(found)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


_GZIP = b"\x1f\x8b"
"""What gzip's files begin with (RFC 1952, 2.3.1)."""

_PORTION = 1 << 20
"""Octets that are read at a time: a damaged length may say that there are thousands of millions."""


class _Complaints(logging.Handler):
    """What scapy says is wrong, kept instead of printed. What it says of TLS has no bearing here."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        text = record.getMessage()
        if "TLS" not in text and "DSB" not in text:
            self.found.append(text.removeprefix("PcapNg: ").removeprefix("Pcap: ").rstrip(" !"))


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """Listen to scapy, alone."""
    logger, handler = logging.getLogger("scapy.runtime"), _Complaints()
    before = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [handler], False
    try:
        yield handler.found
    finally:
        logger.handlers[:], logger.propagate = before


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
