"""Which DHCPv6 messages those who follow clients are told of, and what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pxerelay.relay import trace6
from pxerelay.relay.account6 import Account6
from pxerelay.relay.decision6 import Arrival6
from pxerelay.relay.pipeline6 import Pipeline6
from pxerelay.relay.trace import TraceError, Watch, Watches
from pxerelay.relay.trace6 import View6
from pxerelay.relay.trace_view import View4
from pxerelay.wire.mac import parse_pattern
from tests.unit.configs import VLAN20, relay
from tests.unit.configs6 import LINK10, LINKS, RIS, STANDARD6, STRANGER, answered, heard, relay6, routed
from tests.unit.messages6 import (
    ADVERTISE,
    REPLY,
    REQUEST,
    SERVER_DUID,
    asks_for,
    boot,
    hardware,
    ip6,
    message,
    option,
    relayed,
)

NAMES = {link.index: link.name for link in LINKS}
CONFIG = {"sha256": "1"}
MINE, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
OTHERS_DUID = bytes.fromhex("00030001020000000002")
REFUSED = option(3, bytes(12) + option(13, b"\0\2Server could not select subnet"))
ROUTED = relayed(boot(), front=hardware(MINE), link="2001:db8:30:7::1", peer="fe80::1")


class Peer:
    """Who watches: what it was told, and how much it lost."""

    def __init__(self, watches: Watches, pattern: str = MINE, place: str | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.lost = 0
        self.watch = Watch(parse_pattern(pattern), place, self.events.append, self._lose)
        self.first = watches.add(self.watch)

    def _lose(self, count: int) -> None:
        self.lost += count


class Followed:
    """Does with messages what traffic does."""

    def __init__(self, text: str = STANDARD6) -> None:
        self.relay = relay6(text)
        self.view = View6(self.relay, NAMES)
        self.watches = Watches()
        self.watches.obey([self.view], CONFIG)
        self._pipeline = Pipeline6(64)
        self._pipeline.obey(self.relay)

    def hear(self, *arrivals: Arrival6, now: float = 0.0) -> list[int]:
        """Pass messages on, and return the positions that somebody wants."""
        outcomes = self._pipeline.decide(arrivals, now)
        wanted = trace6.wanting(self.watches, outcomes, now)
        for at, who in wanted.items():
            account = self.view.account(outcomes[at])
            for watch in who:
                watch.tell(account, trace6.transactions(outcomes[at]), [], now, 1000.0)
        return sorted(wanted)


def other(octets: bytes) -> Arrival6:
    """Return a message of another client of vlan10."""
    return heard(octets, source=ip6("fe80::ff:fe00:2"), mac=bytes.fromhex("020000000002"))


def test_only_messages_of_the_clients_that_are_followed_are_wanted() -> None:
    followed = Followed()
    peer, both = Peer(followed.watches), Peer(followed.watches, "02:00:00:00:00:0?")
    arrivals = [
        heard(boot()),
        other(boot()),
        heard(boot(), mac=None),
        answered(message(ADVERTISE)),
        answered(message(ADVERTISE, duid=OTHERS_DUID), peer="fe80::ff:fe00:2"),
        heard(b"\1"),
    ]
    assert followed.hear(*arrivals) == [0, 1, 3, 4, 5]
    assert [event["message"] for event in peer.events] == ["SOLICIT", "ADVERTISE", ""]
    assert [event["family"] for event in both.events] == [6] * 5


def test_answers_are_told_with_the_time_they_took_and_ipxes_one_xid_is_two_transactions() -> None:
    followed = Followed()
    peer = Peer(followed.watches)
    followed.hear(answered(message(ADVERTISE)), now=1.0)
    followed.hear(heard(boot()), now=2.0)
    followed.hear(answered(message(ADVERTISE)), now=2.0125)
    followed.hear(heard(boot(REQUEST, option(2, SERVER_DUID))), now=3.0)
    followed.hear(answered(message(REPLY)), now=3.001)
    assert [event.get("milliseconds") for event in peer.events] == [None, None, 12.5, None, 1.0]


def test_a_client_behind_a_router_is_known_by_option_79_and_its_answers_by_the_transaction() -> None:
    """A server's answer says neither MAC nor an address that has it."""
    followed = Followed()
    peer = Peer(followed.watches)
    answer = answered(
        relayed(message(ADVERTISE), kind=13, link="2001:db8:30:7::1", peer="fe80::1"),
        interface_id=None,
        link="::",
        peer="2001:db8:30::1",
    )
    assert followed.hear(answer) == []
    assert followed.hear(routed(ROUTED), answer) == [0]
    assert followed.hear(answer, now=0.5) == [0]
    request, reply = peer.events
    assert (request["mac"], request["told_by"], request["router"]) == (MINE, "option79", "2001:db8:30::1")
    assert (reply["mac"], reply["milliseconds"], reply["sent_to"]) == (MINE, 500.0, "2001:db8:30::1 port 547")


