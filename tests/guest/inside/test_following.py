"""Interfaces after hundreds of changes, among which they go into a VRF and out of it."""

from __future__ import annotations

from tests.integration.conftest import client, server, start, station
from tests.integration.test_following import (
    has_vrfs,
    test_rule_24_a_daemon_knows_what_a_fresh_one_would,
    test_rule_24_what_is_known_is_what_there_is_also_where_events_are_lost,
    walk,
)
from tests.lab.topology import Network

__all__ = [
    "client",
    "server",
    "start",
    "station",
    "test_rule_24_a_daemon_knows_what_a_fresh_one_would",
    "test_rule_24_what_is_known_is_what_there_is_also_where_events_are_lost",
    "walk",
]


def test_there_are_vrfs_here(network: Network) -> None:
    assert has_vrfs(network.relay)
