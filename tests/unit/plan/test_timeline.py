from __future__ import annotations

import pytest

from cleanroom.errors import SpecError
from cleanroom.plan.timeline import draw
from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtManual, AtOffset, AtStep, Repeat, Target
from tests.unit.plan.suites import MS, fault, scenario, suite


def events(chaos, seed=42, **fields):
    (found,) = draw(suite(scenario("s", *chaos), **fields), seed)
    return found.events


def test_one_fault_never_disturbs_the_draws_of_another():
    target = Target(any_of=("a", "b", "c", "d", "e"), count=2)
    noise = fault("noise", probability=0.5, repeat=Repeat(every=Duration(1), times=9))
    watched = fault("watched", target, repeat=Repeat(every=Duration(1), times=20))
    alone = events([watched])
    among = [event for event in events([noise, watched, fault("late")]) if event.fault.id == "watched"]
    assert list(alone) == among


def test_probability_does_not_change_who_is_struck():
    target = Target(any_of=("a", "b", "c"), count=1)
    often, seldom = (
        events([fault("f", target, probability=p, repeat=Repeat(every=Duration(1), times=50))]) for p in (0.9, 0.1)
    )
    assert [event.targets for event in often] == [event.targets for event in seldom]


def test_probability_is_honoured_per_occurrence_and_undrawn_ones_are_kept():
    repeated = Repeat(every=Duration(1), times=1000)
    found = events([fault("f", probability=0.3, repeat=repeated)])
    assert [event.occurrence for event in found] == list(range(1000))
    assert 240 < sum(event.drawn for event in found) < 360
    assert all(event.drawn for event in events([fault("f", probability=1.0, repeat=repeated)]))
    assert not any(event.drawn for event in events([fault("f", probability=0.0, repeat=repeated)]))


def test_another_seed_draws_otherwise_and_the_same_seed_draws_the_same():
    chaos = [fault("f", Target(any_of=("a", "b"), count=1), repeat=Repeat(every=Duration(1), times=30))]
    assert events(chaos, seed=1) == events(chaos, seed=1)
    assert [e.targets for e in events(chaos, seed=1)] != [e.targets for e in events(chaos, seed=2)]


def test_every_candidate_is_struck_and_the_order_in_the_file_means_nothing():
    repeat = Repeat(every=Duration(1), times=100)
    left, right = (events([fault("f", Target(any_of=of, count=2), repeat=repeat)]) for of in ("abc", "cab"))
    assert [e.targets for e in left] == [e.targets for e in right]
    assert {e.targets for e in left} == {("a", "b"), ("a", "c"), ("b", "c")}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"target": Target(service="db")}, ("db",)),
        ({"target": Target(all=True)}, ("api", "db", "web")),
    ],
)
def test_targets(fields, expected):
    assert events([fault("f", **fields)])[0].targets == expected


def test_a_pair_is_struck_where_there_is_no_target():
    (event,) = events([fault("f").__class__(id="f", kind="network.latency", between=("api", "db"), moment=AtManual())])
    assert event.targets == ("api", "db")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (AtOffset(offset=Duration(2 * MS)), [AtOffset(offset=Duration((2 + 3 * k) * MS)) for k in range(3)]),
        (
            AtStep(moment="during", step="x", offset=Duration(MS)),
            [AtStep(moment="during", step="x", offset=Duration((1 + 3 * k) * MS)) for k in range(3)],
        ),
        (
            AtStep(moment="after", step="x"),
            [AtStep(moment="after", step="x", offset=Duration(3 * k * MS)) for k in range(3)],
        ),
        (
            AtStep(moment="before", step="x"),
            [
                AtStep(moment="before", step="x"),
                AtStep(moment="during", step="x", offset=Duration(3 * MS)),
                AtStep(moment="during", step="x", offset=Duration(6 * MS)),
            ],
        ),
    ],
)
def test_repeated_occurrences_are_every_apart(moment, expected):
    found = events([fault("f", moment=moment, repeat=Repeat(every=Duration(3 * MS), times=3))])
    assert [event.moment for event in found] == expected
    assert [event.key for event in found] == ["f#0", "f#1", "f#2"]


@pytest.mark.parametrize("count", [0, 3])
def test_a_count_beyond_the_candidates_is_refused(count):
    with pytest.raises(SpecError, match=f"count is {count}, expected 1 to 2"):
        events([fault("f", Target(any_of=("a", "b"), count=count))])


def test_a_manual_fault_that_repeats_is_refused():
    with pytest.raises(SpecError, match="cannot repeat by itself"):
        events([fault("f", moment=AtManual(), repeat=Repeat(every=Duration(1), times=2))])
