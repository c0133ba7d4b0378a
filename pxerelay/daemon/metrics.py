"""The daemon's state as metrics in Prometheus' exposition format, by prometheus-client.

`NAMES` is the list of all metrics, with what they mean; documentation, dashboard and alerts are held to it.

What a counter will tell apart is known from the configuration, but for what others invent. That is there from
the start, with 0: `increase()` does not see the first burst of a series that begins with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, product
from math import prod
from typing import Any

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
    "pxerelay_requests": ("interface rule", "requests relayed, by what kind of entry chose"),
    "pxerelay_replies": ("interface", "replies relayed"),
    "pxerelay_server_requests": ("interface server address", "copies of requests for a server"),
    "pxerelay_server_replies": ("interface server address", "replies of a server that were relayed"),
    "pxerelay_server_answered": ("server address", "followed DISCOVERs that a server answered within 4 s"),
    "pxerelay_server_unanswered": ("server address", "followed DISCOVERs that it did not answer within 4 s"),
    "pxerelay_dropped": ("interface reason", "messages dropped; interface is empty if it is no client's"),
    "pxerelay_send_failures": ("", "messages that the kernel would not send"),
    "pxerelay_receive_buffer_drops": ("", "messages lost because the kernel had no more room for them"),
    "pxerelay_bad_checksums": ("", "UDP datagrams for this host with a wrong checksum"),
    "pxerelay_without_option82": ("", "requests relayed without option 82 for want of room"),
}

_GAUGES = {
    "pxerelay_build_info": ("version", "1; the version that runs"),
    "pxerelay_server_up": (
        "server address",
        "1 if the server counts as alive, 0 if not; only with `failover` or `hash`",
    ),
    "pxerelay_interface_active": ("interface", "1 if clients are served there, 0 if it waits"),
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
_HISTOGRAMS = {_ANSWER_SECONDS: ("server address", "how long servers took to answer followed DISCOVERs")}

NAMES: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    **{
        f"{name}_total": ("counter", tuple(labels.split()), text)
        for name, (labels, text) in _COUNTERS.items()
    },
    **{name: ("gauge", tuple(labels.split()), text) for name, (labels, text) in _GAUGES.items()},
    **{name: ("histogram", tuple(labels.split()), text) for name, (labels, text) in _HISTOGRAMS.items()},
}
"""All metrics as queries name them: kind, labels, meaning."""


def families(status: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the metrics of what the daemon tells as its status."""
    config, counters, traffic = status["config"], status["counters"], status["traffic"]
    servers = [
        ((name, address), row)
        for name, addresses in status["servers"].items()
        for address, row in addresses.items()
    ]
    clients = [(name,) for name in status["interfaces"]]
    rules, drops = ([(one.value,) for one in members] for members in (Reason, Drop))
    by_server = _each(clients, [labels for labels, row in servers if row["configured"]])
    dropped = {*_each([(OTHER,)], drops), *_each(clients, [(one.value,) for one in WATCHED])}
    yield _gauge("pxerelay_build_info", [((status["version"],), 1)])
    yield _counter(
        "pxerelay_requests", _rows(traffic["requests"], "interface", "rule"), _each(clients, rules)
    )
    yield _counter("pxerelay_replies", _summed(traffic["replies"]), _each(clients))
    yield _counter(
        "pxerelay_server_requests", _rows(traffic["copies"], "interface", "server", "address"), by_server
    )
    yield _counter(
        "pxerelay_server_replies", _rows(traffic["replies"], "interface", "server", "address"), by_server
    )
    yield _counter("pxerelay_server_answered", [(labels, row["answered"]) for labels, row in servers])
    yield _counter("pxerelay_server_unanswered", [(labels, row["unanswered"]) for labels, row in servers])
    yield _answer_seconds(servers)
    yield _gauge(
        "pxerelay_server_up",
        [(labels, row["state"] != "down") for labels, row in servers if row.get("state")],
    )
    yield _counter("pxerelay_dropped", _rows(traffic["dropped"], "interface", "reason"), sorted(dropped))
    yield _counter("pxerelay_send_failures", [((), counters["send_failures"])])
    yield _counter("pxerelay_receive_buffer_drops", [((), counters["not_received"])])
    yield _counter("pxerelay_bad_checksums", [((), counters["bad_checksums"])])
    yield _counter("pxerelay_without_option82", [((), counters["without_option82"])])
    yield _gauge(
        "pxerelay_interface_active",
        [((name,), port["state"] == "active") for name, port in status["interfaces"].items()],
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


def _rows(rows: Iterable[Mapping[str, Any]], *labels: str) -> Iterator[Sample]:
    for row in rows:
        yield tuple(row[label] for label in labels), row["count"]


def _summed(rows: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """Yield the sums of rows by interface."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row["interface"]] = sums.get(row["interface"], 0) + row["count"]
    for interface, count in sums.items():
        yield (interface,), count


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
