from __future__ import annotations

import pytest

from cleanroom.cli.main import main
from cleanroom.engine.launcher import LaunchResult
from cleanroom.engine.modes import Facts
from cleanroom.errors import EngineError
from cleanroom.pipeline.doctor import outside
from cleanroom.pipeline.doctor.findings import LEFT, Diagnosis, Trial, encode

NOTHING = Facts(in_cell=False, engine_trouble="no socket", linux=True, root=False, dockerd=False, unshare=True)
ENGINE = Facts(in_cell=False, engine_trouble="", linux=True, root=False, dockerd=False, unshare=True)
NOTHING_LEFT = Diagnosis(name=LEFT, works=True, seen="nothing")


def proof(*, proven: bool = True, promised: bool = True) -> Trial:
    return Trial(kind="container.pause", promised=promised, proven=proven, rung="api")


@pytest.fixture
def cell(monkeypatch):
    """A cell that says these findings, or another thing, and ends so."""
    monkeypatch.setattr(outside, "gather_facts", lambda _environment: ENGINE)
    asked: list[tuple[str, ...]] = []

    def says(*findings, text=b"", **ended):
        def launch(_mode, options):
            asked.append(options.worker)
            data = "".join(encode(one) for one in findings).encode() + text
            for start in range(0, len(data), 7):
                options.sink(data[start : start + 7])
            return LaunchResult(run="1", **{"exit_code": 0, "privilege": "capabilities", **ended})

        monkeypatch.setattr(outside, "launch", launch)
        return asked

    return says


def test_a_machine_without_anything_is_told_what_is_missing_and_what_to_do(monkeypatch):
    monkeypatch.setattr(outside, "gather_facts", lambda _environment: NOTHING)
    found = outside.diagnose_outside({})
    assert [d.works for d in found] == [False, False, False]
    assert all(d.remedy for d in found)
    assert main(("doctor",)) == 4


def test_a_machine_with_an_engine_says_which_mode_it_takes(monkeypatch):
    monkeypatch.setattr(outside, "gather_facts", lambda _environment: ENGINE)
    found = {d.name: d for d in outside.diagnose_outside({})}
    assert (found["engine mode auto"].works, found["engine mode auto"].seen) == (True, "takes cell")


def test_a_cell_that_cannot_be_made_is_one_diagnosis_with_a_remedy(monkeypatch):
    monkeypatch.setattr(outside, "gather_facts", lambda _environment: ENGINE)

    def fail(*_):
        raise EngineError("no such image")

    monkeypatch.setattr(outside, "launch", fail)
    (found,) = outside.examine_cell("me:1", "auto", (), lambda _: None)
    assert (found.works, "no such image" in found.seen, bool(found.remedy)) == (False, True, True)
    assert main(("doctor",)) == 4


def test_findings_are_heard_in_whole_lines_as_they_come(cell):
    cell(NOTHING_LEFT, proof(), text=b"a warning of somebody's\n")
    heard: list[object] = []
    found = outside.examine_cell("me:1", "auto", (), heard.append)
    assert heard == list(found)
    assert found[:2] == (NOTHING_LEFT, proof())
    assert found[2] == Diagnosis(name="cell", works=True, seen="made with capabilities")


@pytest.mark.parametrize(
    ("ended", "words"),
    [({"exit_code": 4}, "it ended with 4; it said: Traceback boom"), ({"left": ("a volume",)}, "it left a volume")],
)
def test_a_cell_that_ends_badly_says_so_with_its_own_words(cell, ended, words, capsys):
    cell(text=b"Traceback\n boom\n", **ended)
    assert main(("doctor",)) == 4
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((proof(), NOTHING_LEFT), 0),
        ((proof(proven=False), NOTHING_LEFT), 1),
        ((proof(proven=False, promised=False), NOTHING_LEFT), 0),
        ((NOTHING_LEFT,), 1),
        ((proof(), Diagnosis(name=LEFT, works=False, seen="a container")), 1),
        ((proof(),), 1),
    ],
)
def test_the_exit_code_says_whether_what_was_promised_was_proven(cell, findings, code, capsys):
    asked = cell(*findings)
    assert main(("doctor", "--probe", "container.pause")) == code
    assert asked[0][-2:] == ("--probe", "container.pause")
    assert "container.pause" in capsys.readouterr().out or len(findings) == 1


def test_a_fault_that_cannot_be_proven_is_refused_before_anything_is_started(capsys):
    assert main(("doctor", "--probe", "database.lock")) == 2
    assert "cannot be proven by doctor" in capsys.readouterr().err


def test_the_inside_is_only_asked_inside(capsys):
    assert main(("doctor", "--inside")) == 2
    assert "inside a cell" in capsys.readouterr().err
