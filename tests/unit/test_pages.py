"""README and docs: the README is short, links lead somewhere, two pages that say one thing agree."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *(REPOSITORY / "ansible" / name for name in ("README.md", "roles/pxerelay/README.md")),
]
FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")


@cache
def prose(page: Path) -> str:
    """Return a page's text without fenced blocks."""
    return FENCED.sub("", page.read_text("utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the fragments that a page's headings have, as GitHub and GitLab make them."""
    found: list[str] = []
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return frozenset(found)


def dead(page: Path) -> list[str]:
    """Return the links of a page that lead to no file or heading of this repository."""
    missing = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (fragment and target.suffix == ".md" and fragment not in anchors(target)):
            missing.append(link)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_files_and_headings_that_there_are(page: Path) -> None:
    assert dead(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    links = "[a](#one-a) [b](#two) [c](gone.md) [d](page.md#one-a) [e](page.md#three)"
    page.write_text(f"# One (`a`)\n\n{links}\n")
    assert dead(page) == ["#two", "gone.md", "page.md#three"]


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150


def install_commands(page: Path, heading: str) -> str:
    """Return the first block of commands below a heading."""
    block = rf"^#+ {heading}\n.*?\n\n((?:    [^\n]+\n)+)"
    found = re.search(block, page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"{page.name} has no commands below {heading!r}"
    return found[1]


@pytest.mark.parametrize(
    ("heading", "page", "there"),
    [
        ("With Ansible", "rollout.md", "Rolling out with Ansible"),
        ("As a Debian package", "install.md", "As a Debian package"),
        ("As a container", "install.md", "As a container"),
    ],
)
def test_the_readme_installs_as_the_page_says_in_five_lines(heading: str, page: str, there: str) -> None:
    commands = install_commands(README, heading)
    assert commands == install_commands(REPOSITORY / "docs" / page, there)
    assert len(commands.splitlines()) <= 5


def test_the_page_of_figures_has_those_that_were_measured() -> None:
    page = (REPOSITORY / "docs/performance.md").read_text("utf-8")
    tables = page.partition("<!-- benchmark -->\n")[2].partition("<!-- /benchmark -->")[0]
    assert tables == (REPOSITORY / "docs/benchmark/benchmark.md").read_text("utf-8")
    assert tables.count("\n|---") > 20
