"""The last hour, and the pictures made of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from pxerelay.tools.pictures.flows import MOST_NAMES, Flow, picture
from pxerelay.tools.pictures.plots import plot
from pxerelay.web.history import STEP, History
from pxerelay.web.overview import flows_of
from tests.unit.web.asking import STATUS


def status(count: int, dropped: int = 0) -> dict[str, Any]:
    traffic = {
        "requests": [{"interface": "vlan10", "rule": "mac", "count": count}],
        "copies": [{"interface": "vlan10", "server": "ris", "address": "10.20.0.10", "count": count}],
    }
    counters = {"requests": count, "replies": count // 2, "dropped": {"flood": dropped}}
    return {**STATUS, "counters": counters, "traffic": traffic}


def test_rates_are_of_each_minute_and_an_hour_is_kept() -> None:
    history = History()
    for minute in range(100):
        history.note(status(minute * 60, minute), minute * STEP)
    rates = history.rates()
    assert rates["requests"] == [1.0] * 60
    assert rates["replies"] == [0.5] * 60
    assert rates["dropped"] == [0.017] * 60
    assert history.seconds == 3600


def test_a_daemon_that_was_started_anew_begins_an_hour_of_its_own() -> None:
    history = History()
    history.note(status(500), 0.0)
    history.note(status(5), STEP)
    assert history.rates()["requests"] == []
    history.note(status(65), 2 * STEP)
    assert history.rates()["requests"] == [1.0]


def test_flows_are_of_the_last_hour_or_of_all_where_less_is_known() -> None:
    history = History()
    history.note(status(10), 0.0)
    assert history.flows(status(10), 1.0) == ({("mac", "vlan10"): 10}, {("vlan10", "ris"): 10}, 0.0)
    history.note(status(30), 600.0)
    assert history.flows(status(50), 700.0) == ({("mac", "vlan10"): 40}, {("vlan10", "ris"): 40}, 700.0)
    for step in range(2, 100):
        history.note(status(step * 30), step * 600.0)
    requests, _, seconds = history.flows(status(3000), 99 * 600.0)
    assert 3000 <= seconds <= 3600
    assert requests == {("mac", "vlan10"): 3000 - 94 * 30}


def test_a_picture_is_svg_with_all_names_and_no_style_of_its_own() -> None:
    flows = flows_of({("mac", "vlan10"): 3, ("default", "<b>"): 5}, {("vlan10", "ris"): 3, ("<b>", "a&b"): 5})
    svg = picture(("kinds", "VLANs", "servers"), flows, 'so "much"')
    root = ET.fromstring(svg)  # noqa: S314  # it is our own
    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"vlan10 3", "<b> 5", "a&b 5", "ris 3", "rules for one MAC 3", "the default 5"} <= set(texts)
    assert root.get("aria-label") == 'so "much"'
    assert "style" not in svg
    assert "<b>" not in svg


def test_of_many_names_the_ones_with_little_are_one() -> None:
    flows = [Flow(0, f"vlan{number}", "ris", number) for number in range(1, 200)]
    svg = picture(("VLANs", "servers"), flows, "x")
    assert svg.count('class="bar"') == MOST_NAMES + 2
    assert "others" in svg
    assert "vlan199" in svg
    assert "vlan1 " not in svg


def test_bands_stay_within_their_bars() -> None:
    flows = [
        Flow(0, one, other, amount) for one, other, amount in (("a", "x", 1), ("a", "y", 1000), ("b", "x", 7))
    ]
    root = ET.fromstring(picture(("l", "r"), flows, "x"))  # noqa: S314
    space = "{http://www.w3.org/2000/svg}"
    height = float(root.get("viewBox", "").split()[3])
    for bar in root.iter(f"{space}rect"):
        assert float(bar.get("y", "0")) + float(bar.get("height", "0")) <= height + 0.1


def test_nothing_is_no_picture() -> None:
    assert picture(("a", "b"), [Flow(0, "a", "b", 0)], "x") == ""
    assert plot([1.0], "x") == ""
    assert ET.fromstring(plot([0.0, 0.0], "x")).tag.endswith("svg")  # noqa: S314
