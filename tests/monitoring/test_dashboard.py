"""The dashboard: what Grafana can load, PromQL that Prometheus can read, and metrics that there are."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pxerelay.daemon.metrics import NAMES
from tests.lab.command import CACHE, run
from tests.monitoring import dashboard
from tests.monitoring.prometheus import promtool

HOME = CACHE / "grafana"
"""Where `make monitoring` has npm put Grafana's types."""

GRAFANA = HOME / "node_modules" / "@grafana" / "schema" / "dist" / "types" / "raw"
PANELS = {
    "stat": ("composable/stat/panelcfg/x", "Options", None),
    "state-timeline": ("composable/statetimeline/panelcfg/x", "Options", "FieldConfig"),
    "table": ("composable/table/panelcfg/x", "Options", "FieldConfig"),
    "timeseries": ("composable/timeseries/panelcfg/x", "Options", "FieldConfig"),
}
"""For each kind of panel, where Grafana's types of its options and of its fields' configuration are."""

WIDTH = 24
OF_THE_DATA_SOURCE = {"target", "titleFormat", "textFormat", "useValueForTime"}
"""Keys of an annotation that are for Prometheus' plug-in, and not in Grafana's types of dashboards."""

SHOWN = dashboard.load()
ALL = list(dashboard.panels(SHOWN))


def _schema(path: str, name: str) -> dict[str, Any]:
    """Return a type of Grafana as a JSON schema."""
    generator = HOME / "node_modules" / ".bin" / "ts-json-schema-generator"
    file = GRAFANA / path / "types.gen.d.ts"
    done = run([str(generator), "--path", str(file), "--type", name, "--no-type-check"], cwd=HOME)
    schema: dict[str, Any] = json.loads(done.stdout)
    return schema


def _errors(schema: dict[str, Any], value: Any) -> list[str]:
    """Return what is wrong, down to the alternatives of unions."""

    def leaves(errors: Any) -> list[str]:
        return [
            line
            for error in errors
            for line in (leaves(error.context) or [f"{error.json_path}: {error.message}"])
        ]

    return leaves(jsonschema.Draft7Validator(schema).iter_errors(value))


def test_it_is_what_grafanas_types_say() -> None:
    shown = dashboard.load()
    for annotation in shown["annotations"]["list"]:
        for key in OF_THE_DATA_SOURCE:
            del annotation[key]
    assert _errors(_schema("dashboard/x", "Dashboard"), shown) == []


@pytest.mark.parametrize("kind", PANELS)
def test_the_options_of_panels_are_what_grafanas_types_say(kind: str) -> None:
    path, options, custom = PANELS[kind]
    found = [panel for panel in ALL if panel["type"] == kind]
    assert found
    schema = _schema(path, options)
    assert [line for panel in found for line in _errors(schema, panel["options"])] == []
    if custom:
        schema = _partial(_schema(path, custom))
        configured = [panel["fieldConfig"]["defaults"].get("custom", {}) for panel in found]
        assert [line for one in configured for line in _errors(schema, one)] == []


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    """Let a type's own keys be left out, as Grafana has defaults for them."""
    _, _, name = schema["$ref"].rpartition("/")
    schema["definitions"][name].pop("required", None)
    return schema


def test_all_kinds_of_panels_are_looked_at() -> None:
    assert {panel["type"] for panel in ALL} == set(PANELS)


def test_panels_have_their_own_numbers_and_places() -> None:
    rows = [panel for panel in SHOWN["panels"] if panel["type"] == "row"]
    numbers = Counter(panel["id"] for panel in [*ALL, *rows])
    assert max(numbers.values()) == 1
    for panels in (SHOWN["panels"], *(row["panels"] for row in rows)):
        taken = Counter(
            (x, y)
            for place in (panel["gridPos"] for panel in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        )
        assert not taken or max(taken.values()) == 1
        assert all(x < WIDTH for x, _ in taken)


def test_each_panel_asks_the_chosen_data_source_and_says_what_it_is() -> None:
    for panel in ALL:
        asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {one["uid"] for one in asked} == {"${datasource}"}
        assert panel["title"]
        assert panel.get("description"), panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))


def test_prometheus_can_read_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": dashboard.asked(query.expression, window="3h", interval="1m")}
        for number, query in enumerate(dashboard.queries(SHOWN))
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_it_asks_for_metrics_that_there_are_and_leaves_none_out() -> None:
    expressions = [query.expression for query in dashboard.queries(SHOWN)]
    expressions += [one["query"]["query"] for one in SHOWN["templating"]["list"] if one["type"] == "query"]
    expressions += [one["target"]["expr"] for one in SHOWN["annotations"]["list"]]
    named = {name for expression in expressions for name in dashboard.metrics(expression)}
    ours = {name for name in named if name.startswith("pxerelay_")}
    assert ours == set(NAMES)


def test_labels_that_it_sums_by_are_those_of_the_metrics() -> None:
    others = {"instance", "pair", "job", "le", "configuration", "alertname", "alertstate"}
    for query in dashboard.queries(SHOWN):
        known = {
            label for name in dashboard.metrics(query.expression) if name in NAMES for label in NAMES[name][1]
        }
        assert dashboard.labels(query.expression) <= known | others, query
