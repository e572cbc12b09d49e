"""Environments of single examples (`property.isolation: example`): one after another, in the slot of their iteration.

Each is opened afresh, closed whatever happens, and judged like any other by what it left and by who tried to get out.
What its services told of themselves is not kept: a scenario is judged by the example that is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cleanroom.engine.ports import Inventory
from cleanroom.errors import EngineError
from cleanroom.plan.model import Plan
from cleanroom.run.closed import Closed
from cleanroom.run.environment import Environment
from cleanroom.run.quiet import QuietSpan, QuietTracer, unheard
from cleanroom.run.record import CleanupRecord, ServiceRecord
from cleanroom.run.stage import Stage
from cleanroom.spec.probe import ExitProbe


class Apart:
    """The environments of a scenario's examples, and what all of them left behind."""

    def __init__(self, stage: Stage, slot: int, label: str) -> None:
        """`stage` is the scenario's, whose own environment is not up; `label` is the scenario's name."""
        self._slot = slot
        self._label = label
        self._issue = lambda: stage.tracer.issue_trace()[1]
        self._stage = replace(
            stage, ports=replace(stage.ports, listen=unheard), tracer=QuietTracer(stage.tracer, self._issue)
        )
        self._opened = 0
        self.left = Closed()
        """Of all environments together; its trouble is that of the one that ended the search."""

    def inside(self, act: Callable[[Stage], str]) -> str:
        """Return what `act` says of a fresh environment, or which service was dead at its end, else nothing.

        Raises what `Environment.open` and `act` raise, and `EngineError` when the environment could not be closed.
        """
        ports, plan = self._stage.ports, self._stage.plan
        self._opened += 1
        scene = (self._stage.iteration, self._label, f"-example-{self._opened}-{ports.token()}")
        environment = Environment(ports, plan, self._stage.tracer, slot=self._slot, scene=scene)
        nowhere = QuietSpan(self._issue)
        try:
            environment.open(nowhere)
            failed = act(replace(self._stage, environment=environment))
        except BaseException:
            self._add(environment.close(nowhere, "interrupt" if ports.stop.requested else "failure"))
            raise
        closed = environment.close(nowhere, "failure" if failed else "normal")
        self._add(closed)
        if closed.trouble is not None:
            self.left = replace(self.left, trouble=closed.trouble)
            raise EngineError(closed.trouble.message, remedy=closed.trouble.remedy)
        return failed or next((words for s in closed.services if (words := _death(plan, s))), "")

    def _add(self, closed: Closed) -> None:
        self.left = replace(joined(self.left, closed), trouble=None)


def joined(before: Closed, last: Closed) -> Closed:
    """Return the last of an iteration's environments with what is judged of those before it as well."""
    return replace(
        last, egress=(*before.egress, *last.egress), cleanup=_both(before.cleanup, last.cleanup),
        late=before.late + last.late, trouble=before.trouble or last.trouble,
    )  # fmt: skip


def _both(one: CleanupRecord, two: CleanupRecord) -> CleanupRecord:
    return CleanupRecord(
        trigger=two.trigger, created=_union(one.created, two.created), removed=_union(one.removed, two.removed),
        left=_union(one.left, two.left), processes_left=(*one.processes_left, *two.processes_left),
        duration_ns=one.duration_ns + two.duration_ns,
    )  # fmt: skip


def _union(one: Inventory, two: Inventory) -> Inventory:
    return Inventory(
        containers=tuple(sorted({*one.containers, *two.containers})),
        networks=tuple(sorted({*one.networks, *two.networks})),
        volumes=tuple(sorted({*one.volumes, *two.volumes})),
    )


def _death(plan: Plan, record: ServiceRecord) -> str:
    """Return how a service died during an example, in words: no fault struck it, and it was not to end by itself."""
    one_shot = any(isinstance(probe.question, ExitProbe) for probe in plan.suite.service(record.name).ready)
    if one_shot or not record.ended_early or not (record.exit_code or record.oom_killed):
        return ""
    how = "out of memory" if record.oom_killed else f"exit code {record.exit_code}"
    return f"service {record.name} had ended by itself ({how})"
