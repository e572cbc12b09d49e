from __future__ import annotations

import json
import subprocess

import pytest

from cleanroom.engine.modes import Facts
from cleanroom.errors import EngineError
from cleanroom.faults.ladder import LADDERS
from cleanroom.pipeline import doctor
from cleanroom.pipeline.doctor import Diagnosis

NOTHING = Facts(in_cell=False, engine_trouble="no socket", linux=True, root=False, dockerd=False, unshare=True)
ENGINE = Facts(in_cell=False, engine_trouble="", linux=True, root=False, dockerd=False, unshare=True)


@pytest.fixture
def tools(monkeypatch):
    """A machine with no tool and no right, unless a test says otherwise."""
    monkeypatch.setattr(doctor.shutil, "which", lambda _name: None)

    def refuse(argv, **_):
        return subprocess.CompletedProcess(argv, 1, "", f"{argv[0]}: Operation\n not permitted")

    monkeypatch.setattr(doctor.subprocess, "run", refuse)


def test_a_machine_without_anything_is_told_what_is_missing_and_what_to_do(monkeypatch):
    monkeypatch.setattr(doctor, "gather_facts", lambda _environment: NOTHING)
    found = doctor.diagnose_outside({})
    assert [d.works for d in found] == [False, False, False]
    assert all(d.remedy for d in found)


def test_a_machine_with_an_engine_says_which_mode_it_takes(monkeypatch):
    monkeypatch.setattr(doctor, "gather_facts", lambda _environment: ENGINE)
    found = {d.name: d for d in doctor.diagnose_outside({})}
    assert (found["engine mode auto"].works, found["engine mode auto"].seen) == (True, "takes cell")


@pytest.mark.usefixtures("tools")
def test_every_rung_of_every_fault_is_told_with_what_it_lacks():
    found = {d.name: d for d in doctor.diagnose_inside()}
    for ladder in LADDERS:
        for rung in ladder.rungs:
            one = found[f"{ladder.kind}: {rung.name}"]
            lacking = [need for need in rung.needs if need in found]
            assert one.works == (not lacking)
            assert all(need in one.seen for need in lacking)
    assert found["nftables"].seen == "unshare: Operation not permitted"
    assert all(d.remedy for d in found.values() if not d.works)


def test_what_can_be_done_works(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(
        doctor.subprocess, "run", lambda argv, **_: subprocess.CompletedProcess(argv, 0, "", "a warning")
    )
    assert [d for d in doctor.diagnose_inside() if not d.works] == []


@pytest.mark.parametrize("error", [FileNotFoundError("unshare"), subprocess.TimeoutExpired("nft", 15)])
@pytest.mark.usefixtures("tools")
def test_a_tool_that_is_not_there_or_hangs_does_not_work(error, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(doctor.subprocess, "run", fail)
    assert not next(d for d in doctor.diagnose_inside() if d.name == "bridge").works


def test_a_cell_that_cannot_be_made_is_one_diagnosis_with_a_remedy(monkeypatch):
    monkeypatch.setattr(doctor, "gather_facts", lambda _environment: ENGINE)

    def fail(*_):
        raise EngineError("no such image")

    monkeypatch.setattr(doctor, "launch", fail)
    (cell,) = doctor.diagnose_cell("me:1", "auto")
    assert (cell.works, "no such image" in cell.seen, bool(cell.remedy)) == (False, True, True)


def test_people_get_a_remedy_below_what_does_not_work_and_programs_get_json():
    found = (Diagnosis(name="a", works=True, seen="fine"), Diagnosis(name="long", works=False, seen="x", remedy="do y"))
    assert doctor.render(found) == "ok  a     fine\nno  long  x\n         → do y\n"
    assert [Diagnosis(**row) for row in json.loads(doctor.as_json(found))] == list(found)
