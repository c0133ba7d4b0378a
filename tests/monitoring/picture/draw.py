"""What Prometheus answers to the dashboard, and the picture of it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.lab.command import CACHE, run
from tests.monitoring import dashboard
from tests.monitoring.prometheus import Prometheus

HOME = CACHE / "picture"
"""Where `make` has npm put what package.json names."""

_POINTS = 300
_WIDTH, _HEAD, _LINE = 1800, 56, 38
"""Of page.tsx."""

_PAGE = """\
<!doctype html><html><head><meta charset="utf-8"><link rel="stylesheet" href="page.css">
<style>* { box-sizing: border-box; }</style></head>
<body><div id="root"></div><script src="answers.js"></script><script src="page.js"></script></body></html>
"""

Answers = dict[str, Any]
"""What page.tsx shows: the dashboard, and the answers to each panel's targets."""


def ask(prometheus: Prometheus, start: float, end: float, scrape_seconds: float) -> Answers:
    """Ask all that the dashboard would ask for the time between."""
    step = max((end - start) / _POINTS, 1.0)
    shown = dashboard.load()
    given = {
        "window": f"{end - start:.0f}s",
        "interval": f"{max(4 * scrape_seconds, step + scrape_seconds):.0f}s",
    }
    answers: dict[int, dict[str, Any]] = {}
    for panel in dashboard.panels(shown):
        answers[panel["id"]] = {}
        for target in panel["targets"]:
            expression = dashboard.asked(target["expr"], **given)
            answers[panel["id"]][target["refId"]] = (
                prometheus.instant(expression, end)
                if target["instant"]
                else prometheus.range(expression, start, end, step)
            )
    (annotation,) = shown["annotations"]["list"]
    noted = prometheus.range(dashboard.asked(annotation["target"]["expr"], **given), start, end, step)
    times = {float(value) for series in noted for _, value in series["values"]}
    return {
        "dashboard": shown,
        "answers": answers,
        "annotations": sorted(time for time in times if start <= time / 1000 <= end),
        "start": start,
        "end": end,
        "step": step,
    }


def draw(answers: Answers, picture: Path) -> None:
    """Write the picture, a PNG."""
    here = Path(__file__).parent
    shutil.copy(here / "page.tsx", HOME)
    public = HOME / "public"
    if not public.exists():
        public.symlink_to("node_modules/@grafana/ui/dist/public")
    run(
        [
            str(HOME / "node_modules" / ".bin" / "esbuild"),
            "page.tsx",
            "--bundle",
            "--outfile=page.js",
            "--minify",
            '--define:process.env.NODE_ENV="production"',
            "--loader:.ttf=dataurl",
            "--log-level=error",
        ],
        cwd=HOME,
    )
    (HOME / "answers.js").write_text(f"window.SHOWN = {json.dumps(answers)};\n")
    (HOME / "page.html").write_text(_PAGE)
    lines = max(
        panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard.panels(answers["dashboard"])
    )
    collapsed = [
        row["panels"] for row in answers["dashboard"]["panels"] if row["type"] == "row" and row["panels"]
    ]
    lines += sum(max(panel["gridPos"]["h"] for panel in row) for row in collapsed[:-1])
    environment = os.environ | {"HOME": str(HOME)}
    run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
            f"--user-data-dir={HOME / 'chromium'}",
            f"--window-size={_WIDTH},{_HEAD + lines * _LINE}",
            "--virtual-time-budget=20000",
            f"--screenshot={picture.resolve()}",
            f"file://{HOME / 'page.html'}",
        ],
        env=environment,
        timeout=180,
    )
