"""Bytes in, decision out: the packet rules, each test named by its rule."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.config.findings import ConfigError
from pxerelay.relay.decision import BROADCAST, MEANING, Drop, Dropped, ToClient, ToServers
from tests.unit.configs import CORE, LINKS, STANDARD, VLAN10, VLAN20, relay, way, why
from tests.unit.messages import ACK, COOKIE, DISCOVER, NAK, OFFER, REQUEST, ip, mac, message, reply, request

NOBODY = ip("0.0.0.0")
RIS, DHCP = ip("10.20.0.10"), ip("10.20.0.2")
ALTIRIS = (ip("10.20.0.20"), ip("10.20.0.21"))
ROUTER = ip("10.30.0.1")
CLIENT = mac("02:00:00:00:00:01")
EVERYONE = mac("ff:ff:ff:ff:ff:ff")


def test_a_request_is_patched_in_hops_and_giaddr_and_sent_to_the_default() -> None:
    packet = request()
    expected = bytearray(packet)
    expected[3] = 1
    expected[24:28] = ip("10.10.10.1")
    assert way(relay().decide(packet, VLAN10, NOBODY)) == ToServers((RIS,), None)
    assert packet == expected


@pytest.mark.parametrize("op", [0, 3, 255])
def test_rule_02_another_op_is_dropped(op: int) -> None:
    assert why(relay().decide(message(op=op), VLAN10, NOBODY)) is Drop.BAD_OP


@pytest.mark.parametrize("size", [236, 240, 244, 299])
def test_rule_03_short_messages_are_relayed(size: int) -> None:
    packet = message(options=None if size < 240 else b"", pad=size)[:size]
    assert isinstance(relay().decide(packet, VLAN10, NOBODY), ToServers)
    assert len(packet) == size


def test_rule_03_the_fixed_header_must_be_complete() -> None:
    for size in (0, 1, 4, 235):
        assert why(relay().decide(request()[:size], VLAN10, NOBODY)) is Drop.TRUNCATED


def test_rule_03_hlen_has_room_for_16() -> None:
    assert isinstance(relay().decide(request(hlen=16), VLAN10, NOBODY), ToServers)
    assert why(relay().decide(request(hlen=17), VLAN10, NOBODY)) is Drop.BAD_HLEN


@pytest.mark.parametrize(
    ("limit", "hops", "relayed"),
    [(4, 4, True), (4, 5, False), (16, 16, True), (16, 17, False), (1, 255, False)],
)
def test_rule_04_hops_above_max_hops_are_dropped(limit: int, hops: int, relayed: bool) -> None:
    packet = request(hops=hops)
    decision = relay(f"{STANDARD}\nmax_hops: {limit}").decide(packet, VLAN10, NOBODY)
    if relayed:
        assert isinstance(decision, ToServers)
        assert packet[3] == hops + 1
    else:
        assert why(decision) is Drop.TOO_MANY_HOPS
        assert packet == request(hops=hops)


def test_rule_04_the_default_of_max_hops_is_4() -> None:
    assert isinstance(relay().decide(request(hops=4), VLAN10, NOBODY), ToServers)
    assert why(relay().decide(request(hops=5), VLAN10, NOBODY)) is Drop.TOO_MANY_HOPS


def test_rule_05_giaddr_is_always_the_same_address_of_the_interface() -> None:
    for _ in range(3):
        packet = request()
        relay().decide(packet, VLAN10, NOBODY)
        assert packet[24:28] == ip("10.10.10.1")


def test_rule_05_a_configured_giaddr_is_taken() -> None:
    packet = request()
    text = STANDARD.replace("vlan10: {}", "vlan10: {giaddr: 10.10.10.2}")
    relay(text).decide(packet, VLAN10, NOBODY)
    assert packet[24:28] == ip("10.10.10.2")


def test_rule_05_a_giaddr_that_is_set_is_never_changed() -> None:
    packet = request(giaddr="10.30.7.1", hops=1)
    assert way(relay().decide(packet, CORE, ROUTER)) == ToServers((RIS,), None)
    assert packet == request(giaddr="10.30.7.1", hops=2)


@pytest.mark.parametrize("source", ["10.31.0.1", "0.0.0.0", "10.10.10.77"])
def test_rule_05_only_named_routers_may_relay_to_us(source: str) -> None:
    packet = request(giaddr="10.30.7.1")
    assert why(relay().decide(packet, CORE, ip(source))) is Drop.RELAY_NOT_ACCEPTED
    assert why(relay().decide(packet, VLAN10, ip(source))) is Drop.RELAY_NOT_ACCEPTED


def test_rule_05_by_default_no_router_may() -> None:
    text = STANDARD.replace("accept_relayed_from: [10.30.0.0/16]", "")
    assert why(relay(text).decide(request(giaddr="10.30.7.1"), CORE, ROUTER)) is Drop.RELAY_NOT_ACCEPTED


@pytest.mark.parametrize("giaddr", ["10.10.10.1", "10.10.10.2", "10.20.0.1", "127.0.0.1"])
def test_rule_06_a_request_with_our_own_giaddr_is_dropped(giaddr: str) -> None:
    assert why(relay().decide(request(giaddr=giaddr), CORE, ROUTER)) is Drop.OWN_GIADDR


@given(st.binary(max_size=400), st.integers(0, 16), st.integers(0, 4), st.booleans())
def test_rule_07_every_other_byte_stays(tail: bytes, hlen: int, hops: int, relayed: bool) -> None:
    giaddr = "10.30.7.1" if relayed else "0.0.0.0"
    packet = message(
        options=tail, hlen=hlen, hops=hops, giaddr=giaddr, pad=0, sname=b"s" * 64, file=b"f" * 128
    )
    before = bytes(packet)
    decision = relay().decide(packet, CORE if relayed else VLAN10, ROUTER if relayed else NOBODY)
    assert isinstance(decision, ToServers)
    assert packet[:3] == before[:3]
    assert packet[3] == hops + 1
    assert packet[4:24] == before[4:24]
    assert packet[24:28] == (ip(giaddr) if relayed else ip("10.10.10.1"))
    assert packet[28:] == before[28:]


@pytest.mark.parametrize(
    "chaddr", ["00:11:22:33:44:55", "00:80:64:01:02:03", "52:54:00:12:3f:00", "02:00:00:00:00:01"]
)
def test_rule_08_all_requests_of_a_client_go_to_the_same_servers(chaddr: str) -> None:
    """DISCOVER and REQUEST of the firmware, then those of iPXE with the same MAC and a user class."""
    ipxe = bytes((77, 4)) + b"iPXE"
    packets = [
        request(DISCOVER, chaddr=chaddr),
        request(REQUEST, chaddr=chaddr),
        request(DISCOVER, chaddr=chaddr, extra=ipxe, vendor=b"PXEClient:Arch:00000:UNDI:003016"),
        request(REQUEST, chaddr=chaddr, extra=ipxe, vendor=b"PXEClient:Arch:00000:UNDI:003016"),
    ]
    decisions = {way(relay().decide(packet, VLAN10, NOBODY)) for packet in packets}
    assert len(decisions) == 1
    assert isinstance(decisions.pop(), ToServers)


def test_rule_09_no_server_may_be_a_broadcast_address() -> None:
    """The kernel refuses a VLAN's own broadcast address; see the integration tests."""
    with pytest.raises(ConfigError, match="can't be a server"):
        relay("default: 255.255.255.255")


