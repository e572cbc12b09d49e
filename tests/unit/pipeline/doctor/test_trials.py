"""Every need is tried; what is refused is said in its own words."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace

import pytest

from cleanroom.errors import EngineError
from cleanroom.faults import needs
from cleanroom.faults.needs import NEEDS
from cleanroom.pipeline.doctor import trials


@pytest.fixture
def poor(monkeypatch):
    """A machine with no tool, no device and no right."""
    monkeypatch.setattr(trials.shutil, "which", lambda _name: None)
    monkeypatch.setattr(trials.platform, "machine", lambda: "m68k")
    monkeypatch.setattr(
        trials.subprocess, "run",
        lambda argv, **_: subprocess.CompletedProcess(argv, 1, "", f"{argv[0]}: Operation\n not permitted"),
    )  # fmt: skip

    def refuse():
        raise trials.RefusedError("/dev/fuse cannot be opened", "load it")

    monkeypatch.setattr(trials, "prepare", refuse)


@pytest.mark.usefixtures("poor")
def test_every_need_that_services_do_not_decide_is_tried_in_the_order_of_the_registry():
    found = trials.examine(None, "no dockerd")
    assert [one.name for one in found] == [name for name, need in NEEDS.items() if not need.by_service]
    assert not any(one.works for one in found)
    assert all(one.remedy == NEEDS[one.name].remedy for one in found)
    seen = {one.name: one.seen for one in found}
    assert seen[needs.TABLES] == "unshare: Operation not permitted"
    assert seen[needs.PIDS] == "there is no engine: no dockerd"
    assert seen[needs.TC] == "not on PATH"
    assert seen[needs.X86] == "this is m68k"
    assert "cannot be opened" in seen[needs.FUSE]


def test_what_works_works(monkeypatch):
    monkeypatch.setattr(trials.shutil, "which", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(trials.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(
        trials.subprocess, "run", lambda argv, **_: subprocess.CompletedProcess(argv, 0, "", "a warning")
    )
    monkeypatch.setattr(trials, "prepare", lambda: {"device": os.open(os.devnull, os.O_RDONLY)})
    found = {one.name: one for one in trials.examine(None, "none")}
    assert {name for name, one in found.items() if not one.works} == {needs.ENGINE, *trials.CONTAINER}
    assert not any(one.remedy for one in found.values() if one.works)


@pytest.mark.parametrize(
    ("error", "words"), [(FileNotFoundError("unshare"), "unshare"), (subprocess.TimeoutExpired("nft", 15), "timed out")]
)
def test_a_tool_that_is_not_there_or_hangs_does_not_work(error, words, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(trials.subprocess, "run", fail)
    assert words in trials.refused(("x",))


def test_what_is_tried_by_a_command_is_tried_in_a_namespace_of_its_own():
    for need, argv in trials.COMMANDS.items():
        assert argv[0] == "unshare", need
        assert argv[1] in ("--net", "--mount"), need


class Engine:
    """Makes one container and removes it."""

    def __init__(self, *, status: str = "paused", broken: str = "") -> None:
        self.calls: list[str] = []
        self._status = status
        self._broken = broken

    def has_image(self, _reference):
        return True

    def create(self, _spec):
        if self._broken:
            raise EngineError(self._broken)
        return "id"

    def inspect(self, container):
        return SimpleNamespace(id=container, status=self._status, pid=os.getpid(), name="n")

    def version(self):
        return "26.1"

    def __getattr__(self, name):
        return lambda *_: self.calls.append(name)


def in_container(monkeypatch, engine):
    monkeypatch.setattr(trials, "visible_pid", lambda state: state.pid)
    monkeypatch.setattr(trials, "refused", lambda _argv: "")
    return {one.name: one for one in trials.examine(engine) if one.name in (needs.ENGINE, *trials.CONTAINER)}


def test_a_throw_away_container_is_tried_and_removed(monkeypatch):
    engine = Engine()
    found = in_container(monkeypatch, engine)
    assert found[needs.ENGINE].seen == "26.1"
    works = {needs.PIDS, needs.MOUNTS, needs.LIMITS, needs.FREEZER}
    assert all(found[need].works for need in works), found
    assert engine.calls == ["start", "pause", "unpause", "remove"]


def test_a_freezer_that_holds_nothing_does_not_work(monkeypatch):
    found = in_container(monkeypatch, Engine(status="running"))
    assert found[needs.FREEZER].seen == "the container is running"


def test_an_engine_that_makes_no_container_is_none(monkeypatch):
    engine = Engine(broken="no space left")
    found = in_container(monkeypatch, engine)
    assert {one.seen for one in found.values()} == {"no space left"}
    assert engine.calls == ["remove"]


@pytest.mark.parametrize("version", [1, 2])
def test_the_groups_of_the_container_must_take_a_write(version, monkeypatch, tmp_path):
    directory = tmp_path
    values = {"cpu.cfs_quota_us": "-1", "cpu.max": "max 100000", "memory.limit_in_bytes": "9", "memory.max": "max",
              "pids.max": "max", "blkio.throttle.write_bps_device": "", "io.max": ""}  # fmt: skip
    for name, value in values.items():
        (directory / name).write_text(value)
    written: list[str] = []

    class Group:
        place = directory

        def __init__(self) -> None:
            self.version = version

        def read(self, name):
            return (directory / name).read_text()

        def write(self, name, value):
            written.append(f"{name}={value}")

    monkeypatch.setattr(trials, "group_of", lambda *_: Group())
    found = in_container(monkeypatch, Engine())
    assert all(found[need].works for need in (needs.CPU, needs.MEMORY, needs.PROCESSES, needs.IO)), found
    assert (
        written
        == [
            ["cpu.cfs_quota_us=-1", "memory.limit_in_bytes=9", "pids.max=max"],
            ["cpu.max=max 100000", "memory.max=max", "pids.max=max"],
        ][version - 1]
    )
    (directory / ("blkio.throttle.write_bps_device" if version == 1 else "io.max")).unlink()
    assert "No such file" in in_container(monkeypatch, Engine())[needs.IO].seen
