from __future__ import annotations

import argparse
import json
from dataclasses import replace

import pytest

from cleanroom.cli import audit
from cleanroom.errors import UsageError
from cleanroom.run.journal import Journal
from cleanroom.run.record import SessionRecord
from cleanroom.validate.audit import audit_suite
from tests.unit.validate.builders import PROOF
from tests.unit.validate.recordings import HELLO, ROOT, hello, hello_iteration

WEAK = '\nexpect: {spans: [{name: "GET *"}]}\n'


def call(*words):
    parser = argparse.ArgumentParser()
    audit.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["audit", *map(str, words)])
    return arguments.call(arguments)


@pytest.fixture
def journal(tmp_path):
    """The report folder of a run of examples/hello."""
    record = hello()
    writer = Journal(tmp_path / "out" / "journal")
    writer.plan(record.plan)
    for iteration in record.iterations:
        writer.iteration(record.plan.suite.name, iteration)
    writer.session(SessionRecord(suites=(record,), proof=PROOF))
    return tmp_path / "out"


@pytest.fixture
def weak(tmp_path):
    """The same spec with an `expect` that says nearly nothing."""
    text = HELLO.read_text(encoding="utf-8")
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "Dockerfile").touch()
    path = tmp_path / "hello.cleanroom.yaml"
    path.write_text(text[: text.index("\nexpect:")] + WEAK, encoding="utf-8")
    return path


def test_a_strong_spec_passes_its_minimum(journal, capsys):
    assert call("--root", ROOT, "--min-score", 95, HELLO, journal) == 0
    assert "score 100 %: 20 of 20 mutants are caught (1 more are equivalent)\n" in capsys.readouterr().out


def test_a_weak_spec_fails_it_and_is_told_what_survived_and_what_would_catch_it(journal, weak, tmp_path, capsys):
    assert call("--root", tmp_path, "--min-score", 95, weak, journal / "journal") == 1
    out = capsys.readouterr().out
    place = "it says hello: cleanroom.iteration > cleanroom.scenario > cleanroom.step:greet > GET /hello"
    assert f"  survived: duplicate: {place}: there twice\n" in out
    assert "        parent: cleanroom.step:greet\n" in out
    assert out.endswith("with that the score is 100 %\n")


def test_a_survivor_without_a_proposal_says_so_and_a_long_list_has_an_end(weak, tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "MOST_SHOWN", 12)
    plan = hello(weak, tmp_path).plan
    noisy = audit_suite(plan, (hello_iteration(0), hello_iteration(1, code=204)), per_operator=20)
    out = audit._text([noisy])
    assert "http.response.status_code (no expectation of the language was found that would catch it)\n" in (
        audit._text([replace(noisy, judged=tuple(one for one in noisy.judged if one.proposal is None))])
    )
    assert f"\n  and {len(noisy.survivors) - 12} more\n" in out
    assert out.count("survived:") == 12


def test_without_a_minimum_a_score_is_told_and_nothing_fails(journal, weak, tmp_path):
    assert call("--root", tmp_path, weak, journal) == 0


def test_json_holds_all_of_it(journal, weak, tmp_path, capsys):
    call("--root", tmp_path, "--format", "json", weak, journal)
    (told,) = json.loads(capsys.readouterr().out)["audits"]
    assert told["caught"] + len(told["survivors"]) + told["equivalent"] == told["mutants"]
    assert told["score"] < 35
    assert told["score_with_proposals"] > 90
    assert {"scenario", "operator", "path", "detail", "proposal"} == set(told["survivors"][0])
    assert told["proposals"][0]["expect"].startswith("expect:\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--min-score", "101"), "expected 0 to 100"),
        (("--mutants", "0"), "expected 1 to 100"),
        (("--seed", "7"), "its seed is 42, and this one is 7"),
    ],
)
def test_what_makes_no_sense_is_refused(journal, words, why):
    with pytest.raises(UsageError, match=why):
        call("--root", ROOT, *words, HELLO, journal)


def test_a_journal_of_another_suite_is_refused(journal):
    other = ROOT / "examples/quickstart/quickstart.cleanroom.yaml"
    with pytest.raises(UsageError, match="holds no suite 'quickstart'"):
        call("--root", ROOT, other, journal)


def test_a_folder_that_is_no_journal_is_refused(tmp_path):
    with pytest.raises(UsageError, match="not part of a complete journal"):
        call("--root", ROOT, HELLO, tmp_path)


@pytest.mark.parametrize(
    ("scores", "code"), [((99.9,), 1), ((100.0,), 0), ((100.0, None), 6), ((None, 10.0), 1), ((), 6)]
)
def test_the_exit_code_never_passes_without_a_score(scores, code):
    class Scored:
        def __init__(self, score):
            self.score = score

    assert audit._code([Scored(score) for score in scores], 99.95) == code


@pytest.mark.parametrize(("score", "told"), [(94.99, "94.9 %"), (100.0, "100 %"), (None, "none")])
def test_a_score_is_never_rounded_up(score, told):
    assert audit._percent(score) == told
