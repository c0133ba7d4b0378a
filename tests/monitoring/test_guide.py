"""docs/monitoring.md: all metrics, all alerts, and the variables and files that it names."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from pathlib import Path

import yaml

from pxerelay.daemon.metrics import NAMES
from tests.lab.command import REPOSITORY
from tests.monitoring import dashboard
from tests.monitoring.prometheus import promtool

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


def _blocks(language: str) -> list[str]:
    return [
        textwrap.dedent(block)
        for block in re.findall(rf"^ *```{language}\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE)
    ]


def test_prometheus_takes_the_configurations_that_it_shows(tmp_path: Path) -> None:
    shown = [block for block in _blocks("yaml") if "scrape_configs" in block]
    assert len(shown) == 2
    for block in shown:
        file = tmp_path / "prometheus.yml"
        file.write_text(block)
        options = ["--agent"] if "remote_write" in block else []
        done = promtool("check", "config", "--syntax-only", *options, file)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_script_leaves_our_metrics_or_nothing(tmp_path: Path) -> None:
    (script,) = _blocks("sh")
    script = script.replace("/var/lib/prometheus/node-exporter", str(tmp_path))
    tools = tmp_path / "tools"
    tools.mkdir()
    told = "# HELP pxerelay_x y\n# TYPE pxerelay_x gauge\npxerelay_x 1.0\n"
    others = "# HELP process_open_fds y\nprocess_open_fds 7.0\n"
    for text, wanted in ((told + others, told), ("", None), (others + told, told)):
        (tools / "curl").write_text(f"#!/bin/sh\nprintf %s '{text}'\n")
        (tools / "curl").chmod(0o755)
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
        subprocess.run(["sh", "-c", script], env=environment, check=True)
        file = tmp_path / "pxerelay.prom"
        assert (file.read_text() if file.exists() else None) == wanted
        assert not (tmp_path / "pxerelay.part").exists()
