"""Counters by interface, server, rule kind and drop reason: fast and slow way count alike."""

from __future__ import annotations

from collections import Counter

import pytest

from pxerelay.policy.rules import Reason
from pxerelay.relay.counters import Counters
from pxerelay.relay.decision import Drop
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.ledger import Ledger
from pxerelay.relay.pipeline import Decided
from pxerelay.wire.facts import Facts
from tests.unit.batches import Arrival, batch_of
from tests.unit.configs import CORE, LINKS, STANDARD, VLAN10, VLAN20, relay
from tests.unit.messages import ip, reply, request

NAMES = {link.index: link.name for link in LINKS}
CLASSES = STANDARD + "classes: [{name: uefi, arch: [7], server: dhcp}]\n"
RIS, ALTIRIS, DHCP = ip("10.20.0.10"), (ip("10.20.0.20"), ip("10.20.0.21")), ip("10.20.0.2")
NOBODY = ip("0.0.0.0")


def requests() -> list[Arrival]:
    """Return requests: by MAC, OUI, wildcard, the default, a class, a VLAN's default, and a router's."""
    found: list[Arrival] = [
        (request(chaddr=chaddr, arch=0), VLAN10, NOBODY, False)
        for chaddr in ("00:11:22:33:44:55", "00:80:64:00:00:01", "52:54:00:12:34:56", "02:00:00:00:00:01")
    ]
    found.append((request(arch=7), VLAN10, NOBODY, False))
    found.append((request(), VLAN20, NOBODY, False))
    found.append((request(giaddr="10.30.0.1"), CORE, ip("10.30.0.1"), True))
    return found


def told(arrivals: list[list[Arrival]], clients: tuple[str, ...] = (), rules: str = STANDARD) -> Ledger:
    """Return what has heard of these batches, decided on as they come: on the fast path or not."""
    ledger, one = Ledger(), relay(rules)
    ledger.obey(one, NAMES)
    ledger.counters.rename(NAMES, clients)
    short = FastPath(one)
    for coming in arrivals:
        batch = batch_of(coming)
        known, rest = short.take(batch)
        alone = [short.decide(batch, at, Facts(batch.messages[at])) for at in rest]
        ledger.enter(batch, Decided([*known, *alone]), 7.0)
    return ledger


def test_requests_are_counted_by_interface_and_kind_of_rule_also_those_known_already() -> None:
    """Rules of three kinds name one server here, and are told apart all the same."""
    for rounds in (1, 5):
        counters = told([requests()] * rounds, ("vlan10", "vlan20"), CLASSES).counters
        assert counters.requests == Counter(
            {
                ("vlan10", Reason.MAC): rounds,
                ("vlan10", Reason.OUI): rounds,
                ("vlan10", Reason.WILDCARD): rounds,
                ("vlan10", Reason.CLASS): rounds,
                ("vlan10", Reason.DEFAULT): rounds,
                ("vlan20", Reason.INTERFACE_DEFAULT): rounds,
                ("core", Reason.DEFAULT): rounds,
            }
        )
        assert counters.copies == Counter(
            {
                ("vlan10", ALTIRIS[0]): 3 * rounds,
                ("vlan10", ALTIRIS[1]): 3 * rounds,
                ("vlan20", ALTIRIS[0]): rounds,
                ("vlan20", ALTIRIS[1]): rounds,
                ("vlan10", DHCP): rounds,
                ("vlan10", RIS): rounds,
                ("core", RIS): rounds,
            }
        )


def test_replies_are_counted_by_interface_and_server() -> None:
    arrivals: list[Arrival] = [(reply(), CORE, RIS, True), (reply(), CORE, ALTIRIS[0], True)]
    counters = told([arrivals] * 3).counters
    assert counters.replies == Counter({("vlan10", RIS): 3, ("vlan10", ALTIRIS[0]): 3})


def test_replies_are_counted_whichever_way_they_go() -> None:
    counters = told([[(reply(flags=flags), CORE, RIS, True)] for flags in (0, 0, 0x8000, 0)]).counters
    assert counters.replies["vlan10", RIS] == 4, "the first one, two on the fast path, and the broadcast one"


def test_what_was_counted_is_not_counted_again() -> None:
    ledger = told([requests()] * 2)
    assert ledger.counters.totals() == ledger.counters.totals()


def test_routes_that_wait_to_be_counted_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.relay.ledger._ROUTES", 3)
    ledger = told([requests()] * 2)
    assert len(ledger._requests) <= 3
    assert ledger.counters.requests.total() == 2 * len(requests())


def test_drops_are_counted_by_client_interface_and_under_no_name_elsewhere() -> None:
    counters = Counters()
    counters.rename(NAMES, ("vlan10",))
    counters.add_drops(VLAN10, Drop.FLOOD, 3)
    counters.add_drops(CORE, Drop.NOT_A_SERVER)
    counters.add_drops(999, Drop.NOT_A_SERVER)
    assert counters.dropped == Counter({("vlan10", Drop.FLOOD): 3, ("", Drop.NOT_A_SERVER): 2})
    dropped = counters.totals()["dropped"]
    assert (dropped["flood"], dropped["not-a-server"], dropped["truncated"]) == (3, 2, 0)
    assert set(dropped) == {reason.value for reason in Drop}


def test_servers_that_nobody_named_do_not_make_counters_without_end() -> None:
    """A network in `accept_replies_from` holds as many as somebody likes to invent."""
    counters = Counters()
    counters.rename(NAMES, ())
    for number in range(5000):
        counters.add_replies(VLAN10, number.to_bytes(4, "big"), 1)
    assert len(counters.replies) == 1024
    assert counters.totals()["replies"] == 5000


def test_interfaces_that_come_and_go_do_not_make_counters_without_end() -> None:
    counters = Counters()
    for index in range(10_000):
        counters.rename({index: f"tap{index}"}, ())
        counters.add_replies(index, RIS, 1)
    assert len(counters.replies) == 4097
    assert counters.replies["", RIS] == 10_000 - 4096
    assert counters.totals()["replies"] == 10_000