@pytest.mark.parametrize(
    ("setting", "relayed", "source"),
    [
        ("route", False, None),
        ("giaddr", False, ip("10.10.10.1")),
        ("giaddr", True, None),
        ("10.20.0.1", False, ip("10.20.0.1")),
        ("10.20.0.1", True, ip("10.20.0.1")),
    ],
)
def test_rule_13_the_source_address_can_be_chosen(setting: str, relayed: bool, source: bytes | None) -> None:
    """A router's giaddr is never taken for ours."""
    packet = request(giaddr="10.30.7.1") if relayed else request()
    decision = relay(f"{STANDARD}\nsource_address: {setting}").decide(
        packet, CORE if relayed else VLAN10, ROUTER
    )
    assert way(decision) == ToServers((RIS,), source)


@pytest.mark.parametrize(
    ("chaddr", "servers"),
    [("00:11:22:33:44:55", ALTIRIS), ("00:80:64:01:02:03", ALTIRIS), ("52:54:00:12:3f:00", ALTIRIS)],
)
def test_rules_choose_the_servers_and_each_gets_a_copy(chaddr: str, servers: tuple[bytes, ...]) -> None:
    assert way(relay().decide(request(chaddr=chaddr), VLAN10, NOBODY)) == ToServers(servers, None)


