from __future__ import annotations

import gc
from weakref import ref

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


def test_very_many_new_values_are_old_ones_afterwards_and_collected_like_them():
    class Ring:
        def __init__(self):
            self.me = self

    with uncollected():
        kept = [[] for _ in range(60_000)]
        ring = ref(Ring())
    assert gc.get_count()[0] < len(kept)
    assert gc.get_freeze_count() == 0
    gc.collect(1)
    assert ring() is not None
    gc.collect()
    assert ring() is None


def test_few_new_values_stay_new():
    class Ring:
        def __init__(self):
            self.me = self

    gc.collect()
    with uncollected():
        ring = ref(Ring())
    gc.collect(0)
    assert ring() is None
