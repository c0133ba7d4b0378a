"""`make dashboard`: let a night happen, and take the picture."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from tests.lab.command import REPOSITORY
from tests.monitoring import dashboard
from tests.monitoring.live import SCRAPE_SECONDS, night, scene
from tests.monitoring.picture.draw import HOME, ask, draw

SAVED = HOME / "answers.json"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="make dashboard", description=__doc__)
    parser.add_argument("--seconds", type=float, default=900, help="how long the night is (900)")
    parser.add_argument("--again", action="store_true", help="draw what the last one saw")
    parser.add_argument("--to", type=Path, default=REPOSITORY / "docs" / "dashboard.png")
    arguments = parser.parse_args()
    if not arguments.again:
        with scene(f"monitoring_{os.getpid()}") as lab:
            start = time.time()
            lab.play(arguments.seconds, night(lab, arguments.seconds))
            answers = ask(lab.prometheus, start, time.time(), SCRAPE_SECONDS)
        SAVED.write_text(json.dumps(answers))
    draw(json.loads(SAVED.read_text()) | {"dashboard": dashboard.load()}, arguments.to)
    print(arguments.to)


if __name__ == "__main__":
    main()
