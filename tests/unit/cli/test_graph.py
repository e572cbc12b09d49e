from __future__ import annotations

import pytest

from cleanroom.cli.main import main
from cleanroom.errors import ExitCode
from tests.unit.validate.builders import otlp, span


@pytest.fixture
def drawn(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t").write_bytes(otlp(span(1, "GET /"), span(2, "SELECT", parent=1, service="db")).body)
    (tmp_path / "u").write_bytes(otlp(span(3, "other", trace="b" * 32)).body)
    (tmp_path / "empty").write_bytes(b'{"resourceSpans":[]}')

    def go(*words, code=ExitCode.PASS):
        found = main(["graph", *words])
        captured = capfdbinary.readouterr()
        assert found == code, captured
        assert b"Traceback" not in captured.err
        return captured.out.decode(), captured.err.decode()

    return go


@pytest.mark.parametrize(
    ("form", "begin"), [("text", "2 spans\n"), ("mermaid", "flowchart TD\n"), ("dot", "digraph"), ("svg", "<svg ")]
)
def test_a_trace_is_drawn_in_every_form(form, begin, drawn):
    out, _ = drawn("t", "--format", form)
    assert out.startswith(begin)
    assert "SELECT" in out
    assert out.endswith("\n")


def test_services_are_drawn(drawn):
    assert "-> db: 1 call" in drawn("t", "--of", "services")[0]


def test_files_are_one_trace_unless_an_id_is_named(drawn):
    assert drawn("t", "u")[0].startswith("3 spans")
    assert drawn("t", "u", "--trace", "BB")[0].startswith("1 span\n")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nowhere",), ExitCode.USAGE, "nowhere cannot be read"),
        (("t", "--trace", "ff\x1b"), ExitCode.USAGE, "no span has this trace id"),
        (("t", "--most", "0"), ExitCode.USAGE, "expected at least 1"),
        (("empty",), ExitCode.TELEMETRY, "there is no span in empty"),
    ],
)
def test_nothing_to_draw_is_an_error(words, code, told, drawn):
    out, err = drawn(*words, code=code)
    assert (out, told in err, "\x1b" in err) == ("", True, False)
