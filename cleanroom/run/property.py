"""A property of a scenario: the steps are carried out for many examples, off the record, before the one that is told.

What the examples do is sent under traces that the runner issues, so that neither their number nor the way to the
smallest one gets into a digest. The steps that are recorded are those of one example: the smallest that fails, else the
first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cleanroom.errors import EngineError, InterruptedRunError
from cleanroom.plan.stream import stream_digest
from cleanroom.run.bounds import Bounds
from cleanroom.run.chaos import Chaos
from cleanroom.run.environment import Environment
from cleanroom.run.record import PropertyRecord, StepRecord
from cleanroom.run.search import Example, search
from cleanroom.run.stage import Stage
from cleanroom.run.stepper import Stepper
from cleanroom.run.tracing import AttributeScalar, OpenSpan, Tracer
from cleanroom.spec.property import Property
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.step import Step


class _EndError(BaseException):
    """Ends a search from inside: an engine that fails is no counterexample, and hypothesis must not take it for one."""


@dataclass(slots=True)
class _NoSpan:
    """A span that nobody sees, with a trace issued for what is called under it."""

    environment: Environment
    ended: bool = False
    trace_id: str = ""
    span_id: str = ""

    @property
    def traceparent(self) -> str:
        return self.environment.issue()

    def set(self, attributes: Mapping[str, AttributeScalar]) -> None:
        del attributes

    def event(self, name: str, attributes: Mapping[str, AttributeScalar]) -> None:
        del name, attributes

    def error(self, message: str) -> None:
        del message

    def end(self, at_ns: int | None = None) -> None:
        del at_ns
        self.ended = True


@dataclass(frozen=True, slots=True)
class _NoTrace:
    """A tracer without spans of its own."""

    environment: Environment
    real: Tracer

    def start(
        self, name: str, attributes: Mapping[str, AttributeScalar], *, parent: Any, start_ns: int | None = None,  # noqa: ANN401 - as the protocol has it
    ) -> OpenSpan:  # fmt: skip
        del name, attributes, parent, start_ns
        return _NoSpan(self.environment)

    def issue_trace(self) -> tuple[str, str]:
        return self.real.issue_trace()

    def measure(self, name: str, unit: str, value: float, attributes: Mapping[str, AttributeScalar]) -> None:
        self.real.measure(name, unit, value, attributes)

    def flush(self) -> None:
        self.real.flush()

    def close(self) -> None:
        """Leave it open: it belongs to the iteration."""


class Examples:
    """Carries out a scenario's steps for single examples."""

    def __init__(self, stage: Stage, scenario: Scenario, wanted: Property, calm: Chaos) -> None:
        """`calm` has no faults: those of the scenario strike once, and the examples are many."""
        self._stage = replace(stage, tracer=_NoTrace(stage.environment, stage.tracer))
        self._scenario = scenario
        self._wanted = wanted
        self._calm = calm

    def find(self) -> PropertyRecord:
        """Search, or take the one example that was asked for; raises `EngineError` and `InterruptedRunError`."""
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
        if self._stage.ports.stop.requested:
            raise _EndError from InterruptedRunError("the run was interrupted")
        ports = replace(self._stage.ports, listen=_unheard)
        bounds = Bounds.of(self._scenario, ports.clock)
        stepper = Stepper(
            replace(self._stage, ports=ports), self._scenario, self._calm, bounds, {"example": dict(example)}
        )
        nowhere = _NoSpan(self._stage.environment)
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


def _unheard(_event: object) -> None:
    """Tell nobody of the steps of an example: there are many."""
