"""Option 82: added, left out, refused, recognised, removed."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.policy.links import Link
from pxerelay.policy.ports import assign
from pxerelay.policy.ways import Way
from pxerelay.relay.askers import Askers
from pxerelay.relay.decision import Drop, ToClient, ToServers
from pxerelay.relay.relay import Relay
from pxerelay.wire import agentinfo
from pxerelay.wire.agentinfo import AgentInfoSetting, info_for
from pxerelay.wire.facts import Facts
from tests.unit.configs import CORE, LEASELESS, LINKS, STANDARD, VLAN10, VLAN20, build, relay, why
from tests.unit.messages import ip, message, option, reply, request

NOBODY, RIS, ROUTER = ip("0.0.0.0"), ip("10.20.0.10"), ip("10.30.0.1")
BOTH = f'{STANDARD}\noption82: {{circuit_id: "{{interface}}", remote_id: relay-1}}'
CIRCUIT = option(82, option(1, b"vlan10") + option(2, b"relay-1"))


def sent(text: str, packet_: bytearray, *, unicast: bool = False, index: int = VLAN10) -> bytes:
    """Return the octets that go to the servers."""
    decision = relay(text).decide(packet_, index, ROUTER if index == CORE else NOBODY, unicast)
    assert isinstance(decision, ToServers)
    return decision.message or bytes(packet_)


def test_rule_10_off_by_default() -> None:
    assert 82 not in Facts(sent(STANDARD, request())).options


def test_rule_10_added_last_before_end_and_nothing_else_changes() -> None:
    before = request()
    end = bytes(before).index(b"\xff", 240)
    whole = sent(BOTH, request())
    assert whole[end : end + len(CIRCUIT)] == CIRCUIT
    without = whole[:end] + whole[end + len(CIRCUIT) :]
    before[3], before[24:28] = 1, ip("10.10.10.1")
    assert without == bytes(before)


def test_rule_10_what_follows_end_is_kept() -> None:
    whole = sent(BOTH, request() + b"after the end")
    assert whole.endswith(b"after the end")


def test_rule_10_a_missing_end_is_put_behind() -> None:
    bare = message(options=option(53, b"\1"), pad=0)
    assert sent(BOTH, bytearray(bare)).endswith(option(53, b"\1") + CIRCUIT + b"\xff")


def test_rule_10_only_where_giaddr_was_0() -> None:
    assert 82 not in Facts(sent(BOTH, request(giaddr="10.30.7.1"), index=CORE)).options


def test_rule_10_a_relayed_request_keeps_the_option_it_has() -> None:
    theirs = option(82, option(1, b"port 7"))
    whole = sent(BOTH, request(giaddr="10.30.7.1", extra=theirs), index=CORE)
    assert Facts(whole).options[82] == theirs[2:]


def test_rule_10_an_option_82_from_an_untrusted_vlan_is_dropped() -> None:
    forged = request(extra=option(82, option(1, b"vlan20")))
    assert why(relay(BOTH).decide(bytearray(forged), VLAN10, NOBODY)) is Drop.FOREIGN_OPTION82
    trusting = BOTH.replace("{circuit_id:", "{trusted: [vlan20], circuit_id:")
    assert why(relay(trusting).decide(bytearray(forged), VLAN10, NOBODY)) is Drop.FOREIGN_OPTION82


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (option(52, b"\1") + b"\xff", {"file": "forged"}),
        (option(52, b"\2") + b"\xff", {"sname": "forged"}),
        (option(52, b"\3") + b"\xff", {"sname": "forged"}),
        ("forged, then damage", {}),
        ("cut off", {}),
    ],
)
def test_rule_10_an_option_82_can_not_be_hidden(options: bytes | str, fields: dict[str, str]) -> None:
    forged = option(82, option(1, b"vlan20"))
    if isinstance(options, str):
        options = option(53, b"\1") + (forged + b"\x0c\xff" if "damage" in options else forged[:-2])
    places = dict.fromkeys(fields, forged + b"\xff")
    hidden = message(options=options, pad=0, file=places.get("file", b""), sname=places.get("sname", b""))
    assert why(relay(BOTH).decide(hidden, VLAN10, NOBODY)) is Drop.FOREIGN_OPTION82
    trusting = BOTH.replace("{circuit_id:", "{trusted: [vlan10], circuit_id:")
    expected = bytearray(hidden)
    expected[3], expected[24:28] = 1, ip("10.10.10.1")
    assert sent(trusting, hidden) == bytes(expected)


@pytest.mark.parametrize("trusted", ["vlan10", '"vlan1*"'])
def test_rule_10_a_trusted_vlan_keeps_its_own_and_gets_none(trusted: str) -> None:
    theirs = option(82, option(1, b"switch port 3"))
    trusting = BOTH.replace("{circuit_id:", f"{{trusted: [{trusted}], circuit_id:")
    whole = sent(trusting, request(extra=theirs))
    assert Facts(whole).options[82] == theirs[2:]
    assert 82 in Facts(sent(trusting, request())).options


def test_rule_10_without_option82_set_it_passes_as_it_is() -> None:
    theirs = option(82, option(1, b"switch port 3"))
    assert Facts(sent(STANDARD, request(extra=theirs))).options[82] == theirs[2:]


@pytest.mark.parametrize("options", [None, bytes((60, 200, 0))], ids=["bootp", "malformed"])
def test_rule_10_where_options_can_not_be_walked_none_is_added(options: bytes | None) -> None:
    odd = message(options=options, pad=0 if options else 300)
    expected = bytearray(odd)
    expected[3], expected[24:28] = 1, ip("10.10.10.1")
    assert sent(BOTH, odd) == bytes(expected)


@pytest.mark.parametrize(("size", "there"), [(1500 - 28 - 17, True), (1500 - 28 - 16, False), (3000, False)])
def test_rule_11_a_message_too_large_for_the_mtu_goes_without(size: int, there: bool) -> None:
    assert len(CIRCUIT) == 19
    large = message(options=option(53, b"\1") + b"\xff", pad=size - 2)
    decision = relay(BOTH).decide(large, VLAN10, NOBODY)
    assert isinstance(decision, ToServers)
    assert (decision.message is not None, decision.too_large) == (there, not there)


@pytest.mark.parametrize(("mtu", "there"), [(300 + 28 + 19, True), (300 + 28 + 18, False)])
def test_rule_11_the_mtu_is_that_of_the_links_there_are(mtu: int, there: bool) -> None:
    links = tuple(link._replace(mtu=mtu) if link.index == CORE else link for link in LINKS)
    decision = relay(BOTH, links).decide(message(pad=300), VLAN10, NOBODY)
    assert isinstance(decision, ToServers)
    assert (decision.message is not None, decision.too_large) == (there, not there)


@pytest.mark.parametrize(("limit", "there"), [(600 + 28 + 19, True), (600 + 28 + 18, False)])
def test_rule_11_a_client_that_takes_less_goes_without(limit: int, there: bool) -> None:
    small = message(options=option(57, limit.to_bytes(2, "big")) + b"\xff", pad=600)
    decision = relay(BOTH).decide(small, VLAN10, NOBODY)
    assert isinstance(decision, ToServers)
    assert (decision.message is not None, decision.too_large) == (there, not there)


@pytest.mark.parametrize("limit", [0, 300, 575])
@pytest.mark.parametrize(("size", "there"), [(576 - 28 - 19, True), (576 - 28 - 18, False)])
def test_rule_37_a_client_takes_576_octets_whatever_less_it_says(limit: int, size: int, there: bool) -> None:
    one = message(options=option(57, limit.to_bytes(2, "big")) + b"\xff", pad=size)
    decision = relay(BOTH).decide(one, VLAN10, NOBODY)
    assert isinstance(decision, ToServers)
    assert (decision.message is not None, decision.too_large) == (there, not there)


def test_rule_37_where_option_82_is_required_a_request_without_room_is_dropped_and_not_patched() -> None:
    text = BOTH.replace("{circuit_id", "{required: true, circuit_id")
    for odd in (message(pad=1500), message(options=option(60, b"PXEClient")[:-3], pad=0)):
        before = bytes(odd)
        assert why(relay(text).decide(odd, VLAN10, NOBODY)) is Drop.NO_ROOM_FOR_OPTION82
        assert odd == before
    fine = relay(text).decide(request(), VLAN10, NOBODY)
    assert isinstance(fine, ToServers)
    assert fine.message


def test_rule_38_the_room_is_what_the_way_to_the_server_carries() -> None:
    """Not what some other link does; of several servers the one with the least counts."""
    narrow = (*LINKS, Link(7, "ifb0", up=True, mtu=576, addresses=(IPv4Address("10.66.0.1"),)))
    mtus = {RIS: 1500, ip("10.20.0.20"): 1500, ip("10.20.0.21"): 700}
    asked: list[tuple[bytes, int]] = []

    def way_to(server: bytes, vrf: int) -> Way | None:
        asked.append((server, vrf))
        return Way(CORE, mtus[server])

    built = build(BOTH)
    one = Relay(built, assign(built, narrow), narrow, way_to=way_to)
    for index, there in ((VLAN10, True), (VLAN20, False)):
        decision = one.decide(message(pad=690), index, NOBODY)
        assert isinstance(decision, ToServers)
        assert (decision.message is not None) is there
    assert asked[0] == (RIS, 0)


def test_rule_12_all_sub_options() -> None:
    text = f"""{LEASELESS}
