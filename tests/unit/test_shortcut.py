"""Decisions from memory are those that the relay would make."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxerelay.batch import SLOT, Batch, Room, client_number, number, room_size
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
RIS = "10.20.0.10"


MEMORY = bytearray(room_size(30))
ROOM = Room(MEMORY)


def batch_of(arrivals: list[Arrival]) -> Batch:
    """Put datagrams into a room that holds the octets of earlier ones, as the inbox does."""
    for (slot, rest), (octets, *_) in zip(ROOM.places, arrivals, strict=False):
        MEMORY[slot : slot + min(SLOT, len(octets))] = octets[:SLOT]
        MEMORY[rest : rest + len(octets[SLOT:])] = octets[SLOT:]
    return Batch(
        ROOM,
        [len(octets) for octets, *_ in arrivals],
        [number(source) for _, _, source, _ in arrivals],
        [index for _, index, *_ in arrivals],
        [number(ip("10.10.10.1")) for _ in arrivals],
        [number(ip("10.10.10.1" if unicast else "255.255.255.255")) for *_, unicast in arrivals],
    )


def outcomes(short: Shortcuts, arrivals: list[Arrival]) -> list[tuple[Decision, bytes]]:
    """Return what becomes of each datagram of a batch and how it is patched, in their order."""
    batch = batch_of(arrivals)
    known, rest = short.take(batch)
    found: dict[int, Decision] = {id(batch.messages[at]): short.decide(batch, at) for at in rest}
    for way, messages in known.groups.items():
        assert len({len(each) for each in messages}) == 1
        found.update((id(each), way.decision) for each in messages)
    for index, replies in known.replies.items():
        port = next(port for port in short._relay.ports if port.index == index)
        for answer, address, hardware in replies:
            found[id(answer)] = ToClient(port, address.to_bytes(4, sys.byteorder), hardware)
    taken = [octets for at, octets in enumerate(batch.messages) if at not in rest]
    assert known.clients == [client_number(octets) for octets in taken if octets[0] == 1]
    assert len(found) == len(arrivals), "each is in one place"
    return [(found[id(each)], bytes(each)) for each in batch.messages]


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
def test_a_client_like_one_that_was_met_is_not_judged_again(
    name: str, options: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Shortcuts(relay(CONFIGS[name]))
    other = message(options=options, hops=2, chaddr="02:00:00:00:00:02")
    ((first, _),) = outcomes(short, [(message(options=options), VLAN10, ip("0.0.0.0"), False)])
    monkeypatch.delattr(Relay, "decide")
    ((second, patched),) = outcomes(short, [(other, VLAN10, ip("0.0.0.0"), False)])
    assert isinstance(first, ToServers)
    assert second == first
    assert (patched[3], patched[24:28]) == (3, ip("10.10.10.1"))


def test_replies_of_a_server_that_was_met_are_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Shortcuts(relay())
    answers = [(reply(yiaddr=f"10.10.10.{at}"), CORE, ip("10.20.0.10"), True) for at in (70, 71)]
    outcomes(short, answers[:1])
    monkeypatch.delattr(Relay, "decide")
    ((decision, _),) = outcomes(short, answers[1:])
    assert isinstance(decision, ToClient)
    assert (decision.address, decision.hardware) == (ip("10.10.10.71"), mac("02:00:00:00:00:01"))


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.shortcut._CLIENTS", 10)
    monkeypatch.setattr("pxerelay.shortcut._WAYS", 10)
    short = Shortcuts(relay())
    for last in range(100):
        asking = request(chaddr=f"02:00:00:00:00:{last:02x}", giaddr=f"10.30.0.{last}")
        answer = reply(giaddr="10.10.20.1" if last % 2 else "10.10.10.1")
        outcomes(short, [(asking, CORE, ip(f"10.30.0.{last}"), True), (answer, 100 + last, ip(RIS), True)])
        assert max(len(short._rules), len(short._ways), len(short._exits)) <= 10


def test_what_is_left_out_is_what_is_too_much() -> None:
    short = Shortcuts(relay())
    batch = [
        (request(chaddr=f"02:00:00:00:00:{last}"), VLAN10, ip("0.0.0.0"), False)
        for last in ("01", "02", "01", "03", "01")
    ]
    outcomes(short, batch)
    known, rest = short.take(batch_of(batch))
    assert not rest
    client = client_number(batch[0][0])
    assert known.leave_out({client: 2}) == 2
    left = [bytes(message[28:34]).hex() for messages in known.groups.values() for message in messages]
    assert sorted(left) == ["020000000001", "020000000002", "020000000003"]
