"""`make web-pictures`: the page as Chromium shows it, of a lab.

python -m tests.web            # docs/web.png and those beside it; takes five minutes
python -m tests.web FOLDER     # every page, wide and narrow, light and dark, to be looked at

Now waits for some minutes of traffic, so that its plots have something to show.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.lab.command import REPOSITORY
from tests.web.browser import SCHEMES, SIZES, browser, window
from tests.web.scene import BOOTING, LISTED, SILENT, Scene, scene

_PICTURES = {"web": f"/?q={LISTED}", "web-flows": "/flows", "web-now": "/now"}

_EVERY_PAGE = {
    "search": f"/?q={LISTED}",
    "silent": f"/?q={SILENT}",
    "part": "/?q=02:00:00",
    "flows": "/flows",
    "unknown": "/unknown",
    "follow": f"/follow/{BOOTING}",
    "now": "/now",
}

_MINUTES = 4
"""Of traffic, so that the plots have something to show."""


def _asked(made: Scene) -> None:
    """Have the listed client heard, and one boot again."""
    made.hear()
    made.boot()


def _shots(every: Path | None) -> Iterator[tuple[str, str, str, Path]]:
    """Yield address, size, scheme and file of each picture."""
    if every is None:
        for name, path in _PICTURES.items():
            yield path, "desktop", "light", REPOSITORY / "docs" / f"{name}.png"
        return
    for name, path in _EVERY_PAGE.items():
        for size in SIZES:
            for scheme in SCHEMES:
                yield path, size, scheme, every / f"{name}-{size}-{scheme}.png"


def _take(chromium: Browser, shown: Scene, path: str, size: str, scheme: str, target: Path) -> None:
    with window(chromium, size, scheme) as page:
        page.goto(shown.page.url + path)
        expect(page.locator("h1")).to_be_visible()
        if path.startswith("/follow"):
            with shown.booting():
                expect(page.locator("#live")).to_contain_text("ACK from", timeout=60_000)
        page.evaluate(
            "folder => document.querySelectorAll('code').forEach("
            "one => one.textContent = one.textContent.replaceAll(folder, '/etc/pxerelay'))",
            str(shown.daemon.config.parent),
        )
        page.screenshot(path=target, full_page=True)
        print(target, flush=True)


def main() -> None:
    """Write the pictures."""
    every = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if every:
        every.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        scene(f"pictures_{os.getpid()}", Path(folder), _asked) as shown,
        browser() as chromium,
    ):
        until = time.monotonic() + _MINUTES * 60 + 10
        for path, size, scheme, target in _shots(every):
            if path == "/now":
                with shown.booting():
                    while time.monotonic() < until:
                        shown.hear()
                        time.sleep(10 + time.monotonic() % 20)
            _take(chromium, shown, path, size, scheme, target)


if __name__ == "__main__":
    main()
