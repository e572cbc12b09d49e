from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from cleanroom.engine.thaw import dying, thaw, thawing


def group(folder: Path, name: str, state: str, *pids: str) -> Path:
    made = folder / name
    made.mkdir(parents=True, exist_ok=True)
    (made / "freezer.state").write_text(state + "\n")
    (made / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
    return made / "freezer.state"


def test_frozen_groups_with_processes_of_ours_are_let_go(tmp_path: Path):
    frozen = group(tmp_path, "docker/a", "FROZEN", "12", "13")
    half = group(tmp_path, "docker/b", "FREEZING", "14")
    running = group(tmp_path, "docker/c", "THAWED", "15")
    foreign = group(tmp_path, "other", "FROZEN", "0", "0")
    empty = group(tmp_path, "empty", "FROZEN")
    assert sorted(thaw(tmp_path)) == [str(frozen.parent), str(half.parent)]
    assert [one.read_text().strip() for one in (frozen, half, running, foreign, empty)] == [
        "THAWED", "THAWED", "THAWED", "FROZEN", "FROZEN",
    ]  # fmt: skip


def test_a_kernel_without_a_freezer_has_nothing_to_let_go(tmp_path: Path):
    assert thaw(tmp_path / "none") == ()


def test_only_what_is_frozen_below_a_dying_container_is_let_go(tmp_path: Path):
    inner = group(tmp_path, "docker/cell/docker/service", "FROZEN", "0")
    sliced = group(tmp_path, "system.slice/docker-cell.scope/docker/service", "FROZEN", "0")
    whole = group(tmp_path, "docker/cell", "FROZEN", "0")
    other = group(tmp_path, "docker/other/docker/service", "FROZEN", "0")
    with thawing("cell", freezer=tmp_path):
        assert until(lambda: inner.read_text() == sliced.read_text() == "THAWED")
    assert [one.read_text().strip() for one in (whole, other)] == ["FROZEN", "FROZEN"]


def test_what_is_paused_again_is_let_go_again_until_the_block_ends(tmp_path: Path):
    inner = group(tmp_path, "docker/cell/docker/service", "FROZEN", "0")
    with thawing("cell", freezer=tmp_path):
        assert until(lambda: inner.read_text() == "THAWED")
        inner.write_text("FROZEN\n")
        assert until(lambda: inner.read_text() == "THAWED")


def test_a_pause_that_is_wanted_is_left_alone(tmp_path: Path):
    inner = group(tmp_path, "docker/cell/docker/service", "FROZEN", "0")
    asked: list[int] = []
    with thawing("cell", lambda: bool(asked.append(1)), freezer=tmp_path):
        assert until(lambda: len(asked) > 1)
    assert inner.read_text() == "FROZEN\n"


def test_a_first_process_on_its_way_out_is_told_from_one_that_lives_and_from_a_strangers(tmp_path: Path):
    for pid, flags, group_of in ((7, 0x4, "cell"), (8, 0x400000, "cell"), (9, 0x4, "other")):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "cgroup").write_text(f"5:freezer:/docker/{group_of}\n")
        (folder / "stat").write_text(f"{pid} (py (x) y) S 1 1 1 0 -1 {flags} 0 0 0\n")
    assert [dying(pid, "cell", tmp_path) for pid in (7, 8, 9, 10)] == [True, False, False, False]


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return found
