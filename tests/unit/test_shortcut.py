"""Decisions from memory are those that the relay would make."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxerelay import packet
from pxerelay.packet import Datagram
from pxerelay.relay import Decision, Relay, ToClient, ToServers
from pxerelay.shortcut import Shortcuts
from tests.unit.configs import CORE, STANDARD, VLAN10, VLAN20, relay
from tests.unit.messages import ip, mac, message, option, reply, request

CONFIGS = {
    "rules only": STANDARD,
    "pxe_only": STANDARD + "dhcp_servers: [dhcp]\npxe_only: true\n",
    "classes": STANDARD
    + "classes: [{name: uefi, vendor_class: HTTPClient, arch: [7, 16], server: altiris}]\n",
    "one VLAN's own": STANDARD.replace("vlan10: {}", "vlan10: {pxe_only: true}"),
    "option 82": STANDARD + "option82: {circuit_id: '{interface}'}\n",
    "source": STANDARD + "source_address: giaddr\nmax_hops: 16\n",
}

CLIENTS = [
    *("00:11:22:33:44:55", "00:80:64:00:00:01", "52:54:00:12:34:56"),
    *("de:ad:be:ef:00:01", "02:00:00:00:00:01", "02:00:00:00:00:02"),
]
OPTIONS = [
    b"",
    b"\xff",
    option(60, b"PXEClient:Arch:00000") + b"\xff",
    option(60, b"HTTPClient") + option(93, b"\0\x10") + b"\xff",
    option(93, b"\0\7\0\x10") + option(60, b"HTTPClient") + b"\xff",
    option(60, b"HTTP") + option(93, b"\0\7") + option(60, b"Client") + b"\xff",  # split
    option(52, b"\1") + option(93, b"\0\7") + b"\xff",  # overload
    option(60, b"PXEClient")[:-3],  # malformed
    option(53, b"\1") + option(60, b"") + option(60, b"PXEClient") + b"\xff",
    b"\0\0" + option(60, b"PXEClient"),  # no END
]
TYPES = [
    option(53, b"\5") + b"\xff",
    option(53, b"\6") + b"\xff",
    option(53, b"\2") + option(53, b"\6") + b"\xff",
    option(53, b"") + option(53, b"\6") + b"\xff",
    option(12, b"name") + option(53, b"\6") + b"\xff",
    option(53, b"\6")[:2],
]
FILES = [b"", option(60, b"HTTPClient") + b"\xff"]

requests = st.builds(
    message,
    op=st.sampled_from([1, 1, 1, 1, 0]),
    htype=st.sampled_from([1, 1, 1, 6]),
    hlen=st.sampled_from([6, 6, 6, 0, 16, 17]),
    hops=st.sampled_from([0, 0, 1, 4, 5, 16, 17]),
    giaddr=st.sampled_from(["0.0.0.0", "0.0.0.0", "10.30.0.1", "10.10.10.1"]),
    chaddr=st.sampled_from(CLIENTS),
    options=st.sampled_from([None, *OPTIONS]),
    file=st.sampled_from(FILES),
    pad=st.sampled_from([0, 300]),
)
replies = st.builds(
    message,
    op=st.just(2),
    htype=st.sampled_from([1, 1, 1, 6]),
    hlen=st.sampled_from([6, 6, 6, 0, 16, 17]),
    hops=st.sampled_from([0, 3, 255]),
    flags=st.sampled_from([0, 0, 0x8000, 0x7FFF]),
    ciaddr=st.sampled_from(["0.0.0.0", "0.0.0.0", "10.10.10.77"]),
    yiaddr=st.sampled_from(["10.10.10.78", "10.10.10.79", "0.0.0.0"]),
    giaddr=st.sampled_from(["10.10.10.1", "10.10.20.1", "10.30.0.1"]),
    chaddr=st.sampled_from(CLIENTS),
    options=st.sampled_from([*OPTIONS, *TYPES]),
    pad=st.sampled_from([0, 300]),
)
arrivals = st.tuples(
    st.one_of(requests, replies),
    st.sampled_from([VLAN10, VLAN20, CORE, 99]),
    st.sampled_from([ip("0.0.0.0"), ip("10.30.0.1"), ip("192.0.2.1"), ip("10.20.0.10"), ip("10.20.0.20")]),
    st.booleans(),
)
Arrival = tuple[bytearray, int, bytes, bool]


def datagram(octets: bytearray, index: int, source: bytes, unicast: bool = False) -> Datagram:
    destination = ip("10.10.10.1") if unicast else ip("255.255.255.255")
    return memoryview(octets), (source,), (28, index, ip("10.10.10.1"), destination)


def outcomes(short: Shortcuts, batch: list[Arrival]) -> list[tuple[Decision, bytes]]:
    """Return what becomes of each datagram of a batch and how it is patched, in their order."""
    copies = [(bytearray(octets), index, source, unicast) for octets, index, source, unicast in batch]
    datagrams = [datagram(*copy) for copy in copies]
    known, rest = short.take(datagrams)
    found: dict[int, Decision] = {id(each[0]): short.decide(each) for each in rest}
    for (way, size), messages in known.groups.items():
        assert all(len(each) == size for each in messages)
        found.update((id(each), way.decision) for each in messages)
    for answer, index, address, hardware in known.replies:
        port = next(port for port in short._relay.ports if port.index == index)
        found[id(answer)] = ToClient(port, address, hardware)
    taken = [octets for octets, *_ in datagrams if all(octets is not other for other, *_ in rest)]
    assert known.clients == [bytes(octets[28:44]) for octets in taken if octets[0] == 1]
    assert len(found) == len(batch), "each is in one place"
    return [(found[id(each[0])], bytes(each[0])) for each in datagrams]


@pytest.mark.parametrize("name", CONFIGS)
@settings(deadline=None)
@given(st.lists(arrivals, min_size=1, max_size=30))
def test_shortcuts_decide_as_the_relay_does(name: str, batch: list[Arrival]) -> None:
    plain, short = relay(CONFIGS[name]), Shortcuts(relay(CONFIGS[name]))
    expected = []
    for octets, index, source, unicast in batch:
        patched = bytearray(octets)
        expected.append((plain.decide(patched, index, source, unicast), bytes(patched)))
    for _ in range(3):  # from the second time on from memory, if it may
        assert outcomes(short, batch) == expected


@pytest.mark.parametrize(
    ("name", "options"),
    [("rules only", option(60, b"HTTPClient") + b"\xff"), ("pxe_only", option(60, b"PXEClient") + b"\xff")],
)
def test_a_client_that_was_met_is_not_judged_again(
    name: str, options: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Shortcuts(relay(CONFIGS[name]))
    ((first, _),) = outcomes(short, [(message(options=options), VLAN10, ip("0.0.0.0"), False)])
    monkeypatch.delattr(Relay, "judge")
    ((second, patched),) = outcomes(short, [(message(options=options, hops=2), VLAN10, ip("0.0.0.0"), False)])
    assert isinstance(first, ToServers)
    assert second == first
    assert (patched[3], patched[24:28]) == (3, ip("10.10.10.1"))


def test_replies_of_a_server_that_was_met_are_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Shortcuts(relay())
    answers = [(reply(yiaddr=f"10.10.10.{at}"), CORE, ip("10.20.0.10"), True) for at in (70, 71)]
    outcomes(short, answers[:1])
    monkeypatch.delattr(Relay, "judge")
    ((decision, _),) = outcomes(short, answers[1:])
    assert isinstance(decision, ToClient)
    assert (decision.address, decision.hardware) == (ip("10.10.10.71"), mac("02:00:00:00:00:01"))


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.shortcut._LARGEST", 10)
    short = Shortcuts(relay())
    for number in range(100):
        outcomes(short, [(request(chaddr=f"02:00:00:00:00:{number:02x}"), VLAN10, ip("0.0.0.0"), False)])
        assert len(short._memories[VLAN10]) <= 10


def test_what_is_left_out_is_what_is_too_much() -> None:
    short = Shortcuts(relay())
    batch = [
        (request(chaddr=f"02:00:00:00:00:{last}"), VLAN10, ip("0.0.0.0"), False)
        for last in ("01", "02", "01", "03", "01")
    ]
    outcomes(short, batch)
    known, rest = short.take([datagram(*each) for each in batch])
    assert not rest
    client = bytes(batch[0][0][28:44])
    assert known.leave_out({client: 2}) == 2
    left = [bytes(message[28:34]).hex() for messages in known.groups.values() for message in messages]
    assert sorted(left) == ["020000000001", "020000000002", "020000000003"]


@given(st.binary(max_size=80), st.integers(0, 2))
def test_boot_facts_are_what_the_options_say(area: bytes, seed: int) -> None:
    chance = random.Random(seed)
    parts = [
        option(chance.choice([12, 52, 53, 60, 93, 0, 255]), area[at : at + 9])
        for at in range(0, len(area), 9)
    ]
    octets = message(options=b"".join(parts) + area[:5], pad=0)
    facts = packet.boot_facts(octets)
    if facts is not None:
        found = packet.options(octets)
        assert facts == (found.get(60, b""), found.get(93, b""))


@given(st.binary(max_size=40), st.sampled_from([b"", option(53, b"\6"), option(53, b"\5"), option(53, b"")]))
def test_a_refusal_is_told_as_the_options_say(area: bytes, first: bytes) -> None:
    octets = message(op=2, options=first + area, pad=0)
    assert packet.is_nak(octets) == (packet.message_type(packet.readable_options(octets)) == packet.DHCPNAK)
