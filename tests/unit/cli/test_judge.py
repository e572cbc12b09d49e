from __future__ import annotations

import json

import pytest

from cleanroom.cli.main import main
from cleanroom.errors import ExitCode
from tests.unit.pipeline.specs import spec
from tests.unit.validate.builders import otlp, own, span

ONE = (span(1, "GET /"),)
GOOD = "expect: {spans: [{name: GET /, count: 1}]}"
FACTS = """\
expect:
  spans: [{name: GET /, count: 1}]
  hermeticity: {egress: none, leaks: none}
"""
CHAOTIC = """\
cleanroom: 1
meta: {name: shop}
services: {api: {image: "api:1"}}
scenarios:
  - name: storm
    steps: [{name: ask, exec: {service: api, command: [ask]}}]
    chaos: [{id: kill, fault: container.kill, target: {name: api}, at: {before_step: ask}}]
    expect:
      outcome: passed
      spans:
        - {name: GET /, during: kill}
        - {name: SELECT}
"""


@pytest.fixture
def judged(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def go(*words, spans=ONE, more=GOOD, text="", code):
        spec(tmp_path, "a.cleanroom.yaml", more=more)
        if text:
            (tmp_path / "a.cleanroom.yaml").write_text(text)
        (tmp_path / "t.jsonl").write_bytes(otlp(*spans).body + b"\n" if spans else b"")
        files = words[1:] if words[:1] == ("--",) else ()
        words = words[len(files) + 1 :] if files else words
        found = main(
            ["judge", "a.cleanroom.yaml", "t.jsonl", *files, *words, *(() if "--out" in words else ("--out", "out"))]
        )
        captured = capsys.readouterr()
        assert found == code, captured.out + captured.err
        assert "Traceback" not in captured.err
        return captured.out, captured.err

    return go


def checks(tmp_path):
    """The verdict of every check in the report, by name."""
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    (suite,) = report["suites"]
    found = [c for turn in suite["iterations"] for c in turn["checks"]]
    found += [c for s in suite["scenarios"] for turn in s["iterations"] for c in turn["checks"]]
    return report, {c["name"]: c["verdict"] for c in found}


def test_spans_that_are_as_wanted_pass_and_leave_a_report(judged, tmp_path):
    out, _ = judged(code=ExitCode.PASS)
    assert "verdict   pass (exit code 0)" in out
    report, found = checks(tmp_path)
    assert (report["verdict"], set(found.values())) == ("pass", {"pass"})
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "report.json", "junit.xml", "summary.md", "digests.json", "cleanup.json", "SHA256SUMS",
    }  # fmt: skip


def test_spans_that_are_not_are_findings(judged, tmp_path):
    out, _ = judged(spans=(span(1, "POST /"),), code=ExitCode.FINDINGS)
    assert "spans.count" in out
    assert checks(tmp_path)[0]["exit_code"] == 1


def test_no_span_at_all_is_telemetry_missing_not_a_pass(judged):
    judged(spans=(), code=ExitCode.TELEMETRY)


def test_what_only_a_run_knows_is_inconclusive_by_name(judged, tmp_path):
    judged(more=FACTS, code=ExitCode.INCONCLUSIVE)
    found = checks(tmp_path)[1]
    assert {v for name, v in found.items() if name.startswith("hermeticity")} == {"inconclusive"}
    assert found['spans "GET /" count'] == "pass"


def test_a_reason_lets_the_inconclusive_be_and_hides_nothing(judged, tmp_path):
    judged("--allow-inconclusive", "recorded in production", more=FACTS, code=ExitCode.PASS)
    assert "inconclusive" in checks(tmp_path)[1].values()
    judged("--allow-inconclusive", "x", spans=(span(1, "POST /"),), more=FACTS, code=ExitCode.FINDINGS)
    judged("--allow-inconclusive", "x", more="expect: {hermeticity: {egress: none}}", code=ExitCode.INCONCLUSIVE)


def test_a_scenario_s_steps_and_faults_are_inconclusive_and_its_spans_are_judged(judged, tmp_path):
    words = ("--scenario", "storm")
    judged(*words, text=CHAOTIC, spans=(span(1, "GET /"), span(2, "SELECT")), code=ExitCode.INCONCLUSIVE)
    found = checks(tmp_path)[1]
    assert found['step "ask"'] == found["fault kill bit"] == found["outcome passed"] == "inconclusive"
    assert [v for name, v in found.items() if "GET /" in name] == ["inconclusive"]
    assert found['spans "SELECT" count'] == "pass"
    judged(*words, text=CHAOTIC, code=ExitCode.FINDINGS)
    judged(*words, "--allow-inconclusive", "x", text=CHAOTIC, spans=(span(2, "SELECT"),), code=ExitCode.PASS)


