"""The manual pages: current, understood by man without a complaint, and part of what pip installs."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pxerelay.cli import COMMANDS, parser

REPOSITORY = Path(__file__).parents[3]
PAGES = sorted((REPOSITORY / "man").glob("man?/*"))


def test_they_are_current() -> None:
    write = REPOSITORY / "man" / "write.py"
    done = subprocess.run([sys.executable, write, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_each_command_has_one() -> None:
    (commands,) = (one for one in parser()._actions if isinstance(one, argparse._SubParsersAction))
    assert list(commands.choices) == list(COMMANDS)
    names = {path.name for path in PAGES}
    assert names == {"pxerelay.1", "pxerelay.yml.5", *(f"pxerelay-{name}.1" for name in commands.choices)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_man_understands_it(page: Path) -> None:
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "--local-file", "-Tutf8", "-Z", page],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_each_command_says_with_what_it_exits() -> None:
    for page in PAGES:
        if page.suffix == ".1":
            assert ".SH EXIT STATUS\n" in page.read_text("utf-8"), page.name


def test_explain_says_all_that_its_help_says() -> None:
    rendered = subprocess.run(
        ["man", "--local-file", REPOSITORY / "man" / "man1" / "pxerelay-explain.1"],
        env={"MANWIDTH": "1000", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        assert re.search(rf"^{heading}$", rendered, re.MULTILINE), heading
    assert "--vendor-class S" in rendered
    assert "'' for a client that is not booting from the network" in rendered
    assert "  pxerelay explain --capture boot.pcap\n" in rendered


def test_pip_installs_them(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, REPOSITORY],
        capture_output=True,
        check=True,
        timeout=300,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = {Path(name) for name in zipfile.ZipFile(wheel).namelist() if ".data/data/share/man/" in name}
    assert {Path(*name.parts[-2:]) for name in names} == {Path(*page.parts[-2:]) for page in PAGES}
