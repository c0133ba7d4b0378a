"""What shells complete the commands by; `python -m pxerelay.completions` writes it from their arguments."""

from __future__ import annotations

from importlib import resources

SHELLS = {"bash": "pxerelay.bash", "zsh": "_pxerelay"}
"""The file for each shell."""


def script(shell: str) -> str:
    """Return what a shell completes the commands by."""
    return resources.files(__name__).joinpath(SHELLS[shell]).read_text("utf-8")
