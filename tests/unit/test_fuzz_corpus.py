"""The fuzzer's kept inputs, replayed, and the same target under hypothesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import SEEDS
from tests.fuzz.target import check
from tests.unit.messages import message

CORPUS = sorted((Path(__file__).parents[1] / "fuzz" / "corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_kept_input_holds(path: Path) -> None:
    check(path.read_bytes())


def test_the_seeds_are_in_the_corpus() -> None:
    assert set(SEEDS) <= {path.name for path in CORPUS}


@settings(max_examples=300)
@given(
    st.integers(0, 255),
    st.builds(
        message,
        op=st.sampled_from([1, 2]),
        hlen=st.sampled_from([0, 6, 16]),
        hops=st.integers(0, 6),
        flags=st.sampled_from([0, 0x8000]),
        giaddr=st.sampled_from(["0.0.0.0", "10.10.10.1", "10.10.20.1", "10.30.7.1"]),
        ciaddr=st.sampled_from(["0.0.0.0", "10.10.10.9"]),
        yiaddr=st.sampled_from(["0.0.0.0", "10.10.10.9"]),
        file=st.binary(max_size=128),
        options=st.none() | st.binary(max_size=600),
        pad=st.sampled_from([0, 300]),
    ),
)
def test_what_holds_for_any_octets_holds_for_likely_ones(first: int, datagram: bytearray) -> None:
    check(bytes((first,)) + datagram)
