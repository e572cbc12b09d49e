from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cleanroom.cli.main import main
from cleanroom.errors import ExitCode
from tests.unit.pipeline.journals import recorded
from tests.unit.run.worlds import behaving, order, shop
from tests.unit.validate.builders import otlp, span


@pytest.fixture
def compared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def go(*words, code):
        found = main(["diff", "a", "b", *words])
        captured = capsys.readouterr()
        assert found == code, captured.out + captured.err
        return captured.out, captured.err

    return go


def test_two_runs_of_the_same_differ_in_nothing(compared, tmp_path):
    recorded(tmp_path / "a")
    recorded(tmp_path / "b")
    assert compared(code=ExitCode.PASS)[0] == "no difference\n"


def silent():
    world = behaving()
    world.engine.answer = None
    return world


@pytest.mark.parametrize(
    ("world", "told"),
    [
        (silent, "span gone"),
        (lambda: behaving(shape={"holds": False}), "pass → inconclusive"),
        (lambda: behaving(shape={"stays": True}), "complete → ended in trouble"),
        (lambda: behaving(shop(order(chaos=()))), "fault slow bit: pass → (none)"),
        (lambda: behaving(replace(shop(order()), name="other")), "suite gone"),
    ],
)
def test_a_run_that_came_out_otherwise_differs_and_the_gravest_is_first(world, told, compared, tmp_path):
    recorded(tmp_path / "a")
    recorded(tmp_path / "b", world())
    out, _ = compared(code=ExitCode.FINDINGS)
    assert told in out
    assert out.startswith("high ")
    document = json.loads(compared("--format", "json", code=ExitCode.FINDINGS)[0])
    assert document["differ"]
    assert [c["risk"] for c in document["changes"]] == sorted(
        (c["risk"] for c in document["changes"]), key=["high", "medium", "low"].index
    )


def test_files_of_spans_are_compared(compared, tmp_path):
    (tmp_path / "a").write_bytes(otlp(span(1, "GET /"), span(2, "SELECT", parent=1)).body)
    (tmp_path / "b").write_bytes(otlp(span(5, "GET /")).body)
    out, _ = compared(code=ExitCode.FINDINGS)
    assert out == "high   span gone    GET / > SELECT (api): 1 → 0\n1 change: 1 high\n"
    (tmp_path / "b").write_bytes(otlp(span(7, "GET /", start=9), span(8, "SELECT", parent=7)).body)
    assert compared(code=ExitCode.PASS)[0] == "no difference\n"
    assert json.loads(compared("--format", "json", code=ExitCode.PASS)[0])["changes"] == []


def test_a_hostile_name_commands_no_terminal(compared, tmp_path):
    (tmp_path / "a").write_bytes(otlp(span(1, "GET /")).body)
    (tmp_path / "b").write_bytes(otlp(span(1, "\x1b[2J\r\n::error::x\u202e", service="\x1b]0;x\x07")).body)
    out, _ = compared(code=ExitCode.FINDINGS)
    assert not set(out) & set("\x1b\x07\r\u202e")
    assert not any(line.startswith("::") for line in out.splitlines())


@pytest.mark.parametrize(
    ("a", "b", "code", "told"),
    [
        ("folder", "file", ExitCode.USAGE, "one is a folder, one is none"),
        ("folder", "folder", ExitCode.USAGE, "no journal of a finished run"),
        ("file", "nothing", ExitCode.USAGE, "b cannot be read"),
        ("empty", "empty", ExitCode.TELEMETRY, "there is no span in a"),
        ("file", "broken", ExitCode.TELEMETRY, "b: no JSON"),
    ],
)
def test_what_cannot_be_compared_is_no_pass(a, b, code, told, compared, tmp_path):
    for name, kind in (("a", a), ("b", b)):
        if kind == "folder":
            (tmp_path / name).mkdir()
        elif kind != "nothing":
            data = {"file": otlp(span(1)).body, "empty": b'{"resourceSpans":[]}', "broken": b"{"}[kind]
            (tmp_path / name).write_bytes(data)
    out, err = compared(code=code)
    assert (out, told in err, "Traceback" in err) == ("", True, False)
