"""The mapping guide's examples are configurations that the daemon takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pxerelay.config.load import load

GUIDE = Path(__file__).parents[3] / "docs" / "guide.md"
BLOCKS = [block.partition("```")[0] for block in GUIDE.read_text().split("```yaml\n")[1:]]
SERVERS = (
    "servers: {ris: 10.20.0.10, altiris: 10.20.0.20, foreman: 10.20.0.30, lab: 10.20.0.40, new: 10.20.0.50}\n"
)
BASE = {"servers:": SERVERS, "default:": "default: ris\n", "interfaces:": "interfaces: {vlan10: {}}\n"}


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.startswith("repos:")])
def test_an_example_is_a_configuration(block: str, tmp_path: Path) -> None:
    file = tmp_path / "pxerelay.yml"
    missing = [text for key, text in BASE.items() if not block.startswith(key) and f"\n{key}" not in block]
    file.write_text("".join(missing) + block)
    assert load(file).config.policy.default


def test_there_are_examples() -> None:
    assert len(BLOCKS) > 4
