"""What the log tells of names of servers."""

from __future__ import annotations

import logging
from ipaddress import IPv4Address

import pytest

from pxerelay.linux.log import LOGGER
from pxerelay.linux.names import DnsLog
from pxerelay.policy.resolved import ResolvedName, ResolvedNames

ONE, OTHER = IPv4Address("10.20.0.10"), IPv4Address("10.20.0.20")


def test_each_error_is_told_once_until_the_name_is_resolved_again(caplog: pytest.LogCaptureFixture) -> None:
    """A resolver that nobody answers is late each time, and then fails for good."""
    teller, before = DnsLog(), ResolvedNames()
    good, late, failed = (
        ResolvedName((ONE,)),
        ResolvedName((ONE,), "no answer within 5 s"),
        ResolvedName((ONE,), "no such name"),
    )
    with caplog.at_level(logging.INFO, LOGGER.name):
        for answer in (good, late, failed, late, failed, failed, good, late, late, ResolvedName((OTHER,))):
            fresh = ResolvedNames({"wds": answer})
            teller.tell(fresh, before)
            before = fresh
    assert [record.getMessage() for record in caplog.records] == [
        "server wds is 10.20.0.10",
        "server wds: no answer within 5 s; using 10.20.0.10",
        "server wds: no such name; using 10.20.0.10",
        "server wds is 10.20.0.10",
        "server wds: no answer within 5 s; using 10.20.0.10",
        "server wds is 10.20.0.20",
    ]
