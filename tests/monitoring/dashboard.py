"""The dashboard's and the alerts' expressions, as Grafana and Prometheus would ask them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from tests.lab.command import REPOSITORY

FOLDER = REPOSITORY / "ansible" / "roles" / "pxerelay" / "files" / "monitoring"
DASHBOARD, ALERTS = FOLDER / "dashboard.json", FOLDER / "alerts.yml"

_METRIC = re.compile(r"\b(?:pxerelay|process)_[a-z0-9_]+")


class Query(NamedTuple):
    """One expression of a panel."""

    panel: str
    ref: str
    expression: str
    instant: bool


def load() -> dict[str, Any]:
    """Return the dashboard."""
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return loaded


def alerts() -> list[dict[str, Any]]:
    """Return the alert rules."""
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all panels but rows, those in collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Yield every panel's expressions as they are written."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Query(panel["title"], target["refId"], target["expr"], target["instant"])


def asked(expression: str, *, window: str, interval: str) -> str:
    """Return an expression with what Grafana puts in for its variables where everything is chosen.

    `window` is the time that is shown, `interval` what it would take rates over.
    """
    values = {
        **{f"${one['name']}": one["allValue"] for one in load()["templating"]["list"] if "allValue" in one},
        "$__range": window,
        "$__rate_interval": interval,
    }
    return re.sub(r"\$[a-z_]+", lambda found: str(values[found[0]]), expression)


def metrics(expression: str) -> set[str]:
    """Return the names of our metrics in an expression, a histogram's by its own name."""
    return {re.sub(r"_bucket$", "", name) for name in _METRIC.findall(re.sub(r'"[^"]*"', "", expression))}


def labels(expression: str) -> set[str]:
    """Return the labels that an expression groups or matches by."""
    grouped = ",".join(re.findall(r"\b(?:by|on) \(([^)]*)\)", expression))
    matched = re.findall(r'[{,]\s*(\w+)\s*(?:=~|!=|=)\s*"', expression)
    return {label.strip() for label in grouped.split(",") if label.strip()} | set(matched)
