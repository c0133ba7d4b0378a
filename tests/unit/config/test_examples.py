"""Configuration files, each with what `check` says of it.

`examples/invalid/NAME.expected` holds the whole of the text that `check` prints for `NAME.yml`. After a
change that is meant, look at `git diff` of what `python -m tests.unit.config.test_examples` writes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pxerelay.config.findings import ConfigError, as_text
from pxerelay.config.load import load

EXAMPLES = Path(__file__).parents[1] / "examples"
VALID = sorted((EXAMPLES / "valid").glob("*.yml"))
INVALID = sorted((EXAMPLES / "invalid").glob("*.yml"))


def said_of(path: Path) -> str:
    """Return the findings, with paths relative to the example's folder."""
    try:
        load(path)
    except ConfigError as error:
        return as_text(error.findings).replace(f"{path.parent}/", "") + "\n"
    return ""


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_example_loads(path: Path) -> None:
    assert said_of(path) == ""


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_example_is_told_every_fault(path: Path) -> None:
    expected = path.with_suffix(".expected").read_text("utf-8")
    assert expected
    assert said_of(path) == expected


if __name__ == "__main__":
    for example in INVALID:
        example.with_suffix(".expected").write_text(said_of(example), "utf-8")
