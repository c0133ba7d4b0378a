"""The site is whole, has a path for each reader, and loads nothing from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.lab.command import REPOSITORY
from tests.site.building import build
from tests.site.reading import elsewhere, read, styles, target

PATHS = [
    "Start", "Trying it", "Planning", "Rolling out", "Mapping, day by day", "Night and alarms", "Security",
    "Reference",
]  # fmt: skip
ADDRESSES = re.compile(r"""["'`](?:https?:)?//([a-z0-9.-]+\.[a-z]{2,})[/"'`:]""")
NEVER_ASKED = {
    "www.w3.org": "names of XML, no addresses",
    "api.github.com": "stars of a repository: there is no repo_url",
    "gitlab.com": "the same",
    "unpkg.com": "diagrams of mermaid, of which there are none; ResizeObserver for browsers of before 2020",
}
"""Hosts that the theme's scripts name, and why none of them is asked."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("site"))


def test_no_page_or_style_loads_anything_from_elsewhere(site: Path) -> None:
    loads = {path: read(path).loads for path in site.rglob("*.html")}
    loads |= {path: styles(path.read_text("utf-8")) for path in site.rglob("*.css")}
    loads |= {path: read(path).loads for path in site.rglob("*.svg")}
    assert len(loads) > 30
    assert all(loads[path] for path in site.glob("*.html"))
    found = {(path.name, load) for path, there in loads.items() for load in there if elsewhere(load)}
    assert found == set()


def test_scripts_name_no_host_that_they_ask(site: Path) -> None:
    scripts = [path for path in site.rglob("*.js") if path.name != "search_index.js"]
    hosts = {host for path in scripts for host in ADDRESSES.findall(path.read_text("utf-8"))}
    assert len(scripts) > 2
    assert hosts <= NEVER_ASKED.keys()
    pages = [path.read_text("utf-8") for path in site.rglob("*.html")]
    assert not any(re.search(r'class="[^"]*\bmermaid\b|data-md-component="source"', page) for page in pages)


def test_what_is_loaded_is_there(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name != "404.html":  # is served for any address, and so begins at the site's root
            missing = [load for load in read(page).loads if not elsewhere(load) and load[:5] != "data:"]
            assert [load for load in missing if not target(page, load)[0].is_file()] == [], page.name


def test_links_lead_to_pages_and_headings_that_there_are(site: Path) -> None:
    pages = {path.resolve(): read(path) for path in site.rglob("*.html") if path.name != "404.html"}
    dead = []
    for page, content in pages.items():
        for link in content.links:
            if elsewhere(link):
                continue
            path, fragment = target(page, link)
            if not path.is_file() or (fragment and path in pages and fragment not in pages[path].ids):
                dead.append((page.name, link))
    assert dead == []


def test_links_are_called_by_what_they_lead_to_and_not_by_files(site: Path) -> None:
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    named = {path: re.findall(r"<a [^>]*>[\w./-]+\.md</a>", page) for path, page in pages.items()}
    assert {path: links for path, links in named.items() if links} == {}
    assert ">A site with IPv4 and IPv6</a>" in pages[site / "network.html"]


def test_each_column_of_a_table_and_each_picture_has_words(site: Path) -> None:
    """`make web` has axe look at each page, in a browser; this needs none."""
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    heads = [
        (name, head) for name, page in pages.items() for head in re.findall(r"<th\b.*?</th>", page, re.DOTALL)
    ]
    images = [(name, image) for name, page in pages.items() for image in re.findall(r"<img\b[^>]*>", page)]
    assert len(heads) > 100
    assert len(images) > 5
    assert [head for head in heads if not re.sub(r"<[^>]*>", "", head[1]).strip()] == []
    assert [image for image in images if not re.search(r'\balt="[^"]', image[1])] == []


def test_there_is_a_path_for_each_reader(site: Path) -> None:
    start = (site / "index.html").read_text("utf-8")
    (tabs,) = re.findall(r'<nav class="md-tabs".*?</nav>', start, re.DOTALL)
    assert [name.strip() for name in re.findall(r'<a [^>]*class="md-tabs__link">([^<]+)', tabs)] == PATHS
    headings = re.findall(r"^## (.+)", (REPOSITORY / "docs/index.md").read_text("utf-8"), re.MULTILINE)
    assert headings == PATHS[1:]


def test_every_page_is_found_by_searching(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text("utf-8"))
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert found == {str(path.relative_to(site)) for path in site.rglob("*.html")} - {"404.html"}
