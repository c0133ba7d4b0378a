"""The alert rules: when each fires, that its texts say what to do, and that its metrics are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pxerelay.daemon.metrics import NAMES, WATCHED
from pxerelay.relay.decision6 import WATCHED6
from pxerelay.relay.own_health import BY_DAEMON
from tests.lab.command import REPOSITORY
from tests.monitoring import dashboard
from tests.monitoring.prometheus import promtool

PLAYED = Path(__file__).with_name("alerts_test.yml")
GUIDE = REPOSITORY / "docs" / "monitoring.md"
ALERTS = dashboard.alerts()
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


def test_promtool_accepts_the_rules() -> None:
    done = promtool("check", "rules", dashboard.ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_each_fires_when_it_should_and_not_else() -> None:
    done = promtool("test", "rules", PLAYED)
    assert done.returncode == 0, done.stdout + done.stderr


def _fired(name: str) -> list[set[str]]:
    """Return the labels of each alert of that name that the played tests expect to fire."""
    expected = [
        sample["labels"]
        for test in yaml.safe_load(PLAYED.read_text())["tests"]
        for one in test["promql_expr_test"]
        for sample in one["exp_samples"]
    ]
    return [set(re.findall(r"(\w+)=", labels)) for labels in expected if f'"{name}"' in labels]


@each_alert
def test_each_is_played_and_its_texts_use_labels_that_it_has(alert: dict[str, Any]) -> None:
    fired = _fired(alert["alert"])
    assert fired
    texts = " ".join(alert["annotations"].values())
    optional = set(re.findall(r"or \$labels\.(\w+)", texts))
    assert set(re.findall(r"\$labels\.(\w+)", texts)) - optional <= set.intersection(*fired)


@each_alert
def test_each_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    anchor = alert["alert"].lower()
    assert alert["annotations"]["runbook_url"] == f"docs/monitoring.md#{anchor}"
    assert f"\n### {alert['alert']}\n" in GUIDE.read_text("utf-8")


@each_alert
def test_each_asks_for_metrics_that_there_are(alert: dict[str, Any]) -> None:
    names = dashboard.metrics(alert["expr"])
    assert {name for name in names if name.startswith("pxerelay_")} <= set(NAMES)


def test_the_reasons_that_they_name_are_told_of_by_the_daemon() -> None:
    asked = [alert["expr"] for alert in ALERTS if "pxerelay_health_reason" in alert["expr"]]
    found = "|".join(re.findall(r'reason[!=]~?"([^"]*)"', " ".join(asked))).split("|")
    assert set(found) <= {trouble.value for trouble in BY_DAEMON}


def test_the_drops_that_they_are_for_are_there_before_the_first_burst() -> None:
    asked = [alert["expr"] for alert in ALERTS if "pxerelay_dropped_total" in alert["expr"]]
    found = re.findall(r'reason=~?"([^"]*)"', " ".join(asked))
    assert set("|".join(found).split("|")) == {reason.value for reason in (*WATCHED, *WATCHED6)}
