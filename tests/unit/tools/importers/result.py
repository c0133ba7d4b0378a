"""What an import printed, and what the daemon's loader makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pxerelay.cli import main
from pxerelay.config.load import load
from pxerelay.config.loaded import Loaded
from pxerelay.tools.simulate.review import explain
from pxerelay.wire.mac import parse_mac

SAMPLES = Path(__file__).parent / "samples"


TODAY = 1
"""No imported rule ends."""


@dataclass
class Result:
    """The exit code, what was printed, and where a file with it may be written."""

    code: int
    out: str
    err: str
    folder: Path

    def loaded(self, more: str = "") -> Loaded:
        """Load what was printed, with more behind it, as the daemon would."""
        path = self.folder / "pxerelay.yml"
        path.write_text(self.out + more, "utf-8")
        assert main(["check", str(path)]) == 0
        return load(path)


def where(loaded: Loaded, mac: str) -> tuple[str, ...]:
    """Return the servers that a client gets."""
    return explain(loaded.config, loaded.documents, parse_mac(mac), TODAY).winner.servers


@dataclass
class Importer:
    """Runs the command in this process."""

    capsys: pytest.CaptureFixture[str]
    folder: Path

    def __call__(self, *arguments: object) -> Result:
        """Import with these arguments."""
        code = main(["import", *map(str, arguments)])
        out, err = self.capsys.readouterr()
        return Result(code, out, err, self.folder)

    def text(self, text: str | bytes, *arguments: str) -> Result:
        """Import a file `given` with this text."""
        path = self.folder / "given"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self(path, *arguments)
