"""Debian's Chromium, driven by playwright, and axe in it (Deque's rules for who sees or moves otherwise)."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.lab.command import CACHE

AXE = CACHE / "web" / "node_modules" / "axe-core" / "axe.min.js"
"""Where `make web` has npm put it."""

SIZES = {"desktop": (1280, 900), "phone": (360, 740)}

SCHEMES = ("light", "dark")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium; as root it has no sandbox of its own, and sees nothing but the lab's page."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise FileNotFoundError("chromium is not installed; `make web` installs it")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def window(started: Browser, size: str = "desktop", scheme: str = "light") -> Iterator[Page]:
    """Open a window of a size, light or dark; what its console complains of is an error at the end."""
    width, height = SIZES[size]
    context = started.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        bypass_csp=False,
        locale="en-GB",
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    try:
        yield page
    finally:
        context.close()
    told = [text for text in complaints if "status of 503" not in text and "net::ERR" not in text]
    if told:
        raise AssertionError(f"the browser complains: {told}")


def findings(started: Browser, page: Page) -> list[str]:
    """Return what axe finds in a page as it is now, in words."""
    client = page.context.new_cdp_session(page)
    tree = client.send("Page.getFrameTree")
    world = client.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
    where = {"contextId": world["executionContextId"]}
    client.send("Runtime.evaluate", {"expression": AXE.read_text("utf-8"), **where})
    asked = {"expression": "axe.run(document)", "awaitPromise": True, "returnByValue": True, **where}
    told: dict[str, Any] = client.send("Runtime.evaluate", asked)
    client.detach()
    assert started.is_connected()
    if "exceptionDetails" in told:
        raise AssertionError(told["exceptionDetails"])
    found: list[dict[str, Any]] = told["result"]["value"]["violations"]
    return [
        f"{one['id']}: {node['html']}: {node['failureSummary']}" for one in found for node in one["nodes"]
    ]
