"""The daemon's state as metrics in Prometheus' exposition format, by prometheus-client.

What is counted of messages, servers and interfaces has a label `family`: 4, and 6 while DHCPv6 is on.

`NAMES` is the list of all metrics, with what they mean; documentation, dashboard and alerts are held to it.

What a counter will tell apart is known from the configuration, but for what others invent. That is there from
the start, with 0: `increase()` does not see the first burst of a series that begins with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, product
from math import prod
from typing import Any, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from pxerelay.policy.rules import Reason
from pxerelay.relay.counters import OTHER
from pxerelay.relay.decision import SUSPICIOUS, Drop
from pxerelay.relay.own_health import BY_DAEMON, State

_MOST_ZEROS = 4000
"""Series of one metric that are there before they count; where there would be more, none is."""

WATCHED = SUSPICIOUS | {Drop.NOT_RESOLVED, Drop.NO_INTERFACE, Drop.NO_ROOM_FOR_OPTION82}
"""Drops that are there for each client interface before they count: those that alerts are for."""

_COUNTERS = {
    "pxerelay_requests": ("interface rule family", "requests relayed, by what kind of entry chose"),
    "pxerelay_replies": ("interface family", "replies relayed"),
    "pxerelay_server_requests": ("interface server address family", "copies of requests for a server"),
    "pxerelay_server_replies": ("interface server address family", "replies of a server that were relayed"),
    "pxerelay_server_answered": (
        "server address family",
        "followed DISCOVERs and SOLICITs that a server answered within 4 s",
    ),
    "pxerelay_server_unanswered": (
        "server address family",
        "followed DISCOVERs and SOLICITs that it did not answer within 4 s",
    ),
    "pxerelay_dropped": (
        "interface reason family",
        "messages dropped; interface is empty if it is no client's",
    ),
    "pxerelay_mac_source": (
        "source",
        "DHCPv6 requests, by what told the client's MAC: frame, option79, eui64 or none",
    ),
    "pxerelay_send_failures": ("family", "messages that the kernel would not send"),
    "pxerelay_receive_buffer_drops": ("family", "messages lost because the kernel had no more room for them"),
    "pxerelay_bad_checksums": ("family", "UDP datagrams for this host with a wrong checksum"),
    "pxerelay_without_option82": ("", "DHCPv4 requests relayed without option 82 for want of room"),
}

_GAUGES = {
    "pxerelay_build_info": ("version", "1; the version that runs"),
    "pxerelay_server_up": (
        "server address family",
        "1 if the server counts as alive, 0 if not; only with `failover` or `hash`",
    ),
    "pxerelay_interface_active": ("interface family", "1 if clients are served there, 0 if it waits"),
    "pxerelay_config_info": ("sha256", "1; the configuration in force"),
    "pxerelay_config_rules": ("", "rules in the configuration"),
    "pxerelay_config_rules_ended": ("", "rules whose last day is over"),
    "pxerelay_config_loaded_timestamp_seconds": ("", "when the configuration in force was loaded"),
    "pxerelay_config_load_seconds": ("", "how long that took"),
    "pxerelay_config_last_reload_successful": ("", "0 if the last reload was refused, else 1"),
    "pxerelay_config_last_reload_timestamp_seconds": ("", "when a configuration was last loaded or refused"),
    "pxerelay_unknown_clients": ("", "clients remembered that fell to a default"),
    "pxerelay_health": ("", "0 well, 1 degraded or drained, 2 not ready: what `pxerelay healthy` says"),
    "pxerelay_health_reason": ("reason", "1 while this is a reason for that, else 0"),
}

_STATES = [one.value for one in (State.WELL, State.DEGRADED, State.NOT_READY)]
"""By what number each state is told."""

_ANSWER_SECONDS = "pxerelay_server_answer_seconds"
_HISTOGRAMS = {
    _ANSWER_SECONDS: (
        "server address family",
        "how long servers took to answer followed DISCOVERs and SOLICITs",
    )
}

NAMES: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    **{
        f"{name}_total": ("counter", tuple(labels.split()), text)
        for name, (labels, text) in _COUNTERS.items()
    },
    **{name: ("gauge", tuple(labels.split()), text) for name, (labels, text) in _GAUGES.items()},
    **{name: ("histogram", tuple(labels.split()), text) for name, (labels, text) in _HISTOGRAMS.items()},
}
"""All metrics as queries name them: kind, labels, meaning."""


class _Family(NamedTuple):
    """What is told of one family: its label, counters, rows, interfaces, and drops that are watched."""

    label: str
    counters: Mapping[str, Any]
    traffic: Mapping[str, Any]
    states: Mapping[str, str]
    watched: frozenset[str]


def _families(status: Mapping[str, Any]) -> Iterator[_Family]:
    """Yield the families that are told of: DHCPv4, and DHCPv6 while that is on."""
    ports = status["interfaces"]
    states = {name: port["state"] for name, port in ports.items() if port["state"] != "off"}
    watched = frozenset(one.value for one in WATCHED)
    yield _Family("4", status["counters"], status["traffic"], states, watched)
    if "counters6" in status:
        from pxerelay.relay.decision6 import WATCHED6  # most hosts have no use for it

        states = {name: port["ipv6"]["state"] for name, port in ports.items() if "ipv6" in port}
        watched = frozenset(one.value for one in WATCHED6)
        yield _Family("6", status["counters6"], status["traffic6"], states, watched)


def families(status: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the metrics of what `status --json` shows."""
    config, told = status["config"], list(_families(status))
    servers: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [
        ((name, address, "6" if ":" in address else "4"), row)
        for name, addresses in status["servers"].items()
        for address, row in addresses.items()
    ]
    yield _gauge("pxerelay_build_info", [((status["version"],), 1)])
    yield _counter("pxerelay_requests", _each_row(told, "requests", "interface", "rule"), _known_rules(told))
    yield _counter(
        "pxerelay_replies",
        (sample for one in told for sample in _summed(one.traffic["replies"], one.label)),
        [(name, one.label) for one in told for name in one.states],
    )
    by_server = [
        labels
        for one in told
        for labels in _each(
            [(name,) for name in one.states],
            [labels for labels, row in servers if row["configured"] and labels[-1] == one.label],
        )
    ]
    for name, rows in (("pxerelay_server_requests", "copies"), ("pxerelay_server_replies", "replies")):
        yield _counter(name, _each_row(told, rows, "interface", "server", "address"), by_server)
    yield _counter("pxerelay_server_answered", [(labels, row["answered"]) for labels, row in servers])
    yield _counter("pxerelay_server_unanswered", [(labels, row["unanswered"]) for labels, row in servers])
    yield _answer_seconds(servers)
    yield _gauge(
        "pxerelay_server_up",
        [(labels, row["state"] != "down") for labels, row in servers if row.get("state")],
    )
    yield _counter("pxerelay_dropped", _each_row(told, "dropped", "interface", "reason"), _known_drops(told))
    yield _counter(
        "pxerelay_mac_source",
        [((source,), n) for one in told for source, n in one.counters.get("mac_sources", {}).items()],
    )
    for name, counter in (
        ("pxerelay_send_failures", "send_failures"),
        ("pxerelay_receive_buffer_drops", "not_received"),
        ("pxerelay_bad_checksums", "bad_checksums"),
    ):
        yield _counter(name, [((one.label,), one.counters[counter]) for one in told])
    yield _counter("pxerelay_without_option82", [((), status["counters"]["without_option82"])])
    yield _gauge(
        "pxerelay_interface_active",
        [((name, one.label), state == "active") for one in told for name, state in one.states.items()],
    )
    yield _gauge("pxerelay_config_info", [((config["sha256"],), 1)])
    yield _gauge("pxerelay_config_rules", [((), config["rules"])])
    yield _gauge("pxerelay_config_rules_ended", [((), config["ended"])])
    yield _gauge("pxerelay_config_loaded_timestamp_seconds", [((), _seconds(config["loaded_at"]))])
    yield _gauge("pxerelay_config_load_seconds", [((), config["load_seconds"])])
    yield _gauge("pxerelay_config_last_reload_successful", [((), config["last_error"] is None)])
    tried_at = config["last_reload_at"] or config["loaded_at"]  # without a reload it was at the start
    yield _gauge("pxerelay_config_last_reload_timestamp_seconds", [((), _seconds(tried_at))])
    yield _gauge("pxerelay_unknown_clients", [((), status["unknown"])])
    health = status["health"]
    yield _gauge("pxerelay_health", [((), _STATES.index(health["state"]))])
    reasons = {one["reason"] for one in health["reasons"]}
    troubles = sorted(one.value for one in BY_DAEMON)
    yield _gauge("pxerelay_health_reason", [((one,), one in reasons) for one in troubles])


