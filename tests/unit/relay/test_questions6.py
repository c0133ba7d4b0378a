"""Questions of our own in DHCPv6: who is told of which reply, and that clients get none of them."""

from __future__ import annotations

import pytest

from pxerelay.relay import questions6
from pxerelay.relay.decision6 import Drop6, Dropped6, ToPeer
from pxerelay.relay.ledger6 import Ledger6
from pxerelay.relay.pipeline6 import Pipeline6
from pxerelay.relay.questions6 import ReceivedReply6
from pxerelay.relay.transactions6 import Transaction6, transaction
from pxerelay.wire.facts6 import Facts6
from tests.unit.configs6 import LINKS, RIS, STRANGER, answered, heard, relay6, why
from tests.unit.messages6 import ADVERTISE, DUID, XID, boot, message, relayed

ASKED = transaction(Facts6(boot()))
ANSWER = answered(message(ADVERTISE))


def pipeline() -> Pipeline6:
    made = Pipeline6(16)
    made.obey(relay6())
    return made


def test_who_asked_is_told_and_no_client() -> None:
    one, told = pipeline(), list[ReceivedReply6]()
    assert Transaction6(XID, DUID, looks_for_servers=True) == ASKED

    def take(reply: ReceivedReply6) -> bool:
        told.append(reply)
        return True

    one.questions.begin(ASKED, "probe", take)
    other = answered(b"\x02\x99\x99\x99" + message(ADVERTISE)[4:])
    found = one.decide([heard(boot()), ANSWER, other], 1.0)
    assert [outcome.taken for outcome in found] == [False, True, False]
    (reply,) = told
    assert (reply.arrival.source, reply.facts.kind) == (RIS, ADVERTISE)
    assert isinstance(reply.decision, ToPeer)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_an_answer_is_found_in_all_layers(layers: int) -> None:
    inside = message(ADVERTISE)
    for _ in range(layers - 1):
        inside = relayed(inside, kind=13)
    one = pipeline()
    one.questions.begin(ASKED, "probe", lambda _: True)
    (outcome,) = one.decide([answered(inside)], 1.0)
    assert outcome.taken


def test_an_answer_from_a_stranger_is_told_as_what_it_is() -> None:
    one, told = pipeline(), list[ReceivedReply6]()

    def take(reply: ReceivedReply6) -> bool:
        told.append(reply)
        return True

    one.questions.begin(ASKED, "survey", take)
    one.decide([ANSWER._replace(source=STRANGER)], 1.0)
    assert [why(reply.decision) for reply in told] == [Drop6.NOT_A_SERVER]


def test_what_is_not_taken_is_relayed() -> None:
    one = pipeline()
    one.questions.begin(ASKED, "probe", lambda _: False)
    (outcome,) = one.decide([ANSWER], 1.0)
    assert not outcome.taken


def test_a_late_answer_goes_to_nobody_until_its_question_is_forgotten() -> None:
    one = pipeline()
    one.questions.begin(ASKED, "probe", lambda _: True)
    assert one.questions.end(ASKED)
    assert one.decide([ANSWER], 1.0)[0].taken
    one.questions.forget(ASKED)
    assert not one.decide([ANSWER], 1.0)[0].taken


def test_a_request_and_half_a_message_are_no_replies() -> None:
    for arrival in (heard(boot()), ANSWER._replace(message=ANSWER.message[:30]), heard(b"")):
        assert questions6.heard(arrival, Dropped6(Drop6.TRUNCATED)) is None


def test_an_answer_to_a_question_proves_its_server_alive() -> None:
    one, ledger = pipeline(), Ledger6()
    ledger.obey(one._relay, {link.index: link.name for link in LINKS})
    ledger.enter(one.decide([heard(boot())], 1.0), 1.0)
    record = ledger.transactions.record(RIS)
    assert record
    assert record.silent == 1
    one.questions.begin(ASKED, "healthcheck", lambda _: True)
    ledger.enter(one.decide([ANSWER], 2.0), 2.0)
    assert (record.last_reply, record.silent) == (2.0, 0)
    assert ledger.counters.totals()["replies"] == 0, "it went to no client"
