"""What a process has around it, read from a kernel: this test's own process stands for a service's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cleanroom.engine import surroundings as module
from cleanroom.engine.surroundings import hostname_of, surroundings
from cleanroom.errors import InconclusiveError


class Engine:
    """One container, whose first process is any that the test names."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def inspect(self, _container: str) -> Any:
        return SimpleNamespace(pid=self.pid, started_at="2026-01-01T00:00:00Z")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc of our own; who is told of its own CPUs and names is this process."""
    monkeypatch.setattr(module, "_PROC", tmp_path)
    monkeypatch.setattr(module, "hostname_of", lambda pid: f"host-of-{pid}")
    return tmp_path


def process(proc: Path, *, pid: int = os.getpid(), zone: str = "", **variables: str) -> None:
    (proc / str(pid)).mkdir()
    text = "\0".join(f"{name}={value}" for name, value in variables.items()) + "\0"
    (proc / str(pid) / "environ").write_text(text, encoding="utf-8")
    if zone:
        path = proc / str(pid) / "root" / "usr" / "share" / "zoneinfo" / zone
        path.parent.mkdir(parents=True)
        path.write_bytes(b"TZif")


def test_everything_that_can_vary_is_read_from_the_process(proc: Path):
    process(proc, zone="Asia/Kathmandu", TZ="Asia/Kathmandu", LC_ALL="tr_TR.UTF-8", PATH="/bin:a=b")
    assert surroundings(Engine(os.getpid()), "c1", init=False) == {
        "hostname": f"host-of-{os.getpid()}",
        "timezone": "Asia/Kathmandu",
        "locale": "tr_TR.UTF-8",
        "cpus": str(len(os.sched_getaffinity(0))),
        "started_at": "2026-01-01T00:00:00Z",
    }


def test_a_zone_that_the_image_has_not_is_none(proc: Path):
    """The C library takes such a name for UTC without a word."""
    process(proc, TZ="Asia/Kathmandu")
    found = surroundings(Engine(os.getpid()), "c1", init=False)
    assert found["timezone"] == "Asia/Kathmandu (which its image does not know)"


def test_utc_needs_no_data_and_an_unset_locale_is_empty(proc: Path):
    process(proc, TZ="UTC")
    found = surroundings(Engine(os.getpid()), "c1", init=False)
    assert found["timezone"] == "UTC"
    assert found["locale"] == ""


def test_with_an_init_its_child_is_looked_at(proc: Path, monkeypatch: pytest.MonkeyPatch):
    process(proc, TZ="UTC")
    monkeypatch.setattr(module, "children", lambda pid: frozenset({os.getpid()}) if pid == 1 else frozenset())
    assert surroundings(Engine(1), "c1", init=True)["hostname"] == f"host-of-{os.getpid()}"


@pytest.mark.parametrize(("pid", "init"), [(0, False), (0, True), (1, True)])
def test_a_service_that_has_ended_cannot_be_looked_at(monkeypatch: pytest.MonkeyPatch, pid: int, init: bool):
    monkeypatch.setattr(module, "children", lambda _pid: frozenset())
    with pytest.raises(InconclusiveError, match="it has ended"):
        surroundings(Engine(pid), "c1", init=init)


@pytest.mark.usefixtures("proc")
def test_a_process_that_ends_meanwhile_is_told():
    with pytest.raises(InconclusiveError, match="cannot be looked at: No such file"):
        surroundings(Engine(os.getpid()), "c1", init=False)


@pytest.mark.parametrize(
    "failure", [subprocess.CalledProcessError(1, "nsenter"), subprocess.TimeoutExpired("nsenter", 20)]
)
def test_a_host_name_that_cannot_be_read_is_an_error_of_the_system(monkeypatch: pytest.MonkeyPatch, failure: Exception):
    def refuse(*_: Any, **__: Any) -> Any:
        raise failure

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(OSError, match="its host name cannot be read"):
        hostname_of(os.getpid())


def test_a_host_name_is_asked_for_in_the_processs_own_namespace(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def answer(command: tuple[str, ...], **_: Any) -> Any:
        asked.append(command)
        return SimpleNamespace(stdout="h42\n")

    monkeypatch.setattr(subprocess, "run", answer)
    assert hostname_of(42) == "h42"
    assert asked == [("nsenter", "--target", "42", "--uts", "uname", "-n")]
