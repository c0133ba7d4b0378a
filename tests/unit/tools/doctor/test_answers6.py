"""`doctor` as it judges answers of DHCPv6 servers, and as it sees them on the wire."""

from __future__ import annotations

import json
from ipaddress import IPv6Address
from typing import Any

import pytest

from pxerelay.tools.doctor import answers6, gather6, report
from pxerelay.tools.doctor.facts6 import Asked6, ServerAnswer6, Sighting6
from pxerelay.tools.doctor.wire6 import read
from pxerelay.wire import frames6
from tests.unit.messages6 import ADVERTISE, XID, ip6, message, option, relayed
from tests.unit.tools.doctor.facts import facts
from tests.unit.tools.doctor.facts6 import ALTIRIS6, LINK_ADDRESS, RIS6, facts6

OURS = IPv6Address("2001:db8:20::1")


def asked(*given: ServerAnswer6, **more: Any) -> Asked6:
    interface = more.pop("interface", "vlan10")
    return Asked6(RIS6, interface, LINK_ADDRESS, answers=given, **more)


def answer(**more: Any) -> ServerAnswer6:
    usual: dict[str, Any] = {
        "source": RIS6,
        "milliseconds": 3.0,
        "octets": 300,
        "address": "2001:db8:10::183",
        "boot_file": "tftp://[2001:db8:20::10]/boot.efi",
    }
    return ServerAnswer6(**{**usual, **more})


def sight(**more: Any) -> Sighting6:
    usual: dict[str, Any] = {
        "interface": "core",
        "source": RIS6,
        "destination": OURS,
        "port": 547,
        "octets": 300,
        "fragmented": False,
        "xid": "123456",
    }
    return Sighting6(**{**usual, **more})


NONE = {"no_addresses": True, "status": "no addresses available", "address": None}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (asked(answer()), []),
        (asked(answer(), seen=(sight(),)), []),
        (asked(error="it waits"), ["note not-checked"]),
        (asked(failures=("could not send: Operation not permitted",)), ["error not-sent"]),
        (asked(), ["error server-silent"]),
        (asked(interface=None), ["warning server-silent"]),
        (asked(seen=(sight(),)), ["error answer-lost-here"]),
        (asked(seen=(sight(port=546),)), ["error answer-to-wrong-port"]),
        (asked(seen=(sight(fragmented=True),)), ["error answer-too-large"]),
        (asked(answer(dropped="not-a-server", source=ALTIRIS6)), ["error answer-from-stranger"]),
        (asked(answer(), answer(dropped="not-a-server", source=ALTIRIS6)), ["error answer-from-stranger"]),
        (asked(answer(dropped="no-interface")), ["error answer-dropped"]),
        (asked(answer(dropped="no-interface"), interface=None), []),
        (asked(answer(dropped="bad-peer")), ["error answer-dropped"]),
        (asked(answer(**NONE)), ["error no-subnet-there"]),
        (asked(answer(boot_file=None)), ["warning no-boot-file"]),
        (asked(answer(boot_file=None, **NONE)), ["error no-subnet-there"]),
        (asked(answer(port_4011=True)), ["note asks-port-4011"]),
        (asked(answer(port_4011=True, boot_file=None)), ["warning no-boot-file", "note asks-port-4011"]),
    ],
)
def test_answers(given: Asked6, found: list[str]) -> None:
    told = [f"{one.severity.value} {one.code.value}" for one in answers6.findings(facts6(), given)]
    assert told == found


def test_what_is_advised_names_the_addresses() -> None:
    (silent,) = answers6.findings(facts6(), asked())
    assert silent.subject == f"ris {RIS6}"
    assert f'"eth0/{RIS6}"' in silent.advice[0]
    assert all(LINK_ADDRESS in text for text in (silent.message, silent.advice[1], silent.advice[3]))
    (stranger,) = answers6.findings(facts6(), asked(answer(dropped="not-a-server", source=ALTIRIS6)))
    assert stranger.advice[0] == f'accept_replies_from: ["{ALTIRIS6}"]'
    (lost,) = answers6.findings(facts6(), asked(seen=(sight(),)))
    assert f"allow UDP from {RIS6} to port 547" in lost.advice[0]
    assert f"arrives on core, to {OURS}" in lost.message


def test_who_need_not_be_asked_again() -> None:
    assert not asked().is_told
    for one in (asked(answer()), asked(seen=(sight(),)), asked(error="x"), asked(failures=("y",))):
        assert one.is_told


def test_the_report_tells_what_was_answered() -> None:
    known, found = facts6(), [asked(answer())]
    text = report.text(facts(), (), (), known, found)
    assert f"ok      ris {RIS6}: from vlan10 answered after 3.0 ms: address 2001:db8:10::183" in text
    assert text.endswith("in DHCPv6 2 of 2 client interfaces active, 1 servers asked")
    told = json.loads(report.as_json(facts(), (), (), known, found))["ipv6"]
    assert told["interfaces"]["vlan10"]["link_address"] == LINK_ADDRESS
    assert told["servers"][0]["answers"][0]["boot_file"] == "tftp://[2001:db8:20::10]/boot.efi"


def test_what_the_daemon_tells_of_a_server_is_read() -> None:
    given = {
        "server": str(RIS6),
        "interface": "vlan10",
        "link_address": LINK_ADDRESS,
        "xid": "123456",
        "error": None,
        "failures": [],
        "answers": [
            {
                "source": str(RIS6),
                "milliseconds": 3.0,
                "octets": 300,
                "dropped": None,
                "address": "2001:db8:10::183",
                "boot_file": "tftp://[2001:db8:20::10]/boot.efi",
                "status": None,
                "no_addresses": False,
                "port_4011": False,
            }
        ],
    }
    assert gather6.asked(given) == asked(answer())


OFFER = relayed(message(ADVERTISE, option(23, bytes(16))), kind=13, front=option(18, b"vlan10"))


def packet(octets: bytes = OFFER, port: int = 547) -> bytes:
    return frames6.packet(octets, source=ip6(str(RIS6)), destination=ip6(str(OURS)), ports=(547, port))


def first_fragment(octets: bytes, size: int) -> bytes:
    """Return a packet's first fragment (RFC 8200, 4.5), of so many octets of UDP."""
    part = octets[40 : 40 + size]
    header = octets[:4] + (8 + size).to_bytes(2, "big") + bytes((44,)) + octets[7:40]
    return header + bytes((17, 0, 0, 1, 0, 0, 0, 7)) + part


def test_an_answer_is_read_off_the_wire() -> None:
    assert read(packet(), "core") == sight(octets=len(OFFER), xid=XID.hex())
    seen = read(packet(port=546), "core")
    assert seen
    assert seen.port == 546


def test_the_first_fragment_of_one_too() -> None:
    """It is cut off in the message to the client."""
    seen = read(first_fragment(packet(), 8 + 34 + 10 + 4 + 8), "core")
    assert seen == sight(octets=len(OFFER), xid=XID.hex(), fragmented=True)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        packet()[:40],
        packet()[:60],
        packet(relayed(message())),
        packet(message(ADVERTISE)),
        packet(b"\x0d"),
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(octets: bytes) -> None:
    assert read(octets, "core") is None


def test_an_answer_without_a_message_has_no_xid() -> None:
    seen = read(packet(relayed(b"", kind=13)[:34]), "core")
    assert seen
    assert seen.xid == ""
