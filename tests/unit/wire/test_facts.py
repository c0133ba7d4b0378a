"""What a message says is read once, and within a bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.policy.pools import ALL_UP
from pxerelay.policy.sticky import StickyClients
from pxerelay.relay.fast_path import FastPath
from pxerelay.relay.ledger import Ledger
from pxerelay.relay.pipeline import Decided
from pxerelay.relay.trace_view import View4
from pxerelay.wire import facts as module
from pxerelay.wire import packet
from pxerelay.wire.facts import MOST_OF_REPLY, MOST_OF_REQUEST, Facts
from tests.unit.batches import Arrival, batch_of
from tests.unit.configs import CORE, LINKS, STANDARD, VLAN10, relay
from tests.unit.messages import ip, message, option, reply, request

EVERYTHING = (
    STANDARD.replace("[10.20.0.20, 10.20.0.21]", "{addresses: [10.20.0.20, 10.20.0.21], strategy: failover}")
    + "pxe_only: true\ndhcp_servers: [altiris]\nclasses: [{name: uefi, arch: [7], server: altiris}]\n"
    + "option82: {circuit_id: '{interface}'}\n"
)
"""Whatever looks at options is asked for."""


@pytest.mark.parametrize("what", ["request", "reply", "nak"])
def test_rule_34_options_are_walked_once_whoever_wants_to_know(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mapping, pools, option 82, the counters, a client that no rule names, and a trace of it."""
    sticky = StickyClients()
    coming: Arrival = request(arch=7), VLAN10, ip("0.0.0.0"), False
    if what != "request":
        coming = reply(kind=6 if what == "nak" else 5), CORE, ip("10.20.0.10"), True
    sticky.met((Facts(coming[0]).client_key,))
    sticky.keep(ALL_UP, 0.0)
    one = relay(EVERYTHING, LINKS, sticky=sticky)
    ledger, fast_path, names = Ledger(), FastPath(one), {link.index: link.name for link in LINKS}
    ledger.obey(one, names)
    view = View4(one, names)
    walked: list[int] = []

    def walk(area: bytes, most: int) -> list[tuple[int, int, int]]:
        walked.append(most)
        return packet.walk(area, most)

    monkeypatch.setattr(module, "walk", walk)
    batch = batch_of([coming])
    facts = Facts(batch.messages[0])
    outcome = fast_path.decide(batch, 0, facts)
    assert outcome.decision
    ledger.enter(batch, Decided([outcome]), 7.0)
    assert view.account(facts, coming[1], coming[2], outcome.decision).xid
    assert len(walked) == 1


def many(count: int, *, pads: bool = False) -> bytes:
    return (b"\0" * pads + option(224, b"")) * count


@pytest.mark.parametrize("pads", [False, True])
def test_rule_34_a_message_with_too_many_options_matches_by_mac_only(pads: bool) -> None:
    """They are in front of option 60 here, and what stands there is not read any more."""
    within = (MOST_OF_REQUEST - 1) // (1 + pads)
    fine = Facts(message(options=many(within, pads=pads) + option(60, b"PXEClient") + b"\xff"))
    assert (fine.is_pxe, fine.damaged) == (True, False)
    beyond = Facts(message(options=many(within + 1, pads=pads) + option(60, b"PXEClient") + b"\xff"))
    assert (beyond.is_pxe, beyond.damaged, beyond.options, beyond.end) == (False, True, {}, None)
    assert beyond.carries_agent, "what is not read may be an option 82"


def test_rule_34_pads_behind_the_last_option_are_no_options() -> None:
    facts = Facts(message(options=many(MOST_OF_REQUEST) + bytes(100)))
    assert not facts.damaged
    assert facts.end == (packet.OPTIONS + 2 * MOST_OF_REQUEST + 100, False)


def test_rule_34_the_bound_is_one_for_all_areas() -> None:
    facts = Facts(
        message(
            options=option(52, b"\3") + many(MOST_OF_REQUEST - 5) + b"\xff",
            file=many(2) + option(60, b"PXEClient") + b"\xff",
            sname=option(93, b"\0\7") + b"\xff",
        )
    )
    assert facts.damaged
    assert packet.vendor_class(facts.legible) == b"PXEClient"
    assert 93 not in facts.legible


def test_rule_34_a_servers_answer_may_have_every_option() -> None:
    whole = many(200) + option(82, option(1, b"vlan10")) + b"\xff"
    assert [found.value for found in Facts(message(op=2, options=whole)).agents] == [option(1, b"vlan10")]
    assert len(many(MOST_OF_REPLY)) < 1232


def test_rule_35_clients_are_told_apart_by_octets_of_no_length_but_their_own() -> None:
    """A client without 6 octets of hardware address takes no place of one that has them."""
    named = Facts(request(chaddr="02:00:00:00:00:01"))
    assert named.client_key == bytes.fromhex("020000000001")
    others = [
        Facts(request(chaddr="02:00:00:00:00:01", hlen=16)),
        Facts(request(chaddr="02:00:00:00:00:01", hlen=4)),
        Facts(request(hlen=0, extra=option(61, bytes.fromhex("020000000001")))),
        Facts(request(hlen=0)),
    ]
    keys = {one.client_key for one in others}
    assert len(keys) == len(others)
    assert all(isinstance(key, bytes) and len(key) > 6 for key in keys)


@given(st.binary(max_size=400), st.integers(0, 300))
def test_rule_34_no_walk_is_longer_than_its_bound(octets: bytes, most: int) -> None:
    found = packet.walk(octets, most)
    assert len(found) <= most + 1
    assert [begin for _, begin, _ in found] == sorted({begin for _, begin, _ in found})
    assert all(end <= len(octets) for _, _, end in found[:-1])
