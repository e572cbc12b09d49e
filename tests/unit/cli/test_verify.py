from __future__ import annotations

from cleanroom.cli.main import main
from cleanroom.errors import ExitCode
from tests.unit.pipeline.journals import recorded


def test_an_untouched_report_is_exit_code_0(tmp_path, capsys):
    recorded(tmp_path)
    assert main(["verify", str(tmp_path)]) == ExitCode.PASS
    assert capsys.readouterr().out.startswith("verified: SHA256SUMS, verdicts, digests, report.json")


def test_a_difference_is_exit_code_1_and_named_safely(tmp_path, capsys):
    recorded(tmp_path)
    (tmp_path / "summary.md").write_text("\x1b[2J::error::all is well\r\n")
    assert main(["verify", str(tmp_path)]) == ExitCode.FINDINGS
    out = capsys.readouterr().out
    assert "summary.md sha256: says" in out
    assert "summary.md line 1: says ::error::all is well" in out
    assert "\x1b" not in out


def test_a_masked_report_is_exit_code_6(tmp_path, capsys):
    recorded(tmp_path, secrets=("INSERT orders",))
    assert main(["verify", str(tmp_path)]) == ExitCode.INCONCLUSIVE
    assert "not verified: secrets were masked" in capsys.readouterr().out


def test_a_folder_without_a_run_is_exit_code_2(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == ExitCode.USAGE
    assert "there is no journal of a finished run" in capsys.readouterr().err
