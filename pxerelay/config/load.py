"""Configuration files, from disk or elsewhere: reading only, all meaning is in `config`."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pxerelay.config import config, document
from pxerelay.config.data import Document, Map
from pxerelay.config.findings import MOST, ConfigError, Finding
from pxerelay.config.loaded import Loaded
from pxerelay.config.paths import LONGEST, names_budget
from pxerelay.config.source import DISK, MOST_OCTETS, Source
from pxerelay.wire.text import ends, printable

MOST_FILES = 10_000
"""Files that a configuration may include."""


class UnreadableError(ConfigError):
    """A main file that is not there or can't be read: nothing was checked."""


@dataclass
class Reading:
    """A main file and what it includes, as read from `source`. `paths` are those of the rule files.

    `found` is what is wrong with the files themselves, `unmatched` has the globs that stand for none.
    `unquoted` has the names of rule files that findings may not quote, each with the reason.
    """

    source: Source
    main: Document
    rule_files: list[Document] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    sha256: str = ""
    found: list[Finding] = field(default_factory=list)
    unmatched: list[config.Include] = field(default_factory=list)
    unquoted: dict[str, str] = field(default_factory=dict)

    def load(self, shown: Collection[Path] = ()) -> Loaded:
        """Return what the files mean; ConfigError with every fault of all of them, as `told` has it."""
        try:
            meaning = config.build(self.main, self.rule_files, self.found)
        except ConfigError as error:
            raise ConfigError(self.told(error.findings, shown)) from None
        return Loaded(meaning, (self.main, *self.rule_files), self.files, self.sha256)

    def told(self, findings: Iterable[Finding], shown: Collection[Path] = ()) -> list[Finding]:
        """Return findings without what they say of files that may not be quoted; `shown` are real paths.

        The files of `shown` were named by who reads the findings.
        """
        names = {document.name: path for document, path in zip(self.rule_files, self.paths, strict=True)}
        told: dict[Finding, None] = {}
        for finding in findings:
            reason = self.unquoted.get(finding.file)
            if reason and not (finding.file in names and _real(names[finding.file]) in shown):
                message = (
                    f"something is wrong here, and not told, for {reason}; "
                    f"`pxerelay check {self.main.name} {finding.file}` tells it to who may read both"
                )
                finding = replace(finding, message=printable(message), text="")
            told[finding] = None
        return list(told)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def load(
    path: Path, stands_at: Path | None = None, source: Source = DISK, control_socket: Path | None = None
) -> Loaded:
    """Read a main file and what it includes, and return what they mean; arguments as of `read`.

    Raises UnreadableError if the main file can't be read, ConfigError with every fault of all files.
    """
    return read(path, stands_at, source, control_socket).load()


def read(
    path: Path, stands_at: Path | None = None, source: Source = DISK, control_socket: Path | None = None
) -> Reading:
    """Read a main file and what it includes.

    `stands_at` has the file read as though it stood there: includes are looked up relative to that
    place and messages name it, as an installer wants that checks a file before it puts it in place.
    With `control_socket`, the path of the daemon's own, what keeps metrics from being served on this host
    is a fault too; the daemon itself relays without them.

    Raises UnreadableError if the main file can't be read.
    """
    place = stands_at or path
    try:
        octets = source.read(path)
    except OSError as error:
        raise UnreadableError(
            [Finding(printable(source.name(place)), 0, 0, f"can't be read: {_reason(error)}")]
        ) from None
    name = source.name(place)
    reader = _Reader(source, path, place, _decoded(name, octets))
    reader.note(name, octets)
    for include in config.includes(reader.reading.main):
        reader.include(include)
    if control_socket is not None:
        reader.reading.found.extend(_in_the_way_of_metrics(reader.reading.main, control_socket))
    reader.reading.sha256 = reader.digest.hexdigest()
    return reader.reading


