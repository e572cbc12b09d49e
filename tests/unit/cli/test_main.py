from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cleanroom import __version__
from cleanroom.cli import main as cli
from cleanroom.cli.main import build_parser, main
from cleanroom.errors import CleanroomError, EngineError, ExitCode, InterruptedRunError, TelemetryError
from tests.unit.pipeline.specs import spec

ROOT = Path(__file__).parents[3]
PLANNED = tuple(str(ROOT / f"tests/specs/valid/{name}.cleanroom.yaml") for name in ("everything", "minimal"))
COMMANDS = (
    "run", "judge", "plan", "validate", "lint", "fmt", "render", "report", "verify", "audit", "diff", "noise", "graph",
    "explain", "schema", "init", "import", "doctor", "cache",
)  # fmt: skip


@pytest.fixture(autouse=True)
def terminal(monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


def said(capsys, *words: str, code: int = 0) -> tuple[str, str]:
    assert main(words) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def left_by(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    return caught.value.code


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command, capsys, snapshot, monkeypatch):
    monkeypatch.delenv("CLEANROOM_IMAGE", raising=False)
    assert left_by(*([command] if command else []), "--help") == 0
    # How a usage line is wrapped differs between versions of Python; what it says does not.
    usage, rest = capsys.readouterr().out.split("\n\n", 1)
    assert f"{' '.join(usage.split())}\n\n{rest}" == snapshot


def test_the_version(capsys):
    assert left_by("--version") == 0
    assert capsys.readouterr().out == f"cleanroom {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        (), ("fly",), ("run", "--engine", "kubernetes"), ("run", "--jobs", "many"), ("cache",), ("cache", "burn"),
        ("plan", "--format", "xml"), ("validate", "--colour"),
    ],
)  # fmt: skip
def test_a_command_line_that_is_none_is_exit_code_2(words, capsys):
    assert left_by(*words) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage: cleanroom" in captured.err


@pytest.mark.parametrize("command", ["run", "plan", "validate"])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seed", "lucky"), "--seed lucky: expected a whole number or `random`"),
        (("--var", "novalue"), "--var novalue: expected NAME=VALUE"),
        (("--var", "=x"), "--var =x: expected NAME=VALUE"),
        (("--iterations", "0"), "--iterations 0: expected 1 to 100"),
        (("--iterations", "101"), "--iterations 101: expected 1 to 100"),
        (("--root", "nowhere"), "--root nowhere: there is no such folder"),
    ],
)
def test_values_that_cannot_be_are_exit_code_2(command, words, told, capsys, tmp_path):
    spec(tmp_path, "a.cleanroom.yaml")
    out, err = said(capsys, command, *words, code=ExitCode.USAGE)
    assert (out, err.startswith(f"cleanroom: {told}")) == ("", True)


@pytest.mark.parametrize("jobs", ["0", "-1"])
def test_no_iteration_at_a_time_is_exit_code_2(jobs, capsys, tmp_path):
    spec(tmp_path, "a.cleanroom.yaml")
    _, err = said(capsys, "run", "--jobs", jobs, code=ExitCode.USAGE)
    assert err == f"cleanroom: --jobs {jobs}: expected at least 1\n"


def test_an_unknown_key_is_exit_code_3_at_its_place(capsys, tmp_path):
    spec(tmp_path, "deep/a.cleanroom.yaml", more="scenarois: []")
    for command in ("validate", "plan"):
        out, err = said(capsys, command, code=ExitCode.INVALID_SPEC)
        assert out == ""
        assert "deep/a.cleanroom.yaml:14:1: error[unknown-key]" in err
        assert "did you mean scenarios?" in err
        assert "14 | scenarois: []" in err


@pytest.mark.parametrize("path", sorted((ROOT / "tests/specs/invalid").glob("*.yaml")), ids=lambda p: p.stem)
def test_invalid_specs_are_exit_code_3(path, capsys):
    _, err = said(capsys, "validate", str(path), "--root", str(ROOT / "tests/specs"), code=ExitCode.INVALID_SPEC)
    assert f"invalid/{path.name}:" in err


@pytest.mark.parametrize("path", sorted((ROOT / "tests/specs/valid").glob("*.yaml")), ids=lambda p: p.stem)
def test_valid_specs_are_valid_and_have_a_plan(path, capsys):
    where = (str(path), "--root", str(ROOT / "tests/specs"))
    out, err = said(capsys, "validate", *where)
    assert out.startswith(f"valid/{path.name}: valid (")
    assert err == ""
    out, _ = said(capsys, "plan", *where)
    assert "sha256:" in out


@pytest.mark.parametrize("form", ["text", "json", "mermaid"])
def test_a_plan_is_the_same_bytes_each_time_and_others_with_another_seed(form, capsys):
    where = ("plan", *PLANNED, "--root", str(ROOT / "tests/specs"), "--format", form)
    first, _ = said(capsys, *where)
    again, _ = said(capsys, *where)
    other, _ = said(capsys, *where, "--seed", "8")
    assert first == again
    assert first != other
    if form == "json":
        assert {p["seed"] for p in json.loads(other)} == {"8"}


def test_a_plan_is_the_same_bytes_in_another_process(capsys):
    words = ("plan", *PLANNED, "--root", str(ROOT / "tests/specs"), "--format", "json")
    mine, _ = said(capsys, *words)
    for seed in ("1", "2"):
        done = subprocess.run(
            (sys.executable, "-m", "cleanroom.cli.main", *words), cwd=ROOT, env={"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == mine


def test_checking_a_spec_needs_neither_docker_nor_opentelemetry(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml")
    code = (
        "import sys; from cleanroom.cli.main import main; code = main(['validate', '--root', *sys.argv[1:]]);"
        "heavy = {'docker', 'opentelemetry', 'requests', 'google'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else code)"
    )
    done = subprocess.run(
        (sys.executable, "-c", code, str(tmp_path), str(tmp_path)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "error", [EngineError("no engine", remedy="start one"), TelemetryError("no spans"), InterruptedRunError("stopped")]
)
def test_errors_of_ours_are_told_and_become_exit_codes(error: CleanroomError, capsys, monkeypatch):
    def fail(_arguments):
        raise error

    monkeypatch.setattr(cli.validate, "_validate", fail)
    _, err = said(capsys, "validate", code=error.exit_code)
    assert err == f"cleanroom: {error}\n"
    assert "Traceback" not in err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 2)])
def test_a_person_who_leaves_gets_no_traceback(error, code, capsys, monkeypatch):
    def fail(_arguments):
        raise error

    monkeypatch.setattr(cli.plan, "_plan", fail)
    assert said(capsys, "plan", code=code) == ("", "")


def test_the_worker_is_no_command_of_a_person_s(capsys):
    assert "worker" not in build_parser().format_help()
    _, err = said(capsys, "worker", code=ExitCode.USAGE)
    assert "started by `cleanroom run`" in err


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_tags_that_choose_nothing_are_refused_not_passed_over(command, capsys, tmp_path):
    spec(tmp_path, "a.cleanroom.yaml", "a")
    assert "no scenario has one of the tags typo" in said(capsys, command, ".", "--tags", "typo", code=2)[1]
