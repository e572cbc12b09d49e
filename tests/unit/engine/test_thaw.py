from __future__ import annotations

from pathlib import Path

from cleanroom.engine.thaw import thaw


def group(folder: Path, name: str, state: str, *pids: str) -> Path:
    made = folder / name
    made.mkdir(parents=True)
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
