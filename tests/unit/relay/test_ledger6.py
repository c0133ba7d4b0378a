"""What is counted and followed of DHCPv6: who was asked, who told clients' MACs, which server answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pxerelay.policy.rules import Reason
from pxerelay.relay.decision import ToServers
from pxerelay.relay.decision6 import Arrival6, Drop6
from pxerelay.relay.ledger import Common
from pxerelay.relay.ledger6 import Ledger6
from pxerelay.relay.pipeline6 import Pipeline6
from pxerelay.relay.transactions import PATIENCE, Record
from pxerelay.relay.unknown import INTERVAL, described
from pxerelay.wire.client6 import MacSource
from tests.unit.configs import VLAN10, relay
from tests.unit.configs6 import (
    ALTIRIS,
    CLIENT_MAC,
    DHCP,
    LINKS,
    RIS,
    STANDARD6,
    answered,
    heard,
    relay6,
    routed,
)
from tests.unit.messages import request
from tests.unit.messages6 import (
    ADVERTISE,
    REPLY,
    REQUEST,
    SOLICIT,
    boot,
    hardware,
    message,
    option,
    plain,
    relayed,
    release,
)

NAMES = {link.index: link.name for link in LINKS}
INFORMATION_REQUEST = 11
WITH_DHCP = STANDARD6 + "dhcp_servers: dhcp\n"


class Told:
    """A ledger that hears what becomes of messages."""

    def __init__(self, text: str = STANDARD6) -> None:
        self._relay = relay6(text)
        self._pipeline = Pipeline6(64)
        self._pipeline.obey(self._relay)
        self.ledger = Ledger6(Common())
        self.ledger.obey(self._relay, NAMES)

    def hear(self, *arrivals: Arrival6, now: float = 0.0) -> Told:
        """Have messages decided on and entered, all at once."""
        self.ledger.enter(self._pipeline.decide(arrivals, now), now)
        return self

    def record(self, server: bytes = RIS) -> Record:
        """Return what became of requests to a server."""
        one = self.ledger.transactions.record(server)
        assert one
        return one


def numbers(record: Record) -> Sequence[int]:
    return record.answered, record.unanswered


def test_messages_are_counted_by_interface_rule_server_and_reason() -> None:
    told = Told().hear(heard(boot()), routed(relayed(boot())), heard(boot(ADVERTISE)))
    told.hear(answered(message(ADVERTISE)))
    counters = told.ledger.counters
    assert counters.requests == {("vlan10", Reason.DEFAULT): 1, ("core", Reason.DEFAULT): 1}
    assert counters.copies == {("vlan10", RIS): 1, ("core", RIS): 1}
    assert counters.replies == {("vlan10", RIS): 1}
    assert counters.dropped == {("vlan10", Drop6.NOT_FOR_SERVERS): 1}


def test_requests_are_counted_by_what_told_the_mac() -> None:
    told = Told().hear(
        heard(boot()),
        heard(boot(), mac=None),
        routed(relayed(boot(), front=hardware("00:11:22:33:44:55"))),
        routed(relayed(boot(), peer="fe80::ff:fe00:1")),
        routed(relayed(boot(), peer="fe80::1")),
        routed(relayed(boot(), peer="fe80::2")),
    )
    assert told.ledger.mac_sources == {
        MacSource.FRAME: 1,
        MacSource.OPTION79: 1,
        MacSource.EUI64: 1,
        MacSource.NONE: 3,
    }


@pytest.mark.parametrize(
    ("asks", "answers"), [(SOLICIT, ADVERTISE), (INFORMATION_REQUEST, REPLY), (SOLICIT, REPLY)]
)
def test_an_answer_is_counted_with_the_time_it_took(asks: int, answers: int) -> None:
    """A REPLY to a SOLICIT is Rapid Commit's."""
    told = Told().hear(heard(boot(asks)), now=10.0).hear(answered(message(answers)), now=10.25)
    assert numbers(told.record()) == (1, 0)
    assert told.record().seconds == pytest.approx(0.25)
    assert told.record().last_reply == 10.25
    (last,) = told.ledger.transactions.last
    assert (last.chaddr, last.index, last.pxe) == (CLIENT_MAC, VLAN10, True)
    assert [server for server, _ in last.answers] == [RIS]


def test_the_answer_to_a_client_behind_a_router_comes_this_way_too() -> None:
    told = Told().hear(routed(relayed(boot())))
    inside = relayed(message(ADVERTISE), kind=13)
    told.hear(answered(inside, interface_id=None, link="::", peer="2001:db8:30::1"), now=0.5)
    assert numbers(told.record()) == (1, 0)


def test_a_request_with_the_xid_of_the_solicit_is_another_transaction() -> None:
    """For iPXE has one xid for both; the REPLY answers the REQUEST."""
    told = Told().hear(heard(boot())).hear(heard(boot(REQUEST, option(2, b"\0\1server"))), now=0.5)
    told.hear(answered(message(ADVERTISE)), now=1.0)
    assert numbers(told.record()) == (1, 0)
    told.hear(answered(message(REPLY)), now=1.1)
    assert numbers(told.record()) == (1, 0)


def test_a_client_that_asks_again_at_once_is_only_impatient() -> None:
    """For iPXE asks again after 0.3 s and 0.8 s."""
    told = Told().hear(heard(boot()))
    for now in (0.3, 0.8):
        told.hear(heard(boot()), now=now)
    told.hear(answered(message(ADVERTISE)), now=1.5)
    assert numbers(told.record()) == (1, 0)
    assert told.record().seconds == pytest.approx(1.5)
    assert len(told.ledger.transactions.last) == 1


