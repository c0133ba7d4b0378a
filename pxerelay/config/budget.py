"""A bound on the work that a configuration may make of its reader.

Whoever may propose a change of the mapping must not be able to keep reviewers, pipelines or the daemon's
loader busy: what grows faster than the file does draws on a budget.
"""

from __future__ import annotations


class TooMuchError(ValueError):
    """A budget is used up; the message says what there is too much of."""


class Budget:
    """So many steps of a kind; `spend` raises TooMuchError with `message` when they are used up."""

    def __init__(self, steps: int, message: str) -> None:
        self._left = steps
        self._message = message

    def spend(self, steps: int = 1) -> None:
        """Take steps off."""
        self._left -= steps
        if self._left < 0:
            raise TooMuchError(self._message)
