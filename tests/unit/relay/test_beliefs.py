"""Whom the relay believes: rules 28 to 31, 42, and what `drop` promises."""

from __future__ import annotations

import pytest

from pxerelay.policy.pools import Standing
from pxerelay.policy.ports import assign
from pxerelay.policy.ways import Way, WayTo
from pxerelay.relay.decision import Drop, ToClient, ToServers
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.ledger import Ledger
from pxerelay.relay.pipeline import Decided, Pipeline
from pxerelay.relay.relay import Relay
from pxerelay.wire import packet
from pxerelay.wire.batch import Batch
from tests.unit.batches import Arrival, batch_of, outcomes
from tests.unit.configs import CORE, LINKS, STANDARD, VLAN10, VLAN20, build, relay, why
from tests.unit.messages import DISCOVER, REQUEST, ip, option, reply, request

NOBODY, ROUTER, RIS = ip("0.0.0.0"), ip("10.30.0.1"), ip("10.20.0.10")
TWO = (ip("10.20.0.20"), ip("10.20.0.21"))


def knowing(text: str, way_to: WayTo) -> Relay:
    built = build(text)
    return Relay(built, assign(built, LINKS), LINKS, way_to=way_to)


@pytest.mark.parametrize("leaves_by", [CORE, VLAN10, None])
def test_rule_28_a_reply_on_a_client_interface_counts_only_where_the_way_to_its_server_is(
    leaves_by: int | None,
) -> None:
    """A client of vlan20 speaks with a server's address to vlan10's, giaddr is vlan10's."""
    one = knowing(STANDARD, lambda *_: Way(leaves_by, 1500) if leaves_by else None)
    short = FastPath(one)
    arrival: Arrival = reply(), VLAN20, RIS, True
    for _ in range(3):  # nothing of it is remembered
        ((decision, _),), _ = outcomes(short, [arrival])
        assert why(decision) is Drop.SERVER_ON_CLIENT_INTERFACE
    expected = None if leaves_by == VLAN10 else Drop.SERVER_ON_CLIENT_INTERFACE
    assert why(one.decide(reply(), VLAN10, RIS)) is expected
    assert isinstance(one.decide(reply(), CORE, RIS), ToClient), "elsewhere nobody asks for the way"


def test_rule_28_an_interface_that_waits_is_one_of_clients_too() -> None:
    links = tuple(link._replace(addresses=()) if link.index == VLAN20 else link for link in LINKS)
    built = build(STANDARD)
    one = Relay(built, assign(built, links), links, way_to=lambda *_: Way(CORE, 1500))
    assert why(one.decide(reply(), VLAN20, RIS)) is Drop.SERVER_ON_CLIENT_INTERFACE


def test_rule_29_a_reply_comes_from_port_67() -> None:
    one = relay()
    assert why(one.decide(reply(), CORE, RIS, source_port=50000)) is Drop.NOT_FROM_PORT_67
    assert why(one.decide(reply(), CORE, ip("10.20.0.99"), source_port=50000)) is Drop.NOT_A_SERVER
    anyhow = relay("source_ports: any\n" + STANDARD)
    assert isinstance(anyhow.decide(reply(), CORE, RIS, source_port=50000), ToClient)
    assert isinstance(one.decide(request(), VLAN10, NOBODY, source_port=50000), ToServers)


@pytest.mark.parametrize("own", ["10.20.0.1", "10.10.10.2"])
def test_rule_30_what_this_host_sent_is_neither_a_request_nor_a_reply(own: str) -> None:
    """Whatever `accept_relayed_from` and `accept_replies_from` cover."""
    wide = "[10.0.0.0/8]"
    text = STANDARD.replace("[10.30.0.0/16]", wide) + f"accept_replies_from: {wide}\n"
    one, short = relay(text), FastPath(relay(text))
    coming: list[Arrival] = [
        (request(giaddr="10.30.7.1"), CORE, ip(own), True),
        (request(), VLAN10, ip(own), True),
        (request(), VLAN10, ip(own), False),
        (reply(), CORE, ip(own), True),
        (request(giaddr="10.30.7.1"), 1, ROUTER, True),
        (reply(), 1, RIS, True),
    ]
    for octets, index, source, unicast in coming:
        if index != 1:
            assert why(one.decide(bytearray(octets), index, source, unicast)) is Drop.FROM_THIS_HOST
    looped = tuple(link._replace(loopback=link.name == "lo") for link in LINKS)
    here = relay(text, looped)
    for octets, index, source, unicast in coming:
        assert why(here.decide(bytearray(octets), index, source, unicast)) is Drop.FROM_THIS_HOST
    others: list[Arrival] = [
        (request(giaddr="10.30.7.1"), CORE, ROUTER, True),
        (request(), VLAN10, NOBODY, False),
    ]
    outcomes(short, others)
    found, _ = outcomes(short, [*others, *coming[:4]])
    assert [why(decision) for decision, _ in found] == [None, None, *[Drop.FROM_THIS_HOST] * 4]


