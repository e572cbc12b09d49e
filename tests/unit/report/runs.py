"""Runs to be reported: each ends in another way."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from cleanroom.engine.ports import Inventory
from cleanroom.errors import ExitCode
from cleanroom.network.ports import Drop, Proof, Vector
from cleanroom.plan.build import build_plan
from cleanroom.report.model import RunReport
from cleanroom.run.record import (
    CleanupRecord,
    FaultRecord,
    IterationRecord,
    RecoveryRecord,
    ScenarioRecord,
    ServiceRecord,
    SessionRecord,
    StepRecord,
    SuiteRecord,
    Trouble,
)
from cleanroom.run.skipped import Skipped, SkippedScenario
from cleanroom.spec.source import Position, Problem
from cleanroom.telemetry.ports import Payload
from cleanroom.trace.divergence import Divergence, Row
from cleanroom.trace.model import Origin
from cleanroom.trace.proposal import Rules
from cleanroom.validate.model import (
    Check,
    Finding,
    Gate,
    IterationDigests,
    IterationVerdict,
    RunVerdict,
    ScenarioVerdict,
    SuiteVerdict,
)
from tests.unit.plan.suites import fault, scenario, suite

START = 1_700_000_000 * 10**9
SECOND = 10**9
FILE = "checkout.cleanroom.yaml"
HOSTILE = (
    "::error title=x::gotcha\r::set-output name=a::b\n##[error]boo \x1b[31mred\x1b[0m <img src=x onerror=alert(1)> "
    "</failure>]]> | `tick` ``two`` @octocat #1 http://evil.example www.evil.example [x](javascript:1) "
    "\x00\x08\ud800\ufffe 😀 %0A::warning::"
)
OTLP = b"""{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[
 {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET /orders","kind":2,
  "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000",
  "attributes":[{"key":"token","value":{"stringValue":"hunter2-secret"}}]}]}]}]}"""


def at(line, column=5):
    return Position(FILE, line, column)


def payload(body=OTLP):
    return Payload(
        environment="e",
        origin=Origin.SERVICE,
        signal="traces",
        content_type="application/json",
        body=body,
        received_ns=1,
    )


def fault_record(**fields):
    values = {
        "id": "slow-db",
        "kind": "network.latency",
        "occurrence": 0,
        "targets": ("db",),
        "backend": "nfqueue",
        "injected": True,
        "verified": True,
        "reverted": True,
        "evidence": MappingProxyType({"rtt_before_ms": 0.21, "rtt_during_ms": 500.4, "samples": 5}),
        "window": (START + SECOND, START + 3 * SECOND),
        "recovery": RecoveryRecord(strategy="heal", duration_ns=120_000_000, success=True),
        "at": at(30),
    }
    return FaultRecord(**{**values, **fields})


def scenario_record(**fields):
    values = {
        "name": "happy",
        "outcome": "passed",
        "steps": (
            StepRecord(
                name="place",
                type="http",
                service="api",
                outcome="passed",
                status=201,
                start_ns=START,
                end_ns=START + 20_000_000,
                at=at(20),
            ),
        ),
        "faults": (fault_record(),),
        "services": (
            ServiceRecord(
                name="api", image="shop:1", address="10.213.0.10", container="c1", log="ready\n", ready_ms=210.5
            ),
            ServiceRecord(
                name="db", image="postgres:1", address="10.213.0.11", container="c2", log="up\n", log_truncated=True
            ),
        ),
        "cleanup": CleanupRecord(
            created=Inventory(containers=("c1", "c2"), networks=("n1",)),
            removed=Inventory(containers=("c1", "c2"), networks=("n1",)),
        ),
        "payloads": (payload(),),
        "trace_id": "5b8efff798038103d269b633813fc60c",
        "start_ns": START,
        "end_ns": START + 4 * SECOND,
        "timings": MappingProxyType({"start": 0.4, "steps": 2.1}),
    }
    return ScenarioRecord(**{**values, **fields})


def digests(mark="a"):
    return IterationDigests(
        digest=f"sha256:{mark * 64}",
        trace=f"sha256:{'b' * 64}",
        schedule=f"sha256:{'c' * 64}",
        outcome=f"sha256:{'d' * 64}",
        rule_set="cleanroom.rules/1",
    )


def good(name="step place status", rule="step.status", line=22):
    return Check(rule=rule, name=name, at=at(line))


def broken(**fields):
    values = {
        "rule": "spans.count",
        "at": at(41, 9),
        "expected": "at least 1 span INSERT orders",
        "found": "0 spans",
        "near_misses": ("INSERT order (db), 1 span",),
        "span_ids": ("eee19b7ec3c1b174",),
        "remedy": "correct the name",
    }
    finding = Finding(**{**values, **fields})
    return Check(rule=finding.rule, name='spans "INSERT orders" count', at=finding.at, findings=(finding,))


def make(
    *,
    checks,
    word,
    code,
    counts,
    iterations=2,
    scenarios=None,
    session=None,
    verdict=None,
    gates=(),
    reasons=(),
    **fields,
):
    """A run of one suite in which every iteration was judged by `checks` (a tuple per iteration, or one for all)."""
    plan = build_plan(suite(scenario("happy", fault("slow-db"))), seed=42, iterations=iterations)
    records = scenarios or (scenario_record(),) * iterations
    per = checks if checks and isinstance(checks[0], tuple) else (checks,) * iterations
    record = SuiteRecord(
        plan=plan,
        iterations=tuple(
            IterationRecord(index=i, slot=i, scenarios=(r,), start_ns=START, end_ns=START + 5 * SECOND)
            for i, r in enumerate(records)
        ),
    )
    judged = SuiteVerdict(
        **{
            "name": "checkout",
            "file": FILE,
            "verdict": word,
            "exit_code": code,
            "iterations": tuple(
                IterationVerdict(
                    index=i,
                    scenarios=(ScenarioVerdict(name="happy", outcome="passed", checks=c),),
                    digests=digests(),
                )
                for i, c in enumerate(per)
            ),
            "determinism": Check(rule="determinism.identical", name="the iterations are identical", at=at(3)),
            "digest": digests().digest,
            **(verdict or {}),
        }
    )
    ran = SessionRecord(
        suites=(record,),
        proof=Proof(
            vectors=(Vector(protocol="tcp", destination="198.51.100.1", port=443, open=False, detail="timed out"),),
            dropped=7,
        ),
        engine_mode="cell",
        engine_version="26.1.5",
        privileges="capabilities",
        image_cache="cold",
        timings=MappingProxyType({"engine": 1.25, "iterations": 9.5}),
    )
    return RunReport(
        **{
            "session": replace(ran, **(session or {})),
            "verdict": RunVerdict(
                verdict=word,
                exit_code=code,
                suites=(judged,),
                gates=gates,
                reasons=reasons,
                digest=judged.digest,
                counts=MappingProxyType(counts),
            ),
            "repro": "cleanroom run checkout.cleanroom.yaml --seed 42",
            "seed": 42,
            "started_ns": START,
            "ended_ns": START + 12 * SECOND,
            "version": "0.0.0",
            **fields,
        }
    )


def passing(**fields):
    return make(
        checks=(good(),),
        word="pass",
        code=ExitCode.PASS,
        counts={"passed": 2, "failed": 0, "inconclusive": 0},
        **fields,
    )


def failing(**fields):
    """A broken expectation in the second iteration, a divergence, and a service that tried to get out."""
    drops = (
        Drop(source="10.213.0.10", destination="203.0.113.7", protocol="tcp", port=443, count=3),
        Drop(
            source="10.213.0.10",
            destination="",
            protocol="dns",
            port=53,
            count=2,
            via="resolver",
            name="telemetry.example",
        ),
    )
    divergence = Divergence(
        left=0,
        right=1,
        path="GET /orders > INSERT orders",
        attribute="attributes.order.id",
        left_value="17",
        right_value="18",
        classification="value",
        proposal="drop: [order.id]",
        rules=Rules(drop=("order.id",)),
        rows=(
            Row(what="name", left="INSERT orders", right="INSERT orders", differs=False),
            Row(what="attributes.order.id", left="17", right="18", differs=True),
        ),
    )
    found = Finding(rule="determinism.identical", at=at(3), expected="2 iterations with one digest", found="2 digests")
    return make(
        checks=((good(),), (good(), broken())),
        word="fail",
        code=ExitCode.FINDINGS,
        counts={"passed": 1, "failed": 2, "inconclusive": 0},
        scenarios=(scenario_record(), scenario_record(egress=drops)),
        verdict={
            "determinism": Check(
                rule="determinism.identical", name="the iterations are identical", at=at(3), findings=(found,)
            ),
            "divergence": divergence,
            "digest": "",
        },
        **{"reasons": ("failure", "nondeterminism"), **fields},
    )


def inconclusive(allowed="", **fields):
    unverified = fault_record(
        verified=False, reason="the round trip did not change", evidence=MappingProxyType({"rtt_during_ms": 0.2})
    )
    check = Check(
        rule="fault.verified",
        name="fault slow-db bites",
        at=at(30),
        inconclusive="its effect could not be measured: the round trip did not change",
        allowed=allowed,
    )
    code = ExitCode.PASS if allowed else ExitCode.INCONCLUSIVE
    return make(
        checks=(good(), check),
        word="pass" if allowed else "inconclusive",
        code=code,
        counts={"passed": 2, "failed": 0, "inconclusive": 1},
        scenarios=(scenario_record(faults=(unverified,)),) * 2,
        **{"reasons": () if allowed else ("inconclusive",), **fields},
    )


def crashed(trouble=None, **fields):
    """The engine went away before the first iteration."""
    found = trouble or Trouble(
        exit_code=4, message="the Docker engine does not answer: connection refused", remedy="start it, and run again"
    )
    plan = build_plan(suite(scenario("happy")), seed=42, iterations=2)
    return RunReport(
        **{
            "session": SessionRecord(suites=(SuiteRecord(plan=plan),), trouble=found),
            "verdict": RunVerdict(
                verdict="error",
                exit_code=ExitCode(found.exit_code),
                suites=(
                    SuiteVerdict(
                        name="checkout",
                        file=FILE,
                        verdict="inconclusive",
                        exit_code=ExitCode.INCONCLUSIVE,
                        trouble="only 0 of 2 ran",
                    ),
                ),
            ),
            "repro": "cleanroom run checkout.cleanroom.yaml --seed 42",
            "seed": 42,
            "started_ns": START,
            "ended_ns": START + SECOND,
            "version": "0.0.0",
            **fields,
        }
    )


def invalid():
    """A spec that could not be read."""
    problem = Problem(
        code="unknown-key",
        at=at(7, 3),
        message="unknown key `sevices`",
        expected="one of services, scenarios",
        got="sevices",
        suggestion="did you mean `services`?",
        excerpt="sevices:\n^",
    )
    trouble = Trouble(exit_code=3, message="1 problem in 1 spec", at=at(7, 3))
    return RunReport(
        session=SessionRecord(trouble=trouble),
        verdict=RunVerdict(verdict="error", exit_code=ExitCode.INVALID_SPEC),
        repro="",
        problems=(problem,),
        started_ns=START,
        ended_ns=START,
        version="0.0.0",
    )


def nothing():
    """No spec matched."""
    return RunReport(
        session=SessionRecord(),
        verdict=RunVerdict(verdict="inconclusive", exit_code=ExitCode.INCONCLUSIVE),
        repro="cleanroom run nothing/",
        version="0.0.0",
    )


def hostile():
    """A run in which everything that is not ours is out to harm whoever reads the report."""
    finding = Finding(
        rule="step.stdout",
        at=at(5),
        expected=HOSTILE,
        found=HOSTILE,
        near_misses=(HOSTILE,),
        span_ids=("x",),
        remedy=HOSTILE,
    )
    check = Check(rule="step.stdout", name=HOSTILE, at=at(5), findings=(finding,), note=HOSTILE)
    record = scenario_record(
        faults=(fault_record(reason=HOSTILE, evidence=MappingProxyType({HOSTILE: HOSTILE, "nan": float("nan")})),),
        egress=(Drop(source="10.213.0.10", destination=HOSTILE, protocol="dns", port=53, count=1, name=HOSTILE),),
        services=(ServiceRecord(name="api", image=HOSTILE, address="10.213.0.10", container="c", log=HOSTILE),),
        steps=(
            StepRecord(name=HOSTILE, type="exec", outcome="failed", stdout=HOSTILE, stderr=HOSTILE, reason=HOSTILE),
        ),
    )
    divergence = Divergence(
        left=0,
        right=1,
        path=HOSTILE,
        attribute=HOSTILE,
        left_value=HOSTILE,
        right_value=HOSTILE,
        classification="value",
        proposal=HOSTILE,
        rules=Rules(drop=(HOSTILE,), replace=((HOSTILE, HOSTILE),)),
        obstacle=HOSTILE,
        rows=(Row(what=HOSTILE, left=HOSTILE, right=HOSTILE, differs=True),),
    )
    return make(
        checks=(check,),
        word="fail",
        code=ExitCode.FINDINGS,
        counts={"passed": 0, "failed": 1, "inconclusive": 0},
        scenarios=(record, record),
        verdict={"divergence": divergence, "trouble": HOSTILE, "digest": ""},
        session={"trouble": Trouble(exit_code=4, message=HOSTILE, remedy=HOSTILE), "image_cache": HOSTILE},
        repro=HOSTILE,
    )


def gated(**fields):
    """A run that passes by its gate, with an accepted defect, an optional suite, and scenarios that did not run."""
    known = replace(broken(), accepted="the name is not decided yet")
    gate = Gate(
        name="pass rate", wanted="at least 85 % of the scenarios pass", state="met", passed=6, failed=1, known=1
    )
    missed = Gate(
        name="pass rate of tag smoke", tag="smoke", wanted="at least 100 % of the scenarios pass", state="missed"
    )
    open_ = replace(
        gate, name="pass rate of tag slow", tag="slow", state="not judged", passed=1, failed=0, not_judged=2
    )
    skipped = (
        Skipped(
            suite="soak", file="soak.cleanroom.yaml", kind="tier", why="its tier is weekly, and the call is for full",
            scenarios=(SkippedScenario(name="an hour", tags=("slow",)), SkippedScenario(name="a day")),
        ),
        Skipped(
            suite="checkout", file=FILE, kind="tags", why="none of the tags smoke",
            scenarios=(SkippedScenario(name="returns"),),
        ),
        Skipped(
            suite="late", file="late.cleanroom.yaml", kind="budget", why="the time budget of 600s was used up",
            scenarios=(SkippedScenario(name="too late"),), required=False,
        ),
    )  # fmt: skip
    return make(
        checks=(good(), known),
        word="fail",
        code=ExitCode.FINDINGS,
        counts={"passed": 2, "failed": 0, "known": 1, "inconclusive": 0},
        session={"skipped": skipped},
        gates=(gate, missed, open_),
        verdict={"required": False},
        **{"reasons": ("failure",), **fields},
    )


ALL = {
    "gated": gated,
    "pass": passing,
    "fail": failing,
    "inconclusive": inconclusive,
    "error": crashed,
    "invalid": invalid,
    "nothing": nothing,
    "hostile": hostile,
}