class _Reader:
    """One run over what a main file includes."""

    def __init__(self, source: Source, path: Path, place: Path, main: Document) -> None:
        self._source, self._path, self._place = source, path, place
        self._left = MOST_OCTETS
        self._names = names_budget()
        self.reading = Reading(source, main)
        self.digest = hashlib.sha256()

    def note(self, name: str, octets: bytes) -> None:
        """Take down what a file has."""
        self._left -= len(octets)
        self.digest.update(octets)
        self.reading.files[name] = hashlib.sha256(octets).hexdigest()

    def include(self, include: config.Include) -> None:
        """Read the files that one path or glob of `include` stands for."""
        if len(self.reading.found) > MOST:
            return
        name = self._source.name
        try:
            matches = self._looked_up(include.path)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            self._fault(
                include,
                f"{ends(name(Path(error.filename or include.path)))} can't be read: {_reason(error)}; "
                f"{_MEND}{config.backslashed(include)}",
            )
            return
        except (OSError, ValueError) as error:
            reason = _reason(error)
            self._fault(
                include,
                f"'{ends(include.path)}' is no path or glob that can be looked up: {reason}; {_GLOBS}",
            )
            return
        if not matches:
            self.reading.unmatched.append(include)
        for match in matches:
            try:
                if self._source.same(match, self._path) or match == self._place:
                    message = "this matches the file itself; keep rule files in a folder of their own"
                    self._fault(include, message)
                elif name(match) not in self.reading.files:
                    self._read(match)
            except (OSError, ValueError) as error:
                message = f"{ends(name(match))} can't be read: {_reason(error)}; {_MEND}"
                self._fault(include, message + config.backslashed(include))

    def _read(self, path: Path) -> None:
        if len(self.reading.paths) >= MOST_FILES:
            raise ValueError(f"{MOST_FILES} files are included already")
        octets = self._source.read_included(path, self._path, self._left)
        name = self._source.name(path)
        self.note(name, octets)
        self.reading.rule_files.append(_decoded(name, octets))
        self.reading.paths.append(path)
        reason = self._source.why_unquoted(path, self._path, self._place)
        if reason:
            self.reading.unquoted[name] = reason

    def _looked_up(self, pattern: str) -> list[Path]:
        """Return the files that are included; `**.yml` could be taken for more, or less, than `*.yml`."""
        if len(pattern) > LONGEST:
            raise ValueError(f"it has more than {LONGEST} characters")
        if any("**" in part and part != "**" for part in pattern.split("/")):
            raise ValueError("** is not a part of its own there")
        return self._source.matches(self._place, pattern, self._names)

    def _fault(self, include: config.Include, message: str) -> None:
        self.reading.found.append(self.reading.main.finding(include.mark, message))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _in_the_way_of_metrics(main: Document, control_socket: Path) -> Iterator[Finding]:
    """Yield what is at the path of the metrics' socket, if that can't be replaced by it."""
    value = main.data.get("metrics") if isinstance(main.data, Map) else None
    if not isinstance(value, str) or not config.is_socket_path(value):
        return
    message = ""
    if os.path.realpath(value) == os.path.realpath(control_socket):
        message = f"{value} is the daemon's control socket"
    else:
        try:
            mode = os.lstat(value).st_mode
        except OSError:
            return  # nothing is there, or nothing that we may see
        if not stat.S_ISSOCK(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "something else than a socket"
            message = f"{what} is at {value}"
    if message:
        message += f"; write a path of its own, such as {config.METRICS_SOCKET}"
        yield main.finding(main.mark_of(("metrics",)), message)


_MEND = "mend that or take it out of `include:`"

_GLOBS = "* and ? stand for parts of a name, ** as a whole part for any folders, as in rules.d/**/*.yml"


def _decoded(name: str, octets: bytes) -> Document:
    try:
        return document.parse(name, octets.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = octets[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        text = octets.split(b"\n")[line - 1].decode("utf-8", "replace").removesuffix("\r")
        fault = Finding(name, line, column, "this octet is not UTF-8; save the file as UTF-8", text)
        return Document(name, text, None, (fault,))
