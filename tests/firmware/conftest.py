"""The network for each set-up, and where recordings are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.firmware.stage import Boots, Stage
from tests.firmware.stage6 import Boots6, Stage6
from tests.lab import Lab

CAPTURES = Path(__file__).resolve().parents[1] / "captures"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the option that keeps recordings."""
    parser.addoption(
        "--record", action="store_true", help="keep the packets of each set-up in tests/captures"
    )


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.fail("the firmware tests make network namespaces: run them as root")
    with Lab(f"fw_{os.getpid()}", tmp_path / "lab") as lab:
        yield lab


@pytest.fixture
def stage(request: pytest.FixtureRequest, lab: Lab) -> Stage:
    return Stage(lab, recording=request.config.getoption("--record"))


@pytest.fixture
def stage6(request: pytest.FixtureRequest, lab: Lab) -> Callable[..., Stage6]:
    """Return what builds the network for boots over IPv6."""
    return partial(Stage6, lab, recording=request.config.getoption("--record"))


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[str, Boots | Boots6], None]:
    """Return what keeps a set-up's recordings under a name, if the option says so."""

    def save(name: str, boots: Boots | Boots6) -> None:
        if request.config.getoption("--record"):
            for side, capture in boots.sides.items():
                capture.save(CAPTURES / f"{name}-{side}.pcap")

    return save
