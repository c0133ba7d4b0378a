"""The site of `make docs` in a browser: its search finds, nothing is asked elsewhere, axe finds nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.site.building import build
from tests.web.browser import SCHEMES, browser, findings, window


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


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["index", "network", "troubleshooting", "review"])
def test_axe_finds_nothing(address: str, alone: Browser, name: str, scheme: str) -> None:
    with window(alone, scheme=scheme) as page:
        page.goto(f"{address}/{name}.html")
        assert findings(alone, page) == []
