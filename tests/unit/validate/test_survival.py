from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import ExitCode
from cleanroom.run.record import RecoveryRecord, Trouble
from cleanroom.spec.probe import ExitProbe, Probe
from cleanroom.spec.service import Service
from cleanroom.validate.survival import judge_survival
from tests.unit.validate.builders import bitten, event, fault, findings, plan, record, scenario, suite

KILL = fault("crash", kind="container.kill")


def died(**kw):
    """Service api, which had exited before anybody stopped it, with code 3."""
    (service,) = record().services
    return replace(service, **{"ended_early": "exited", "exit_code": 3, **kw})


def judged(service, *events, of=None, **kw):
    where = plan(of or suite(), events={"order": events})
    return judge_survival(where, scenario(), record(services=(service,), **kw))


def killed(revive, **kw):
    return replace(event(KILL, **kw), parameters={"revive": revive})


def kill(revive, **kw):
    return bitten(KILL, parameters={"revive": revive}, **kw)


def test_a_service_that_ran_until_it_was_stopped_holds_whatever_its_exit_code_then():
    assert findings(judged(died(ended_early="", exit_code=137))) == ()


def test_a_service_that_nobody_missed_breaks_all_the_same():
    (found,) = findings(judged(died()))
    assert (found.rule, found.level) == ("service.ended", "error")
    assert found.found == "service api had ended by itself (exit code 3): it was exited"


def test_want_of_memory_and_a_loop_of_crashes_are_named():
    assert "out of memory" in findings(judged(died(exit_code=137, oom_killed=True)))[0].found
    assert "4 restarts" in findings(judged(died(ended_early="restarting", restarts=4)))[0].found


def test_an_end_without_error_and_a_restart_by_policy_are_told_and_break_nothing():
    assert [f.level for f in findings(judged(died(exit_code=0)))] == ["warning"]
    assert [f.level for f in findings(judged(died(ended_early="", restarts=2)))] == ["warning"]
    by_policy = RecoveryRecord(strategy="policy", duration_ns=1, success=True)
    for kind in ("container.kill", "container.crash_loop", "container.exit", "container.oom"):
        struck = bitten(fault("crash", kind=kind), recovery=by_policy)
        assert findings(judged(died(ended_early="", restarts=2), faults=(struck,))) == ()
    others = bitten(KILL, recovery=by_policy, targets=("db",))
    assert len(findings(judged(died(ended_early="", restarts=2), faults=(others,)))) == 1


def test_a_service_that_is_to_end_may():
    once = suite(services=(Service(name="api", ready=(Probe(question=ExitProbe(code=3)),)), Service(name="db")))
    assert findings(judged(died(), of=once)) == ()


def test_a_kill_for_good_explains_it_and_one_that_was_to_be_revived_does_not():
    assert findings(judged(died(), killed("none"), faults=(kill("none"),))) == ()
    assert len(findings(judged(died(), killed("default"), faults=(kill("default"),)))) == 1
    assert len(findings(judged(died(), killed("none", drawn=False)))) == 1


def test_a_kill_that_was_only_planned_or_ended_nobody_explains_nothing():
    assert len(findings(judged(died(), killed("none")))) == 1
    refused = kill("none", injected=False, verified=False)
    assert len(findings(judged(died(), killed("none"), faults=(refused,)))) == 1
    survived = kill("none", verified=False)
    assert len(findings(judged(died(), killed("none"), faults=(survived,)))) == 1


def test_what_did_not_come_back_is_said_once():
    lost = bitten(KILL, recovery=RecoveryRecord(strategy="start", duration_ns=1, success=False))
    assert findings(judged(died(), killed("default"), faults=(lost,))) == ()


def test_in_a_shared_environment_the_kill_of_another_scenario_explains_it():
    both = suite(scenario(), scenario("other"))
    where = plan(both, events={"other": (killed("none", scenario="other"),)})
    assert findings(judge_survival(where, scenario(), record(services=(died(),), shared=True))) == ()
    assert len(findings(judge_survival(where, scenario(), record(services=(died(),))))) == 1


@pytest.mark.parametrize("code", [ExitCode.ENGINE, ExitCode.INTERRUPTED])
def test_trouble_has_killed_more_than_the_services(code):
    assert findings(judged(died(), trouble=Trouble(exit_code=code, message="x"))) == ()
