"""Packets of both families, each decided on by its own relay; and what another configuration would change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from pxerelay.config.data import Document
from pxerelay.policy.model import Config
from pxerelay.relay.decision import Drop
from pxerelay.relay.decision6 import Drop6
from pxerelay.tools.simulate.offline import Hints
from pxerelay.tools.simulate.replay import Replayer, replayer
from pxerelay.tools.simulate.replay6 import Replayer6, replayer6
from pxerelay.tools.simulate.verdict import AnySubject, Decider, Fate, Verdict
from pxerelay.wire.dissect import AnyDatagram, Datagram
from pxerelay.wire.dissect6 import Datagram6


class DualStack:
    """Decides on the packets of both families by one configuration."""

    def __init__(self, config: Config, four: Replayer, six: Replayer6) -> None:
        self._of4: Decider = four if config.dhcpv4 else _Off(four, "DHCPv4")
        self._of6: Decider = six if config.dhcpv6 else _Off(six, "DHCPv6")
        self.interfaces = tuple(dict.fromkeys((*four.interfaces, *six.interfaces)))

    def verdict(self, datagram: AnyDatagram) -> Verdict:
        """Return what becomes of a packet."""
        return self._of(datagram).verdict(datagram)

    def request(self, verdict: Verdict) -> Verdict:
        """Return a verdict on a request that comes to the relay, given who it is about."""
        return self._of(verdict.datagram).request(verdict)

    def _of(self, datagram: AnyDatagram) -> Decider:
        return self._of6 if isinstance(datagram, Datagram6) else self._of4


class _Off:
    """In the place of a relay of a family that is not relayed."""

    def __init__(self, other: Decider, family: str) -> None:
        self._other = other
        self._reason = f"this configuration does not relay {family}"

    def verdict(self, datagram: AnyDatagram) -> Verdict:
        """Return what becomes of a packet."""
        found = self._other.verdict(datagram)
        return found if found.fate in (Fate.ALREADY, Fate.NOT_FOR_US) else self.request(found)

    def request(self, verdict: Verdict) -> Verdict:
        """Return that it is not relayed."""
        found = type(verdict)(verdict.datagram, verdict.subject, verdict.message, verdict.is_reply)
        return replace(found, fate=Fate.DROPPED, reason=self._reason)


def deciding(
    config: Config,
    documents: Sequence[Document],
    datagrams: Iterable[AnyDatagram],
    hints: Hints,
    hostname: str = "",
    more_names: Iterable[str] = (),
) -> DualStack:
    """Return what decides on the datagrams of a capture by a configuration as it holds on a day.

    `more_names` are interfaces that there are, whether or not the configuration names them.
    """
    every = list(datagrams)
    names = list(more_names)
    of4 = [one for one in every if isinstance(one, Datagram)]
    of6 = [one for one in every if isinstance(one, Datagram6)]
    return DualStack(
        config,
        replayer(config, documents, of4, hints, hostname, names),
        replayer6(config, documents, of6, hints, hostname, names),
    )


class Group(NamedTuple):
    """Requests of one client with which two configurations do not do the same."""

    subject: AnySubject
    before: Verdict
    after: Verdict
    requests: int


def differences(datagrams: Iterable[AnyDatagram], one: Decider, other: Decider) -> list[Group]:
    """Return what another configuration would change for the requests of each client."""
    found: dict[tuple[object, ...], Group] = {}
    for datagram in datagrams:
        before = one.verdict(datagram)
        if before.is_reply or not before.is_decided or before.drop in (Drop.TRUNCATED, Drop6.TRUNCATED):
            continue
        after = other.request(before)
        if _outcome(before) != _outcome(after):
            key = before.subject, _outcome(before), _outcome(after)
            group = found.get(key) or Group(before.subject, before, after, 0)
            found[key] = group._replace(requests=group.requests + 1)
    return list(found.values())


def _outcome(verdict: Verdict) -> tuple[object, ...]:
    """Return what counts when configurations are compared: not what they call a server."""
    return verdict.drop, frozenset(server.address for server in verdict.servers)
