"""Questions of our own: who is told of which reply, and that clients get none of them."""

from __future__ import annotations

from pxerelay.relay.decision import Drop, Dropped
from pxerelay.relay.questions import Questions, ReceivedReply, heard
from pxerelay.wire import packet
from tests.unit.batches import batch_of
from tests.unit.configs import CORE
from tests.unit.messages import ip, reply, request

SERVER = ip("10.20.0.10")
ANSWER = reply()
TRANSACTION = packet.transaction(ANSWER)


def told(message: bytearray = ANSWER) -> ReceivedReply | None:
    return heard(batch_of([(message, CORE, SERVER, True)]), 0, Dropped(Drop.NOT_A_SERVER))


def test_who_asked_is_told_all_of_a_reply() -> None:
    questions, seen = Questions(), list[tuple[bytes, bytes, int, object]]()

    def take(one: ReceivedReply) -> bool:
        seen.append((one.source, one.destination, one.interface, one.decision))
        return True

    questions.begin(TRANSACTION, "probe", take)
    assert questions.take(told())
    assert seen == [(SERVER, ip("10.10.10.1"), CORE, Dropped(Drop.NOT_A_SERVER))]


def test_what_is_not_taken_is_for_others() -> None:
    questions = Questions()
    assert not questions
    assert not questions.take(told())
    questions.begin(TRANSACTION, "probe", lambda _: False)
    assert questions
    assert not questions.take(told())


def test_a_request_and_half_a_message_are_no_replies() -> None:
    questions = Questions()
    questions.begin(packet.transaction(request()), "probe", lambda _: True)
    assert not questions.take(told(request()))
    assert not questions.take(told(ANSWER[:200]))


def test_a_late_reply_goes_to_nobody_until_its_question_is_forgotten() -> None:
    questions = Questions()
    questions.begin(TRANSACTION, "probe", lambda _: False)
    assert questions.end(TRANSACTION)
    assert not questions.end(TRANSACTION), "it was over"
    assert questions.take(told())
    questions.forget(TRANSACTION)
    assert not questions
    assert not questions.take(told())


def test_each_asker_has_its_own_bound() -> None:
    questions = Questions()
    for number in range(3):
        questions.begin((bytes(4), bytes((number,))), "probe", lambda _: True)
    questions.begin((bytes(4), b"\7"), "survey", lambda _: True)
    assert (questions.of("probe"), questions.of("survey"), questions.of("healthcheck")) == (3, 1, 0)
    questions.end((bytes(4), b"\7"))
    assert questions.of("survey") == 0


def test_only_what_may_be_a_reply_is_set_aside() -> None:
    questions = Questions()
    other = bytearray(ANSWER)
    other[packet.XID] = b"else"
    arrivals = [(message, CORE, SERVER, True) for message in (other, ANSWER, other)]
    assert questions.among(batch_of(arrivals)) == []
    questions.begin(TRANSACTION, "probe", lambda _: True)
    assert questions.among(batch_of(arrivals)) == [1]
    questions.end(TRANSACTION)
    assert questions.among(batch_of(arrivals)) == [1], "its reply may still come"
    questions.forget(TRANSACTION)
    assert questions.among(batch_of(arrivals)) == []
