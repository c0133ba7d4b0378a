"""One scene and one browser for all tests of the page."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.web.browser import browser
from tests.web.scene import Scene, scene


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(f"web_{os.getpid()}", tmp_path_factory.mktemp("scene")) as made:
        yield made


@pytest.fixture(scope="session")
def chromium(shown: Scene) -> Iterator[Browser]:
    assert shown
    with browser() as started:
        yield started