def test_rule_28_a_forged_reply_proves_no_server_alive() -> None:
    one = pipeline_of(knowing(STANDARD, lambda *_: Way(CORE, 1500)))
    ledger = Ledger()
    ledger.obey(one._relay, {})
    ledger.enter(*entered(one, [(request(), VLAN10, NOBODY, False)], 7.0))
    record = ledger.transactions.record(RIS)
    assert record
    for forged, index in ((reply(), VLAN20), (reply(), VLAN10)):
        ledger.enter(*entered(one, [(forged, index, RIS, True)], 7.1))
        assert record.last_reply is None
    ledger.enter(*entered(one, [(reply(), CORE, RIS, True)], 7.2))
    assert record.last_reply == 7.2


def pipeline_of(one: Relay) -> Pipeline:
    made = Pipeline(40)
    made.obey(one)
    return made


def entered(one: Pipeline, coming: list[Arrival], now: float) -> tuple[Batch, Decided, float]:
    batch = batch_of(coming)
    return batch, one.decide(batch, now, (), each_alone=False), now


@pytest.mark.parametrize(
    ("source", "unicast", "expected"),
    [
        ("198.51.100.7", True, Drop.NOT_OF_THIS_SUBNET),
        ("10.10.20.7", True, Drop.NOT_OF_THIS_SUBNET),
        ("10.10.10.7", True, None),
        ("0.0.0.0", True, None),
        ("198.51.100.7", False, None),
    ],
)
def test_rule_31_a_unicast_request_comes_from_its_interfaces_own_subnet(
    source: str, unicast: bool, expected: Drop | None
) -> None:
    short = FastPath(relay())
    known: Arrival = request(), VLAN10, NOBODY, False
    for _ in range(2):
        found, _ = outcomes(short, [known, (request(), VLAN10, ip(source), unicast)])
        assert why(found[1][0]) is expected


POOLED = STANDARD.replace(
    "[10.20.0.20, 10.20.0.21]", "{addresses: [10.20.0.20, 10.20.0.21], strategy: failover}"
)


def asking(kind: int, named: bytes | None = None, chaddr: str = "00:80:64:00:00:01") -> bytearray:
    return request(kind, chaddr=chaddr, extra=option(54, named) if named else b"")


@pytest.mark.parametrize(
    "standing", [Standing(), Standing(down=frozenset(TWO[:1])), Standing(doubtful=frozenset(TWO))]
)
@pytest.mark.parametrize("strategy", ["failover", "hash"])
def test_rule_42_a_request_goes_to_the_server_that_it_names(strategy: str, standing: Standing) -> None:
    """Whichever relay its DISCOVER came through, and whatever is thought of servers since."""
    text = POOLED.replace("failover", strategy)
    short = FastPath(relay(text, standing=standing))
    for _ in range(3):
        for server in TWO:
            arrivals: list[Arrival] = [
                (asking(kind, named, f"00:80:64:00:00:{last:02x}"), VLAN10, NOBODY, False)
                for last in range(6)
                for kind, named in ((DISCOVER, None), (REQUEST, server))
            ]
            found, _ = outcomes(short, arrivals)
            for decision, _ in found[1::2]:
                assert isinstance(decision, ToServers)
                assert decision.servers == (server,)


def test_rule_42_a_server_that_is_none_of_the_clients_pool_is_no_reason() -> None:
    one = relay(POOLED)
    for named in (RIS, ip("192.0.2.1"), b"\1\2", b""):
        decision = one.decide(asking(REQUEST, named), VLAN10, NOBODY)
        assert isinstance(decision, ToServers)
        assert decision.servers == (TWO[0],)
    decision = one.decide(asking(DISCOVER, TWO[1]), VLAN10, NOBODY)
    assert isinstance(decision, ToServers)
    assert decision.servers == (TWO[0],), "only a REQUEST chooses"


@pytest.mark.parametrize("odd", [{"hlen": 16}, {"htype": 32}, {"htype": 6, "hlen": 8}])
def test_drop_holds_whatever_hardware_type_or_length_is_claimed(odd: dict[str, int]) -> None:
    """The six octets of a MAC that is never to be served; others with such an address get a default."""
    one, short = relay(), FastPath(relay())
    dropped, served = request(chaddr="de:ad:be:ef:00:01", **odd), request(chaddr="00:11:22:33:44:55", **odd)  # type: ignore[arg-type]
    for giaddr, index, source in (("0.0.0.0", VLAN10, NOBODY), ("10.30.0.1", CORE, ROUTER)):
        for octets in (dropped, served):
            octets[packet.GIADDR] = ip(giaddr)
        assert why(one.decide(bytearray(dropped), index, source)) is Drop.MAPPED_TO_DROP
        decision = one.decide(bytearray(served), index, source)
        assert isinstance(decision, ToServers)
        assert decision.servers == (RIS,)
        found, _ = outcomes(short, [(dropped, index, source, False), (served, index, source, False)])
        assert [why(each) for each, _ in found] == [Drop.MAPPED_TO_DROP, None]
