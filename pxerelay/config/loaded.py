"""A configuration that was loaded, and what of: for those who hold one and never read a file."""

from __future__ import annotations

from dataclasses import dataclass

from pxerelay.config.data import Document
from pxerelay.policy.model import Config


@dataclass(frozen=True)
class Loaded:
    """A configuration and the files it was made of, the main file first.

    `files` maps each file's path to the SHA-256 of its octets. `sha256` is that of all their octets in
    that order, what `cat FILES | sha256sum` prints: for a file with no includes its own digest.
    """

    config: Config
    documents: tuple[Document, ...]
    files: dict[str, str]
    sha256: str
