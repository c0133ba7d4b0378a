"""Blocks of commands in pages: how they are read and compared, and that no page has one that nobody runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lab.command import REPOSITORY
from tests.pages import elsewhere
from tests.pages.blocks import PageError, blocks
from tests.pages.comparing import compared_by, difference, fits
from tests.pages.listed import PAGES, RUN_BY
from tests.pages.scenes import SCENES

PAGE = """\
<!-- lab: relay; file: /etc/a.yml -->
```yaml
a: 1
```

<!-- lab: relay; meanwhile: boot -->
```console
$ one --with \\
    more
# two
  ...

$ three
```

<!-- run by: demo -->
```console
# four
```
"""


def test_a_block_is_read_with_its_scene_commands_and_output(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    file, commands, other = blocks(page)
    assert (file.scene, file.file, file.text) == ("relay", "/etc/a.yml", "a: 1\n")
    assert (commands.scene, commands.meanwhile, commands.number) == ("relay", "boot", 8)
    first, second = commands.commands
    assert (first.prompt, first.line, first.output) == ("$", "one --with \\\n    more", ("# two", "  ..."))
    assert (second.prompt, second.line, second.output) == ("$", "three", ())
    assert (other.scene, other.runner) == ("", "demo")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("\n```console\n$ one\n```\n", "page.md:3: say above it in which scene"),
        ("<!-- lab: relay; later: boot -->\n```console\n$ one\n```\n", "'later: boot' is none of"),
        ("<!-- lab: relay; file: -->\n```yaml\na: 1\n```\n", "'file:' is none of"),
    ],
)
def test_a_block_that_says_not_how_it_is_run_is_an_error(tmp_path: Path, text: str, error: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(PageError, match=re.escape(error)):
        blocks(page)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["a", "..."], ["a"], True),
        (["...", "c"], ["a", "b", "c"], True),
        (["...", "b"], ["a", "b", "c"], False),
        (["a", "  ...", "a", "..."], ["a", "b", "a", "c"], True),
        (["...", "x", "..."], ["a", "b"], False),
        (["after 3.1 ms"], ["after 12.75 ms"], True),
        (["after 3.1 ms"], ["after 3.1 s"], False),
        (["14:03:07.412 a"], ["09:59:01.001 a"], True),
        (["2026-11-24 10:00 a"], ["2031-01-02 11:59 a"], True),
        (["seen 2026-11-24 10:00, last 12:00, a"], ["seen 2031-01-02 11:59, last 2031-01-03 00:00, a"], True),
        (["address 10.10.10.150"], ["address 10.10.10.199"], True),
        (["address 10.20.0.10"], ["address 10.20.0.20"], False),
        (["a  "], ["a"], True),
        (["  a"], ["a"], False),
        ([], ["a"], False),
    ],
)
def test_what_is_shown_is_compared_line_by_line(shown: list[str], printed: list[str], same: bool) -> None:
    assert fits(shown, printed) is same
    if not same:
        assert difference(shown, printed)


def test_macs_and_addresses_of_servers_are_compared_as_they_are() -> None:
    line = "02:00:00:10:00:01 on vlan10 -> altiris 10.20.0.20, 2001:db8:20::20, giaddr 10.10.10.1"
    assert compared_by(line) == line


PROGRAM = (
    r"(?:sudo )?(?:\S*/)?"
    r"(?:pxerelay|journalctl|systemctl|birdcl|vtysh|make|ip|ansible(?:-[a-z]+)?|git|apt|dig|curl|podman|pip"
    r"|cp|install|editor|useradd|python3)(?= |$)"
)
"""What pages have typed."""

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}[^\n]*\n)+")


def unrecognised(text: str) -> list[str]:
    """Return the lines of a page that look like commands, or like their output, outside of console blocks.

    In an indented block every line is to be typed: one that shows what is printed is a console block.
    """
    found = []
    for indent, language, inside in FENCE.findall(text):
        if language != "console" or indent:
            found += re.findall(rf"^ *[$#] {PROGRAM}.*$", inside, re.MULTILINE)
    for block in INDENTED.findall(FENCE.sub("", text)):
        lines = [line[4:] for line in block.replace("\\\n", " ").splitlines()]
        found += [line for line in lines if re.match(rf" *[$#] {PROGRAM}", line)]
        if re.match(PROGRAM, lines[0]):
            found += [line for line in lines if not re.match(rf"#|{PROGRAM}", line)]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_each_block_of_commands_is_run(page: Path) -> None:
    assert unrecognised(page.read_text("utf-8")) == [], "make it a console block with its scene"
    for block in blocks(page):
        if block.runner:
            assert block.runner in RUN_BY
        else:
            assert block.scene in SCENES, block.place
            assert block.file or block.commands


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\n\n    pxerelay status\n    make x  # this\n\n", []),
        ("\n\n    # pxerelay status\n", ["# pxerelay status"]),
        ("\n\n    pxerelay status\n    interface  vlan10 active\n", ["interface  vlan10 active"]),
        ("\n\n    pxerelay import \\\n      --server a\n", []),
        ("\n```\n$ pxerelay status\nx\n```\n", ["$ pxerelay status"]),
        ("- a\n\n  ```console\n  $ git diff\n  ```\n", ["  $ git diff"]),
        ("\n```console\n$ git diff\n```\n", []),
    ],
)
def test_what_looks_like_output_is_found(text: str, found: list[str]) -> None:
    assert unrecognised(text) == found


def test_who_runs_a_block_elsewhere_compares_it() -> None:
    assert {block.runner for page in PAGES for block in blocks(page)} - {""} == RUN_BY.keys()
    for runner, where in RUN_BY.items():
        text = (REPOSITORY / where).read_text("utf-8")
        assert "tests.pages.elsewhere" in text
        assert re.search(rf"\b{runner}\b", text)


def test_what_was_printed_elsewhere_is_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- run by: demo -->\n```console\n# make demo\n...\n  a  b\n...\n```\n")
    monkeypatch.setattr(elsewhere, "PAGES", [page])
    assert elsewhere.wrong("demo", "x\n  a  b\n") == []
    (told,) = elsewhere.wrong("demo", "x\n  a  c\n")
    assert told.startswith("page.md:3: make demo\n")
    assert "+  a  c" in told
    with pytest.raises(ValueError, match="run by fleet"):
        elsewhere.wrong("fleet", "")
