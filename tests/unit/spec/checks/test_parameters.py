"""Parameters of a fault that contradict each other."""

from __future__ import annotations

import pytest

from tests.unit.spec.faults import checked


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("fault: network.latency, target: db, delay: 10ms, jitter: 11ms", "by 11ms"),
        ("fault: network.latency, target: db, delay: 10ms, jitter: 10ms", ""),
        ("fault: http.delay, target: db, delay: 1s, jitter: 2s", "by 2s"),
        ("fault: network.slice, target: db, size: 1, protocol: udp", "udp has none"),
        ("fault: network.slice, target: db, size: 1, protocol: any", ""),
        ("fault: network.blackhole, target: db, protocol: udp", ""),
        ("fault: network.partition, groups: [[db], [api]], direction: both", "one_way"),
        ("fault: network.partition, target: db, direction: both", ""),
        ("fault: container.crash_loop, target: db, every: 1s, times: 3, for: 2s", "do not fit"),
        ("fault: container.crash_loop, target: db, every: 1s, times: 3, for: 2001ms", ""),
        ("fault: container.crash_loop, target: db, every: 1s, times: 3", ""),
        ("fault: network.loss, target: db, gilbert: {p: 1, r: 1, bad: 0}", "nothing is lost"),
        ("fault: network.loss, target: db, gilbert: {p: 1, r: 1, good: 1, bad: 0}", ""),
    ],
)
def test_a_parameter_that_another_one_contradicts_is_refused(entry, found):
    problems = checked(f"{{id: x, {entry}}}").sorted()
    assert [problem.code for problem in problems] == ["contradiction"] * bool(found)
    assert all(found in problem.message for problem in problems)