def test_another_client_with_the_same_xid_is_another_transaction() -> None:
    other = b"\0\3\0\1\x02\0\0\0\0\x99"
    told = Told().hear(heard(boot())).hear(answered(message(ADVERTISE, duid=other)), now=0.5)
    assert numbers(told.record()) == (0, 0)


def test_a_server_that_says_nothing_is_noticed_and_others_are_not_blamed() -> None:
    mac = bytes.fromhex("001122334455")
    told = Told().hear(heard(boot(), mac=mac)).hear(answered(message(ADVERTISE), source=ALTIRIS[1]), now=1.0)
    told.hear(heard(boot(), mac=mac), now=PATIENCE + 1)
    told.ledger.transactions.settle(PATIENCE + 1)
    assert numbers(told.record(ALTIRIS[0])) == (0, 1)
    assert numbers(told.record(ALTIRIS[1])) == (1, 0)
    assert told.record(ALTIRIS[0]).silent == 2


def test_a_boot_server_may_be_silent_to_clients_that_do_not_boot() -> None:
    told = Told(WITH_DHCP).hear(heard(plain()))
    told.hear(answered(message(ADVERTISE), source=DHCP), now=0.1)
    told.ledger.transactions.settle(PATIENCE + 1)
    assert numbers(told.record(DHCP)) == (1, 0)
    assert numbers(told.record()) == (0, 0)


def unknown(told: Told, now: float = 100.0, text: str = STANDARD6) -> list[dict[str, Any]]:
    """Return what would be told of those that fell to a default."""
    one = relay6(text)
    return [found for each in told.ledger.unknown.newest_first() if (found := described(one, each, now))]


def test_a_client_that_fell_to_a_default_is_remembered() -> None:
    told = Told().hear(heard(boot()), now=5.0).hear(heard(boot(), mac=bytes.fromhex("001122334455")))
    (found,) = unknown(told)
    assert found == {
        "mac": "02:00:00:00:00:01",
        "duid": None,
        "families": [6],
        "interface": "vlan10",
        "giaddr": None,
        "router": None,
        "pxe": True,
        "vendor_class": "PXEClient:Arch:00007:UNDI:003000",
        "architectures": [7],
        "reason": "default",
        "rule": "default",
        "server": "ris",
        "first_ago": 95,
        "last_ago": 95,
    }


def test_a_client_of_both_families_is_one() -> None:
    told = Told().hear(heard(boot()))
    common, one = told.ledger.common, relay()
    common.unknown.obey(one)
    message4 = request(chaddr="02:00:00:00:00:01")
    decision = one.decide(message4, VLAN10, bytes(4))
    assert isinstance(decision, ToServers)
    common.unknown.note(message4, decision, 7.0)
    (found,) = unknown(told)
    assert found["families"] == [4, 6]


def test_a_client_whose_mac_nobody_tells_is_known_by_its_router_and_duid() -> None:
    told = Told().hear(routed(relayed(boot(), peer="fe80::1")), routed(relayed(boot(), peer="fe80::1")))
    told.hear(routed(relayed(boot(), front=hardware("02:00:00:00:00:77"))))
    named, nameless = unknown(told)
    assert (named["mac"], named["duid"], named["router"]) == ("02:00:00:00:00:77", None, "2001:db8:30::1")
    assert (nameless["mac"], nameless["duid"]) == (None, "00030001020000000001")
    assert (nameless["router"], nameless["giaddr"], nameless["interface"]) == ("2001:db8:30::1", None, None)


def test_who_does_not_tell_what_it_is_or_came_without_a_frame_did_not_fall_to_a_default() -> None:
    pxe_only = WITH_DHCP + "pxe_only: true\n"
    told = Told(pxe_only).hear(heard(release()), heard(boot(), mac=None), heard(plain()))
    assert unknown(told, text=pxe_only) == []


def test_who_has_a_rule_by_now_is_left_out() -> None:
    told = Told().hear(heard(boot()))
    rules = STANDARD6.replace("rules:", 'rules:\n  "02:00:00:00:00:01": altiris')
    assert unknown(told, text=rules) == []


def test_a_flood_of_clients_is_bounded_and_an_interval_begins_anew() -> None:
    told = Told()
    most = told.ledger.unknown.most = 8
    told.ledger.unknown._bounds[6]._most = told.ledger.unknown._bounds[6]._left = most
    for at in range(20):
        mac = b"\x02\0\0\1" + at.to_bytes(2, "big")
        told.hear(heard(message(SOLICIT, option(61, b"\0\7"), duid=b"\0\3\0\1" + mac), mac=mac), now=1.0)
    assert len(told.ledger.unknown) == most
    assert told.ledger.unknown.overlooked == 12
    told.hear(heard(boot()), now=1.0 + INTERVAL)
    assert unknown(told)[0]["mac"] == "02:00:00:00:00:01"


def test_an_answer_that_is_dropped_is_none() -> None:
    told = Told().hear(heard(boot())).hear(answered(message(ADVERTISE), port=1234), now=0.5)
    assert numbers(told.record()) == (0, 0)
    assert told.record().last_reply is None


def test_in_a_storm_a_sample_is_followed() -> None:
    told = Told()
    for at in range(500):
        mac = b"\x02\0\0\1" + at.to_bytes(2, "big")
        told.hear(heard(message(SOLICIT, option(61, b"\0\7"), duid=b"\0\3\0\1" + mac), mac=mac))
    assert 50 < len(told.ledger.transactions.pending) < 100
    assert told.ledger.counters.requests.total() == 500