def test_a_place_is_an_interface_or_a_router_by_its_address_or_link_address() -> None:
    followed = Followed()
    places = ("vlan10", "vlan20", "2001:db8:30::1", "2001:db8:30:7::1", "2001:db8:30:8::1")
    peers = [Peer(followed.watches, "*", place) for place in places[:4]]
    followed.hear(
        heard(boot()),
        heard(boot(), interface=VLAN20),
        routed(ROUTED),
        answered(message(ADVERTISE)),
    )
    assert [[event["interface"] for event in peer.events] for peer in peers] == [
        ["vlan10", "core"],
        ["vlan20"],
        ["core"],
        ["core"],
    ]


def test_a_dropped_message_and_a_forged_answer_are_told() -> None:
    followed = Followed()
    peer = Peer(followed.watches)
    followed.hear(heard(boot()), answered(message(ADVERTISE), source=STRANGER))
    followed.hear(answered(message(ADVERTISE), source=STRANGER), heard(boot(ADVERTISE)))
    assert [event["dropped"] for event in peer.events] == ["", "not-a-server", "not-for-servers"]


def test_what_the_mapping_says_is_told_of_both_families() -> None:
    watches = Watches()
    watches.obey([View4(relay(STANDARD6), NAMES), View6(relay6(), NAMES)], CONFIG)
    first = Peer(watches, "00:11:22:33:44:55").first
    of4, of6 = first["mapping"]
    assert (of4["family"], of4["servers"]) == (4, ["altiris 10.20.0.20"])
    assert of6["family"] == 6
    assert of6["servers"] == ["altiris 2001:db8:20::20", "altiris 2001:db8:20::21"]
    assert of6["where"] == of4["where"] == ["vlan10", "vlan20", None]
    assert (of6["rule"], of6["lost"]) == (of4["rule"], of4["lost"])
    assert first["active"] == ["vlan10", "vlan20"]
    assert first["routers"] == ["10.30.0.0/16", "2001:db8:30::/48"]
    none = Peer(watches, "02:00:00:00:00:30").first["mapping"][1]
    assert (none["servers"], none["dropped"]) == ([], "no server that it is for has an IPv6 address")


def test_interfaces_that_change_are_told_in_the_family_that_they_change_in() -> None:
    followed = Followed()
    peer = Peer(followed.watches, "02:*")
    waiting = STANDARD6.replace("vlan10: {}", 'vlan10: {link_address: "2001:db8:99::1"}')
    followed.watches.obey([View6(relay6(waiting), NAMES)], CONFIG)
    assert [event["event"] for event in peer.events] == ["interface"]
    assert peer.events[0]["text"].startswith("vlan10 DHCPv6 waiting: ")


def test_places_must_be_some() -> None:
    with pytest.raises(TraceError, match="vlan99 is no client interface of this relay; there are: vlan10"):
        Peer(Followed().watches, place="vlan99")
    Peer(Followed().watches, place="2001:db8:30::9")


def test_beyond_the_rate_messages_are_counted_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.relay.trace.RATE", 3)
    followed = Followed()
    peer = Peer(followed.watches)
    assert followed.hear(*[heard(boot())] * 5, now=1.0) == [0, 1, 2]
    assert peer.lost == 2


def test_an_account_goes_through_json() -> None:
    followed = Followed()
    peer = Peer(followed.watches)
    followed.hear(heard(boot()), answered(message(ADVERTISE, REFUSED)))
    followed.hear(answered(message(ADVERTISE, REFUSED)))
    for event in peer.events:
        again = Account6.of_plain(json.loads(json.dumps(event)))
        assert json.loads(json.dumps(again.plain)).items() <= json.loads(json.dumps(event)).items()
    assert "no addresses available: Server could not select subnet" in again.text()


@pytest.mark.parametrize("config", [STANDARD6, STANDARD6 + "pxe_only: true\n"])
@pytest.mark.parametrize("kind", [1, 11])
def test_what_uefi_sends_besides_pxe_is_told_as_what_it_is(kind: int, config: str) -> None:
    """OVMF's SOLICIT of the IPv6 stack has options 1, 3, 6 and 8, and asks for name servers alone."""
    followed = Followed(config)
    peer = Peer(followed.watches)
    identity = option(3, bytes(12)) if kind == 1 else b""
    followed.hear(heard(message(kind, asks_for(23) + option(8, b"\0\0") + identity)))
    followed.hear(heard(message(kind, asks_for(23, 24) + identity)))
    of_uefi, of_a_system = (Account6.of_plain(event) for event in peer.events)
    assert of_uefi.client == "not booting from the network: as UEFI's own IPv6 asks, besides its PXE"
    assert of_a_system.client == "not booting from the network"
    assert ("pxe_only holds" in of_uefi.text()) == ("pxe_only" in config)


def test_nobody_is_told_of_what_is_for_no_one() -> None:
    followed = Followed()
    Peer(followed.watches)
    assert followed.hear(
        answered(b""), routed(relayed(b"")), answered(message(ADVERTISE), link=LINK10, source=RIS)
    ) == [2]
