"""Text that comes from elsewhere, for a terminal."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """Return a text that neither moves a terminal's cursor nor breaks a line; `keep` stays as it is."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in text
    )
