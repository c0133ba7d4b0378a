"""The site of `make docs` in a browser: its search finds, nothing is asked elsewhere, axe finds nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.site.building import build
from tests.web.browser import SCHEMES, SIZES, browser, findings, window


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("documentation"))


@pytest.fixture(scope="module")
def alone() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_search_finds_and_nothing_is_asked_elsewhere(site: Path, alone: Browser, scheme: str) -> None:
    """The pages are opened as files."""
    with window(alone, scheme=scheme) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.get_by_placeholder("Search").press_sequentially("rp_filter")
        page.locator('.md-search-result__link[href*="doctor.html"]').first.click()
        page.wait_for_url("**/doctor.html*")
        assert len(asked) > 5
        assert [url for url in asked if not url.startswith(("file://", "data:", "blob:"))] == []


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and tells nobody."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as its base calls it
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site: axe reads styles, which a browser gives no page that was opened as a file."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
"""Is fulfilled when the page was drawn, and what observes its size has been told."""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_on_any_page_and_none_is_wider_than_the_window(
    site: Path, address: str, alone: Browser, size: str, scheme: str
) -> None:
    names = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    assert len(names) > 30
    found: dict[str, list[str]] = {}
    with window(alone, size, scheme) as page:
        for name in names:
            page.goto(f"{address}/{name}")
            page.evaluate(DRAWN)
            told = findings(alone, page)
            wider = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            if told or wider > 0:
                found[name] = [*told, *([f"{wider} pixels wider than the window"] if wider > 0 else [])]
    assert found == {}


def test_a_wide_table_is_reached_and_moved_by_keyboard(address: str, alone: Browser) -> None:
    """The others are no stop."""
    with window(alone, "phone") as page:
        page.goto(f"{address}/threats.html")
        boxes = page.locator(".md-typeset__scrollwrap")
        wide = page.get_by_role("region", name="Table: ")
        expect(wide.first).to_be_visible()
        page.evaluate(DRAWN)
        scrolling = boxes.evaluate_all("all => all.map(one => one.scrollWidth > one.clientWidth)")
        assert boxes.evaluate_all("all => all.map(one => one.tabIndex === 0)") == scrolling
        names = wide.evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
        assert len(set(names)) == len(names) == sum(scrolling) > 1
        wide.first.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.activeElement.scrollLeft > 0")
        page.set_viewport_size({"width": 4000, "height": 900})
        expect(wide).to_have_count(0)
