from __future__ import annotations

import json

import pytest

from cleanroom.cli import run as command
from cleanroom.cli.main import main
from cleanroom.cli.updating import update_specs
from cleanroom.errors import UsageError
from cleanroom.pipeline import outside
from cleanroom.pipeline.outside import RunOutcome
from cleanroom.report.json_report import render_json
from tests.unit.pipeline.specs import spec
from tests.unit.report import runs

RULES = {
    "drop": ["order.id"],
    "drop_spans": ["retry"],
    "replace": [{"pattern": "^a \\d+$", "with": "a <n>"}],
    "siblings": "",
}


def report(folder, *suites):
    path = folder / "report.json"
    path.write_text(json.dumps({"suites": list(suites)}))
    return path


def suite(file="a.cleanroom.yaml", rules=RULES, proposal="drop: [order.id]", obstacle=""):
    found = {"rules": rules, "proposal": proposal, "obstacle": obstacle, "classification": "value"}
    return {"file": file, "divergence": found}


def test_a_run_writes_what_it_proposes_and_its_verdict_stays(monkeypatch, tmp_path, capsys):
    path = spec(tmp_path, "a.cleanroom.yaml")
    before = (tmp_path / "a.cleanroom.yaml").read_text()

    def run_cleanroom(options, _sink, _interrupt):
        (tmp_path / "out").mkdir()
        report(tmp_path / "out", suite())
        return RunOutcome(exit_code=1, out=options.out)

    monkeypatch.setattr(outside, "run_cleanroom", run_cleanroom)
    monkeypatch.setattr(command, "_obey_signals", lambda _interrupt: None)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--out", "out", "--update"]) == 1
    after = (tmp_path / "a.cleanroom.yaml").read_text()
    assert "order.id" in after
    assert all(line in after.splitlines() for line in before.splitlines())
    assert "a.cleanroom.yaml: updated: normalize:" in capsys.readouterr().out
    assert path is None or path.exists()


def test_without_the_option_no_spec_is_touched(monkeypatch, tmp_path):
    spec(tmp_path, "a.cleanroom.yaml")
    before = (tmp_path / "a.cleanroom.yaml").read_bytes()

    def run_cleanroom(options, _sink, _interrupt):
        (tmp_path / "out").mkdir()
        report(tmp_path / "out", suite())
        return RunOutcome(exit_code=1, out=options.out)

    monkeypatch.setattr(outside, "run_cleanroom", run_cleanroom)
    monkeypatch.setattr(command, "_obey_signals", lambda _interrupt: None)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--out", "out"]) == 1
    assert (tmp_path / "a.cleanroom.yaml").read_bytes() == before


def test_a_second_time_there_is_nothing_to_write(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml")
    path = report(tmp_path, suite(), {"file": "b", "divergence": None})
    assert len(list(update_specs(path, tmp_path))) == 1
    assert list(update_specs(path, tmp_path)) == ["a.cleanroom.yaml: has the proposed rules already"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (suite(rules=None, obstacle="it is what the system did"), "no rule is proposed: it is what the system did"),
        (suite(file="a.cleanroom.yaml.j2"), "it is a template"),
        (suite(proposal="drop: [***]"), "hold a secret"),
    ],
)
def test_what_is_not_written_is_told(given, why, tmp_path):
    spec(tmp_path, "a.cleanroom.yaml")
    before = (tmp_path / "a.cleanroom.yaml").read_bytes()
    (line,) = update_specs(report(tmp_path, given), tmp_path)
    assert "not updated" in line
    assert why in line
    assert (tmp_path / "a.cleanroom.yaml").read_bytes() == before


def test_a_file_outside_of_the_repository_is_never_written(tmp_path):
    (tmp_path / "root").mkdir()
    spec(tmp_path, "a.cleanroom.yaml")
    with pytest.raises(UsageError, match="outside"):
        list(update_specs(report(tmp_path, suite(file="../a.cleanroom.yaml")), tmp_path / "root"))


def test_a_run_without_a_report_updates_nothing(tmp_path):
    assert list(update_specs(tmp_path / "report.json", tmp_path)) == []


def test_a_report_as_it_is_written_is_understood(tmp_path):
    path = tmp_path / "report.json"
    rendered = render_json(runs.ALL["fail"]())
    path.write_bytes(rendered if isinstance(rendered, bytes) else rendered.encode())
    spec(tmp_path, "checkout.cleanroom.yaml")
    (line,) = update_specs(path, tmp_path)
    assert line == 'checkout.cleanroom.yaml: updated: normalize: {"drop": ["order.id"]}'


def test_a_byte_order_mark_stays(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml")
    path = tmp_path / "a.cleanroom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (line,) = update_specs(report(tmp_path, suite()), tmp_path)
    assert "updated: normalize" in line
    assert path.read_bytes().count(b"\xef\xbb\xbf") == 1