RUNNER = "expect: {spans: [{name: 'cleanroom.step:*', count: 1}, {name: GET /, parent: 'cleanroom.step:ask'}]}"


def test_the_runner_s_spans_are_wanted_only_where_they_are_given(judged, tmp_path):
    child = span(1, "GET /", parent=9)
    judged(more=RUNNER, spans=(child,), code=ExitCode.INCONCLUSIVE)
    assert "pass" not in {v for name, v in checks(tmp_path)[1].items() if name.startswith("spans")}
    (tmp_path / "r.jsonl").write_bytes(otlp(own(9, "cleanroom.step:ask")).body)
    judged("--runner", "r.jsonl", more=RUNNER, spans=(child,), code=ExitCode.PASS)
    (tmp_path / "r.jsonl").write_bytes(otlp(own(9, "cleanroom.step:other")).body)
    judged("--runner", "r.jsonl", more=RUNNER, spans=(child,), code=ExitCode.FINDINGS)


def test_a_recorded_span_with_our_prefix_is_forged(judged):
    out, _ = judged(spans=(span(1, "GET /"), span(2, "cleanroom.step:ask")), code=ExitCode.FINDINGS)
    assert "telemetry.forged" in out


@pytest.mark.parametrize(
    ("words", "more", "told"),
    [
        ((), "", "there is no expect of the suite's own"),
        (("--scenario", "it anwsers"), GOOD, "did you mean 'it answers'?"),
        (("--scenario", "\x1b[2J"), GOOD, "there is no scenario"),
        (("--out", "."), GOOD, "t.jsonl lies in the report folder"),
        (("nowhere.jsonl",), GOOD, "nowhere.jsonl cannot be read"),
        (("--runner", "nowhere.jsonl"), GOOD, "nowhere.jsonl cannot be read"),
        (("--allow-inconclusive", " "), GOOD, "expected a reason"),
        ((), GOOD + "\nmatrix: {n: [1, 2]}", "these are 2"),
    ],
)
def test_a_call_that_cannot_be_is_exit_code_2_and_nothing_is_written(words, more, told, judged, tmp_path):
    _, err = judged(*words, more=more, code=ExitCode.USAGE)
    assert told in err
    assert "\x1b" not in err
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "t.jsonl").exists()


def test_an_invalid_spec_is_exit_code_3(judged):
    _, err = judged(more="expcet: {}", code=ExitCode.INVALID_SPEC)
    assert "did you mean expect?" in err


def test_a_spec_that_asks_for_what_is_not_judged_yet_is_refused_by_name(judged):
    _, err = judged(more=GOOD + "\nlimits: {containers: 3}", code=ExitCode.INVALID_SPEC)
    assert '"containers" in limits' in err


def test_a_recording_that_is_no_otlp_is_exit_code_5(judged, tmp_path):
    (tmp_path / "broken.jsonl").write_text('{"resourceSpans": [\x1b')
    _, err = judged("broken.jsonl", code=ExitCode.TELEMETRY)
    assert "broken.jsonl: no JSON" in err
    assert not (tmp_path / "out").exists()


def test_a_hostile_span_commands_no_terminal(judged):
    hostile = "\x1b[2J\r::error::x\n\u202e"
    more = "expect: {counts: {spans: 2}, spans: [{name: GET /}]}"
    out, err = judged(spans=(span(1, hostile, service=hostile),), more=more, code=ExitCode.FINDINGS)
    assert not set(out + err) & set("\x1b\r\u202e")
    assert not any(line.startswith("::") for line in out.splitlines())


METRIC = (
    b'{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"db"}}]},'
    b'"scopeMetrics":[{"metrics":[{"name":"orders","gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":"3"}]}}]}]}]}'
)
LOG = (
    b'{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"db"}}]},'
    b'"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"order placed"}}]}]}]}'
)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("expect: {metrics: [{name: orders, value: 3}]}", ExitCode.PASS),
        ("expect: {metrics: [{name: orders, value: 4}]}", ExitCode.FINDINGS),
        ("expect: {metrics: [{name: refunds, value: 3}]}", ExitCode.FINDINGS),
        ("expect: {logs: [{service: db, matches: placed}]}", ExitCode.PASS),
        # What a service wrote to its output only a run knows: none among what it sent is not none.
        ("expect: {logs: [{service: db, matches: panic, count: 0}]}", ExitCode.INCONCLUSIVE),
        ("expect: {logs: [{service: db, matches: placed, count: 0}]}", ExitCode.FINDINGS),
    ],
)
def test_metrics_and_logs_that_were_recorded_are_judged_too(more, code, judged, tmp_path):
    (tmp_path / "more.jsonl").write_bytes(METRIC + b"\n" + LOG + b"\n")
    judged("--", "more.jsonl", more=more, code=code)
