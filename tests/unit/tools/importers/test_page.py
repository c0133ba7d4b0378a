"""What docs/migration.md shows of dnsmasq and dhcpd is what an import makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.tools.importers.result import Importer, where

PAGE = (Path(__file__).parents[4] / "docs" / "migration.md").read_text("utf-8")


COLUMN = 64
"""Where the right side begins."""


def shown(heading: str) -> str:
    """Return the left side of the first table in a section."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    block = section[section.index("\n    # dnsmasq.conf" if heading == "dnsmasq" else "\n    next-server") :]
    lines = block.split("\n\n", 1)[0].splitlines()[1:]
    return "\n".join(line[:COLUMN].removeprefix("    ") for line in lines) + "\n"


@pytest.mark.parametrize(
    ("heading", "subnet", "clients"),
    [
        (
            "dnsmasq",
            "10.10.20.0/24=vlan20",
            {
                "02:00:00:10:00:01": "10.20.0.20",
                "02:80:64:00:00:01": "10.20.0.20",
                "02:00:00:10:00:09": "drop",
            },
        ),
        (
            "ISC dhcpd",
            "10.10.20.0/24=vlan20",
            {"02:00:00:10:00:01": "10.20.0.20", "02:00:00:10:00:02": "10.20.0.30"},
        ),
    ],
)
def test_the_page_is_true(heading: str, subnet: str, clients: dict[str, str], imports: Importer) -> None:
    result = imports.text(shown(heading), "--interface", subnet)
    assert result.code == 0, result.err
    loaded = result.loaded()
    assert {mac: "".join(where(loaded, mac)) or "drop" for mac in clients} == clients
    assert where(loaded, "02:00:00:99:00:01") == ("10.20.0.10",)
    setting = loaded.config.setting_for("vlan20")
    assert setting is not None
    assert setting.default is not None
    assert [str(one) for one in setting.default.choice.servers] == ["10.20.0.30"]
    assert [entry.architectures for entry in loaded.config.policy.classes] == (
        [frozenset({7})] if heading == "dnsmasq" else []
    )
