"""Listening for a message that somebody else sends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pxerelay.daemon.hearing import HearingError, Sound, listen, read
from pxerelay.relay.decision import Drop, Dropped
from pxerelay.relay.questions import Questions, ReceivedReply
from pxerelay.wire import packet, probe
from tests.unit.messages import ip, mac

SOUND = Sound(b"abcd", mac("02:00:00:00:00:01"), 2, 5.0)


@pytest.mark.parametrize(
    "wrong",
    [{"xid": "00"}, {"xid": "x"}, {"chaddr": ""}, {"count": "many"}, {"seconds": "nan"}, {"seconds": None}],
)
def test_a_request_that_makes_no_sense_is_told(wrong: dict[str, Any]) -> None:
    assert read(SOUND.plain()) == SOUND
    with pytest.raises(HearingError):
        read({**SOUND.plain(), **wrong})
    with pytest.raises(HearingError):
        read({"xid": "61626364"})


def test_nobody_listens_for_longer_than_ten_seconds() -> None:
    assert read({**SOUND.plain(), "seconds": 1e9}).seconds == 10.0
    assert read({**SOUND.plain(), "seconds": -1}).seconds == 0.0


def test_it_ends_when_the_message_was_heard_everywhere_and_the_message_is_taken() -> None:
    questions = Questions()
    message = probe.sound(SOUND.chaddr, SOUND.xid)

    def heard(interface: int) -> bool:
        reply = ReceivedReply(
            message, ip("0.0.0.1"), ip("255.255.255.255"), interface, Dropped(Drop.NOT_A_SERVER)
        )
        return questions.take(reply)

    async def main() -> list[str]:
        listening = asyncio.ensure_future(listen(questions, {10: "vlan10", 20: "vlan20"}.__getitem__, SOUND))
        await asyncio.sleep(0)
        assert heard(10)
        assert heard(10)
        await asyncio.sleep(0.05)
        assert not listening.done()
        assert heard(20)
        found = await asyncio.wait_for(listening, 1.0)
        assert heard(10), "what comes late is nobody's"
        return found

    assert asyncio.run(main()) == ["vlan10", "vlan20"]


def test_a_sound_is_a_reply_that_asks_nobody_for_anything() -> None:
    message = probe.sound(SOUND.chaddr, SOUND.xid)
    assert message[packet.OP] == packet.BOOTREPLY
    assert message[packet.GIADDR] == message[packet.YIADDR] == packet.UNSET
    assert bytes(message[packet.HEADER_SIZE :]).rstrip(b"\0") == packet.MAGIC_COOKIE + b"\xff"
    assert len(message) == 300
