from __future__ import annotations

from dataclasses import dataclass, field

from cleanroom.engine.inventory import inventory_of, leftovers
from cleanroom.engine.ports import Inventory
from cleanroom.quantity import Duration


@dataclass
class Clock:
    at: float = 0.0

    def now_ns(self) -> int:
        return int(self.at * 1e9)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Listing:
    answers: list[Inventory]
    asked: int = field(default=0)

    def inventory(self) -> Inventory:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


BEFORE = Inventory(containers=("mine",))
LEFT = Inventory(containers=("mine", "left"), volumes=("v",))


def test_default_networks_are_left_out_and_names_are_sorted() -> None:
    found = inventory_of(
        [{"Id": "2", "Names": ["/b"]}, {"Id": "1", "Names": None}, {"Id": "3", "Names": ["/a"]}],
        [{"Name": "none"}, {"Name": "clr"}, {"Name": "host"}, {"Name": "bridge"}],
        [{"Name": "v"}],
    )
    assert found == Inventory(containers=("1", "a", "b"), networks=("clr",), volumes=("v",))


def test_what_goes_away_in_time_is_not_left() -> None:
    engine, clock = Listing([LEFT, LEFT, BEFORE]), Clock()
    assert leftovers(engine, BEFORE, clock=clock, timeout=Duration(10**9)).empty  # type: ignore[arg-type]
    assert engine.asked == 3


def test_what_stays_is_named_after_the_timeout() -> None:
    clock = Clock()
    left = leftovers(Listing([LEFT]), BEFORE, clock=clock, timeout=Duration(10**9))  # type: ignore[arg-type]
    assert left == Inventory(containers=("left",), volumes=("v",))
    assert clock.at >= 1.0
