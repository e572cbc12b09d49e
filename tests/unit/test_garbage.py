from __future__ import annotations

import gc

import pytest

from cleanroom.garbage import uncollected


def test_the_collector_is_held_and_runs_again_even_after_an_error():
    def held():
        with uncollected():
            found.append(gc.isenabled())
            raise ZeroDivisionError

    found = [gc.isenabled()]
    with pytest.raises(ZeroDivisionError):
        held()
    assert [*found, gc.isenabled()] == [True, False, True]


def test_who_finds_it_held_leaves_it_held():
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
