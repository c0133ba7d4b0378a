"""What is wrong with a configuration, and the one place that puts it into words for people and machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from functools import lru_cache

from pxerelay.wire.text import printable

MOST = 100_000
"""Faults of a configuration that are told: a file with more is none of ours."""

MOST_HINTS = 1000
"""Faults for which a name is looked for that may have been meant; each may take milliseconds."""

LONGEST_LINE = 1000
"""Characters of a line that is shown with its fault; of a longer one a caret shows nothing."""

LONGEST_MESSAGE = 2000
"""Characters of what is said of a fault."""


class Severity(str, Enum):
    """Whether a configuration does not load, or only is worth a second look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, order=True)
class Finding:
    """One fault in one place.

    `line` and `column` count from 1; 0 means the file as a whole. `message` says what is wrong and
    what would be right. `text` is the offending line, for the reader's eye. `code` names the kind of a
    warning, and its section in docs/warnings.md.
    """

    file: str
    line: int
    column: int
    message: str
    text: str = ""
    severity: Severity = Severity.ERROR
    code: str = ""

    @property
    def place(self) -> str:
        """Return `file:line:column`, or only the file where there is no line to name."""
        file = printable(self.file)
        return f"{file}:{self.line}:{self.column}" if self.line else file

    @property
    def said(self) -> str:
        """Return the message in one line; it may quote what somebody put into a file."""
        return printable(self.message)

    def __str__(self) -> str:
        """Return the place, the message, and below it the line with a caret under the column."""
        head = f"{self.place}: {self.said}"
        if self.severity is Severity.WARNING:
            head = f"{self.place}: warning: {self.said} [{self.code}]"
        if not self.line or not self.text.strip():
            return head
        before = printable(self.text[: self.column - 1], keep="\t")
        lead = "".join("\t" if character == "\t" else " " for character in before)
        text = printable(self.text, keep="\t")
        return f"{head}\n    {text}\n    {lead}^"


class ConfigError(Exception):
    """A configuration that does not load; `findings` holds every fault, in the order of the files."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))

    def summary(self) -> str:
        """Return one line: the first fault and how many more there are."""
        first, more = self.findings[0], len(self.findings) - 1
        rest = f" (and {more} more)" if more else ""
        return f"{first.place}: {first.said}{rest}"


_LONGEST_NAME = 64
"""Characters of a name for which similar ones are looked for: that takes time by their square."""

_MOST_COMPARED = 100
"""Names that a misspelled one is compared with."""

_MOST_KNOWN = 10_000
"""Names among which similar ones are looked for at all."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest of the known names, or what is known, or nothing."""
    return _nearest(name, tuple(sorted(set(known))))


@lru_cache(maxsize=256)
def _nearest(name: str, candidates: tuple[str, ...]) -> str:
    import difflib  # only where somebody made a mistake

    lowered = {candidate.casefold(): candidate for candidate in candidates}
    near = difflib.get_close_matches(name.casefold(), _comparable(name.casefold(), lowered), n=1)
    if near:
        return f"; did you mean '{lowered[near[0]]}'?"
    if 0 < len(candidates) <= 20:
        return f"; known: {', '.join(candidates)}"
    return ""


def _comparable(name: str, candidates: Iterable[str]) -> list[str]:
    """Return the candidates that a name is compared with: of many those that are like it at a glance."""
    candidates = list(candidates)
    if len(name) > _LONGEST_NAME or len(candidates) > _MOST_KNOWN:
        return []
    if len(candidates) > _MOST_COMPARED:
        ends = (name[:2], name[-2:])
        candidates = [one for one in candidates if one[:2] == ends[0] or one[-2:] == ends[1]]
    return [one for one in candidates if len(one) <= _LONGEST_NAME][:_MOST_COMPARED]


def as_text(findings: Sequence[Finding]) -> str:
    """Return the findings for a terminal, each with its line and a caret."""
    return "\n".join(str(finding) for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """Return a JSON list of objects with file, line, column, message, text, severity and code."""
    return json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False)


def as_github(findings: Sequence[Finding]) -> str:
    """Return workflow commands that annotate the lines of a pull request."""
    return "\n".join(
        f"::{finding.severity.value} file={_property(printable(finding.file))}"
        f",line={max(finding.line, 1)},col={max(finding.column, 1)}"
        f"{f',title={finding.code}' if finding.code else ''}::{_escaped(finding.said)}"
        for finding in findings
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


FORMATS = {"text": as_text, "json": as_json, "github": as_github}
"""The values of `check --format`."""
