"""Zombies and fork bombs in a group of files of our own; the processes themselves are made in the engine's tests."""

from __future__ import annotations

import pytest

from cleanroom.engine.cgroup import Group
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.process import crowded
from cleanroom.faults.process.crowded import open_fork_bomb, open_zombies, zombies
from cleanroom.faults.process.inside import Inside
from tests.unit.faults.scenes import Engine, Time, context, event


class Living:
    """A program of ours that lasts until it is ended."""

    def __init__(self) -> None:
        self.over = False

    def poll(self) -> int | None:
        return 0 if self.over else None

    def communicate(self, timeout: float) -> tuple[str, str]:
        assert timeout > 0
        self.over = True
        return "", ""


class World:
    """What the kernel would tell: zombies, and a group with its limit."""

    def __init__(self, place, monkeypatch) -> None:
        self.group = Group(place=place, version=2)
        self.zombies = 2
        self.made = 0
        (place / "pids.max").write_text("max\n")
        (place / "pids.current").write_text("5\n")
        (place / "pids.events").write_text("max 1\n")
        monkeypatch.setattr(crowded, "group_of", lambda *_: self.group)
        monkeypatch.setattr(crowded, "visible_pid", lambda state: state.pid)
        monkeypatch.setattr(crowded, "zombies", lambda _: self.zombies)
        monkeypatch.setattr(crowded, "enter", self.enter)
        self.program = Living()

    def enter(self, groups, task, timeout):
        assert (groups, timeout > 0, task["pid"]) == ((self.group,), True, 100)
        self.zombies += self.made if task["do"] == "end" else 0
        return Inside(self.program, {"made": self.made, "error": "no room" if self.made < task["count"] else ""})  # type: ignore[arg-type]


@pytest.fixture
def engine() -> Engine:
    return Engine(Time(), "db")


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    return World(tmp_path, monkeypatch)


def bomb(engine: Engine, pids: int = 30):
    return open_fork_bomb(event("process.fork_bomb", "db", parameters={"pids": pids}), context(engine))


def undead(engine: Engine, count: int = 50):
    return open_zombies(event("process.zombies", "db", parameters={"count": count}), context(engine))


def test_zombies_are_counted_and_reaped(engine, world):
    world.made = 50
    fault = undead(engine)
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, effect.facts) == (True, {"db.made": 50, "db.zombies": 50})
    world.zombies = 2
    fault.revert()
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed, world.program.over) == (True, "", True)
    assert world.group.read("pids.max") == "max"


def test_too_few_zombies_are_no_evidence_and_those_that_stay_no_reversal(engine, world):
    world.made = 49
    fault = undead(engine)
    fault.inject()
    assert fault.verify().reason == "49 zombies in db, not 50 (no room)"
    fault.revert()
    world.zombies = 52
    assert fault.verify_reversal().reason == "50 zombies are left in db"


def test_a_bomb_fills_the_limit_and_the_limit_is_put_back(engine, world, tmp_path):
    fault = bomb(engine)
    fault.inject()
    assert world.group.read("pids.max") == "30"
    (tmp_path / "pids.current").write_text("30")
    (tmp_path / "pids.events").write_text("max 4\n")
    effect = fault.verify()
    assert effect.holds
    assert (effect.facts["db.pids_current"], effect.facts["db.refused"]) == (30, 3)
    fault.revert()
    fault.revert()
    assert world.group.read("pids.max") == "max"
    assert fault.verify_reversal().holds


@pytest.mark.parametrize(("current", "refused"), [(30, 1), (29, 4)])
def test_a_bomb_without_a_refusal_or_room_to_spare_is_no_evidence(engine, world, tmp_path, current, refused):
    fault = bomb(engine)
    fault.inject()
    (tmp_path / "pids.current").write_text(str(current))
    (tmp_path / "pids.events").write_text(f"max {refused}\n")
    assert not fault.verify().holds
    fault.revert()
    (tmp_path / "pids.max").write_text("7")
    assert fault.verify_reversal().reason == "the limit of db is 7, not max"
    assert world.program.over


@pytest.mark.usefixtures("world")
def test_a_limit_that_is_full_already_is_refused_before_anything_is_changed(engine, tmp_path):
    fault = bomb(engine, 5)
    with pytest.raises(CapabilityError, match="db has 5 processes and threads already"):
        fault.inject()
    assert (tmp_path / "pids.max").read_text() == "max\n"


def test_a_limit_is_put_back_where_nothing_could_be_started(engine, world, monkeypatch):
    def refuse(*_: object) -> None:
        raise EngineError("no room")

    monkeypatch.setattr(crowded, "enter", refuse)
    fault = bomb(engine)
    with pytest.raises(EngineError, match="no room"):
        fault.inject()
    fault.revert()
    assert world.group.read("pids.max") == "max"


def test_a_container_that_ended_under_the_fault_did_not_bear_it(engine, world):
    world.made = 50
    fault = undead(engine)
    fault.inject()
    engine.end("db")
    fault.revert()
    assert fault.verify_reversal().lapsed == "db ended under the fault"


def test_zombies_are_those_of_one_namespace(tmp_path):
    for pid, letter, namespace in ((7, "S", "a"), (8, "Z", "a"), (9, "Z", "b"), (10, "Z", "a")):
        (tmp_path / str(pid) / "ns").mkdir(parents=True)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b) {letter} 1 1")
        (tmp_path / str(pid) / "ns" / "pid").symlink_to(f"pid:[{namespace}]")
    assert zombies(7, tmp_path) == 2
    assert zombies(99, tmp_path) == 0
