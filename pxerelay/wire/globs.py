"""Interfaces by name or glob, as the configuration means them."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate


def is_glob(text: str) -> bool:
    """Whether a text stands for more than one name."""
    return any(character in text for character in "*?[")


Matcher = Callable[[str], object]
"""Tells by what is true or not whether a name is meant."""


def matcher(glob: str) -> Matcher:
    """Return what tells quickly whether names match a glob."""
    return re.compile(translate(glob)).match


def matches(text: str, name: str) -> bool:
    """Whether a name, or a glob, means an interface of this name."""
    return fnmatchcase(name, text) if is_glob(text) else name == text


@dataclass(frozen=True)
class Names(Container[str | None]):
    """The interfaces that some names and globs mean."""

    texts: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        """Whether an interface of this name is meant; None, which is on no interface of ours, is not."""
        return isinstance(name, str) and (
            name in self.texts or any(fnmatchcase(name, text) for text in self.texts if is_glob(text))
        )
