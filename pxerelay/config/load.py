"""Configuration files, from disk or elsewhere: reading only, all meaning is in `config`."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pxerelay.config import config, document
from pxerelay.config.data import Document, Map
from pxerelay.config.findings import ConfigError, Finding
from pxerelay.config.loaded import Loaded
from pxerelay.config.source import DISK, Source


class UnreadableError(ConfigError):
    """A main file that is not there or can't be read: nothing was checked."""


def load(
    path: Path, stands_at: Path | None = None, source: Source = DISK, control_socket: Path | None = None
) -> Loaded:
    """Read a main file and what it includes.

    `stands_at` has the file read as though it stood there: includes are looked up relative to that
    place and messages name it, as an installer wants that checks a file before it puts it in place.
    With `control_socket`, the path of the daemon's own, what keeps metrics from being served on this host
    is a fault too; the daemon itself relays without them.

    Raises UnreadableError if the main file can't be read, ConfigError with every fault of all files.
    """
    place = stands_at or path
    digest = hashlib.sha256()
    files: dict[str, str] = {}
    found: list[Finding] = []

    def read(file: Path, stands_at: Path) -> Document:
        octets, name = source.read(file), source.name(stands_at)
        digest.update(octets)
        files[name] = hashlib.sha256(octets).hexdigest()
        return _decoded(name, octets)

    try:
        main = read(path, place)
    except OSError as error:
        raise UnreadableError(
            [Finding(source.name(place), 0, 0, f"can't be read: {error.strerror}")]
        ) from None
    rule_files = []
    for include in config.includes(main):
        try:
            matches = _looked_up(source, place, include.path)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            message = f"{source.name(Path(error.filename))} can't be read: {error.strerror}; {_MEND}"
            found.append(main.finding(include.mark, message))
            continue
        except (OSError, ValueError) as error:
            message = f"'{include.path}' is no path or glob that can be looked up: {error}; {_GLOBS}"
            found.append(main.finding(include.mark, message))
            continue
        for match in matches:
            try:
                if source.same(match, path) or match == place:
                    message = "this matches the file itself; keep rule files in a folder of their own"
                    found.append(main.finding(include.mark, message))
                elif source.name(match) not in files:
                    rule_files.append(read(match, match))
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                message = f"{source.name(match)} can't be read: {reason}; {_MEND}"
                found.append(main.finding(include.mark, message))
    if control_socket is not None:
        found.extend(_in_the_way_of_metrics(main, control_socket))
    return Loaded(config.build(main, rule_files, found), (main, *rule_files), files, digest.hexdigest())


def _looked_up(source: Source, place: Path, pattern: str) -> list[Path]:
    """Return the files that are included; globs of Python 3.13 and later would take `**.yml` for `*.yml`."""
    if any("**" in part and part != "**" for part in pattern.split("/")):
        raise ValueError("** is not a part of its own there")
    return source.matches(place, pattern)


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
        text = octets.splitlines()[line - 1].decode("utf-8", "replace")
        fault = Finding(name, line, column, "this octet is not UTF-8; save the file as UTF-8", text)
        return Document(name, text, None, (fault,))