def test_an_interface_has_its_own_default() -> None:
    assert way(relay().decide(request(), VLAN20, NOBODY)) == ToServers(ALTIRIS, None)


@pytest.mark.parametrize("index", [CORE, VLAN20])
def test_rule_08_a_routers_client_is_on_no_vlan_of_ours_wherever_it_is_heard(index: int) -> None:
    text = f"{STANDARD}\nclasses: [{{name: here, interfaces: [vlan20], server: altiris}}]"
    assert way(relay(text).decide(request(giaddr="10.30.7.1"), index, ROUTER)) == ToServers((RIS,), None)
    assert way(relay(text).decide(request(), VLAN20, NOBODY)) == ToServers(ALTIRIS, None)


def test_a_client_mapped_to_drop_is_never_served_not_even_by_dhcp_servers() -> None:
    packet = request(chaddr="de:ad:be:ef:00:01")
    text = f"{STANDARD}\ndhcp_servers: dhcp"
    assert why(relay(text).decide(packet, VLAN10, NOBODY)) is Drop.MAPPED_TO_DROP
    assert packet == request(chaddr="de:ad:be:ef:00:01")


def test_dhcp_servers_get_every_request_once() -> None:
    text = f"{STANDARD}\ndhcp_servers: [dhcp, ris]"
    assert way(relay(text).decide(request(), VLAN10, NOBODY)) == ToServers((RIS, DHCP), None)
    packet = request(chaddr="00:11:22:33:44:55")
    assert way(relay(text).decide(packet, VLAN10, NOBODY)) == ToServers((*ALTIRIS, DHCP, RIS), None)


@pytest.mark.parametrize("vendor", [b"PXEClient:Arch:00007", b"HTTPClient:Arch:00016"])
def test_rule_15_pxe_only_lets_network_boot_clients_reach_the_boot_servers(vendor: bytes) -> None:
    text = f"{STANDARD}\ndhcp_servers: dhcp\npxe_only: true"
    assert way(relay(text).decide(request(vendor=vendor), VLAN10, NOBODY)) == ToServers((RIS, DHCP), None)


def test_rule_15_pxe_only_leaves_others_to_the_dhcp_servers() -> None:
    text = f"{STANDARD}\ndhcp_servers: dhcp\npxe_only: true"
    for vendor in (None, b"MSFT 5.0"):
        assert way(relay(text).decide(request(vendor=vendor), VLAN10, NOBODY)) == ToServers((DHCP,), None)
    relayed = request(vendor=None, giaddr="10.30.7.1")
    assert way(relay(text).decide(relayed, CORE, ROUTER)) == ToServers((DHCP,), None)


def test_rule_15_pxe_only_without_dhcp_servers_drops_others() -> None:
    assert (
        why(relay(f"{STANDARD}\npxe_only: true").decide(request(vendor=None), VLAN10, NOBODY)) is Drop.NOT_PXE
    )


