"""The program is run for real: it is the machine's own word on what a few bytes do."""

from __future__ import annotations

import io
import platform
import subprocess
import tarfile

import pytest

from cleanroom.faults.container import wrapper
from cleanroom.faults.container.wrapper import MACHINE, archive, program

pytestmark = pytest.mark.skipif(platform.machine() != MACHINE, reason="the program is of another architecture")


@pytest.fixture
def made(tmp_path, monkeypatch):
    # A path has 32 bytes in the table, with the zero at its end: too few for a folder of a test.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wrapper, "count_file", lambda number: f"{number:04d}")

    def make(code: int, times: int, files: int) -> str:
        path = tmp_path / "run"
        path.write_bytes(program(code, times))
        path.chmod(0o755)
        for number in range(files):
            (tmp_path / f"{number:04d}").touch()
        return str(path)

    return make


def run(path: str, *command: str) -> tuple[int, bytes]:
    done = subprocess.run((path, *command), capture_output=True, check=False, timeout=20, env={"A": "b c"})
    return done.returncode, done.stdout


@pytest.mark.parametrize(("code", "times"), [(3, 1), (0, 2), (255, 5)])
def test_it_ends_so_many_times_with_the_code_and_then_is_the_command(made, code, times):
    path = made(code, times, times)
    for _ in range(times):
        assert run(path, "/bin/echo", "hello", "you") == (code, b"")
    assert run(path, "/bin/echo", "hello", "you") == (0, b"hello you\n")
    assert run(path, "/usr/bin/env") == (0, b"A=b c\n")


def test_a_file_that_was_taken_away_by_somebody_else_counts_no_more(made, tmp_path):
    path = made(7, 3, 3)
    (tmp_path / "0001").unlink()
    assert [run(path, "/bin/true")[0] for _ in range(3)] == [7, 7, 0]


def test_a_command_that_is_not_there_ends_as_a_shell_would_say_it(made):
    assert run(made(7, 1, 0), "/nowhere")[0] == 127


def test_the_archive_lets_every_user_take_the_files_away():
    with tarfile.open(fileobj=io.BytesIO(archive(9, 2))) as tar:
        found = {entry.name: (entry.mode, entry.isdir()) for entry in tar}
    assert found == {
        ".cleanroom-exit": (0o777, True), ".cleanroom-exit/run": (0o755, False),
        ".cleanroom-exit/0000": (0o644, False), ".cleanroom-exit/0001": (0o644, False),
    }  # fmt: skip
