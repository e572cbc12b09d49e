"""Limits of memory in control groups of both versions, as files of our own."""

from __future__ import annotations

import pytest

from cleanroom.engine.cgroup import Group
from cleanroom.engine.processes import Process
from cleanroom.errors import CapabilityError
from cleanroom.faults.container import oom
from cleanroom.faults.container.oom import limit_files, open_oom, preferred, restore
from cleanroom.faults.process.inside import Inside
from cleanroom.quantity import Size
from tests.unit.faults.scenes import Engine, Time, context, event

LIMIT = Size(48 << 20)
FIRST = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
SECOND = ("memory.swap.max", "memory.max")
FREE = {**dict.fromkeys(FIRST, "9223372036854771712"), **dict.fromkeys(SECOND, "max")}


class Ended:
    """A program of ours that has said what it came to."""

    def poll(self) -> int:
        return 0

    def communicate(self, timeout: float) -> tuple[str, str]:
        assert timeout > 0
        return "", ""


@pytest.fixture
def engine() -> Engine:
    return Engine(Time(), "db")


@pytest.fixture(params=[1, 2])
def group(request, tmp_path, monkeypatch) -> Group:
    found = Group(place=tmp_path, version=request.param)
    for name in FIRST if request.param == 1 else SECOND:
        (tmp_path / name).write_text(FREE[name])
    monkeypatch.setattr(oom, "group_of", lambda *_: found)
    monkeypatch.setattr(oom, "visible_pid", lambda state: state.pid)
    return found


@pytest.fixture
def kills(monkeypatch, group, engine) -> list[int]:
    """How many the kernel kills when memory is taken; the container ends with the first."""
    number = [1]

    def enter(groups, task, timeout):
        assert (groups, task["most"] > LIMIT.bytes, timeout > 0) == ((group,), True, True)
        lowered = {name: (group.place / name).read_text() for name in limit_files(group)}
        assert set(lowered.values()) == ({str(LIMIT.bytes)} if group.version == 1 else {str(LIMIT.bytes), "0"})
        if number[0]:
            engine.end("db")
        return Inside(Ended(), {"kills": number[0]})  # type: ignore[arg-type]

    monkeypatch.setattr(oom, "enter", enter)
    return number


def limits(group: Group) -> dict[str, str]:
    return {name: group.read(name) for name in limit_files(group)}


@pytest.mark.usefixtures("kills")
def test_the_limit_is_lowered_until_the_kernel_has_killed_and_put_back(engine, group):
    before = limits(group)
    fault = open_oom(event("container.oom", "db", parameters={"memory": LIMIT}), context(engine))
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, effect.facts["db.oom_kills"], effect.facts["db.exit_code"]) == (True, 1, 137)
    fault.revert()
    fault.revert()
    assert limits(group) == before
    assert fault.verify_reversal().holds
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.strategy, recovery.success) == ("start", True)


def test_a_kernel_that_kills_nobody_is_no_evidence(engine, kills):
    kills[0] = 0
    fault = open_oom(event("container.oom", "db", parameters={"memory": LIMIT}), context(engine))
    fault.inject()
    assert fault.verify().reason == "the kernel killed nothing in db"
    fault.revert()
    recovery = fault.recovery()
    assert recovery is not None
    assert recovery.strategy == "heal"


@pytest.mark.usefixtures("kills")
def test_a_service_that_has_less_already_is_refused_and_keeps_it(engine, group):
    name = FIRST[0] if group.version == 1 else SECOND[1]
    (group.place / name).write_text("1000")
    before = limits(group)
    fault = open_oom(event("container.oom", "db", parameters={"memory": LIMIT}), context(engine))
    with pytest.raises(CapabilityError, match="1000 bytes already, below what is asked for"):
        fault.inject()
    fault.revert()
    assert limits(group) == before


@pytest.mark.parametrize("group", [2], indirect=True)
@pytest.mark.parametrize(("dropped", "refused"), [(0, True), (30 << 20, False)])
@pytest.mark.usefixtures("kills")
def test_what_the_limit_alone_would_kill_is_refused_where_the_kernel_would(engine, group, dropped, refused):
    (group.place / "memory.current").write_text(str(60 << 20))
    (group.place / "memory.stat").write_text(f"anon 5\ninactive_file {dropped}\n")
    before = limits(group)
    fault = open_oom(event("container.oom", "db", parameters={"memory": LIMIT}), context(engine))
    if refused:
        with pytest.raises(CapabilityError, match=f"db uses {60 << 20} bytes: the limit itself would kill it"):
            fault.inject()
        assert limits(group) == before
    else:
        fault.inject()
        assert fault.verify().holds
    fault.revert()
    assert limits(group) == before


@pytest.mark.usefixtures("kills")
def test_a_limit_that_is_left_is_no_reversal(engine, group):
    fault = open_oom(event("container.oom", "db", parameters={"memory": LIMIT}), context(engine))
    fault.inject()
    fault.revert()
    name = limit_files(group)[-1]
    (group.place / name).write_text("5")
    assert fault.verify_reversal().reason.startswith(f"{name} of db is 5")


def test_limits_are_raised_in_the_other_order(group, monkeypatch):
    written: list[str] = []
    monkeypatch.setattr(Group, "write", lambda _self, name, _value: written.append(name))
    restore(group, limits(group))
    assert written == [*reversed(limit_files(group))]


def test_the_kernel_prefers_the_container_s_own_and_forgets_it_again(tmp_path, monkeypatch):
    for pid in (7, 8):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "oom_score_adj").write_text("0\n")
    living = [Process(7, 1), Process(8, 1), Process(9, 1)]
    monkeypatch.setattr(oom, "members", lambda _: frozenset(living))
    with preferred("db", tmp_path):
        assert [(tmp_path / str(pid) / "oom_score_adj").read_text() for pid in (7, 8)] == ["1000", "1000"]
        living.remove(Process(8, 1))
    assert [(tmp_path / str(pid) / "oom_score_adj").read_text() for pid in (7, 8)] == ["0\n", "1000"]


def test_another_backend_is_refused(engine):
    with pytest.raises(CapabilityError, match="no backend 'exec'"):
        open_oom(event("container.oom", "db", parameters={"memory": LIMIT}, backend="exec"), context(engine))
