from __future__ import annotations

import pytest

from cleanroom.report.annotations import Annotation, annotate
from cleanroom.report.json_report import report_json
from tests.unit.report import runs


def of(report):
    return annotate(report_json(report))


def test_a_pass_gets_none():
    assert of(runs.passing()) == ()


def test_the_verdict_comes_first_and_findings_stand_on_the_lines_of_the_spec():
    verdict, finding, determinism = of(runs.failing())
    assert (verdict.level, verdict.title, verdict.file) == ("error", "cleanroom: fail", "")
    assert "--seed 42" in verdict.message
    assert (finding.file, finding.line, finding.column) == (runs.FILE, 41, 9)
    assert (determinism.title, determinism.line) == ("cleanroom: determinism.identical", 3)


@pytest.mark.parametrize("kind", sorted(set(runs.ALL) - {"pass"}))
def test_whatever_is_no_pass_gets_an_error(kind):
    assert of(runs.ALL[kind]())[0].level == "error"


def test_a_run_of_nothing_that_was_allowed_is_no_error():
    refused = report_json(runs.nothing())
    allowed = annotate({**refused, "exit_code": 0})
    assert [annotation.level for annotation in allowed] == ["notice"]
    assert {a.level for a in annotate({**report_json(runs.inconclusive()), "exit_code": 0})} == {"error"}


def test_a_finding_of_five_iterations_is_told_once():
    report = runs.make(checks=(runs.broken(),), word="fail", code=1, counts={}, iterations=5)
    (told,) = [a for a in of(report) if a.title == "cleanroom: spans.count"]
    assert told.message.endswith("In 5 iterations.")


def test_never_more_than_the_runner_keeps_with_the_verdict_among_them():
    many = tuple(runs.broken(at=runs.at(n + 1), found=f"{n}") for n in range(40))
    warnings = tuple(runs.broken(level="warning", at=runs.at(n + 50), found=f"{n}") for n in range(40))
    annotations = of(runs.make(checks=(*many, *warnings), word="fail", code=1, counts={"failed": 40}))
    levels = [a.level for a in annotations]
    assert levels.count("error") == 10
    assert levels.count("warning") == 10
    assert "31 more in report.json" in annotations[0].message


def test_what_could_not_be_judged_is_an_error_and_what_is_allowed_a_warning():
    assert [a.level for a in of(runs.inconclusive())] == ["error", "error"]
    assert [a.level for a in of(runs.inconclusive(allowed="known"))] == ["warning"]


def test_a_command_is_one_line_whatever_is_in_it():
    for annotation in of(runs.hostile()):
        command = annotation.command()
        assert "\n" not in command
        assert "\r" not in command
        assert command.startswith(("::error ", "::warning "))
        assert "##[" not in command
        head = command.split("::", 2)[1]
        names = {part.partition("=")[0] for part in head.partition(" ")[2].split(",")}
        assert names <= {"file", "line", "col", "title"}


def test_messages_are_cut_before_the_runner_cuts_them():
    command = Annotation(level="error", message="é" * 9000, title="t" * 900).command()
    assert len(command) < 4000 + 200


def test_properties_are_escaped():
    command = Annotation(level="error", message="50%\nof", file="a,b:c.yaml", line=3, column=4, title="x").command()
    assert command == "::error file=a%2Cb%3Ac.yaml,line=3,col=4,title=x::50%25%0Aof"