option82:
  circuit_id: "{{interface}}@{{giaddr}}"
  remote_id: "{{hostname}}"
  link_selection: true
  server_override: true
  relay_id: 00:03:00:01:02:00:00:00:00:01
"""
    text = text.replace("vlan10: {}", "vlan10: {giaddr: 10.20.0.1}")
    value = Facts(sent(text, request())).options[82]
    assert agentinfo.sub_options(value) == {
        1: b"vlan10@10.20.0.1",
        2: b"",
        5: ip("10.10.10.1"),
        10: b"\0",
        11: ip("10.10.10.1"),
        12: bytes.fromhex("00030001020000000001"),
    }
    assert sent(text, request())[24:28] == ip("10.20.0.1")
    value = Facts(sent(text, request(), unicast=True)).options[82]
    assert (agentinfo.sub_options(value) or {})[10] == b"\x80"


def test_rule_12_the_host_has_a_name() -> None:
    info = info_for(
        AgentInfoSetting(remote_id="{hostname}" * 20),
        "v",
        "relay-1",
        IPv4Address("10.0.0.1"),
        IPv4Address("10.0.0.1"),
    )
    assert info.remote_id == (b"relay-1" * 20)[:64]
    assert len(info.broadcast) == 2 + 2 + 64


SHARED = BOTH.replace("vlan10: {}", "vlan10: {giaddr: 10.20.0.1}").replace(
    "vlan20: {default: altiris}", "vlan20: {default: altiris, giaddr: 10.20.0.1}"
)


@pytest.mark.parametrize("name", ["vlan10", "vlan20"])
def test_rule_18_the_circuit_id_tells_interfaces_with_one_giaddr_apart(name: str) -> None:
    echoed = option(82, option(1, name.encode()) + option(2, b"relay-1"))
    decision = relay(SHARED).decide(reply(giaddr="10.20.0.1", extra=echoed), CORE, RIS)
    assert isinstance(decision, ToClient)
    assert decision.port.name == name
    assert str(decision.port.address) == ("10.10.10.1" if name == "vlan10" else "10.10.20.1")
    assert decision.message is not None


@pytest.mark.parametrize(
    ("extra", "size"),
    [
        (option(82, option(1, b"switch port 3")), 300),
        (option(57, b"\2\x40"), 560),
        (b"", 1460),
        (bytes((43, 200)), 300),
    ],
    ids=["trusted", "option 57", "too large", "malformed"],
)
@pytest.mark.parametrize("index", [VLAN10, VLAN20])
def test_rule_18_a_reply_without_our_circuit_id_goes_where_the_request_came_from(
    index: int, extra: bytes, size: int
) -> None:
    one = relay(SHARED.replace("{circuit_id:", "{trusted: [vlan10, vlan20], circuit_id:"))
    for _ in range(2):  # the other VLAN's client first
        asked = message(
            options=option(53, b"\1") + extra + b"\xff", pad=size, chaddr=f"02:00:00:00:00:{index:02x}"
        )
        decision = one.decide(bytearray(asked), index, NOBODY)
        assert isinstance(decision, ToServers)
        assert decision.message is None
    answer = reply(giaddr="10.20.0.1", extra=extra)
    answer[28:34] = asked[28:34]
    back = one.decide(answer, CORE, RIS)
    assert isinstance(back, ToClient)
    assert (back.port.index, back.message) == (index, None)
    answer[4:8] = b"\0\0\0\1"
    assert why(one.decide(answer, CORE, RIS)) is Drop.NO_INTERFACE


def test_rule_18_who_asked_where_is_known_to_the_next_relay_too() -> None:
    """One is built whenever a server is thought of otherwise, while replies are on their way."""
    built = build(SHARED.replace("{circuit_id:", "{trusted: [vlan10, vlan20], circuit_id:"))
    askers = Askers()
    one, other = (Relay(built, assign(built, LINKS), LINKS, askers=askers) for _ in range(2))
    one.decide(message(options=option(53, b"\1") + option(82, option(1, b"x")) + b"\xff"), VLAN20, NOBODY)
    back = other.decide(reply(giaddr="10.20.0.1", extra=option(82, option(1, b"x"))), CORE, RIS)
    assert isinstance(back, ToClient)
    assert back.port.index == VLAN20


def test_rule_18_interfaces_whose_circuit_ids_are_cut_off_alike_share_no_giaddr() -> None:
    built = build(SHARED.replace("{interface}", "{hostname}-{interface}"))
    first, second = assign(built, LINKS, "h" * 64)
    assert (first.state, second.waiting) == ("active", "vlan10 has the address 10.20.0.1 too")
    assert {port.state for port in assign(built, LINKS, "host")} == {"active"}


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.relay.askers._MOST", 10)
    one = relay(SHARED)
    for last in range(100):
        one.decide(request(chaddr=f"02:00:00:00:00:{last:02x}"), VLAN10, NOBODY)
        assert len(one._askers._now) + len(one._askers._before) <= 20


def test_a_later_stranger_does_not_win_the_replies_of_who_asked_first() -> None:
    """Its own xid and MAC, sent on another VLAN that shares the giaddr; a client that moves later may."""
    one = relay(SHARED.replace("{circuit_id:", "{trusted: [vlan10, vlan20], circuit_id:"))
    marked = option(82, option(1, b"switch port 3"))
    asking, answer = request(extra=marked), reply(giaddr="10.20.0.1", extra=marked)
    for step in range(5):
        one.pass_time(100.0 + step)
        one.decide(bytearray(asking), VLAN10, NOBODY)
        one.decide(bytearray(asking), VLAN20, NOBODY)
        back = one.decide(bytearray(answer), CORE, RIS)
        assert isinstance(back, ToClient)
        assert back.port.index == VLAN10
    for moment in (200.0, 300.0):
        one.pass_time(moment)
    one.decide(bytearray(asking), VLAN20, NOBODY)
    back = one.decide(bytearray(answer), CORE, RIS)
    assert isinstance(back, ToClient)
    assert back.port.index == VLAN20


@pytest.mark.parametrize(
    ("options", "fields", "bare"),
    [
        (option(82, b"") + CIRCUIT + option(43, b"\1"), {}, option(82, b"") + option(43, b"\1")),
        (CIRCUIT + bytes((43, 200)), {}, bytes((43, 200))),
        (option(52, b"\1") + b"\xff", {"file": CIRCUIT + option(43, b"\1")}, option(43, b"\1")),
        (option(52, b"\2") + b"\xff", {"sname": option(43, b"\1") + CIRCUIT}, option(43, b"\1")),
    ],
    ids=["behind another", "then damage", "in file", "in sname"],
)
def test_rule_20_our_option_82_is_found_wherever_it_stands(
    options: bytes, fields: dict[str, bytes], bare: bytes
) -> None:
    def answer(options: bytes, fields: dict[str, bytes]) -> bytearray:
        places = {"file": b"", "sname": b"", **fields}
        return message(op=2, giaddr="10.10.10.1", yiaddr="10.10.10.9", options=options, pad=0, **places)  # type: ignore[arg-type]

    decision = relay(BOTH).decide(answer(options, fields), CORE, RIS)
    assert isinstance(decision, ToClient)
    expected = answer(options, dict.fromkeys(fields, bare)) if fields else answer(bare, {}).ljust(300, b"\0")
    assert decision.message == bytes(expected)


def test_rule_20_only_our_own_option_82_is_removed_and_the_rest_stays() -> None:
    tail = option(43, b"\1\2") + b"\xff" + b"after"
    packet_ = message(op=2, giaddr="10.10.10.1", yiaddr="10.10.10.9", options=CIRCUIT + tail, pad=0)
    decision = relay(BOTH).decide(packet_, CORE, RIS)
    assert isinstance(decision, ToClient)
    bare = message(op=2, giaddr="10.10.10.1", yiaddr="10.10.10.9", options=tail, pad=0)
    assert decision.message == bytes(bare).ljust(300, b"\0")


def test_rule_20_the_message_is_padded_back_to_300() -> None:
    packet_ = reply(extra=CIRCUIT)
    assert len(packet_) == 300
    decision = relay(BOTH).decide(packet_, CORE, RIS)
    assert isinstance(decision, ToClient)
    assert decision.message == bytes(reply())


@pytest.mark.parametrize(
    "theirs",
    [option(1, b"switch port 3"), option(1, b"vlan10"), b"\x01\x09x", b""],
    ids=["another", "half", "malformed", "empty"],
)
def test_rule_20_an_option_82_of_somebody_else_is_left_in(theirs: bytes) -> None:
    packet_ = reply(extra=option(82, theirs))
    before = bytes(packet_)
    decision = relay(BOTH).decide(packet_, CORE, RIS)
    assert isinstance(decision, ToClient)
    assert decision.message is None
    assert packet_ == before


def test_an_option_without_ids_is_known_by_its_whole() -> None:
    text = f"{STANDARD}\noption82: {{link_selection: true}}"
    ours = Facts(sent(text, request())).options[82]
    assert ours == option(5, ip("10.10.10.1"))
    decision = relay(text).decide(reply(extra=option(82, ours)), CORE, RIS)
    assert isinstance(decision, ToClient)
    assert decision.message == bytes(reply())


@given(st.binary(max_size=300), st.integers(0, 3), st.sampled_from([VLAN10, VLAN20, CORE]))
def test_what_was_added_is_what_is_removed(tail: bytes, hops: int, index: int) -> None:
    """Whatever the options look like: nothing raises, and out comes what went in."""
    asked = message(options=tail, hops=hops, pad=0)
    decision = relay(BOTH).decide(asked, index, NOBODY)
    if not isinstance(decision, ToServers) or decision.message is None:
        return
    answer = bytearray(decision.message)
    answer[0], answer[16:20] = 2, ip("10.10.10.9")
    back = relay(BOTH).decide(answer, CORE, RIS)
    assert isinstance(back, ToClient)
    assert back.message is not None
    expected = bytearray(asked)
    expected[0], expected[16:20] = 2, ip("10.10.10.9")
    assert back.message.rstrip(b"\0\xff") == bytes(expected).rstrip(b"\0\xff")
