"""What a real Prometheus answers to the dashboard, with real relays, servers and clients behind it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.monitoring import dashboard
from tests.monitoring.live import SCRAPE_SECONDS, night, scene
from tests.monitoring.picture.draw import ask

SECONDS = 60.0
MAY_BE_EMPTY = {"What is wrong"}
"""No alert need fire within a minute."""


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Any]]:
    """Let a short night happen, and return what Prometheus answers to each panel."""
    if os.geteuid() != 0:
        pytest.fail("the lab makes network namespaces: run this as root")
    with scene(f"mon_{os.getpid()}") as lab:
        start = time.time()
        lab.play(SECONDS, night(lab, SECONDS))
        yield ask(lab.prometheus, start, time.time(), SCRAPE_SECONDS)


def test_every_panel_has_data(seen: dict[str, Any]) -> None:
    empty = [
        (panel["title"], ref)
        for panel in dashboard.panels(seen["dashboard"])
        for ref, series in seen["answers"][panel["id"]].items()
        if not series and panel["title"] not in MAY_BE_EMPTY
    ]
    assert empty == []


def test_every_series_has_the_labels_that_its_legend_names(seen: dict[str, Any]) -> None:
    for panel in dashboard.panels(seen["dashboard"]):
        for target in panel["targets"]:
            named = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
            for series in seen["answers"][panel["id"]][target["refId"]]:
                assert named <= set(series["metric"]), panel["title"]


def _figure(seen: dict[str, Any], title: str) -> float:
    (panel,) = (one for one in dashboard.panels(seen["dashboard"]) if one["title"] == title)
    (series,) = seen["answers"][panel["id"]]["A"]
    _, value = series["value"] if "value" in series else series["values"][-1]
    return float(value)


def test_the_figures_are_what_happened(seen: dict[str, Any]) -> None:
    assert _figure(seen, "Relays down") == 0  # it was started again
    assert _figure(seen, "Interfaces waiting") == 1  # vlan20 of relay1
    assert _figure(seen, "Reloads refused") == 1  # relay1's; relay2 was put right
    assert 0.3 < _figure(seen, "DISCOVERs answered") < 1
    assert _figure(seen, "Requests") > 1
    assert len(seen["annotations"]) == 1  # the load at the restart; those at the start were before
