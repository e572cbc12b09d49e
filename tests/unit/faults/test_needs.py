from __future__ import annotations

from cleanroom.faults.ladder import LADDERS
from cleanroom.faults.needs import NEEDS


def test_every_need_of_every_rung_is_a_word_of_the_registry_said_once():
    for ladder in LADDERS:
        for rung in ladder.rungs:
            assert set(rung.needs) <= set(NEEDS), (ladder.kind, rung.name)
            assert len(set(rung.needs)) == len(rung.needs), (ladder.kind, rung.name)


def test_every_need_says_what_to_do_without_it():
    assert all(need.remedy for need in NEEDS.values())
