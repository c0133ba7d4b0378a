"""All messages of a run."""

from __future__ import annotations

from tests.differential.captures import captured
from tests.differential.cases import Case
from tests.differential.clients import conversations
from tests.differential.randomised import SEED, randomised
from tests.differential.replies import replies, spoilers
from tests.differential.requests import requests

FIRST_XID = 0x10000000


def corpus(seed: int = SEED) -> list[Case]:
    """Return every case: systematic, in the shape of real clients, by chance, and out of captures."""
    cases = [*requests(), *replies(), *conversations(), *randomised(seed), *captured()]
    cases.sort(key=lambda case: case.delivery.origin)
    return [case.numbered(FIRST_XID + at) for at, case in enumerate((*cases, *spoilers()))]
