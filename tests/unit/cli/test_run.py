from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from cleanroom.cli import run as command
from cleanroom.cli.main import main
from cleanroom.pipeline import outside
from cleanroom.pipeline.outside import RunOutcome
from tests.unit.pipeline.specs import spec


@pytest.fixture
def asked(monkeypatch, tmp_path) -> list[Any]:
    """What the pipeline was asked to do; it ends as the last word of the list says."""
    given: list[Any] = []

    def run_cleanroom(options, sink, interrupt):
        given.append((options, interrupt))
        sink(b"relayed \xff as it came\n")
        return RunOutcome(exit_code=6, out=options.out, message="why it ended", notes=("a fallback",))

    monkeypatch.setattr(outside, "run_cleanroom", run_cleanroom)
    monkeypatch.setattr(command, "_obey_signals", lambda _interrupt: None)
    monkeypatch.delenv("CLEANROOM_IMAGE", raising=False)
    monkeypatch.chdir(tmp_path)
    spec(tmp_path, "a.cleanroom.yaml")
    return given


def test_what_the_pipeline_says_is_passed_on(asked, tmp_path, capfdbinary):
    assert main(["run"]) == 6
    out, err = capfdbinary.readouterr()
    assert out == b"relayed \xff as it came\nnote: a fallback\nreports: %s/cleanroom-report\n" % bytes(tmp_path)
    assert err == b"cleanroom: why it ended\n"
    assert len(asked) == 1


def test_the_arguments_reach_the_pipeline(asked, tmp_path):
    main([
        "run", "a.cleanroom.yaml", "--out", "here", "--engine", "own", "--image", "me:1", "--image-cache", "off",
        "--state-dir", "/state", "--jobs", "3", "--keep", "--progress", "quiet", "--iterations", "2",
    ])  # fmt: skip
    options = asked[0][0]
    assert (options.specs, options.out, options.engine) == (("a.cleanroom.yaml",), str(tmp_path / "here"), "own")
    assert (options.image, options.image_cache, options.state_dir) == ("me:1", "off", "/state")
    assert (options.jobs, options.keep, options.progress, options.iterations) == (3, True, "quiet", 2)


@pytest.mark.parametrize(
    ("ci", "terminal", "progress"), [("", True, "live"), ("1", True, "plain"), ("", False, "plain")]
)
def test_a_person_at_a_terminal_gets_live_lines(ci, terminal, progress, asked, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", ci)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    main(["run"])
    assert asked[0][0].progress == progress


def test_signals_ask_the_run_to_stop(monkeypatch):
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    fired = []

    class Now:
        def __init__(self, target, **_: object):
            self.start = target

    monkeypatch.setattr(command.threading, "Thread", Now)
    interrupt: Any = type("Switch", (), {"fire": lambda _self: fired.append(1)})()
    command._obey_signals(interrupt)
    assert set(handlers) == {signal.SIGINT, signal.SIGTERM}
    for handler in handlers.values():
        handler(2, None)
    assert len(fired) == 2


def test_the_report_folder_is_absolute(asked):
    main(["run"])
    assert Path(asked[0][0].out).is_absolute()
