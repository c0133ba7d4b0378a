"""Which process owns which lab, and the end of labs whose owner is gone."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from tests.lab.command import CACHE, CommandError, ip_batch

LABS = CACHE / "lab"
NAMESPACES = Path("/run/netns")
PERSISTENT = "persistent"
TERM_SECONDS = 3.0
KILL_SECONDS = 5.0


def namespaces_of(lab: str) -> list[str]:
    """Name the namespaces of one lab that exist now."""
    return sorted(path.name for path in NAMESPACES.glob(f"pxr-{lab}-*"))


def record(lab: str, *, persistent: bool) -> None:
    """Note that this process owns the lab, or that it outlives processes."""
    LABS.mkdir(parents=True, exist_ok=True)
    whole = LABS / f"{lab}.owner-{os.getpid()}"
    whole.write_text(PERSISTENT if persistent else _identity(os.getpid()))
    whole.rename(_record_of(lab))  # never seen half written


def owner_alive(lab: str) -> bool:
    """Tell whether a living process other than this one owns the lab."""
    try:
        noted = _record_of(lab).read_text()
    except FileNotFoundError:
        return False
    if noted == PERSISTENT or noted == _identity(os.getpid()):
        return False
    return noted == _identity(int(noted.split()[0]))


def sweep() -> None:
    """Destroy every lab whose owner died without doing so itself."""
    for path in sorted(LABS.glob("*.owner")):
        lab = path.stem
        try:
            noted = path.read_text()
        except FileNotFoundError:  # another process sweeps at the same time
            continue
        if noted != PERSISTENT and noted != _identity(os.getpid()) and not owner_alive(lab):
            destroy(lab)


def destroy(lab: str) -> None:
    """End every process in the lab's namespaces, remove the namespaces and forget the owner."""
    names = namespaces_of(lab)
    end_processes(names)
    for name in names:
        try:
            ip_batch([f"netns del {name}"])
        except CommandError:  # another process sweeps at the same time
            if (NAMESPACES / name).exists():
                raise
    _record_of(lab).unlink(missing_ok=True)


def end_processes(namespaces: Iterable[str]) -> None:
    """Ask every process in these namespaces to end, then kill those that did not; each by its id."""
    wanted = {_inode(NAMESPACES / name) for name in namespaces} - {None}
    if not wanted:
        return
    for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        asked: set[int] = set()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = [pid for pid in _processes() if _inode(Path(f"/proc/{pid}/ns/net")) in wanted]
            if not found:
                return
            for pid in found:
                if pid not in asked:
                    asked.add(pid)
                    _send(pid, number)
            time.sleep(0.02)


def _record_of(lab: str) -> Path:
    return LABS / f"{lab}.owner"


def _identity(pid: int) -> str:
    """Tell a process from a later one with the same id: its id and its start time (proc(5), field 22)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return f"{pid} gone"
    return f"{pid} {stat.rpartition(')')[2].split()[19]}"


def _processes() -> list[int]:
    own = os.getpid()
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and entry.name != str(own)
    ]


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
