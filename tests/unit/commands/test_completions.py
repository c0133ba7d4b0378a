"""Shells complete the commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pxerelay.cli import main
from pxerelay.completions.__main__ import written

ASK = """
source "$1"
COMP_WORDS=({words}); COMP_CWORD={at}; COMP_LINE="{words}"; COMP_POINT=${{#COMP_LINE}}
_shtab_pxerelay
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(file: Path, words: str) -> list[str]:
    asked = ASK.format(words=words, at=len(words.split()) - 1)
    done = subprocess.run(["bash", "-c", asked, "bash", file], capture_output=True, text=True, check=True)
    return [word.strip() for word in done.stdout.split()]


def test_the_files_are_current() -> None:
    for path, text in written():
        assert path.read_text() == text, "type python -m pxerelay.completions"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pxerelay exp", ["explain"]),
        ("pxerelay di", ["diff"]),
        ("pxerelay check --str", ["--strict"]),
        ("pxerelay diff --format mark", ["markdown"]),
    ],
)
def test_bash_completes(
    words: str, expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    file = tmp_path / "completion"
    file.write_text(capsys.readouterr().out)
    assert completed(file, words) == expected