Sample = tuple[tuple[str, ...], float]
"""Values of labels, and the number."""


def _known_rules(told: Iterable[_Family]) -> Iterator[tuple[str, ...]]:
    """Yield the client interfaces of each family with each kind of entry."""
    rules = [(one.value,) for one in Reason]
    for one in told:
        yield from _each([(name,) for name in one.states], rules, [(one.label,)])


def _known_drops(told: Iterable[_Family]) -> list[tuple[str, ...]]:
    """Return each reason without an interface, and those that alerts are for at each client interface."""
    found: set[tuple[str, ...]] = set()
    for one in told:
        reasons = [(reason,) for reason in one.counters["dropped"]]
        found.update(_each([(OTHER,)], reasons, [(one.label,)]))
        watched = [(reason,) for reason in one.watched]
        found.update(_each([(name,) for name in one.states], watched, [(one.label,)]))
    return sorted(found)


def _each_row(told: Iterable[_Family], rows: str, *labels: str) -> Iterator[Sample]:
    """Yield the rows of each family."""
    for one in told:
        for row in one.traffic[rows]:
            yield (*(row[label] for label in labels), one.label), row["count"]


def _each(*columns: Collection[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return each combination of labels' values, or none if there are too many."""
    if prod(map(len, columns)) > _MOST_ZEROS:
        return []
    return [tuple(chain.from_iterable(parts)) for parts in product(*columns)]


def _counter(name: str, samples: Iterable[Sample], known: Iterable[tuple[str, ...]] = ()) -> Metric:
    """Return a counter, with 0 for what is known and was not counted yet."""
    labels, text = _COUNTERS[name]
    family = CounterMetricFamily(name, text, labels=labels.split())
    for values, number in (dict.fromkeys(known, 0.0) | dict(samples)).items():
        family.add_metric(values, number)
    return family


def _gauge(name: str, samples: Iterable[Sample]) -> Metric:
    labels, text = _GAUGES[name]
    family = GaugeMetricFamily(name, text, labels=labels.split())
    for values, number in samples:
        family.add_metric(values, float(number))
    return family


def _answer_seconds(servers: Iterable[tuple[tuple[str, ...], Mapping[str, Any]]]) -> Metric:
    labels, text = _HISTOGRAMS[_ANSWER_SECONDS]
    family = HistogramMetricFamily(_ANSWER_SECONDS, text, labels=labels.split())
    for values, row in servers:
        total, buckets = 0, []
        for bound, count in row["answers_within"]:
            total += count
            buckets.append((str(bound), total))
        family.add_metric(values, [*buckets, ("+Inf", total)], row["answer_seconds"])
    return family


def _summed(rows: Iterable[Mapping[str, Any]], family: str) -> Iterator[Sample]:
    """Yield the sums of a family's rows by interface."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["interface"]] = sums.get(row["interface"], 0) + row["count"]
    for interface, count in sums.items():
        yield (interface, family), count


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
