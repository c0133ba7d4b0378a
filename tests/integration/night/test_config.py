"""The configuration can't be read, or is something else than it was; and the process that reads it dies."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration.conftest import BASE
from tests.integration.night.conftest import BARE, answer_of, others, survives
from tests.integration.test_loading import LOADER, children, running
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.topology import Network

Relay = Callable[..., Daemon]

MAIN = BASE + "include: rules.d/*.yml\n"
MORE = "rules:\n  02:00:00:10:00:02: altiris\n"
DENIED, MISSING = "can't be read: Permission denied", "can't be read: No such file or directory"


def unreadable(path: Path) -> None:
    path.chmod(0)


def removed(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def replaced(path: Path) -> None:
    """Another folder is in the place of this one, and is empty."""
    path.rename(path.with_name("before"))
    path.mkdir()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_dead_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def half_written(path: Path) -> None:
    """Somebody writes into the file itself, and is in the middle of a line."""
    path.write_text(path.read_text()[:-12])


NIGHTS = (
    ("", unreadable, DENIED),
    ("", removed, MISSING),
    ("", replaced, MISSING),
    ("pxerelay.yml", unreadable, DENIED),
    ("pxerelay.yml", a_folder, "can't be read: Is a directory"),
    ("pxerelay.yml", a_pipe, "can't be read: it is a named pipe, not a file"),
    ("pxerelay.yml", half_written, "pxerelay.yml:12:"),
    ("rules.d", unreadable, f"rules.d {DENIED}; mend that or take it out of `include:`"),
    ("rules.d", removed, f"rules.d {MISSING}; mend that or take it out of `include:`"),
    ("rules.d/more.yml", unreadable, f"more.yml {DENIED}; mend that"),
    ("rules.d/more.yml", a_folder, "more.yml can't be read: Is a directory; mend that"),
    ("rules.d/more.yml", a_pipe, "more.yml can't be read: it is a named pipe, not a file; mend that"),
    ("rules.d/more.yml", a_dead_link, f"more.yml {MISSING}; mend that"),
    ("rules.d/more.yml", half_written, "more.yml:2:"),
)


def test_the_configuration_can_not_be_read(relay: Relay, network: Network) -> None:
    """Night: the folder of the configuration, or a file of it, is not what it was; and somebody reloads.

    It is unreadable, gone, a folder, a pipe that nobody writes to, a dead link, half written. Each time the
    reload is refused at once, with an error that names the file; `status` shows it, the old
    configuration runs, and no packet is lost. When all is right again, the next reload is taken.
    """
    daemon = relay(file="etc/pxerelay.yml")
    folder = daemon.config.parent
    whole(folder)
    assert daemon.ask("reload")["rules"] == 5
    with survives(daemon), others(network) as unaware:
        for name, happens, told in NIGHTS:
            happens(folder / name)
            start = time.monotonic()
            answer = daemon.ask("reload")
            case = f"{name or 'the folder'} is {happens.__name__}"
            assert told in answer.get("error", "it was taken"), case
            assert time.monotonic() - start < 5, case
            config = daemon.status()["config"]
            assert told in config["last_error"], case
            assert (config["rules"], config["ended"]) == (5, 0), case
            whole(folder)
            assert daemon.ask("reload").get("rules") == 5, case
            assert daemon.status()["config"]["last_error"] is None
    unaware.must_not_have_noticed()


def whole(folder: Path) -> None:
    """Put the configuration right, whatever is there."""
    before = folder.with_name("before")
    for place in (folder, before):
        if place.exists():
            place.chmod(0o700)
            shutil.rmtree(place)
    (folder / "rules.d").mkdir(parents=True)
    (folder / "pxerelay.yml").write_text(MAIN)
    (folder / "rules.d" / "more.yml").write_text(MORE)


GROWN = BASE.replace('"02:80:64": altiris', '"02:80:64": ris') + "".join(
    f'  "02:01:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}": altiris\n' for n in range(100_000)
)
"""A mapping that takes a while to load, and that the clients who ask would notice."""

LITTLE_MEMORY = """\
import resource, sys
sys.path[:] = sys.argv[3:]
from pxerelay.daemon import loader_child
with open("/proc/self/statm") as file:
    has = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (has + (8 << 20), has + (8 << 20)))
"""
"""What a loader does first that may have eight megabytes more than an idle one."""


def test_the_process_that_loads_is_killed(relay: Relay, network: Network) -> None:
    """Night: memory runs out in the middle of a reload, and the kernel kills the process that loads.

    It is the one that the kernel takes first. The reload is refused with the signal's number, the old
    configuration runs, no packet is lost; nothing is left of the process, and the next reload is taken.
    """
    daemon = relay()
    pid = daemon.process.pid
    with survives(daemon), others(network) as unaware:
        daemon.config.write_text(GROWN)
        asked, answers = answer_of(lambda: daemon.ask("reload"))
        daemon.wait_for(lambda: bool(children(pid)), 5)
        loader = int(children(pid)[0])
        score = Path(f"/proc/{loader}/oom_score_adj")
        daemon.wait_for(lambda: score.read_text() == "1000\n")
        time.sleep(0.1)
        os.kill(loader, signal.SIGKILL)
        asked.join(5)
        told = "the loader failed (ended by signal 9)"
        assert answers == [{"error": told}]
        assert daemon.status()["config"]["last_error"] == told
        assert not running(str(loader))
        assert daemon.reload(BASE)["rules"] == 4
    unaware.must_not_have_noticed()


def test_there_is_no_memory_to_load(relay: Relay, network: Network) -> None:
    """Night: there is not enough memory for a mapping that grew: refused in words, and the old one runs."""
    daemon = relay(command=[*BARE[: -len(PXERELAY)], sys.executable, "-c", LOADER])
    way = daemon.config.with_name("way.py")
    with survives(daemon), others(network) as unaware:
        way.write_text(LITTLE_MEMORY)
        answer = daemon.reload(GROWN)
        way.unlink()
        assert "the loader failed (exit 1): MemoryError" in answer["error"]
        assert daemon.status()["config"]["rules"] == 4
        assert daemon.reload(BASE)["rules"] == 4
    unaware.must_not_have_noticed()
