from __future__ import annotations

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.faults.traffic.draw import DelayDraws, delay_at_least, deviation, uniforms
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.quantity import Duration

STREAM = "ab" * 32
streams = st.binary(min_size=32, max_size=32).map(bytes.hex)
durations = st.integers(0, 10**10).map(Duration)
delays = st.builds(
    Delay,
    delay=durations,
    jitter=durations,
    distribution=st.sampled_from(["uniform", "normal", "pareto"]),
    correlation=st.floats(0, 100),
)


def series(delay: Delay, stream: str = STREAM, count: int = 20) -> list[int]:
    draws = DelayDraws(delay, stream)
    return [draws.next() for _ in range(count)]


@given(delays, streams)
def test_the_same_packet_of_the_same_stream_always_has_the_same_delay(delay, stream):
    assert series(delay, stream) == series(delay, stream)


@given(delays, streams)
def test_no_delay_is_negative(delay, stream):
    assert all(isinstance(value, int) and value >= 0 for value in series(delay, stream))


@given(streams, st.integers(0, 2**64 - 1))
def test_draws_lie_between_nought_and_one(stream, index):
    assert all(0 <= value < 1 for value in uniforms(stream, index))


def test_the_largest_block_still_lies_below_one(monkeypatch):
    class Ones:
        def digest(self) -> bytes:
            return b"\xff" * 32

    monkeypatch.setattr("cleanroom.faults.traffic.draw.hashlib.sha256", lambda _: Ones())
    first, second = uniforms(STREAM, 0)
    assert first < 1
    assert all(deviation(name, first, second) < 10**9 for name in ("uniform", "normal", "pareto"))


def test_another_stream_draws_other_delays():
    delay = Delay(delay=Duration(10**9), jitter=Duration(10**8))
    assert series(delay) != series(delay, "cd" * 32)


@given(durations, streams)
@settings(max_examples=20)
def test_without_jitter_every_packet_has_exactly_the_delay(delay, stream):
    assert series(Delay(delay=delay), stream) == [delay.ns] * 20


@given(durations, durations, streams)
def test_uniform_delays_stay_within_the_jitter(delay, jitter, stream):
    found = series(Delay(delay=delay, jitter=jitter), stream)
    assert all(delay.ns - jitter.ns <= value <= delay.ns + jitter.ns for value in found)


@pytest.mark.parametrize(("distribution", "spread"), [("uniform", 0.577), ("normal", 1.0), ("pareto", 1.0)])
def test_a_distribution_has_the_mean_and_the_spread_that_it_promises(distribution, spread):
    found = [deviation(distribution, *uniforms(STREAM, index)) for index in range(20_000)]
    assert statistics.fmean(found) == pytest.approx(0, abs=0.03)
    # A pareto of this shape has a variance that samples approach slowly.
    assert statistics.pstdev(found) == pytest.approx(spread, rel=0.25 if distribution == "pareto" else 0.03)


def test_the_median_of_a_pareto_lies_below_its_mean_and_its_tail_is_long():
    found = sorted(deviation("pareto", *uniforms(STREAM, index)) for index in range(5000))
    assert found[2500] < -0.1
    assert found[-1] > 4
    assert found[0] > -0.6


def neighbours(correlation: float) -> float:
    found = series(Delay(delay=Duration(10**9), jitter=Duration(10**8), correlation=correlation), count=4000)
    return statistics.correlation(found[:-1], found[1:])


def test_correlation_makes_neighbours_alike():
    assert neighbours(0.0) == pytest.approx(0, abs=0.05)
    assert neighbours(75.0) == pytest.approx(0.75, abs=0.05)


def test_full_correlation_repeats_the_first_draw():
    found = series(Delay(delay=Duration(10**9), jitter=Duration(10**8), correlation=100.0))
    assert len(set(found)) == 1


@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto"])
def test_the_certain_part_of_a_delay_is_what_nearly_all_packets_have(distribution):
    delay = Delay(delay=Duration(10**9), jitter=Duration(5 * 10**8), distribution=distribution)
    certain = delay_at_least(delay, 0.15)
    late = sum(1 for value in series(delay, count=4000) if value >= certain) / 4000
    assert late == pytest.approx(0.85, abs=0.04)


def test_the_seed_is_the_head_of_the_stream():
    shape = Shape(
        match=Match(direction="egress"), effect=Delay(delay=Duration(1)), stream="00000000000000ff" + "1" * 48
    )
    assert shape.seed == 255
