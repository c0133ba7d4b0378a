"""`make web-pictures`: the page as Chromium shows it, of a lab."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests.lab.command import REPOSITORY
from tests.web.browser import browser, window
from tests.web.scene import BOOTING, LISTED, Scene, scene

_PICTURES = {"web": f"/?q={LISTED}", "web-now": "/now", "web-flows": "/flows"}


def _asked(made: Scene) -> None:
    """Have the listed client heard, and one boot again."""
    made.hear()
    made.boot()


def main() -> None:
    """Write docs/web.png and those beside it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        scene(f"pictures_{os.getpid()}", Path(folder), _asked) as shown,
        browser() as chromium,
    ):
        for name, path in _PICTURES.items():
            with window(chromium) as page:
                page.goto(shown.page.url + path)
                expect(page.locator("h1")).to_be_visible()
                page.evaluate(
                    "folder => document.querySelectorAll('code').forEach("
                    "one => one.textContent = one.textContent.replaceAll(folder, '/etc/pxerelay'))",
                    str(shown.daemon.config.parent),
                )
                target = REPOSITORY / "docs" / f"{name}.png"
                page.screenshot(path=target, full_page=True)
                print(target)
    assert BOOTING


if __name__ == "__main__":
    main()
