"""Texts of which many are alike, each there once."""

from __future__ import annotations


class Texts:
    """Remembers so many texts; with one more all are forgotten, and those in use stay where they are.

    `sys.intern` would not do: in Python 3.12 what it has been given is never freed, and clients choose texts.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._known)

    def once(self, text: str) -> str:
        """Return the same text, as the object that was given first."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= self._most:
                self._known.clear()
            found = self._known[text] = text
        return found
