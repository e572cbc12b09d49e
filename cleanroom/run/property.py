"""A property of a scenario: the steps are carried out for many examples, off the record, before the one that is told.

What the examples do is sent under traces that the runner issues, so that neither their number nor the way to the
smallest one gets into a digest. The steps that are recorded are those of one example: the smallest that fails, else the
first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from cleanroom.errors import EngineError
from cleanroom.plan.stream import stream_digest
from cleanroom.run.bounds import Bounds
from cleanroom.run.chaos import Chaos
from cleanroom.run.quiet import QuietSpan, QuietTracer, unheard
from cleanroom.run.record import PropertyRecord, StepRecord
from cleanroom.run.search import Example, search
from cleanroom.run.stage import Stage
from cleanroom.run.stepper import Stepper
from cleanroom.run.tracing import OpenSpan
from cleanroom.spec.property import Property
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.step import Step

Inside: TypeAlias = Callable[[Callable[[Stage], str]], str]
"""Takes what is to be done for one example, does it where the example has its place, and returns how it failed."""


class _EndError(BaseException):
    """Ends a search from inside: an engine that fails is no counterexample, and hypothesis must not take it for one."""


class Examples:
    """Carries out a scenario's steps for single examples."""

    def __init__(
        self, stage: Stage, scenario: Scenario, wanted: Property, calm: Callable[[Stage], Chaos],
        inside: Inside | None = None,
    ) -> None:  # fmt: skip
        """`calm` has no faults: those of the scenario strike once, and the examples are many.

        Without `inside` every example has its place on `stage`, whose environment is up.
        """
        self._stage = stage
        self._scenario = scenario
        self._wanted = wanted
        self._calm = calm
        self._inside: Inside = inside or (lambda act: act(self._stage))

    def find(self) -> PropertyRecord:
        """Search, or take the one example that was asked for; raises what keeps examples from being run."""
        asked = self._stage.ports.example
        if asked is not None and asked.keys() == self._wanted.given.keys():
            return self._tell(asked, self._guarded(asked), tried=1)
        clock, seed = self._stage.ports.clock, self._stage.plan.seed
        drawn = int(stream_digest(seed, self._scenario.name, "property", 0)[:16], 16)
        try:
            found = search(self._wanted, drawn, clock, self._check)
        except _EndError as end:
            raise end.__cause__ or end from None
        return self._tell(found.example, found.broken, tried=found.tried, shrunk_out=found.shrunk_out)

    def _tell(self, example: Example, broken: str, *, tried: int, shrunk_out: bool = False) -> PropertyRecord:
        text = json.dumps(dict(example), ensure_ascii=False, sort_keys=True)
        return PropertyRecord(example=text, broken=broken, tried=tried, shrunk_out=shrunk_out)

    def _guarded(self, example: Example) -> str:
        try:
            return self._check(example)
        except _EndError as end:
            raise end.__cause__ or end from None

    def _check(self, example: Example) -> str:
        """Return how the steps fail for one example, or the empty string."""
        stop = self._stage.ports.stop
        try:
            stop.check()
            failed = self._inside(lambda stage: self._failure(stage, example))
            # What was cut off is no counterexample.
            stop.check()
        except Exception as err:
            raise _EndError from err
        return failed

    def _failure(self, stage: Stage, example: Example) -> str:
        ports = replace(stage.ports, listen=unheard)
        tracer = QuietTracer(stage.tracer, stage.environment.issue)
        stage = replace(stage, ports=ports, tracer=tracer)
        bounds = Bounds.of(self._scenario, ports.clock)
        stepper = Stepper(stage, self._scenario, self._calm(stage), bounds, {"example": dict(example)})
        nowhere = QuietSpan(stage.environment.issue)
        last: StepRecord | None = None
        failed = ""
        for step in self._scenario.steps:
            last = self._carried(stepper, step, nowhere)
            if last.outcome != "passed" and not last.optional:
                failed = failed or f'step "{step.name}": {last.reason or last.error_type}'
                if not step.continue_on_failure:
                    return failed
        oracle = self._wanted.oracle
        if failed or oracle is None or last is None:
            return failed
        right = self._carried(stepper, oracle, nowhere)
        if right.outcome != "passed":
            return f'the oracle "{oracle.name}" failed: {right.reason or right.error_type}'
        ours, theirs = last.stdout.rstrip("\n"), right.stdout.rstrip("\n")
        return "" if ours == theirs else f'step "{last.name}" says {ours[:200]!r}, the oracle says {theirs[:200]!r}'

    def _carried(self, stepper: Stepper, step: Step, span: OpenSpan) -> StepRecord:
        record = stepper.carry(step, span)[0]
        if record.error_type == "engine":
            raise _EndError from EngineError(f"an example could not be run: step {step.name!r}: {record.reason}")
        return record
