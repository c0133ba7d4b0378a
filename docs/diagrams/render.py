"""Write the diagrams of the documentation: each `.dot` here as `.svg`, by Graphviz.

    python docs/diagrams/render.py          # needs `dot`; `make diagrams` installs it
    python docs/diagrams/render.py --check  # 1 if a diagram is not of its source; needs nothing

Colours are variables that follow the reader's light or dark scheme; fonts are those of the reader's system.
The layout is made for a wide font, so that no other one leaves its boxes.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

LOOK = (
    "-Gfontname=DejaVu Sans", "-Gfontsize=12", "-Gbgcolor=white", "-Gpad=0.2", "-Gstyle=rounded",
    "-Gcolor=gray",
    "-Nfontname=DejaVu Sans", "-Nfontsize=12", "-Nshape=box", "-Nstyle=filled", "-Nfillcolor=lightgrey",
    "-Nmargin=0.15,0.08", "-Efontname=DejaVu Sans", "-Efontsize=11", "-Earrowsize=0.7",
)  # fmt: skip

COLOURS = {
    "black": ("ink", "#1f2328", "#e6edf3"),
    "white": ("paper", "#ffffff", "#0d1117"),
    "gray": ("line", "#6e7781", "#8b949e"),
    "lightgrey": ("box", "#eaeef2", "#21262d"),
    "steelblue": ("relay", "#b6d7ff", "#1f4b8e"),
}
"""What dot calls a colour: our name for it, in light and in dark."""


def rendered(source: Path) -> str:
    """Return the SVG of a source."""
    text = source.read_text("utf-8")
    done = subprocess.run(["dot", "-Tsvg", *LOOK], input=text, capture_output=True, text=True, check=True)
    svg = done.stdout[done.stdout.index("<svg") :]
    for dot, (name, *_) in COLOURS.items():
        svg = svg.replace(f'="{dot}"', f'="var(--{name})"')
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<title>.*?</title>\n?", "", svg)
    svg = re.sub(r' font-family="[^"]*"', "", svg)
    schemes = [
        "".join(f"--{name}:{scheme[which]};" for name, *scheme in COLOURS.values()) for which in (0, 1)
    ]
    style = (
        f"<style>svg{{{schemes[0]}font-family:sans-serif}}text{{fill:var(--ink)}}"
        f"@media (prefers-color-scheme: dark){{svg{{{schemes[1]}}}}}</style>\n"
    )
    head, rest = svg.split(">", 1)
    return f"{origin(source)}\n{head}>\n{style}{rest.lstrip()}"


def origin(source: Path) -> str:
    """Return the comment that tells what an SVG was made of."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return f"<!-- of {source.name}, SHA-256 {digest}, by render.py -->"


def main() -> int:
    """Write the diagrams, or check them."""
    sources = sorted(HERE.glob("*.dot"))
    if sys.argv[1:] == ["--check"]:
        stale = [source for source in sources if not _is_current(source)]
        for source in stale:
            print(
                f"{source.with_suffix('.svg')} is not of {source.name}; run: make diagrams", file=sys.stderr
            )
        return 1 if stale else 0
    for source in sources:
        source.with_suffix(".svg").write_text(rendered(source), "utf-8")
    return 0


def _is_current(source: Path) -> bool:
    svg = source.with_suffix(".svg")
    return svg.exists() and svg.read_text("utf-8").startswith(origin(source) + "\n")


if __name__ == "__main__":
    sys.exit(main())
