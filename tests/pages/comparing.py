"""Comparing what a page shows with what a command printed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

ANY = ("...", "# ...")
"""Lines of a page that stand for any number of lines, none as well."""

VARIES = {
    "last time": r"(?<=, last )(\d{4}-\d\d-\d\d )?\d\d:\d\d\b",
    "moment": r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:\d\d|Z)?",
    "time of day": r"\b\d\d:\d\d:\d\d\.\d{3}\b",
    "seconds since the start": r"^\[ *\d+\.\d s\]",
    "requests in seconds": r"\b\d+ requests in \d+ s\b",
    "milliseconds": r"\b\d+(\.\d+)? ms\b",
    "address of a pool": r"\b10\.10\.[12]0\.1\d\d\b",
    "IPv6 address of a pool": r"\b2001:db8:10:[12]0::[0-9a-f]{2,4}\b",
    "checksum or DUID": r"\b[0-9a-f]{12,64}\b",
    "version of BIRD": r"(?<=\bBIRD )\d+(\.\d+)+\b",
    "share": r"\b[1-9]\d* %",
    "process": r"\bprocess \d+\b",
    "transaction": r"\b0x[0-9a-f]{8}\b",
}
"""What differs each time, by its name: a pattern that both sides are compared by."""


def compared_by(line: str) -> str:
    """Return a line with the names of what varies in its place."""
    for name, pattern in VARIES.items():
        line = re.sub(pattern, f"<{name}>", line)
    return line.rstrip()


def fits(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether a command printed what a page shows of it."""
    wanted = [line if line.strip() in ANY else compared_by(line) for line in shown]
    got = [compared_by(line) for line in printed]
    reached = {0}  # how many lines of `got` may be used up by the lines of `wanted` so far
    for line in wanted:
        if line.strip() in ANY:
            reached = set(range(min(reached), len(got) + 1)) if reached else set()
        else:
            reached = {count + 1 for count in reached if count < len(got) and got[count] == line}
    return len(got) in reached


def difference(shown: Sequence[str], printed: Sequence[str]) -> str:
    """Tell in which lines they differ, after what varies was named."""
    wanted, got = ([compared_by(line) for line in lines] for lines in (shown, printed))
    return "\n".join(difflib.unified_diff(wanted, got, "the page shows", "the command printed", lineterm=""))
