"""What is logged of servers that change all the time."""

from __future__ import annotations

from ipaddress import IPv4Address

from pxerelay.daemon.health_log import HealthLog
from pxerelay.relay.health import News

A, B = IPv4Address("10.20.0.20"), IPv4Address("10.20.0.21")


def news(number: int, server: IPv4Address = A) -> News:
    return News(warn=number % 2 == 0, server=server, text=f"{server} {number}")


def test_what_happens_now_and_then_is_told_at_once() -> None:
    log = HealthLog()
    for number in range(20):
        assert list(log.lines([news(number)], 60.0 * number)) == [(number % 2 == 0, f"{A} {number}")]


def test_a_server_that_changes_all_the_time_has_three_lines_a_minute() -> None:
    """And the last line is what holds."""
    log = HealthLog()
    told = [line for number in range(1200) for line in log.lines([news(number)], number / 2)]
    assert len(told) == 6 + 30 - 1
    later = list(log.lines([], 700.0))
    assert later == [(False, f"{A} 1199 (38 changes before this one were not told)")]
    assert list(log.lines([], 800.0)) == []


def test_other_servers_are_told_of_meanwhile() -> None:
    log = HealthLog()
    for number in range(100):
        list(log.lines([news(number)], 0.0))
    assert list(log.lines([news(1, B)], 1.0)) == [(False, f"{B} 1")]


def test_servers_that_are_no_more_are_forgotten() -> None:
    log = HealthLog()
    for number in range(100):
        list(log.lines([news(number), news(number, B)], 0.0))
    log.keep([B])
    assert [text.split()[0] for _, text in log.lines([], 1000.0)] == [str(B)]
