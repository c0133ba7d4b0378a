"""Each page in Chromium: wide and narrow, light and dark, by keyboard, live, and hostile clients' texts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browser import SCHEMES, SIZES, findings, window
from tests.web.scene import BOOTING, HOSTILE, LISTED, SILENT, Scene

PATHS = (
    "/",
    f"/?q={BOOTING}",
    f"/?q={LISTED}",
    f"/?q={SILENT}",
    "/?q=02:00:00",
    "/?q=nothing-of-that-name",
    "/now",
    "/unknown",
    f"/follow/{BOOTING}",
    "/flows",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    shown: Scene, chromium: Browser, path: str, size: str, scheme: str
) -> None:
    with window(chromium, size, scheme) as page:
        page.goto(shown.page.url + path)
        expect(page.locator("h1")).to_be_visible()
        assert findings(chromium, page) == []
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
        assert dark == (scheme == "dark")


def test_a_search_by_keyboard_alone_tells_all_of_a_client(shown: Scene, chromium: Browser) -> None:
    with window(chromium) as page:
        page.goto(shown.page.url)
        page.keyboard.type(LISTED.replace(":", "").upper())
        page.keyboard.press("Enter")
        card = page.locator(".card").first
        expect(card).to_contain_text("goes to altiris 10.20.0.20")
        expect(card).to_contain_text(f"by rule {LISTED} that says altiris, {shown.daemon.config}:10")
        expect(card).to_contain_text("owner: lab team")
        expect(card).to_contain_text("note: thin client of room 12")
        expect(page.locator("main")).to_contain_text("What to do")
        summary = card.locator("summary")
        for _ in range(30):
            if summary.evaluate("one => one === document.activeElement"):
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(card.locator("details li").first).to_be_visible()
        for _ in range(30):
            if page.evaluate("document.activeElement.textContent") == "Follow it live":
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(f"Following {LISTED}")


def test_the_first_thing_that_tab_reaches_leads_to_the_content(shown: Scene, chromium: Browser) -> None:
    with window(chromium) as page:
        page.goto(f"{shown.page.url}/now")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_a_client_that_boots_is_followed_live(shown: Scene, chromium: Browser) -> None:
    with window(chromium, "phone") as page:
        page.goto(f"{shown.page.url}/follow/{BOOTING}")
        expect(page.locator("#state")).to_have_text("listening")
        log = page.locator("#live")
        with shown.booting():
            expect(log).to_contain_text(
                f"{BOOTING} on vlan10: DISCOVER (PXEClient, x86 BIOS)", timeout=60_000
            )
            expect(log).to_contain_text("ACK from ris 10.20.0.10 after", timeout=60_000)
            expect(log).to_contain_text("boot file ris/pxeboot.n12")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#state")).to_have_text("stopped")
        assert findings(chromium, page) == []


def test_what_was_heard_is_told_with_who_answered(shown: Scene, chromium: Browser) -> None:
    shown.boot()
    with window(chromium) as page:
        page.goto(f"{shown.page.url}/?q={BOOTING}")
        told = page.locator("dl").first
        expect(told).to_contain_text("on vlan10")
        expect(told).to_contain_text("PXEClient, x86 BIOS")
        expect(told).to_contain_text("ris 10.20.0.10")
        expect(told).to_contain_text("ris/pxeboot.n12")


def test_what_a_hostile_client_says_is_shown_and_does_nothing(shown: Scene, chromium: Browser) -> None:
    with window(chromium) as page:
        for path in (f"/?q={HOSTILE}", "/?q=02:00:00:00:66", "/unknown"):
            page.goto(shown.page.url + path)
            assert page.title() != "broken"
            assert page.locator("main img, main script").count() == 0
        expect(page.locator("main")).to_contain_text("<script>document.title='broken'</script>")
        page.goto(f"{shown.page.url}/?q=%3Cscript%3Ealert(1)%3C/script%3E")
        expect(page.locator("#q")).to_have_value("<script>alert(1)</script>")


def test_unknown_clients_are_filtered_and_copied_as_yaml(shown: Scene, chromium: Browser) -> None:
    with window(chromium) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{shown.page.url}/unknown")
        page.get_by_label("MAC, VLAN, router or vendor").fill("02:00:00:00:55")
        page.get_by_role("button", name="Filter").click()
        expect(page.locator("tbody tr")).to_have_count(12)
        page.get_by_role("button", name="Copy as YAML").click()
        expect(page.locator("#copied")).to_have_text("copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.count('  "02:00:00:00:55:') == 12
        assert "\nrules:\n" in copied


def test_the_picture_has_who_goes_where(shown: Scene, chromium: Browser) -> None:
    with window(chromium) as page:
        page.goto(f"{shown.page.url}/flows")
        expect(page.locator("svg.flows")).to_be_visible()
        texts = page.locator("svg.flows text").all_text_contents()
        assert {"kinds of rule", "VLANs", "servers"} <= set(texts)
        assert any(text.startswith("vlan10 ") for text in texts)
        assert page.locator("svg.flows path.band").count() >= 4


def test_a_daemon_that_is_gone_is_told_of(shown: Scene, chromium: Browser) -> None:
    import signal

    with window(chromium) as page:
        shown.daemon.process.send_signal(signal.SIGSTOP)
        try:
            page.goto(f"{shown.page.url}/now")
            shown.page.wait_for(lambda: shown.page.get("/healthz")[0] == 503)
            page.goto(f"{shown.page.url}/now")
            expect(page.get_by_role("alert")).to_contain_text("has not answered in time")
            assert findings(chromium, page) == []
        finally:
            shown.daemon.process.send_signal(signal.SIGCONT)
        shown.page.wait_for(lambda: shown.page.get("/healthz")[0] == 200)
        page.goto(f"{shown.page.url}/now")
        expect(page.locator("h2").first).to_have_text("Servers")
