"""The benchmark's programs in C: what sends, what takes, and the least that a relay could do."""

from pathlib import Path

from tests.lab.command import CACHE, run

_FOLDER = Path(__file__).parent


def program(name: str) -> Path:
    """Return one of the programs, compiled if its source is newer."""
    source, built = _FOLDER / f"{name}.c", CACHE / "benchmark" / name
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        built.parent.mkdir(parents=True, exist_ok=True)
        run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(built), str(source)])
    return built
