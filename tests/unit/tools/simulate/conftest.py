"""A configuration, a capture, and `replay` as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pxerelay.cli import main
from tests.lab.command import REPOSITORY
from tests.unit.configs import STANDARD
from tests.unit.messages import request
from tests.unit.written import asked, tagged

FOLDER = REPOSITORY / "tests" / "captures"
THIN, DROPPED, OTHER = "00:11:22:33:44:55", "de:ad:be:ef:00:01", "02:00:00:00:00:99"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "pxerelay.yml"
    path.write_text(STANDARD.strip())
    return path


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return tmp_path / "capture.pcap"


class Told:
    """What a command printed: JSON objects, text and errors."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def objects(self) -> list[dict[str, Any]]:
        """All that was printed as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def packets(self) -> list[dict[str, Any]]:
        """What it told of packets."""
        return [one for one in self.objects if "summary" not in one]

    @property
    def summary(self) -> dict[str, Any]:
        """What it told at the end."""
        found = self.objects[-1]["summary"]
        assert isinstance(found, dict)
        return found


def replay(
    capsys: pytest.CaptureFixture[str], capture: Path, config: Path, *more: str, json: bool = True
) -> Told:
    code = main(
        ["replay", str(capture), "--config", str(config), *more, *(["--format", "json"] if json else [])]
    )
    return Told(code, *capsys.readouterr())


def on_vlan(vlan: int, mac: str = OTHER) -> bytes:
    return tagged(asked(request(chaddr=mac)), vlan)
