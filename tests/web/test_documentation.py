"""The site of `make docs` in a browser, as files: the search finds, and nothing is asked elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.site.building import build
from tests.web.browser import SCHEMES, browser, window


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("documentation"))


@pytest.fixture(scope="module")
def alone() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_search_finds_and_nothing_is_asked_elsewhere(site: Path, alone: Browser, scheme: str) -> None:
    with window(alone, scheme=scheme) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.get_by_placeholder("Search").press_sequentially("rp_filter")
        page.locator('.md-search-result__link[href*="doctor.html"]').first.click()
        page.wait_for_url("**/doctor.html*")
        assert len(asked) > 5
        assert [url for url in asked if not url.startswith(("file://", "data:", "blob:"))] == []
