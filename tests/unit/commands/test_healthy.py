"""`pxerelay healthy`: what it says and returns for each answer of a daemon, and what it imports."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pxerelay import cli

SHA = "0123456789abcdef" * 4
OTHER = "f" * 64
WELL: dict[str, Any] = {"state": "well", "reasons": [], "sha256": SHA}
DOWN = {**WELL, "state": "degraded", "reasons": [{"reason": "pool-down", "text": "all of wds are down"}]}
BEGUN = {
    **WELL,
    "state": "not-ready",
    "reasons": [{"reason": "drained", "text": "since"}, {"reason": "probes-outstanding", "text": "wait"}],
}


@contextmanager
def daemon(path: Path, answer: dict[str, Any]) -> Iterator[list[bytes]]:
    """Answer one command at a control socket; what was asked is in the list."""
    asked: list[bytes] = []

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            asked.append(peer.recv(4096))
            peer.sendall(json.dumps(answer).encode() + b"\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield asked
        thread.join(timeout=20)


@pytest.mark.parametrize(
    ("answer", "options", "code", "said"),
    [
        (WELL, [], 0, "well\n"),
        (DOWN, [], 1, "degraded\npool-down          all of wds are down\n"),
        (BEGUN, [], 2, "not ready\ndrained            since\nprobes-outstanding wait\n"),
        (WELL, ["--expect-sha256", SHA], 0, "well\n"),
        (WELL, ["--expect-sha256", SHA.upper()], 0, "well\n"),
        (
            WELL,
            ["--expect-sha256", OTHER],
            1,
            f"degraded\nother-sha256       the configuration in force is {SHA}\n",
        ),
        (
            BEGUN,
            ["--expect-sha256", OTHER],
            2,
            "not ready\ndrained            since\nprobes-outstanding wait\n"
            f"other-sha256       the configuration in force is {SHA}\n",
        ),
    ],
    ids=[
        "well",
        "degraded",
        "not ready",
        "as expected",
        "spelled otherwise",
        "another",
        "not ready, another",
    ],
)
def test_each_state_has_its_code_and_its_words(
    answer: dict[str, Any],
    options: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "control.sock"
    with daemon(path, answer) as asked:
        found = cli.main(["healthy", "--socket", str(path), "--timeout", "20", *options])
    assert (found, capsys.readouterr().out) == (code, said)
    assert [json.loads(line) for line in asked] == [{"command": "health"}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [({"error": "a request is one line"}, "a request"), ({"state": "odd", "reasons": []}, "no state that")],
)
def test_an_answer_of_another_version_is_no_health(
    answer: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "control.sock"
    with daemon(path, answer):
        assert cli.main(["healthy", "--socket", str(path), "--timeout", "20"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "abc", SHA[:-1], SHA + "0", "g" * 64])
def test_what_is_no_checksum_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["healthy", "--expect-sha256", text])
    assert stopped.value.code == 2
    assert "64 hexadecimal digits, as `pxerelay status` tells it" in capsys.readouterr().err


IMPORTS = """\
import sys
before = set(sys.modules)
from pxerelay import cli
assert cli.main(["healthy", "--socket", "/nonexistent/control.sock"]) == 3
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before if not name.startswith("_")}))
print(*sorted(name for name in sys.modules if name.startswith("pxerelay.") and name.count(".") > 1))
"""


def test_it_imports_what_it_needs_alone() -> None:
    """It is run every second. Who adds to these measures first what it takes (docs/healthy.md)."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", IMPORTS],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    others, own = (set(line.split()) for line in done.stdout.splitlines())
    assert own == {
        "pxerelay.commands.common",
        "pxerelay.commands.healthy",
        "pxerelay.linux.control_client",
        "pxerelay.linux.localsocket",
        "pxerelay.wire.text",
    }
    costly = {
        "asyncio",
        "ctypes",
        "hashlib",
        "inspect",
        "ipaddress",
        "logging",
        "pathlib",
        "prometheus_client",
    }
    assert not others & {*costly, "dataclasses", "shutil", "ssl", "subprocess", "tempfile", "typing", "yaml"}
