"""The wheel and the source archive, in dist; the same octets each time."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from release import source


def build(target: Path) -> Path:
    """Build the wheel; return its file."""
    words = ("wheel", "--quiet", "--no-deps", "--disable-pip-version-check", "--wheel-dir", target)
    with _exported() as tree:
        source.run(sys.executable, "-m", "pip", *words, tree)
    (found,) = target.glob(f"pxerelay-{source.version()}-*.whl")
    return found


def sdist(target: Path) -> Path:
    """Build the source archive; return its file."""
    with _exported() as tree:
        source.run(sys.executable, "-m", "build", "--sdist", "--outdir", target, tree)
    return target / f"pxerelay-{source.version()}.tar.gz"


@contextmanager
def _exported() -> Iterator[Path]:
    """Have a folder with what git knows, and nothing else of the working tree."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "pxerelay")
        source.export(tree)
        yield tree