def test_an_interface_has_its_own_pxe_only() -> None:
    text = STANDARD.replace("vlan10: {}", "vlan10: {pxe_only: true}")
    assert why(relay(text).decide(request(vendor=None), VLAN10, NOBODY)) is Drop.NOT_PXE
    assert way(relay(text).decide(request(vendor=None), VLAN20, NOBODY)) == ToServers(ALTIRIS, None)


def test_rule_16_another_hardware_type_or_length_gets_the_interfaces_default() -> None:
    for odd in (request(chaddr="00:11:22:33:44:55", htype=32), request(chaddr="00:11:22:33:44:55", hlen=16)):
        assert way(relay().decide(bytearray(odd), VLAN10, NOBODY)) == ToServers((RIS,), None)
        assert way(relay().decide(bytearray(odd), VLAN20, NOBODY)) == ToServers(ALTIRIS, None)


def test_a_malformed_option_area_matches_by_mac_only() -> None:
    text = f"{STANDARD}\nclasses: [{{name: any, vendor_class: PXE, server: altiris}}]"
    broken = message(options=bytes((60, 9)) + b"PXEClient" + bytes((93, 200, 0)), pad=0)
    assert way(relay(text).decide(broken, VLAN10, NOBODY)) == ToServers((RIS,), None)
    listed = message(options=bytes((60, 200, 0)), chaddr="00:11:22:33:44:55", pad=0)
    assert way(relay(text).decide(listed, VLAN10, NOBODY)) == ToServers(ALTIRIS, None)


def test_a_request_on_an_interface_that_is_no_clients_is_dropped() -> None:
    assert why(relay().decide(request(), CORE, NOBODY)) is Drop.NOT_A_CLIENT_INTERFACE
    assert why(relay().decide(request(), 99, NOBODY)) is Drop.NOT_A_CLIENT_INTERFACE


def test_a_request_on_a_waiting_interface_is_dropped() -> None:
    bare = tuple(link._replace(addresses=()) if link.index == VLAN10 else link for link in LINKS)
    assert why(relay(links=bare).decide(request(), VLAN10, NOBODY)) is Drop.INTERFACE_WAITING


@pytest.mark.parametrize("source", ["10.20.0.11", "10.10.10.50", "0.0.0.0"])
def test_rule_17_a_reply_from_another_address_than_a_servers_is_dropped(source: str) -> None:
    assert why(relay().decide(reply(), CORE, ip(source))) is Drop.NOT_A_SERVER


@pytest.mark.parametrize("giaddr", ["0.0.0.0", "10.30.7.1", "10.10.10.2", "10.20.0.1"])
def test_rule_17_a_reply_whose_giaddr_is_not_ours_is_dropped(giaddr: str) -> None:
    assert why(relay().decide(reply(giaddr=giaddr), CORE, RIS)) is Drop.NOT_OUR_GIADDR


def test_rule_17_all_servers_of_the_configuration_may_reply() -> None:
    text = f"{STANDARD}\ndhcp_servers: 10.20.0.3\naccept_replies_from: [10.40.0.0/24]"
    for source in (RIS, *ALTIRIS, DHCP, ip("10.20.0.3"), ip("10.40.0.9")):
        assert isinstance(relay(text).decide(reply(), CORE, source), ToClient)
    assert why(relay(text).decide(reply(), CORE, ip("10.40.1.9"))) is Drop.NOT_A_SERVER


def test_rule_17_a_server_that_only_a_rule_names_may_reply() -> None:
    text = STANDARD.replace("00:80:64: altiris", "00:80:64: 10.20.0.99")
    assert isinstance(relay(text).decide(reply(), CORE, ip("10.20.0.99")), ToClient)


@pytest.mark.parametrize(("giaddr", "name"), [("10.10.10.1", "vlan10"), ("10.10.20.1", "vlan20")])
def test_a_reply_goes_out_of_the_interface_of_its_giaddr(giaddr: str, name: str) -> None:
    decision = relay().decide(reply(giaddr=giaddr), CORE, RIS)
    assert isinstance(decision, ToClient)
    assert decision.port.name == name
    assert decision.port.giaddr == IPv4Address(giaddr)


