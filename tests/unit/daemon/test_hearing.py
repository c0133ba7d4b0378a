"""Listening for a message that somebody else sends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pxerelay.daemon import hearing6
from pxerelay.daemon.hearing import HearingError, Sound, listen, read
from pxerelay.relay import questions6
from pxerelay.relay.decision import Drop, Dropped
from pxerelay.relay.decision6 import Arrival6, Drop6, Dropped6
from pxerelay.relay.questions import Questions, ReceivedReply
from pxerelay.relay.questions6 import Questions6
from pxerelay.wire import packet, probe, probe6
from tests.unit.configs6 import CLIENT, heard, relay6, routed, why
from tests.unit.messages import ip, mac
from tests.unit.messages6 import GROUP, RELAY_REPL

SOUND = Sound(b"abcd", mac("02:00:00:00:00:01"), 2, 5.0)
SOUND6 = Sound(b"abc", mac("02:00:00:00:00:01"), 2, 5.0, 6)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"xid": "00"}, {"xid": "x"}, {"chaddr": ""}, {"count": "many"}, {"seconds": "nan"}),
        *({"seconds": None}, {"family": 6}, {"family": 5}, {"family": "four"}),
    ],
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


def test_a_request_of_dhcpv6_has_an_xid_of_three_octets() -> None:
    assert read(SOUND6.plain()) == SOUND6
    with pytest.raises(HearingError):
        read({**SOUND6.plain(), "family": 4})
    old = SOUND.plain()
    del old["family"]
    assert read(old) == SOUND, "a command of before says none"


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


def test_in_dhcpv6_too_and_what_others_say_is_not_taken() -> None:
    questions = Questions6()

    def heard(interface: int, xid: bytes = SOUND6.xid) -> bool:
        arrival = Arrival6(probe6.sound(SOUND6.chaddr, xid), interface, CLIENT, 546, GROUP)
        return questions.take(questions6.heard(arrival, Dropped6(Drop6.NOT_A_SERVER)))

    async def main() -> list[str]:
        named = {10: "vlan10", 20: "vlan20"}.__getitem__
        listening = asyncio.ensure_future(hearing6.listen(questions, named, SOUND6))
        await asyncio.sleep(0)
        assert heard(10)
        assert not heard(20, b"xyz")
        await asyncio.sleep(0.05)
        assert not listening.done()
        assert heard(20)
        return await asyncio.wait_for(listening, 20.0)

    assert asyncio.run(main()) == ["vlan10", "vlan20"]


def test_a_sound_of_dhcpv6_is_dropped_by_relays() -> None:
    octets = probe6.sound(SOUND6.chaddr, SOUND6.xid)
    assert octets[0] == RELAY_REPL
    for arrival in (heard(octets), routed(octets)):
        assert why(relay6().decide(arrival)) is Drop6.NOT_A_SERVER


def test_a_sound_is_a_reply_that_asks_nobody_for_anything() -> None:
    message = probe.sound(SOUND.chaddr, SOUND.xid)
    assert message[packet.OP] == packet.BOOTREPLY
    assert message[packet.GIADDR] == message[packet.YIADDR] == packet.UNSET
    assert bytes(message[packet.HEADER_SIZE :]).rstrip(b"\0") == packet.MAGIC_COOKIE + b"\xff"
    assert len(message) == 300
