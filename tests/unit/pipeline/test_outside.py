from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanroom.engine.conversation import Interrupt
from cleanroom.engine.launcher import LaunchOptions, LaunchResult
from cleanroom.engine.modes import Facts
from cleanroom.errors import CapabilityError, EngineError, ExitCode, UsageError
from cleanroom.pipeline import outside
from cleanroom.pipeline.job import JOB
from cleanroom.pipeline.outside import RunOutcome, run_cleanroom
from tests.unit.pipeline.specs import options, spec

FILES = {"report.json", "junit.xml", "summary.md", "digests.json", "cleanup.json", "SHA256SUMS"}
ENGINE = Facts(in_cell=False, engine_trouble="", linux=True, root=False, dockerd=False, unshare=False)


def read_report(out: str) -> Any:
    return json.loads((Path(out) / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(outside, "gather_facts", lambda _environment: ENGINE)


@pytest.fixture
def launched(monkeypatch) -> list[LaunchOptions]:
    """What the launcher was given; it leaves a report and ends well."""
    return launching(monkeypatch)


def launching(monkeypatch, exit_code: int = 0, *, report: bool = True, error: Exception | None = None, **result: Any):
    asked: list[LaunchOptions] = []

    def launch(mode: str, given: LaunchOptions) -> LaunchResult:
        asked.append(given)
        assert mode == "cell"
        if error is not None:
            raise error
        if report:
            (Path(given.out) / "report.json").write_text('{"mine": true}')
        return LaunchResult(run="0123", exit_code=exit_code, **result)

    monkeypatch.setattr(outside, "launch", launch)
    return asked


def run(root: Path, **kw: Any) -> RunOutcome:
    return run_cleanroom(options(root, **kw), lambda _data: None, Interrupt())


def test_a_run_goes_to_a_cell_and_its_exit_code_is_that_of_the_worker(tmp_path, monkeypatch):
    for code in (0, 1, 5, 6):
        spec(tmp_path, "a.cleanroom.yaml")
        launching(monkeypatch, code)
        outcome = run(tmp_path)
        assert (outcome.exit_code, outcome.message, outcome.seed) == (code, "", 42)
        assert read_report(outcome.out) == {"mine": True}


def test_an_invalid_spec_is_exit_code_3_with_a_report_and_no_cell(tmp_path, launched):
    spec(tmp_path, "a.cleanroom.yaml", more="colour: red")
    outcome = run(tmp_path)
    assert outcome.exit_code == ExitCode.INVALID_SPEC
    assert "a.cleanroom.yaml:14:1" in outcome.message
    assert launched == []
    report = read_report(outcome.out)
    assert (report["verdict"], report["exit_code"]) == ("error", 3)
    (problem,) = report["problems"]  # type: ignore[misc]
    assert (problem["code"], problem["file"], problem["line"], problem["column"]) == (
        "unknown-key", "a.cleanroom.yaml", 14, 1,
    )  # fmt: skip
    assert {p.name for p in Path(outcome.out).iterdir()} == FILES


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineError("the engine went away", remedy="bring it back"), 4),
        (CapabilityError("no cell can be made"), 4),
        (UsageError("the workspace is too large"), 2),
    ],
)
def test_trouble_with_the_cell_is_told_with_a_report(error, code, tmp_path, monkeypatch):
    spec(tmp_path, "a.cleanroom.yaml")
    launching(monkeypatch, error=error)
    outcome = run(tmp_path)
    assert (outcome.exit_code, outcome.seed) == (code, 42)
    assert error.message in outcome.message
    assert error.remedy in outcome.message
    report: Any = read_report(outcome.out)
    assert (report["verdict"], report["exit_code"], report["trouble"][0]["message"]) == ("error", code, error.message)
    assert "--seed 42" in report["repro"]


def test_no_engine_at_all_is_exit_code_4_with_what_to_do(tmp_path, monkeypatch, launched):
    spec(tmp_path, "a.cleanroom.yaml")
    nothing = Facts(in_cell=False, engine_trouble="no socket", linux=True, root=False, dockerd=False, unshare=True)
    monkeypatch.setattr(outside, "gather_facts", lambda _environment: nothing)
    outcome = run(tmp_path)
    assert outcome.exit_code == ExitCode.ENGINE
    assert "start a Docker engine" in outcome.message
    assert (launched, read_report(outcome.out)["exit_code"]) == ([], 4)