@pytest.mark.parametrize(
    ("fields", "address", "hardware"),
    [
        ({"kind": NAK, "yiaddr": "0.0.0.0", "ciaddr": "10.10.10.9"}, BROADCAST, EVERYONE),
        ({"kind": NAK}, BROADCAST, EVERYONE),
        ({"ciaddr": "10.10.10.9"}, ip("10.10.10.9"), CLIENT),
        ({"ciaddr": "10.10.10.9", "flags": 0x8000}, ip("10.10.10.9"), CLIENT),
        ({"ciaddr": "10.10.10.9", "htype": 32, "hlen": 0}, ip("10.10.10.9"), EVERYONE),
        ({"kind": NAK, "ciaddr": "10.10.10.9", "extra": bytes((43, 200))}, BROADCAST, EVERYONE),
        ({"flags": 0x8000}, BROADCAST, EVERYONE),
        ({"kind": ACK}, ip("10.10.10.100"), CLIENT),
        ({"kind": OFFER, "flags": 0x7FFF}, ip("10.10.10.100"), CLIENT),
        ({"yiaddr": "0.0.0.0"}, BROADCAST, EVERYONE),
        ({"htype": 32, "hlen": 0}, BROADCAST, EVERYONE),
    ],
    ids=[
        "nak",
        "nak-yiaddr",
        "ciaddr",
        "ciaddr-broadcast",
        "ciaddr-no-chaddr",
        "nak-then-damage",
        "flag",
        "yiaddr",
        "other-flags",
        "proxy",
        "no-chaddr",
    ],
)
def test_rule_19_where_a_reply_goes(fields: dict[str, object], address: bytes, hardware: bytes) -> None:
    decision = relay().decide(reply(**fields), CORE, RIS)  # type: ignore[arg-type]
    assert isinstance(decision, ToClient)
    assert (decision.address, decision.hardware) == (address, hardware)


def test_rule_19_a_bootp_reply_goes_to_yiaddr() -> None:
    packet = message(op=2, yiaddr="10.10.10.7", giaddr="10.10.10.1", options=None)
    decision = relay().decide(packet, CORE, RIS)
    assert isinstance(decision, ToClient)
    assert (decision.address, decision.hardware) == (ip("10.10.10.7"), CLIENT)


@given(st.binary(max_size=400), st.integers(0, 255))
def test_rule_20_no_byte_of_a_reply_is_changed(tail: bytes, hops: int) -> None:
    packet = message(op=2, hops=hops, giaddr="10.10.10.1", yiaddr="10.10.10.7", options=tail, pad=0)
    before = bytes(packet)
    assert isinstance(relay().decide(packet, CORE, RIS), ToClient)
    assert packet == before


@given(
    st.binary(max_size=700),
    st.sampled_from([CORE, VLAN10, VLAN20, 99]),
    st.sampled_from([NOBODY, RIS, ROUTER]),
)
def test_nothing_makes_the_relay_raise_or_patch_more(octets: bytes, index: int, source: bytes) -> None:
    for packet in (bytearray(octets), bytearray(b"\1\1\6" + octets), message(options=octets, pad=0)):
        before = bytes(packet)
        decision = relay().decide(packet, index, source)
        assert isinstance(decision, (ToServers, ToClient, Dropped))
        if not isinstance(decision, ToServers):
            assert packet == before
        else:
            assert packet[:3] + packet[4:24] + packet[28:] == before[:3] + before[4:24] + before[28:]


def test_every_drop_reason_has_a_meaning() -> None:
    assert set(MEANING) == set(Drop)
    assert len({reason.value for reason in Drop}) == len(Drop)


def test_the_messages_of_these_tests_are_dhcp() -> None:
    assert request()[236:240] == COOKIE
