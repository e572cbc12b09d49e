from __future__ import annotations

import argparse
import os

import pytest

from cleanroom.cli import files, fmt
from cleanroom.errors import UsageError

UGLY = b"a:\n- 1   # one\n"
NICE = b"a:\n  - 1   # one\n".replace(b"  - 1   #", b"  - 1  #")


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def call(*words):
    parser = argparse.ArgumentParser()
    fmt.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["fmt", *words])
    return arguments.call(arguments)


def test_it_rewrites_in_place_with_the_same_mode_and_says_so(tmp_path, capsys):
    path = tmp_path / "a.cleanroom.yaml"
    path.write_bytes(UGLY)
    path.chmod(0o640)
    assert call() == 0
    assert path.read_bytes() == NICE
    assert path.stat().st_mode & 0o7777 == 0o640
    assert capsys.readouterr().out == "a.cleanroom.yaml: formatted\n1 file formatted, 0 unchanged\n"
    assert os.listdir(tmp_path) == ["a.cleanroom.yaml"]  # noqa: PTH208 -- every name, the temporary file's too
    assert call() == 0
    assert capsys.readouterr().out == "0 files formatted, 1 unchanged\n"


def test_an_unchanged_file_is_not_written(tmp_path):
    path = tmp_path / "a.cleanroom.yaml"
    path.write_bytes(NICE)
    os.utime(path, ns=(1, 1))
    assert call() == 0
    assert path.stat().st_mtime_ns == 1


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.yaml").write_bytes(UGLY)
    link = tmp_path / "a.cleanroom.yaml"
    link.symlink_to("real.yaml")
    assert call() == 0
    assert link.is_symlink()
    assert (tmp_path / "real.yaml").read_bytes() == NICE


def test_a_pipe_is_not_waited_for(tmp_path, capsys):
    os.mkfifo(tmp_path / "a.cleanroom.yaml")
    assert call("a.cleanroom.yaml") == 3
    assert "no regular file" in capsys.readouterr().err


def test_check_writes_nothing_and_exits_1(tmp_path, capsys):
    path = tmp_path / "a.cleanroom.yaml"
    path.write_bytes(UGLY)
    assert call("--check") == 1
    assert path.read_bytes() == UGLY
    assert capsys.readouterr().out == "a.cleanroom.yaml: would be formatted\n1 file would be formatted, 0 unchanged\n"
    path.write_bytes(NICE)
    assert call("--check") == 0


def test_diff_prints_the_difference_and_writes_nothing(tmp_path, capsys):
    path = tmp_path / "a.cleanroom.yaml"
    path.write_bytes(UGLY)
    assert call("--diff") == 0
    assert "-- 1   # one\n+  - 1  # one\n" in capsys.readouterr().out
    assert call("--diff", "--check") == 1
    assert path.read_bytes() == UGLY


def test_diff_shows_carriage_returns(tmp_path, capsys):
    (tmp_path / "a.cleanroom.yaml").write_bytes(b"a: 1\r\n")
    assert call("--diff") == 0
    assert "-a: 1\\r\n+a: 1\n" in capsys.readouterr().out


def test_an_invalid_file_is_shown_and_left_alone_and_the_others_are_formatted(tmp_path, capsys):
    (tmp_path / "a.cleanroom.yaml").write_bytes(UGLY)
    (tmp_path / "b.cleanroom.yaml").write_bytes(b"a: [1\n")
    assert call() == 3
    assert (tmp_path / "a.cleanroom.yaml").read_bytes() == NICE
    assert (tmp_path / "b.cleanroom.yaml").read_bytes() == b"a: [1\n"
    assert "b.cleanroom.yaml:2:1: error[yaml-syntax]" in capsys.readouterr().err


def test_templates_are_skipped_by_name(tmp_path, capsys):
    path = tmp_path / "a.cleanroom.yaml.j2"
    path.write_bytes(UGLY)
    assert call() == 0
    assert path.read_bytes() == UGLY
    assert "a.cleanroom.yaml.j2: skipped" in capsys.readouterr().err


def test_a_pattern_that_matches_nothing_is_an_error():
    with pytest.raises(UsageError, match="no spec matches"):
        call("nothing")


def test_a_folder_that_takes_no_files_is_an_error_and_the_file_stays(tmp_path, monkeypatch):
    (tmp_path / "a.cleanroom.yaml").write_bytes(UGLY)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.tempfile, "mkstemp", full)
    with pytest.raises(UsageError, match="cannot be written: No space left"):
        call()
    assert (tmp_path / "a.cleanroom.yaml").read_bytes() == UGLY
