"""Reading a built site: what each page has loaded, where its links lead, which fragments it has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {
    "audio": ("src",), "embed": ("src",), "iframe": ("src",), "image": ("href",), "img": ("src", "srcset"),
    "input": ("src",), "link": ("href",), "object": ("data",), "script": ("src",), "track": ("src",),
    "source": ("src", "srcset"), "use": ("href",), "video": ("src", "poster"),
}  # fmt: skip
"""The attributes of elements by which a browser loads something, without being asked to."""

IN_STYLE = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


@dataclass
class Content(HTMLParser):
    """What a page of HTML has."""

    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    css: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what an element loads, links to and is called."""
        values = {name: value for name, value in attrs if value}
        self.loads += [values[name] for name in LOADING.get(tag, ()) if name in values]
        self.loads += styles(values.get("style", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        self.css = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        """Leave a style."""
        self.css = self.css and tag != "style"

    def handle_data(self, data: str) -> None:
        """Keep what a style loads."""
        if self.css:
            self.loads += styles(data)


def styles(text: str) -> list[str]:
    """Return what CSS loads."""
    return [first or second for first, second in IN_STYLE.findall(text)]


def read(page: Path) -> Content:
    """Read a page."""
    content = Content()
    content.feed(page.read_text("utf-8"))
    return content


def elsewhere(address: str) -> bool:
    """Whether an address leads out of the site."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def target(page: Path, link: str) -> tuple[Path, str]:
    """Return the file and the fragment that a link of a page leads to."""
    parts = urlsplit(link)
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
    return path, unquote(parts.fragment)
