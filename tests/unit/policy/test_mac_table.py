"""The table of exact addresses is a mapping, whatever it is made of."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from pxerelay.policy.mac_table import MacTable

addresses = st.binary(min_size=6, max_size=6)


@given(st.dictionaries(addresses, st.sampled_from(["ris", "altiris", "drop"])), st.lists(addresses))
def test_it_holds_what_was_put_in_and_nothing_else(values: dict[bytes, str], others: list[bytes]) -> None:
    table = MacTable(values)
    assert len(table) == len(values)
    for address in (*values, *others, bytes(6), b"\xff" * 6):
        assert table.get(address) == values.get(address)


@given(st.dictionaries(addresses, st.integers(0, 3)))
def test_it_passes_from_process_to_process(values: dict[bytes, int]) -> None:
    table = pickle.loads(pickle.dumps(MacTable(values), pickle.HIGHEST_PROTOCOL))  # noqa: S301  # our own
    assert {address: table.get(address) for address in values} == values
