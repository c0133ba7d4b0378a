"""The command, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.tools.importers.result import Importer


@pytest.fixture
def imports(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Importer:
    """Return what runs `pxerelay import`."""
    return Importer(capsys, tmp_path)
