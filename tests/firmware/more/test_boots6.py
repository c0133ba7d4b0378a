"""What firmware does over IPv6 besides, each time with two servers and the mapping by MAC address."""

from __future__ import annotations

from collections.abc import Callable

from tests.firmware.setups6 import (
    ALIKE6,
    BIOS6,
    HTTP6,
    IPXE6,
    MAPPINGS,
    NAMELESS6,
    OTHER_HTTP6,
    UEFI6,
    WITHOUT_M,
)
from tests.firmware.stage6 import Stage6
from tests.firmware.test_boots6 import Keep, assert_each_booted_from_its_own_server6
from tests.lab import dhcp6

Stage = Callable[..., Stage6]
MAPPING = MAPPINGS["one-mapping"]
DUID_LLT, DUID_UUID = b"\0\1", b"\0\4"
"""RFC 9915, 11.2 and 11.5."""


def test_uefi_boots_by_http_over_ipv6(stage6: Stage) -> None:
    """It tries HTTP over IPv4 for a minute first. Who asked for files, by TCP, is not looked at."""
    mapping = {HTTP6: "altiris", OTHER_HTTP6: "ris"}
    boots = stage6(http=True).boot(mapping)
    assert boots.booted == {"http6": ["altiris"], "other6": ["ris"]}, boots.story
    assert boots.heard == {"altiris": {HTTP6.mac}, "ris": {OTHER_HTTP6.mac}}, boots.story
    assert "HTTPClient" in boots.story
    assert boots.counters["send_failures"] == 0


def test_machines_without_a_uuid_boot_by_their_mac_all_the_same(stage6: Stage) -> None:
    """UEFI's DUID is made of time and MAC then, iPXE's is of zeros: the same for every such machine."""
    mapping = {NAMELESS6: "ris", ALIKE6: "altiris"}
    boots = stage6().boot(mapping)
    assert_each_booted_from_its_own_server6(boots, mapping)
    clients = boots.sides["clients"]
    (uefi,) = clients.duids_of(NAMELESS6.mac)
    assert uefi.startswith(DUID_LLT)
    assert clients.duids_of(ALIKE6.mac) == {DUID_UUID + bytes(16)}


def test_where_routers_say_that_addresses_are_not_by_dhcpv6(stage6: Stage, keep: Keep) -> None:
    """Of such a network iPXE asks for all but an address, in one message; UEFI asks for an address too."""
    boots = stage6(managed=False).boot(WITHOUT_M)
    assert boots.booted == {card.name: [server] for card, server in WITHOUT_M.items()}, boots.story
    assert boots.heard == {"ris": {UEFI6.mac, IPXE6.mac}, "altiris": {BIOS6.mac}}, boots.story
    asked = boots.sides["clients"].asked_by()
    assert asked[BIOS6.mac] == asked[IPXE6.mac] == {dhcp6.INFORMATION_REQUEST}
    assert asked[UEFI6.mac] >= {dhcp6.INFORMATION_REQUEST, dhcp6.SOLICIT, dhcp6.REQUEST}
    keep("ipv6/without-m", boots)


def test_rule_117_a_server_that_gives_addresses_alone_is_no_rival(stage6: Stage) -> None:
    """It is asked in the name of UEFI's IPv6 stack, and of nobody who boots: iPXE would take its answer."""
    stage = stage6()
    stage.separate_dhcp_server()
    boots = stage.boot(MAPPING, "dhcp_servers: [dhcp]\npxe_only: true\n")
    assert boots.booted == {card.name: [server] for card, server in MAPPING.items()}, boots.story
    assert boots.served == {"ris": {BIOS6.mac}, "altiris": {UEFI6.mac, IPXE6.mac}, "dhcp": set()}, boots.story
    heard = {"ris": {BIOS6.mac}, "altiris": {UEFI6.mac, IPXE6.mac}, "dhcp": {UEFI6.mac}}
    assert boots.heard == heard, boots.story


def test_uefi_that_loads_ipxe_comes_to_the_same_server_by_another_duid(stage6: Stage) -> None:
    """The one says its UUID as it lies in SMBIOS, the other in the order of its text."""
    mapping = {UEFI6: "altiris"}
    boots = stage6(loader=True).boot(mapping)
    assert_each_booted_from_its_own_server6(boots, mapping)
    assert "iPXE initialising devices" in boots.story
    duids = boots.sides["clients"].duids_of(UEFI6.mac)
    assert {duid[:2] for duid in duids} == {DUID_UUID}
    assert len(duids) == 2
