from __future__ import annotations

import pytest

from cleanroom.cli.main import main
from cleanroom.errors import ExitCode
from cleanroom.report.annotations import annotate
from cleanroom.report.console import render_console
from cleanroom.report.json_report import report_json
from tests.unit.pipeline.journals import contents, recorded
from tests.unit.run.worlds import behaving

FILES = {
    "json": "report.json", "junit": "junit.xml", "summary": "summary.md", "digests": "digests.json",
    "cleanup": "cleanup.json",
}  # fmt: skip


@pytest.mark.parametrize("form", FILES)
def test_each_format_is_what_the_run_wrote(form, tmp_path, capfdbinary):
    recorded(tmp_path)
    assert main(["report", str(tmp_path), "--format", form]) == ExitCode.PASS
    assert capfdbinary.readouterr().out == (tmp_path / FILES[form]).read_bytes()


def test_the_console_s_text_and_annotations_are_what_the_run_said(tmp_path, capfdbinary):
    report = recorded(tmp_path, behaving(shape={"holds": False}))
    assert main(["report", str(tmp_path / "journal")]) == ExitCode.PASS
    assert capfdbinary.readouterr().out.decode() == render_console(report, str(tmp_path.resolve()))
    assert main(["report", str(tmp_path), "--format", "annotations"]) == ExitCode.PASS
    told = capfdbinary.readouterr().out.decode()
    assert told == "".join(f"{a.command()}\n" for a in annotate(report_json(report)))
    assert told.startswith("::")


def test_a_whole_folder_is_written_elsewhere(tmp_path, capsys):
    recorded(tmp_path / "out")
    assert main(["report", str(tmp_path / "out"), "--out", str(tmp_path / "again")]) == ExitCode.PASS
    assert capsys.readouterr().out == f"reports: {tmp_path / 'again'}\n"
    assert contents(tmp_path / "again") == contents(tmp_path / "out")


@pytest.mark.parametrize("words", [(), ("--out", "{}"), ("--format", "json", "--out", "{}/x")])
def test_what_cannot_be_is_exit_code_2_without_a_traceback(words, tmp_path, capsys):
    if words:
        recorded(tmp_path)
    code = main(["report", str(tmp_path), *(w.format(tmp_path) for w in words)])
    captured = capsys.readouterr()
    assert (code, captured.out) == (ExitCode.USAGE, "")
    assert captured.err.startswith("cleanroom: ")
