"""What must hold for any octets that arrive at port 67, and a relay to hold it against.

The first octet of an input chooses the relay and where the datagram comes from; the rest is the datagram.
"""

from __future__ import annotations

from pxerelay import agentinfo, packet
from pxerelay.frames import reply_packets
from pxerelay.relay import Drop, ToClient, ToServers
from pxerelay.words import Narrator
from tests.unit.configs import CORE, STANDARD, VLAN10, VLAN20, relay
from tests.unit.messages import ip

MORE = """
dhcp_servers: dhcp
pxe_only: true
classes: [{name: uefi, arch: 7, vendor_class: PXEClient, server: dhcp}]
option82: {circuit_id: "{interface}", remote_id: relay, server_override: true, trusted: [vlan20]}
"""
RELAYS = tuple(relay(text) for text in (STANDARD, STANDARD + MORE))
NARRATORS = tuple(map(Narrator, RELAYS))
NAMES = {CORE: "core", VLAN10: "vlan10", VLAN20: "vlan20", 99: "eth9"}
ARRIVALS = (
    (VLAN10, "0.0.0.0"),
    (VLAN20, "0.0.0.0"),
    (CORE, "10.20.0.10"),
    (CORE, "10.30.0.1"),
    (CORE, "10.99.0.1"),
    (99, "0.0.0.0"),
)


def check(octets: bytes) -> None:
    """Relay one datagram; AssertionError, or whatever the relay raises, if something does not hold."""
    if not octets:
        return
    which, (index, source) = octets[0] % 2, ARRIVALS[octets[0] // 2 % len(ARRIVALS)]
    one, before = RELAYS[which], octets[1:]
    message = bytearray(before)
    decision = one.decide(message, index, ip(source), octets[0] >= 128)
    line = NARRATORS[which].tell(message, NAMES[index], ip(source), decision)
    assert line.isprintable(), "nothing a client sends may shape the log"
    if isinstance(decision, Drop):
        assert message == before, "what is dropped is not patched"
    elif isinstance(decision, ToServers):
        _check_request(before, message, decision)
    else:
        _check_reply(before, message, decision)


def _check_request(before: bytes, message: bytearray, decision: ToServers) -> None:
    assert before[packet.OP] == packet.BOOTREQUEST
    assert decision.servers
    assert message[packet.HOPS] == before[packet.HOPS] + 1 <= 5
    assert message[packet.GIADDR] != packet.UNSET
    assert before[packet.GIADDR] in (packet.UNSET, bytes(message[packet.GIADDR]))
    for same in (slice(0, 3), slice(4, 24), slice(28, None)):
        assert message[same] == before[same]
    if decision.message is not None:
        place = agentinfo.find(decision.message)
        assert place
        assert place.info
        assert len(decision.message) <= 1472
        cut = decision.message[: place.info.start] + decision.message[place.info.stop :]
        assert cut in (bytes(message), bytes(message) + b"\xff")


def _check_reply(before: bytes, message: bytearray, decision: ToClient) -> None:
    assert before[packet.OP] == packet.BOOTREPLY
    assert message == before
    assert decision.port.address
    sent = decision.message or before
    assert sent[: packet.HEADER_SIZE] == before[: packet.HEADER_SIZE]
    for whole in reply_packets(sent, decision.port.address.packed, decision.address, 576, 1):
        assert len(whole) <= 576
