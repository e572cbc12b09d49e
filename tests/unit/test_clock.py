from __future__ import annotations

import time

from cleanroom.clock import Deadline, SystemClock


class Still:
    at = 5.0

    def now_ns(self) -> int:
        return int(self.at * 1e9)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_deadline_runs_down_and_is_never_negative():
    clock = Still()
    deadline = Deadline.after(clock, 2.0)
    assert (deadline.remaining(), deadline.expired()) == (2.0, False)
    clock.sleep(1.5)
    assert (deadline.remaining(), deadline.expired()) == (0.5, False)
    clock.sleep(0.5)
    assert (deadline.remaining(), deadline.expired()) == (0.0, True)
    clock.sleep(1)
    assert (deadline.remaining(), deadline.expired()) == (0.0, True)


def test_the_machine_s_clocks():
    clock = SystemClock()
    before = time.time_ns(), time.monotonic()
    found = clock.now_ns(), clock.monotonic()
    after = time.time_ns(), time.monotonic()
    assert before[0] <= found[0] <= after[0]
    assert before[1] <= found[1] <= after[1]


def test_a_negative_sleep_is_none(monkeypatch):
    asked = []
    monkeypatch.setattr(time, "sleep", asked.append)
    SystemClock().sleep(-1)
    SystemClock().sleep(0.25)
    assert asked == [0.0, 0.25]
