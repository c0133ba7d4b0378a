"""How well this relay does, for routing daemons and orchestrators that choose among several relays.

A relay that is degraded still relays, and is to be used where no other one is well: a trouble that all relays
share, as a dead server is, must not leave clients without any. One that is not ready has nothing to relay
with yet. `not-ready` ends by itself within seconds of the start, whatever others do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from enum import Enum
from typing import Any, NamedTuple

from pxerelay.policy.pools import Standing
from pxerelay.policy.resolved import ResolvedNames
from pxerelay.policy.servers import Address
from pxerelay.relay.any_relay import AnyRelay
from pxerelay.relay.recent import KEPT, Recent, Sums


class State(Enum):
    """What a relay is; the values are what programs are told."""

    WELL = "well"
    DEGRADED = "degraded"
    NOT_READY = "not-ready"


class Trouble(Enum):
    """Why a relay is not well. Values are what programs are told; meanings are in `MEANING`."""

    DRAINED = "drained"
    SENDS_FAIL = "sends-fail"
    NO_ROUTE = "no-route"
    LATE = "late"
    POOL_DOWN = "pool-down"
    NO_ADDRESS = "no-address"
    OTHER_SHA256 = "other-sha256"
    NAMES_OUTSTANDING = "names-outstanding"
    PROBES_OUTSTANDING = "probes-outstanding"


MEANING = {
    Trouble.DRAINED: "somebody has taken it out of rotation (`pxerelay drain`)",
    Trouble.SENDS_FAIL: "the kernel refuses more than half of the requests that it is given for servers",
    Trouble.NO_ROUTE: "no route leads to any of the servers of DHCPv4, or of DHCPv6",
    Trouble.LATE: "more than one message in twenty is lost because it is not read in time",
    Trouble.POOL_DOWN: "all servers of a name with `failover` or `hash` are down",
    Trouble.NO_ADDRESS: "a server's DNS name has no address",
    Trouble.OTHER_SHA256: "the configuration in force is not the one that `--expect-sha256` names",
    Trouble.NAMES_OUTSTANDING: "the first question for a server's DNS name has had no answer yet",
    Trouble.PROBES_OUTSTANDING: "not every server with `probe:` has answered a first time, or counts as down",
}
"""What each trouble means, in words for the administrator."""

NOT_READY = frozenset({Trouble.NAMES_OUTSTANDING, Trouble.PROBES_OUTSTANDING})
"""Troubles of a relay that has only just begun; with any other it is degraded."""

BY_DAEMON = frozenset(Trouble) - {Trouble.OTHER_SHA256}
"""Troubles that the daemon itself knows of; what somebody expects is known to whoever asks."""

_FEW_SECONDS, _ENOUGH = 3, 10
"""Seconds that are judged, unless fewer messages than that were seen in them: then it is all of `KEPT`."""

_FEWEST_FAILED, _FEWEST_LATE = 2, 3
"""Messages that are no accident any more."""

_LATE_SHARE = 20
"""One message in so many that is late is too many."""

_MOST_ROUTES = 64
"""Routes that are asked for at once, when one server after another has none."""

Reached = Callable[[bytes, int], object]
"""The way to a server's octets in a VRF, given by its index; None if no route leads there."""


class Finding(NamedTuple):
    """A trouble, and what it is about, in words."""

    trouble: Trouble
    text: str


def state(findings: Collection[Finding]) -> State:
    """Return what a relay with these troubles is."""
    if any(one.trouble in NOT_READY for one in findings):
        return State.NOT_READY
    return State.DEGRADED if findings else State.WELL


def described(findings: Collection[Finding]) -> dict[str, Any]:
    """Return the state and its reasons as plain data, each reason with its word and a text."""
    return {
        "state": state(findings).value,
        "reasons": [{"reason": one.trouble.value, "text": one.text} for one in findings],
    }


def troubles_of_names(answers: ResolvedNames, *, named: bool) -> Iterator[Finding]:
    """Yield what is wrong with servers' DNS names; `named`: the first questions for them have ended."""
    nameless = [name for name, answer in answers.by_name.items() if not answer.both]
    if nameless and named:
        errors = (f"{name} ({answers.by_name[name].trouble})" for name in nameless)
        yield Finding(Trouble.NO_ADDRESS, f"no address is known of {', '.join(errors)}")
    elif nameless:
        yield Finding(Trouble.NAMES_OUTSTANDING, f"no answer yet for {', '.join(nameless)}")


def troubles_of_servers(relay: AnyRelay[Any], standing: Standing, reached: Reached) -> Iterator[Finding]:
    """Yield what is wrong with the health of one family's servers, and with the routes to them.

    `reached` says whether a route leads to a server.
    """
    for name, pool in relay.config.pools.items():
        addresses = relay.addresses_of(pool)
        if addresses and standing.down.issuperset(address.packed for address in addresses):
            yield Finding(
                Trouble.POOL_DOWN, f"all servers of {name} are down: {', '.join(map(str, addresses))}"
            )
    if lost := _without_route(relay, reached):
        yield Finding(Trouble.NO_ROUTE, f"no route leads to {', '.join(map(str, lost))}")


def _without_route(relay: AnyRelay[Any], reached: Reached) -> list[Address]:
    """Return servers to which no route leads, if that is so of all of them that are looked at."""
    servers = [
        address
        for target in sorted(relay.config.mentioned, key=str)
        for address in relay.addresses_of(target)
    ]
    ways = [(address, vrf) for address in dict.fromkeys(servers) for vrf in _vrfs(relay)][:_MOST_ROUTES]
    if any(reached(address.packed, vrf) is not None for address, vrf in ways):
        return []
    return list(dict.fromkeys(address for address, _ in ways))


def _vrfs(relay: AnyRelay[Any]) -> list[int]:
    """Return the VRFs that servers are asked in: those of active client interfaces, all where routers ask."""
    vrfs = dict.fromkeys(port.vrf for port in relay.ports if not port.waiting)
    if relay.serves_routers or not vrfs:
        vrfs |= dict.fromkeys((0, *relay.vrfs))
    return list(vrfs)


def troubles_of_traffic(recent: Recent, now: float) -> Iterator[Finding]:
    """Yield what is wrong with what was sent and received last."""
    sums = _judged(recent, now, lambda sums: sums.sent)
    if sums.failed >= _FEWEST_FAILED and sums.failed * 2 > sums.sent:
        text = (
            f"{sums.failed} of the last {sums.sent} requests for servers could not be sent; the log says why"
        )
        yield Finding(Trouble.SENDS_FAIL, text)
    sums = _judged(recent, now, lambda sums: sums.heard)
    if sums.late >= _FEWEST_LATE and sums.late * _LATE_SHARE > sums.heard:
        text = f"{sums.late} of the last {sums.heard} messages were lost: they could not be read in time"
        yield Finding(Trouble.LATE, text)


def _judged(recent: Recent, now: float, count: Callable[[Sums], int]) -> Sums:
    few = recent.within(_FEW_SECONDS, now)
    return few if count(few) >= _ENOUGH else recent.within(KEPT, now)
