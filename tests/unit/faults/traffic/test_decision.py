from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.faults.network.sampled import band
from cleanroom.faults.traffic.decision import WITNESSES, Decision, Decisions, lost_of
from cleanroom.faults.traffic.shape import (
    Bandwidth,
    Corrupt,
    Delay,
    Duplicate,
    Effect,
    Every,
    Flap,
    Gilbert,
    Loss,
    Reorder,
)
from cleanroom.quantity import Duration

STREAM = "ab" * 32
streams = st.binary(min_size=32, max_size=32).map(bytes.hex)
percents = st.floats(0.01, 100)
shares = st.floats(0, 100)
times = st.integers(1, 10**10).map(Duration)
effects: st.SearchStrategy[Effect] = st.one_of(
    st.builds(Loss, percent=percents),
    st.builds(Every, nth=st.integers(1, 50)),
    st.builds(Gilbert, p=percents, r=percents, good=shares, bad=shares),
    st.builds(Corrupt, percent=percents),
    st.builds(Duplicate, percent=percents),
    st.builds(Reorder, percent=percents, gap=st.integers(1, 9), delay=times),
    st.builds(Delay, delay=times, jitter=times),
)


def series(effect: Effect, count: int, stream: str = STREAM) -> list[Decision]:
    decisions = Decisions(effect, stream)
    return [decisions.next() for _ in range(count)]


@given(effects, streams)
@settings(max_examples=60)
def test_the_same_index_of_the_same_stream_is_always_decided_alike(effect, stream):
    first, again = Decisions(effect, stream), Decisions(effect, stream)
    assert [first.next() for _ in range(120)] == [again.next() for _ in range(120)]
    assert first.digest == again.digest != ""
    assert (first.drawn, first.bitten) == (120, sum(d.bites for d in series(effect, 120, stream)))


@given(st.integers(1, 40), streams, st.integers(1, 300))
@settings(max_examples=60)
def test_every_nth_is_exactly_every_nth(nth, stream, count):
    lost = [index for index, one in enumerate(series(Every(nth=nth), count, stream)) if one.drop]
    assert lost == list(range(nth - 1, count, nth))


@pytest.mark.parametrize("percent", [0.5, 5.0, 50.0])
@pytest.mark.parametrize("kind", [Loss, Corrupt, Duplicate])
def test_a_share_lies_in_its_binomial_band(kind, percent):
    low, high = band(10_000, percent / 100, 0.005)
    assert low <= sum(one.bites for one in series(kind(percent=percent), 10_000)) <= high


@pytest.mark.parametrize("percent", [100.0])
def test_all_is_all(percent):
    assert all(one.drop for one in series(Loss(percent=percent), 1000))


@given(streams)
@settings(max_examples=20)
def test_bursts_are_as_long_and_as_many_as_the_chain_says(stream):
    """p 5 %, r 25 %: a sixth of the packets, four at a time."""
    effect = Gilbert(p=5.0, r=25.0)
    lost = [one.drop for one in series(effect, 6000, stream)]
    bursts = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
    assert effect.percent == pytest.approx(100 / 6)
    assert 0.11 < sum(lost) / 6000 < 0.23
    assert 2.8 < sum(lost) / bursts < 5.5


def test_each_state_of_the_chain_has_its_own_loss():
    assert not any(one.drop for one in series(Gilbert(p=50.0, r=50.0, good=0.0, bad=0.0), 500))
    assert all(one.drop for one in series(Gilbert(p=50.0, r=50.0, good=100.0, bad=100.0), 500))
    always_bad = series(Gilbert(p=100.0, r=0.01, good=0.0, bad=100.0), 100)
    assert sum(one.drop for one in always_bad) >= 95


@given(st.integers(1, 8), st.floats(1, 100), streams)
@settings(max_examples=60)
def test_between_two_that_overtake_at_least_the_gap_is_held(gap, percent, stream):
    held = 0
    for one in series(Reorder(percent=percent, gap=gap, delay=Duration(7)), 300, stream):
        if one.delay_ns:
            assert one.delay_ns == 7
            held += 1
        else:
            assert held >= gap - 1
            held = 0


def test_the_share_that_overtakes_is_what_the_shape_says():
    effect = Reorder(percent=25.0, gap=3, delay=Duration(1))
    overtaking = sum(not one.delay_ns for one in series(effect, 6000))
    assert effect.share == pytest.approx(1 / 6)
    assert overtaking / 6000 == pytest.approx(1 / 6, abs=0.02)


def test_a_digest_needs_enough_packets_and_tells_seeds_apart():
    few = Decisions(Loss(percent=5.0), STREAM)
    for _ in range(WITNESSES - 1):
        few.next()
    assert few.digest == ""
    few.next()
    other = Decisions(Loss(percent=5.0), "cd" * 32)
    for _ in range(WITNESSES):
        other.next()
    assert few.digest != other.digest


def test_a_table_of_losses_is_what_the_queue_decides():
    effect = Gilbert(p=5.0, r=30.0)
    assert lost_of(effect, STREAM, 400) == tuple(i for i, one in enumerate(series(effect, 400)) if one.drop)


@pytest.mark.parametrize(
    "effect", [Bandwidth(bits=1, burst=1), Flap(up=Duration(1), down=Duration(1))], ids=["rate", "flap"]
)
def test_what_is_not_decided_by_packet_is_refused(effect):
    with pytest.raises(TypeError, match="not decided packet by packet"):
        Decisions(effect, STREAM)


def test_a_band_holds_what_its_chance_says():
    assert band(100, 1.0) == (100, 100)
    assert band(100, 0.0) == (0, 0)
    low, high = band(1000, 0.1, 0.005)
    assert 70 < low < 80
    assert 120 < high < 130
