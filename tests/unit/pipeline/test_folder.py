from __future__ import annotations

import pytest

from cleanroom.errors import ExitCode
from cleanroom.pipeline.folder import FolderError, check_apart, make_room
from tests.unit.pipeline.specs import spec
from tests.unit.pipeline.test_outside import run

OURS = (
    "journal/session.json",
    "journal/run.json",
    "journal/suite-a/plan.json",
    "traces/a.jsonl",
    "logs/a/iteration-1/b/c.log",
)


def fill(folder, *files):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_what_an_earlier_run_left_goes_and_everything_else_stays(tmp_path):
    out = tmp_path / "out"
    fill(out, *OURS, "report.json", "junit.xml", "mine.txt", "sub/mine.txt")
    make_room(out, tmp_path)
    assert sorted(p.name for p in out.iterdir()) == ["mine.txt", "sub"]
    make_room(tmp_path / "new" / "out", tmp_path)
    assert (tmp_path / "new" / "out").is_dir()


@pytest.mark.parametrize(
    "file", ["logs/app.log", "logs/app/today.log", "traces/run.txt", "traces/a/b.jsonl", "journal/2026.md", "journal"]
)
def test_a_folder_of_somebody_else_s_is_never_removed(tmp_path, file):
    out = tmp_path / "out"
    fill(out, "report.json", file)
    with pytest.raises(FolderError, match="none of a report"):
        make_room(out, tmp_path)
    assert (out / file).read_text() == (out / "report.json").read_text() == "x"


def test_a_link_is_not_followed(tmp_path):
    fill(tmp_path / "elsewhere", "session.json")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "journal").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderError):
        make_room(tmp_path / "out", tmp_path)
    assert (tmp_path / "elsewhere" / "session.json").exists()


@pytest.mark.parametrize("out", [".", "..", "repo/.."])
def test_the_workspace_is_no_report_folder(tmp_path, out):
    root = tmp_path / "root"
    (root / "repo").mkdir(parents=True)
    with pytest.raises(FolderError, match="is the workspace"):
        make_room(root / out, root)


def test_a_file_is_no_folder(tmp_path):
    fill(tmp_path, "out")
    with pytest.raises(FolderError, match="cannot be prepared"):
        make_room(tmp_path / "out", tmp_path)


def test_a_spec_in_the_report_folder_would_not_reach_the_run(tmp_path):
    check_apart(tmp_path / "out", tmp_path, ("a.cleanroom.yaml", "outer/b.cleanroom.yaml"))
    with pytest.raises(FolderError, match="holds the spec out"):
        check_apart(tmp_path / "out", tmp_path, ("a.cleanroom.yaml", "out/x/b.cleanroom.yaml"))


def test_a_run_without_a_folder_ends_before_it_begins_and_writes_nothing(tmp_path):
    (tmp_path / "specs").mkdir()
    spec(tmp_path / "specs", "a.cleanroom.yaml")
    for out in (tmp_path, tmp_path / "specs"):
        outcome = run(tmp_path, out=str(out), specs=("specs",))
        assert outcome.exit_code == ExitCode.USAGE
        assert "what to do: name a folder of its own" in outcome.message
        assert [p.name for p in out.iterdir() if p.is_file()] == (["a.cleanroom.yaml"] if out.name == "specs" else [])
