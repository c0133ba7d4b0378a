"""What is asked of the garbage collector."""

from __future__ import annotations

import gc

import pytest

from pxerelay.linux import memory


def test_the_collector_rests_meanwhile_and_goes_on_after_an_error_too() -> None:
    assert gc.isenabled()
    with pytest.raises(OSError, match="gone"), memory.no_rounds():
        _fail()
    assert gc.isenabled()


def _fail() -> None:
    assert not gc.isenabled()
    raise OSError("gone")


def test_a_collector_that_rested_before_rests_on() -> None:
    with memory.no_rounds():
        with memory.no_rounds():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
