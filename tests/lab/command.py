"""Running the system's tools, with an error that shows what they said."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache"
END_SECONDS = 10.0


class CommandError(RuntimeError):
    """A tool failed or took too long; the message holds its command line and its output."""


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    timeout: float | None = 60,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `argv` to its end and return what it printed; `check` turns a non-zero exit into CommandError."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=cwd,
        start_new_session=True,  # Ctrl-C reaches us alone, and we end the tool with its children
    ) as process:
        try:
            out, err = process.communicate(stdin or "", timeout=timeout)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise CommandError(f"{' '.join(argv)}: no end after {timeout} s") from error
        except BaseException:
            _end(process)
            raise
    if check and process.returncode:
        said = (err.strip() or out.strip()).replace("\n", "\n  ")
        raise CommandError(f"{' '.join(argv)}: exit {process.returncode}\n  {said}")
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def _end(process: subprocess.Popen[str]) -> None:
    """Ask the tool to end, which ends its children too; then kill what is left of its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=END_SECONDS)


def ip_batch(lines: Sequence[str], namespace: str | None = None) -> None:
    """Do many `ip` commands in one process, in the named namespace or in the machine's own."""
    if lines:
        where = ["-n", namespace] if namespace else []
        run(["ip", *where, "-batch", "-"], stdin="\n".join(lines) + "\n")
