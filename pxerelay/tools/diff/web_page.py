"""A difference as one HTML file that a reviewer opens: pictures of who moves, and the tables.

It loads nothing and runs nothing, whatever the files that were compared say: all of it is text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from pxerelay.tools.diff.outline import Section, ends, sections
from pxerelay.tools.diff.show import UNFOLDED, Part
from pxerelay.tools.diff.values import Difference, Move
from pxerelay.tools.pictures.flows import Flow, picture
from pxerelay.wire.text import printable

MOST = 1000
"""Rows of a section that are shown without `--all`."""

_STYLE = (
    """
:root { color-scheme: light dark; --back: #fff; --text: #16191d; --quiet: #4d5561; --line: #c3cad3;
  --c0: #2f6fb0; --c1: #b3541e; --c2: #2c7a4b; --c3: #8a4fa3;
  --c4: #9a7b0a; --c5: #b03060; --c6: #2f7f86; --c7: #6b6f76 }
@media (prefers-color-scheme: dark) { :root {
  --back: #14171b; --text: #e8ebef; --quiet: #aab3bf; --line: #454d58;
  --c0: #6aa6e0; --c1: #e08c5a; --c2: #6cbf8d; --c3: #c08fd6;
  --c4: #d4b445; --c5: #e0779d; --c6: #6cc0c7; --c7: #a5abb5 } }
body { margin: 0 auto; max-width: 68rem; padding: 1rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.4rem } h2 { font-size: 1.15rem; margin-top: 2rem } h1, h2 { overflow-wrap: anywhere }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line) }
th, td { vertical-align: top }
td.in { padding-left: 1.5rem }
summary { cursor: pointer; font-weight: 700; margin: 1rem 0 .5rem; overflow-wrap: anywhere }
:focus-visible { outline: 3px solid var(--c0); outline-offset: 2px }
.quiet { color: var(--quiet) }
.flows { min-width: 44rem; width: 100%; display: block; font-size: 13px }
.flows text { fill: var(--text) } .flows .title { font-weight: 700 } .flows .amount { fill: var(--quiet) }
.flows .bar { fill: var(--quiet) } .flows .band { opacity: .45 } .flows .band:hover { opacity: .8 }
"""
    + "".join(f".c{at} {{ fill: var(--c{at}) }} " for at in range(8))
    + ".cx { fill: var(--quiet) }\n"
)

_HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>pxerelay: which clients move</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
"""


def as_html(parts: Sequence[Part], *, everything: bool = False) -> str:
    """Return differences as one file that needs no other."""
    blocks = [_HEAD]
    blocks += ["<h1>Which clients move</h1>\n"] if len(parts) != 1 else []
    level = "h1" if len(parts) == 1 else "h2"
    for part in parts:
        hosts = f"{', '.join(part.hosts)}: " if part.hosts else ""
        blocks.append(f"<{level}>{_text(hosts + part.first_line)}</{level}>\n")
        blocks += _pictures(part.difference)
        blocks += [_block(section, everything=everything) for section in sections(part.difference)]
    return "".join([*blocks, "</main>\n</body>\n</html>"])


def _pictures(difference: Difference) -> Iterator[str]:
    for alone, found in difference.by_family():
        for kind, moves in (("listed addresses", found.addresses), ("blocks and wildcards", found.patterns)):
            what = f"{alone}{kind}"
            text = f"{what} that go elsewhere; the tables have them"
            svg = picture((f"before: {what}", "after"), _flows(moves), text)
            if svg:
                name = escape(f"Picture: {what}")
                yield f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">{svg}</div>\n'


def _flows(moves: Iterable[Move]) -> list[Flow]:
    counts = Counter(ends(move.before, move.after) for move in moves)
    return [Flow(0, before, after, count) for (before, after), count in counts.items()]


def _block(section: Section, *, everything: bool) -> str:
    shown = section.rows if everything else section.rows[:MOST]
    left = len(section.rows) - len(shown)
    title = _text(section.title)
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in section.columns)
    rows = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in shown)
    table = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>\n"
    )
    if left:
        table += f'<p class="quiet">and {left} more; --all shows them</p>\n'
    if len(section.rows) > UNFOLDED:
        return f"<details><summary>{title}</summary>\n{table}</details>\n"
    return f"<h2>{title}</h2>\n{table}"


def _cell(text: str) -> str:
    inner = ' class="in"' if text.startswith(" ") else ""
    return f"<td{inner}>{_text(text.strip())}</td>"


def _text(text: str) -> str:
    return escape(printable(text).replace("->", "→"))
