"""Clients that fell to a default: who is remembered, for how long, and as what text."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxerelay.config import config, document
from pxerelay.policy.rules import Reason
from pxerelay.relay.decision import ToClient
from pxerelay.relay.relay import Relay
from pxerelay.relay.unknown import INTERVAL, MOST, Unknown, as_yaml, described
from tests.unit.configs import STANDARD, VLAN10, VLAN20, relay, way
from tests.unit.messages import mac, option, request

UNLISTED = "02:00:00:00:00:99"


def noted(relay_: Relay, *requests: tuple[bytearray, int], now: float = 1.0) -> Unknown:
    """Return what remembers these requests; each has been relayed as `relay_` says."""
    unknown = Unknown()
    unknown.obey(relay_)
    for message, index in requests:
        note(unknown, relay_, message, index, now)
    return unknown


def note(unknown: Unknown, relay_: Relay, message: bytearray, index: int, now: float) -> None:
    """Have a request decided on and noted."""
    decision = relay_.decide(message, index, bytes((10, 30, 0, 1)))
    assert not isinstance(decision, ToClient)
    unknown.note(message, decision, now)


def told(unknown: Unknown, relay_: Relay, now: float = 1.0) -> list[dict[str, Any]]:
    return [found for one in unknown.newest_first() if (found := described(relay_, one, now))]


def test_a_client_is_told_with_all_that_is_known_of_it() -> None:
    one = relay()
    unknown = noted(one, (request(chaddr=UNLISTED, arch=7), VLAN20), now=5.0)
    note(unknown, one, request(chaddr=UNLISTED, arch=7), VLAN20, 100.0)
    (found,) = told(unknown, one, now=130.4)
    assert found == {
        "mac": UNLISTED,
        "duid": None,
        "families": [4],
        "interface": "vlan20",
        "giaddr": None,
        "router": None,
        "pxe": True,
        "vendor_class": "PXEClient:Arch:00000:UNDI:002001",
        "architectures": [7],
        "reason": "interface-default",
        "rule": "vlan20",
        "server": "altiris",
        "first_ago": 125,
        "last_ago": 30,
    }


def test_a_client_behind_a_router_is_told_by_the_routers_address() -> None:
    one = relay()
    (found,) = told(noted(one, (request(giaddr="10.30.0.1"), VLAN20)), one)
    assert (found["interface"], found["giaddr"]) == (None, "10.30.0.1")
    assert (found["reason"], found["server"]) == ("default", "ris")


def test_a_client_that_a_class_takes_is_not_unknown() -> None:
    one = relay(STANDARD + "classes: [{name: arm, arch: [11], server: altiris}]\n")
    assert not len(noted(one, (request(arch=11), VLAN10)))
    assert len(noted(one, (request(arch=7), VLAN10))) == 1


def test_where_pxe_only_holds_others_have_no_boot_server_to_fall_to() -> None:
    one = relay(STANDARD.replace("vlan20: {", "vlan20: {pxe_only: true, "))
    assert not len(noted(one, (request(vendor=None), VLAN20)))
    assert len(noted(one, (request(), VLAN20))) == 1
    assert len(noted(one, (request(vendor=None), VLAN10))) == 1


def test_a_client_keeps_the_looks_that_it_booted_with() -> None:
    one = relay()
    requests = [request(arch=0), request(vendor=b"MSFT 5.0", arch=None)]
    (found,) = told(noted(one, *((message, VLAN10) for message in requests)), one)
    assert (found["pxe"], found["architectures"]) == (True, [0])
    (found,) = told(noted(one, *((message, VLAN10) for message in (*requests, request(arch=7)))), one)
    assert found["architectures"] == [7]


@pytest.mark.parametrize(
    "now",
    [
        STANDARD + f"  {UNLISTED}: altiris\n",
        STANDARD + "  02:00:00: altiris\n",
        STANDARD + "classes: [{name: bios, arch: [0], server: altiris}]\n",
        STANDARD.replace("vlan10: {}", "vlan30: {}"),
        STANDARD.replace("vlan10: {}", "vlan10: {pxe_only: true}"),
    ],
    ids=["a MAC", "an OUI", "a class", "the interface went", "pxe_only"],
)
def test_who_would_not_fall_to_a_default_now_is_not_told(now: str) -> None:
    vendor = None if "pxe_only" in now else b"PXEClient"
    unknown = noted(relay(), (request(chaddr=UNLISTED, vendor=vendor), VLAN10))
    assert told(unknown, relay())
    after = relay(now)
    unknown.obey(after)
    assert told(unknown, after) == []
    assert told(unknown, relay()), "it is remembered all the same"


@settings(max_examples=300)
@given(
    most=st.integers(1, 5),
    steps=st.lists(st.tuples(st.integers(0, 8), st.sampled_from([VLAN10, VLAN20]), st.floats(0, 3))),
)
def test_the_least_recently_seen_is_forgotten(most: int, steps: list[tuple[int, int, float]]) -> None:
    """As a list says that is kept in order by hand."""
    unknown, one, now = Unknown(most), relay(), 0.0
    unknown.obey(one)
    model: list[tuple[int, int, float, float]] = []
    forgotten = 0
    for who, index, passed in steps:
        now += passed
        note(unknown, one, request(chaddr=f"02:00:00:00:00:{who:02x}"), index, now)
        first = next((first for number, _, first, _ in model if number == who), now)
        model = [(who, index, first, now), *(known for known in model if known[0] != who)]
        forgotten += len(model) > most
        del model[most:]
    found = [
        (
            one.chaddr[5] if one.chaddr else 0,
            {"vlan10": VLAN10, "vlan20": VLAN20}[one.looks.interface or ""],
            one.first,
            one.last,
        )
        for one in unknown.newest_first()
    ]
    assert found == model
    assert unknown.forgotten == forgotten


def test_a_flood_costs_no_more_than_so_many_notes_in_an_interval() -> None:
    unknown = Unknown(10)
    assert unknown.looks_again(100.0)
    assert [unknown.room_for(count) for count in (0, 7, 7, 7)] == [0, 7, 3, 0]
    assert unknown.overlooked == 11
    assert not unknown.looks_again(100.0 + INTERVAL / 2)
    assert unknown.room_for(1) == 0
    assert unknown.looks_again(100.0 + INTERVAL)
    assert unknown.room_for(11) == 10


@pytest.mark.parametrize("hostile", [False, True])
def test_memory_is_bounded(hostile: bool) -> None:
    one, unknown = relay(), Unknown()
    unknown.obey(one)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(2 * MOST):
            vendor = b"PXEClient%06d" % number + bytes(240) if hostile else b"PXEClient"
            extra = option(93, bytes(range(250))) if hostile else b""
            chaddr = (0x02 << 40 | number).to_bytes(6, "big").hex(":")
            note(unknown, one, request(chaddr=chaddr, vendor=vendor, extra=extra), VLAN10, float(number))
        gc.collect()  # what is remembered counts, not what no one holds and the collector has not come to yet
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(unknown) == unknown.forgotten == MOST
    assert after - before < (6_000_000 if hostile else 1_500_000)


def row(**more: Any) -> dict[str, Any]:
    return {
        "mac": UNLISTED,
        "duid": None,
        "families": [4],
        "interface": "vlan10",
        "giaddr": None,
        "router": None,
        "pxe": True,
        "vendor_class": "PXEClient:Arch:00000",
        "architectures": [0],
        "reason": "default",
        "rule": "default",
        "server": "ris",
        "vendor": "Acme, Inc.",
        "first_seen": "2026-11-24 10:00",
        "last_seen": "2026-11-24 12:00",
        **more,
    }


def test_the_text_says_who_where_and_when() -> None:
    text = as_yaml(
        [
            row(),
            row(
                mac="02:00:00:00:00:01", interface=None, router="10.30.0.1", vendor="", server="altiris, ris"
            ),
            row(mac="02:00:00:00:00:02", pxe=False, vendor_class="udhcp 1.35", vendor=""),
            row(
                mac="02:00:00:00:00:03",
                reason="interface-default",
                rule="vlan1*",
                architectures=[6, 7],
                vendor="",
            ),
            row(mac="02:00:00:00:00:04", pxe=False, vendor_class="", server="drop"),
        ],
        "title",
    )
    seen, rules = "first seen 2026-11-24 10:00, last 12:00, by the default", "02:00:00:00:00"
    expected = [
        (f'"{rules}:99": ris            ', f"vlan10, PXEClient x86 BIOS, Acme, Inc., {seen}"),
        (f'"{rules}:01": [altiris, ris] ', f"behind router 10.30.0.1, PXEClient x86 BIOS, {seen}"),
        (f'"{rules}:02": ris            ', f"vlan10, not booting from the network (udhcp 1.35), {seen}"),
        (f'"{rules}:03": ris            ', f"vlan10, PXEClient x86 UEFI and x64 UEFI, {seen} of vlan1*"),
        (f'"{rules}:04": drop           ', f"vlan10, not booting from the network, Acme, Inc., {seen}"),
    ]
    lines = [f"  {rule} # {comment}" for rule, comment in expected]
    assert text.splitlines() == ["# title", "rules:", *lines]


def test_nobody_is_no_empty_map() -> None:
    assert as_yaml([], "nobody") == "# nobody"


def test_another_day_is_written_out() -> None:
    assert "first seen 2026-11-23 10:00, last 2026-11-24 12:00" in as_yaml(
        [row(first_seen="2026-11-23 10:00")], ""
    )


@given(vendor_class=st.binary(max_size=255), vendor=st.text(), pxe=st.booleans())
def test_what_clients_say_stays_in_its_comment(vendor_class: bytes, vendor: str, pxe: bool) -> None:
    """Whatever is in option 60, the text is a file of rules that changes nothing."""
    one = relay()
    asked = request(chaddr=UNLISTED, vendor=b"PXEClient"[: 9 * pxe] + vendor_class[:246])
    (found,) = told(noted(one, (asked, VLAN10)), one)
    text = as_yaml([{**found, "vendor": vendor, "first_seen": "", "last_seen": ""}], "title\nrules: {}")
    assert len(text.splitlines()) == 3
    whole = "servers: {ris: 10.20.0.10}\ndefault: ris\n" + text
    policy = config.build(document.parse("pxerelay.yml", whole)).policy
    (match, _) = (*policy.rules.matching(mac(UNLISTED)), None)
    assert match
    assert (match.reason, match.choice.label, len(policy.rules)) == (Reason.MAC, "ris", 1)


@pytest.mark.parametrize(
    "default", ["ris", "[ris, altiris]", "10.20.0.10", "[10.20.0.10, altiris]", "drop", "[ris]"]
)
def test_what_is_printed_can_be_pasted_and_changes_nothing(default: str) -> None:
    text = STANDARD.replace("default: ris", f"default: {default}")
    before = relay(text)
    unknown = noted(before, (request(chaddr=UNLISTED), VLAN10), (request(chaddr="02:00:00:00:00:98"), VLAN10))
    rows = [{**found, "vendor": "", "first_seen": "", "last_seen": ""} for found in told(unknown, before)]
    lines = as_yaml(rows, "").splitlines()[2:]
    assert len(lines) == 2
    after = relay(text + "\n".join(lines) + "\n")
    assert told(unknown, after) == []
    for who in (UNLISTED, "02:00:00:00:00:98"):
        decisions = [way(one.decide(request(chaddr=who), VLAN10, bytes(4))) for one in (before, after)]
        assert decisions[0] == decisions[1]


def test_families_are_told_where_any_client_speaks_dhcpv6() -> None:
    text = as_yaml([row(), row(families=[6]), row(families=[4, 6])], "")
    places = [line.split("# ")[1].split(", PXE")[0] for line in text.splitlines()[2:]]
    assert places == ["vlan10, v4", "vlan10, v6", "vlan10, v4 and v6"]


def test_clients_whose_mac_nobody_tells_are_comments() -> None:
    nameless = row(
        mac=None, duid="0004aabb", families=[6], interface=None, router="2001:db8:30::1", vendor=""
    )
    text = as_yaml([row()], "title", [nameless, {**nameless, "duid": None, "pxe": True, "vendor_class": ""}])
    seen = "first seen 2026-11-24 10:00, last 12:00, by the default"
    assert text.splitlines()[3:] == [
        "# Nobody told the MACs of these, so no rule can name them: option 79 on their router would tell.",
        f"#   DUID 0004aabb, behind router 2001:db8:30::1, PXEClient x86 BIOS, {seen}",
        f"#   DUID none, behind router 2001:db8:30::1, network boot x86 BIOS, {seen}",
    ]
    assert as_yaml([], "title", [nameless]).splitlines()[0] == "# title"
