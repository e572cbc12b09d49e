from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from cleanroom.action import main as shell
from cleanroom.action.outputs import OUTPUTS
from cleanroom.errors import EngineError
from cleanroom.report.write import write_report
from tests.unit.action.runner import obeyed, read_file_command
from tests.unit.report import runs


@pytest.fixture
def step(tmp_path, monkeypatch, capsys):
    """Runs the action as a step whose run ends in a given way; returns (exit code, outputs, summary, log)."""
    monkeypatch.setattr("cleanroom.action.post.own_container", lambda: "c" * 64)
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def play(report=None, code=0, message="", said=b"", error=None, **inputs):
        calls = []

        def run(options, sink, watch):
            assert callable(watch)
            calls.append(options)
            sink(said)
            if error is not None:
                raise error
            if report is not None:
                write_report(report, options.out)
            return code, message, ()

        given = {f"INPUT_{name.upper().replace('_', '-')}": value for name, value in inputs.items()}
        files = {name: tmp_path / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")}
        environ = {"GITHUB_WORKSPACE": str(workspace), **{n: str(f) for n, f in files.items()}, **given}
        result = shell.main([], environ, run)
        texts = {name: file.read_text() if file.exists() else "" for name, file in files.items()}
        log = capsys.readouterr().out
        play.options = calls[0] if calls else None
        play.state = read_file_command(texts["GITHUB_STATE"])
        return result, read_file_command(texts["GITHUB_OUTPUT"]), texts["GITHUB_STEP_SUMMARY"], log

    return play


def test_a_pass_sets_every_output_and_annotates_nothing(step):
    code, outputs, summary, log = step(runs.passing())
    assert code == 0
    assert set(outputs) == set(OUTPUTS)
    assert outputs["conclusion"] == "pass"
    assert (outputs["passed"], outputs["failed"]) == ("2", "0")
    assert outputs["seed"] == "42"
    assert outputs["junit"] == "cleanroom-report/junit.xml"
    assert "## cleanroom: pass" in summary
    assert {name for name, _ in obeyed(log)} == {"group", "stop-commands", "endgroup"}


def test_a_finding_fails_the_step_with_an_annotation_on_its_line(step):
    code, outputs, _, log = step(runs.failing(), code=1)
    assert code == 1
    assert outputs["conclusion"] == "fail"
    assert "::error file=checkout.cleanroom.yaml,line=41,col=9,title=cleanroom%3A spans.count::" in log


def test_the_switches_turn_annotations_and_summary_off(step):
    _, _, summary, log = step(runs.failing(), code=1, annotations="false", summary="false")
    assert summary == ""
    assert [name for name, _ in obeyed(log) if name == "error"] == []


def test_a_run_without_a_report_is_an_error_that_says_why(step):
    code, outputs, _, log = step(None, code=4, message="no engine answers")
    assert code == 4
    assert outputs["conclusion"] == "error"
    assert ("error", "no engine answers (exit code 4)") in obeyed(log)


def test_the_report_of_an_earlier_run_is_not_taken_for_this_one(step):
    assert step(runs.passing())[0] == 0
    code, outputs, _, _ = step(None, code=4, message="gone")
    assert (code, outputs["conclusion"], outputs["json"]) == (4, "error", "")


def test_a_wrong_input_fails_before_anything_runs(step):
    code, outputs, _, log = step(runs.passing(), iterations="many")
    assert code == 2
    assert outputs == {"conclusion": "error"}
    assert step.options is None
    assert "input iterations" in log


def test_a_defect_is_neither_a_finding_nor_a_pass(step):
    code, outputs, _, log = step(error=RuntimeError("::error::boo"), registry_auth="me:hunter2")
    assert code == 4
    assert outputs == {"conclusion": "error"}
    assert "RuntimeError" in log
    assert ("error", "boo") not in obeyed(log)


def test_trouble_that_is_raised_ends_with_its_own_code(step):
    assert step(error=EngineError("dead"))[0] == 4


def test_what_services_say_cannot_command_the_runner(step):
    *_, log = step(runs.passing(), said=runs.HOSTILE.encode("utf-8", "surrogatepass") + b"\n::error::tail")
    assert {name for name, _ in obeyed(log)} == {"group", "stop-commands", "endgroup"}
    assert "##[" not in log


def test_secrets_are_masked_before_anything_else_is_said(step):
    *_, log = step(runs.passing(), registry_auth="reg.example=me:hunter2")
    assert log.startswith("::add-mask::hunter2\n")
    assert step.options.registry_auth == {"reg.example": {"username": "me", "password": "hunter2"}}
    assert "hunter2" in step.options.secrets


def test_the_post_stage_learns_which_container_to_look_for(step):
    step(runs.passing())
    assert step.state == {"container": "c" * 64}


def test_a_failure_that_is_not_asked_for_passes_and_says_so(step):
    code, outputs, _, log = step(runs.failing(), code=1, fail_on="never")
    assert (code, outputs["conclusion"]) == (0, "fail")
    assert "the step passes all the same: fail-on is never" in log


def test_report_files_belong_to_the_owner_of_the_workspace(step, tmp_path):
    if os.geteuid() == 0:
        os.chown(tmp_path / "workspace", 1234, 1235)
    expected = (tmp_path / "workspace").stat()
    step(runs.passing(), report_dir="out/report")
    paths = [tmp_path / "workspace" / "out", *(tmp_path / "workspace" / "out").rglob("*")]
    assert len(paths) > 8
    assert {(p.lstat().st_uid, p.lstat().st_gid) for p in paths} == {(expected.st_uid, expected.st_gid)}


def test_signals_ask_twice_and_then_end_the_process():
    program = textwrap.dedent("""
        import time
        from cleanroom.action.main import obey_signals
        obey_signals(lambda: print("stop", flush=True))
        print("ready", flush=True)
        time.sleep(300)
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
            assert process.stdout.readline() == "stop\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
