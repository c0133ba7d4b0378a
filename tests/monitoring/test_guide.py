"""docs/monitoring.md: all metrics, all alerts, and the variables and files that it names."""

from __future__ import annotations

import re

import yaml

from pxerelay.metrics import NAMES
from tests.lab.command import REPOSITORY
from tests.monitoring import dashboard

GUIDE = (REPOSITORY / "docs" / "monitoring.md").read_text("utf-8")


def rows() -> list[str]:
    """Return the table of metrics as it should be."""
    return [
        f"| `{name}` | {kind} | {' '.join(f'`{label}`' for label in labels)} | {text} |"
        for name, (kind, labels, text) in NAMES.items()
    ]


def test_its_table_has_all_metrics() -> None:
    table = re.search(r"<!-- metrics: [^\n]* -->\n[^\n]*\n[^\n]*\n(.*?)\n<!-- /metrics -->", GUIDE, re.DOTALL)
    assert table
    assert table[1].splitlines() == rows()


def test_it_has_a_section_for_each_alert_with_how_bad_it_is() -> None:
    found = re.findall(r"^### (Pxerelay\w+)\n\n\*(\w+)\.\*", GUIDE, re.MULTILINE)
    assert found == [(alert["alert"], alert["labels"]["severity"]) for alert in dashboard.alerts()]


def test_panels_that_it_names_are_there() -> None:
    titles = {panel["title"] for panel in dashboard.panels(dashboard.load())}
    first = GUIDE.partition("## What to look at first")[2].partition("## Alerts")[0]
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*]+)\*", first))
    assert named
    assert named <= titles


def test_variables_that_it_names_are_the_roles() -> None:
    specs = yaml.safe_load((dashboard.FOLDER.parents[1] / "meta" / "argument_specs.yml").read_text())
    known = {name for spec in specs["argument_specs"].values() for name in spec["options"]}
    known |= {"pxerelay_monitoring", *NAMES}
    text = GUIDE.replace("pxerelay_)?", "")
    assert set(re.findall(r"\bpxerelay_[a-z0-9_]+\b", text)) <= known
