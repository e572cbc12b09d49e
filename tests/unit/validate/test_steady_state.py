from __future__ import annotations

from cleanroom.drive.answer import Answer
from cleanroom.quantity import Duration
from cleanroom.run.record import ScenarioRecord, SteadyRecord, StepRecord, Trouble
from cleanroom.spec.probe import Probe, TcpProbe
from cleanroom.spec.source import Position
from cleanroom.spec.steady_state import SteadyState
from cleanroom.validate.steady_state import judge_steady_state
from cleanroom.validate.steps import judge_steps
from tests.unit.run.worlds import AT, order

PROBE = Probe(question=TcpProbe(service="db", port=1), at=Position("a.yaml", 7, 3))
GOOD = Answer(ok=True, question="tcp db port 1")
BAD = Answer(ok=False, question="tcp db port 1", why="refused", at=PROBE.at)
OPTIONAL = Answer(ok=False, question="tcp db port 1", why="refused", optional=True)


def scenario(**kw):
    wanted = {"probes": (PROBE,), "during": Duration(10**8), "at": AT, **kw}
    return order(steady_state=SteadyState(**wanted))


def steady(phase, *answers, rounds=1, **kw):
    return SteadyRecord(phase=phase, rounds=rounds, answers=answers, **kw)


def judged(*phases, **kw):
    return judge_steady_state(scenario(), ScenarioRecord(name="order", outcome="passed", steady=phases, **kw))


def test_each_phase_is_a_check_of_its_own():
    checks = judged(steady("before", GOOD), steady("during", GOOD, rounds=9), steady("after", GOOD))
    assert [c.rule for c in checks] == ["steady_state.before", "steady_state.during", "steady_state.after"]
    assert not any(c.findings or c.inconclusive for c in checks)
    assert judge_steady_state(order(), ScenarioRecord(name="order", outcome="passed")) == ()


def test_a_broken_phase_is_a_finding_on_the_line_of_its_probe():
    _, during, after = judged(
        steady("before", GOOD), steady("during", GOOD, BAD, BAD, rounds=9, failed_rounds=2), steady("after", BAD)
    )
    (finding,) = during.findings
    assert (finding.at, finding.expected) == (PROBE.at, "tcp db port 1 holds")
    assert finding.found == "refused (in 2 of 9 rounds)"
    assert after.findings[0].rule == "steady_state.after"


def test_broken_before_the_steps_the_rest_is_not_judged_and_the_steps_are_no_finding_of_their_own():
    skipped = StepRecord(name="place", type="exec", outcome="skipped", reason="the steady state was broken")
    record = ScenarioRecord(name="order", outcome="failed", steady=(steady("before", BAD),), steps=(skipped,))
    before, during, after = judge_steady_state(scenario(), record)
    assert before.findings[0].rule == "steady_state.before"
    assert during.inconclusive
    assert after.inconclusive
    assert not any(c.findings for c in judge_steps(scenario(), record)[:1])


def test_what_was_never_asked_is_no_pass():
    checks = judged()
    assert all(c.findings[0].found == "they were never asked" for c in checks)
    assert all(c.inconclusive for c in judged(trouble=Trouble(exit_code=4, message="the engine died")))
    assert judged(steady("during", rounds=0))[1].findings


def test_an_optional_probe_is_noted():
    (before, *_) = judged(steady("before", OPTIONAL), steady("during", GOOD), steady("after", GOOD))
    assert (before.findings, before.note) == ((), "optional, and failed: tcp db port 1: refused")
