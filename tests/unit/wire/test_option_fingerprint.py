"""Messages with one layout of options say the same of their clients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxerelay.wire import packet
from pxerelay.wire.facts import Facts
from pxerelay.wire.option_fingerprint import Fingerprints
from tests.unit.messages import message, option, request

VALUES = [b"", b"\0", b"\0\7", b"PXEClient", b"PXECliens"]
parts = st.one_of(
    st.builds(option, st.sampled_from([1, 12, 52, 53, 60, 61, 93, 97]), st.sampled_from(VALUES)),
    st.sampled_from([b"\0", b"\xff", b"\0\0\0"]),
    st.binary(max_size=6),
)
areas = st.lists(parts, max_size=7).map(lambda found: b"".join(found)[:60])


def facts(octets: bytearray) -> tuple[bytes | None, bytes | None]:
    found = Facts(octets).options
    return found.get(packet.VENDOR_CLASS), found.get(packet.CLIENT_ARCH)


@given(st.lists(areas, min_size=2, max_size=20))
def test_one_layout_is_one_answer(found: list[bytes]) -> None:
    fingerprints = Fingerprints()
    answers: dict[object, tuple[bytes | None, bytes | None]] = {}
    for area in found:
        octets = message(options=area, pad=300)
        layout = fingerprints.learn(Facts(octets))
        if layout is not None:
            assert answers.setdefault(layout, facts(octets)) == facts(octets)
            assert fingerprints.known(octets) is layout


def test_clients_with_the_same_firmware_look_alike() -> None:
    fingerprints = Fingerprints()
    one, other = (
        request(extra=option(61, b"\1" + bytes((last,) * 6)) + option(50, bytes((10, 0, 0, last))))
        for last in (1, 2)
    )
    assert fingerprints.learn(Facts(one)) is fingerprints.known(other) is not None
    assert fingerprints.learn(Facts(request(arch=7))) is not fingerprints.learn(Facts(request(arch=0)))


@pytest.mark.parametrize(
    "options",
    [
        None,
        option(60, b"PXEClient")[:-1],
        option(60, b"PXEClient") + b"\x3c",
        option(52, b"\1") + option(60, b"PXEClient") + b"\xff",
    ],
)
def test_what_one_walk_does_not_tell_has_no_layout(options: bytes | None) -> None:
    assert Fingerprints().learn(Facts(message(options=options, pad=0))) is None


def test_layouts_have_a_bound() -> None:
    fingerprints = Fingerprints()
    for last in range(200):
        fingerprints.learn(Facts(message(options=option(60, bytes((last,))) + b"\xff")))
    assert sum(map(len, fingerprints._of_length.values())) <= 16
