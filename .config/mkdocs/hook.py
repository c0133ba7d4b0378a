"""What mkdocs does besides: pages and files from outside `docs` that pages link to become part of the site.

They stand under `repository/` there, with their path in the repository. A link whose text is the name of a
page, as is right in a repository, says there the heading that it leads to.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
ALWAYS = ("CHANGELOG.md", "CONTRIBUTING.md", "ansible/README.md", "ansible/roles/pxerelay/README.md")
"""What the navigation names, though no page may link to it."""

OURS = ("iframe-worker.js", "look.css", "names.js")
"""Scripts and styles of ours, beside this file."""

FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"\[[\w./-]+\.md\]\((?P<path>[^()\s#]+\.md)(?:#(?P<fragment>[^()\s]*))?\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?P<path>[^()\s#]+)(?P<fragment>#[^()\s]*)?(?=\))")


def in_repository(uri: str) -> str:
    """Return the path in the repository of a file of the site."""
    inside = uri.removeprefix("repository/")
    return f"docs/{uri}" if inside == uri else inside


def in_site(path: str) -> str:
    """Return where the site has a file of the repository."""
    inside = path.removeprefix("docs/")
    return f"repository/{path}" if inside == path else inside


def linked(page: str, link: str) -> str:
    """Return the path in the repository that a link of a page leads to, both of them as paths there."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def heading(path: str, fragment: str | None) -> str | None:
    """Return the heading of a page that a fragment is of, else its first one; None if there is none."""
    found = HEADING.findall(FENCED.sub("", (REPOSITORY / path).read_text("utf-8")))
    slugs = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-"): one for one in reversed(found)}
    return slugs.get(fragment, found[0]) if found and fragment else next(iter(found), None)


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Change a page's text, but not its fenced blocks."""
    done, begin = [], 0
    for block in FENCED.finditer(text):
        done += [change(text[begin : block.start()]), block[0]]
        begin = block.end()
    return "".join([*done, change(text[begin:])])


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to, what that links to, and what is ours."""
    there = {in_repository(file.src_uri) for file in files}
    pages = [path for path in there if path.endswith(".md")]
    wanted = list(ALWAYS)
    while pages or wanted:
        for page in pages:
            text = FENCED.sub("", (REPOSITORY / page).read_text("utf-8"))
            wanted += [linked(page, found["path"]) for found in LINK.finditer(text)]
        new = sorted({path for path in wanted if path not in there and (REPOSITORY / path).is_file()})
        for path in new:
            files.append(File.generated(config, in_site(path), abs_src_path=str(REPOSITORY / path)))
        there.update(new)
        pages, wanted = [path for path in new if path.endswith(".md")], []
    for ours in (HERE / name for name in OURS):
        files.append(File.generated(config, f"assets/{ours.name}", abs_src_path=str(ours)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Have links lead to where the site has what they lead to."""
    uri = page.file.src_uri
    here = in_repository(uri)

    def link(found: re.Match[str]) -> str:
        target = in_site(linked(here, found["path"]))
        return posixpath.relpath(target, posixpath.dirname(uri) or ".") + (found["fragment"] or "")

    def named(found: re.Match[str]) -> str:
        target = linked(here, found["path"])
        told = heading(target, found["fragment"]) if (REPOSITORY / target).is_file() else None
        return found[0] if told is None else f"[{told}]" + found[0].partition("]")[2]

    return outside_fences(markdown, lambda text: LINK.sub(link, NAMED.sub(named, text)))
