"""Capture files: pcap and pcapng, gzipped or not, from a path or a pipe."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pxerelay.tools.simulate import pcap, pcapng
from pxerelay.tools.simulate.octets import DamagedError, Octets, ShortError
from pxerelay.wire.dissect import Frame
from pxerelay.wire.layers import LINK_TYPES

_LINKS = "what can be read is Ethernet, Linux cooked (tcpdump -i any), raw IP, PPP and BSD's loopback"


class CaptureError(Exception):
    """A capture that can't be read, or not to its end; the message says why."""


def frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a capture; `-` is standard input.

    Raises CaptureError, behind all frames that could be read where only what follows them is damaged.
    """
    piped = str(path) == "-"
    name = "standard input" if piped else str(path)
    try:
        opened = sys.stdin.buffer if piped else path.open("rb")
    except (OSError, ValueError) as error:
        raise CaptureError(f"{name} can't be read: {_reason(error)}") from None
    with opened:
        number = 0
        try:
            for frame in _begun(name, opened):
                number = frame.number
                yield frame
        except ShortError:
            what = f"{name} was cut short: it ends within what follows packet {number}"
            raise CaptureError(what) from None
        except DamagedError as error:
            raise CaptureError(f"{name} is damaged behind packet {number}: {error}") from None
        except (OSError, EOFError, zlib.error) as error:
            raise CaptureError(f"{name} can't be read behind packet {number}: {_reason(error)}") from None


def _begun(name: str, opened: BinaryIO) -> Iterator[Frame]:
    """Return the frames of what has been opened; CaptureError if it is no capture of ours."""
    try:
        begin = opened.peek(2)[:2] if isinstance(opened, io.BufferedReader) else b""
        octets = Octets(gzip.GzipFile(fileobj=opened) if begin == _GZIP else opened)
        magic = octets.begin(4)
    except IsADirectoryError as error:
        raise CaptureError(f"{name} can't be read: {_reason(error)}") from None
    except (ShortError, EOFError, zlib.error, gzip.BadGzipFile):
        magic = b""
    if magic == pcapng.MAGIC:
        return pcapng.frames(octets)
    if magic not in pcap.MAGICS:
        why = _FOREIGN.get(magic, "it is no capture in pcap or pcapng format")
        raise CaptureError(f"{name} can't be read: {why}")
    link, found = pcap.link_and_frames(magic, octets)
    if link not in LINK_TYPES:
        raise CaptureError(f"{name} has link type {link}; {_LINKS}")
    return found


_GZIP = b"\x1f\x8b"
"""What gzip's files begin with (RFC 1952, 2.3.1)."""

_TURN = "`editcap IN OUT`, of Wireshark, makes pcapng of it"

_UNPACK = "unpack it first"

_FOREIGN = {
    b"snoo": f"it is a capture of Solaris's snoop; {_TURN}",
    b"GMBU": f"it is a capture of Microsoft's Network Monitor; {_TURN}",
    b"RTSS": f"it is a capture of Microsoft's Network Monitor; {_TURN}",
    b"\x1c\x00\x01\xac": f"it is a capture of an Ixia; {_TURN}",
    b"\x1c\x00\x01\xab": f"it is a capture of an Ixia; {_TURN}",
    b"\xac\x01\x00\x1c": f"it is a capture of an Ixia; {_TURN}",
    b"\xab\x01\x00\x1c": f"it is a capture of an Ixia; {_TURN}",
    b"\x28\xb5\x2f\xfd": f"it is packed by zstd; {_UNPACK}",
    b"\xfd7zX": f"it is packed by xz; {_UNPACK}",
    b"PK\x03\x04": f"it is a ZIP file; {_UNPACK}",
}
"""What files are that begin so."""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
