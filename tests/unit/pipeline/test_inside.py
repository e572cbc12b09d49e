from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cleanroom.errors import EngineError, UsageError
from cleanroom.pipeline import inside
from cleanroom.pipeline.inside import run_inside
from cleanroom.pipeline.job import JOB, encode_job
from cleanroom.run.record import SessionRecord, SuiteRecord
from tests.unit.pipeline.specs import options, spec
from tests.unit.validate.builders import session

AUTH = {"registry.example": {"username": "me", "password": "hunter22"}}


@pytest.fixture(autouse=True)
def no_signals(monkeypatch):
    """The handlers of a worker are not for the process that runs the tests."""
    monkeypatch.setattr(inside, "_obey_signals", lambda _stop: None)


@pytest.fixture
def cell(tmp_path) -> dict[str, str]:
    spec(tmp_path / "workspace", "a.cleanroom.yaml")
    given = options(
        tmp_path / "nowhere", out="/caller/out", registry_auth=AUTH, progress="quiet", secrets=("hunter22",)
    )
    return {
        JOB: encode_job(given), "CLEANROOM_CELL": "container", "CLEANROOM_RUN": "0123456789ab",
        "CLEANROOM_WORKSPACE": str(tmp_path / "workspace"), "CLEANROOM_REPORT": str(tmp_path / "report"),
    }  # fmt: skip


def worker(monkeypatch, outcome: SessionRecord | Exception) -> list[tuple[Any, Any]]:
    made = []

    class Worker:
        def __init__(self, loaded: Any, within: Any) -> None:
            made.append((loaded, within))

        def run(self) -> SessionRecord:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    monkeypatch.setattr(inside, "Worker", Worker)
    return made


def test_the_job_is_done_in_the_cell_s_own_folders_and_leaves_the_environment(cell, tmp_path, monkeypatch, capsys):
    made = worker(monkeypatch, EngineError("no engine in here"))
    assert run_inside(cell) == 4
    assert JOB not in cell
    assert not [value for value in cell.values() if "hunter22" in value]
    ((loaded, within),) = made
    assert loaded.options.registry_auth == AUTH
    assert [s.file for s in loaded.suites] == ["a.cleanroom.yaml"]
    assert within.journal == tmp_path / "report" / "journal"
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["exit_code"], report["trouble"][0]["message"]) == (4, "no engine in here")
    said = capsys.readouterr().out
    assert "/caller/out" in said
    assert "hunter22" not in said


@pytest.mark.parametrize(("error", "words"), [(ZeroDivisionError("x"), "a defect in cleanroom: ZeroDivisionError")])
def test_a_defect_ends_in_a_report_too(error, words, cell, tmp_path, monkeypatch):
    worker(monkeypatch, error)
    assert run_inside(cell) == 4
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert words in report["trouble"][0]["message"]


def test_a_session_that_judged_nothing_is_no_pass(cell, monkeypatch):
    worker(monkeypatch, SessionRecord())
    assert run_inside(cell) == 6


def test_the_verdict_is_the_exit_code(cell, tmp_path, monkeypatch):
    from cleanroom.pipeline.suites import load_plans  # noqa: PLC0415

    (plan,) = load_plans(replace(options(tmp_path / "workspace"))).plans
    worker(monkeypatch, session(SuiteRecord(plan=plan), interrupted=True))
    assert run_inside(cell) == 130


@pytest.mark.parametrize(
    "change", [{JOB: ""}, {"CLEANROOM_CELL": ""}, {JOB: "{"}, {JOB: "[]"}, {JOB: '{"specs": 5}'}, {JOB: "{}"}]
)
def test_what_is_no_job_is_a_usage_error(change, cell, monkeypatch):
    made = worker(monkeypatch, SessionRecord())
    with pytest.raises(UsageError):
        run_inside({**cell, **change})
    assert made == []