def test_the_inside_of_a_cell_starts_no_other(tmp_path, monkeypatch, launched):
    spec(tmp_path, "a.cleanroom.yaml")
    inside = Facts(in_cell=True, engine_trouble="", linux=True, root=True, dockerd=True, unshare=True)
    monkeypatch.setattr(outside, "gather_facts", lambda _environment: inside)
    assert (run(tmp_path).exit_code, launched) == (ExitCode.USAGE, [])


@pytest.mark.parametrize(("code", "told"), [(0, 4), (1, 4), (137, 4), (130, 130)])
def test_a_cell_that_leaves_no_report_is_trouble_with_one(code, told, tmp_path, monkeypatch):
    spec(tmp_path, "a.cleanroom.yaml")
    launching(monkeypatch, code, report=False, notes=("a note",))
    outcome = run(tmp_path)
    assert (outcome.exit_code, outcome.notes) == (told, ("a note",))
    assert outcome.message
    report: Any = read_report(outcome.out)
    assert (report["exit_code"], report["interrupted"]) == (told, told == 130)


def test_what_a_run_left_behind_is_trouble_whatever_its_verdict(tmp_path, monkeypatch):
    spec(tmp_path, "a.cleanroom.yaml")
    for code, told in ((0, 4), (1, 4), (130, 130)):
        launching(monkeypatch, code, left=("container x",), swept=("volume y",))
        outcome = run(tmp_path)
        assert outcome.exit_code == told
        assert outcome.notes == ("removed what an earlier run had left: volume y", "left behind: container x")


def test_the_report_of_an_earlier_run_is_no_part_of_this_one(tmp_path, monkeypatch):
    spec(tmp_path, "a.cleanroom.yaml", more="colour: red")
    out = tmp_path / "out"
    for old in (
        "journal/session.json",
        "traces/x.jsonl",
        "logs/shop/iteration-1/order/a.log",
        "report.json",
        "mine.txt",
    ):
        (out / old).parent.mkdir(parents=True, exist_ok=True)
        (out / old).write_text("old")
    run(tmp_path)
    assert {p.name for p in out.iterdir()} == FILES | {"mine.txt"}
    spec(tmp_path, "a.cleanroom.yaml")
    launching(monkeypatch, 0, report=False)
    assert run(tmp_path).exit_code == ExitCode.ENGINE


def test_a_selection_of_nothing_is_a_usage_error_unless_it_is_allowed(tmp_path, launched):
    spec(tmp_path, "a.cleanroom.yaml")
    refused = run(tmp_path, tags=("typo",))
    assert (refused.exit_code, "typo" in refused.message) == (ExitCode.USAGE, True)
    allowed = run(tmp_path, tags=("typo",), fail_on_empty=False)
    assert (allowed.exit_code, launched) == (0, [])
    report = read_report(allowed.out)
    assert (report["exit_code"], report["empty"]) == (0, True)
    assert report["verdict"] != "pass"


def test_a_report_folder_that_cannot_be_written_is_told(tmp_path, launched):
    spec(tmp_path, "a.cleanroom.yaml")
    (tmp_path / "file").write_text("")
    outcome = run(tmp_path, out=str(tmp_path / "file" / "out"))
    assert (outcome.exit_code, launched) == (ExitCode.USAGE, [])
    assert "cannot be" in outcome.message


def test_the_cell_gets_the_job_and_the_way_to_registries_and_nothing_else_of_ours(tmp_path, monkeypatch, launched):
    monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", "hidden")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    for name in ("HTTP_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    spec(tmp_path, "a.cleanroom.yaml")
    run(tmp_path, owner=(1, 2))
    (given,) = launched
    assert set(given.environment) == {JOB, "HTTPS_PROXY"}
    assert (given.workspace, given.owner_ids, given.cache_scope) == (str(tmp_path), (1, 2), str(tmp_path))
    assert set(given.exclude) >= {".git", "out"}


def test_a_drawn_seed_is_the_one_that_the_cell_gets(tmp_path, launched):
    spec(tmp_path, "a.cleanroom.yaml", more="determinism: {seed: random}")
    outcome = run(tmp_path)
    job = json.loads(launched[0].environment[JOB])
    assert (job["seed"], job["random_seed"]) == (outcome.seed, False)


def test_secrets_are_in_no_file_of_a_report(tmp_path, monkeypatch):
    spec(tmp_path, "a.cleanroom.yaml")
    launching(monkeypatch, error=EngineError("login with hunter22 failed"))
    outcome = run(tmp_path, secrets=("hunter22",), variables={"t": "hunter22"})
    assert not [p for p in Path(outcome.out).rglob("*") if p.is_file() and b"hunter22" in p.read_bytes()]
