"""One iteration: every scenario of a suite, in fresh environments or in a shared one, under one trace."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.errors import ExitCode, InterruptedRunError
from cleanroom.plan.model import Plan
from cleanroom.run.apart import Apart, joined
from cleanroom.run.closed import Closed
from cleanroom.run.environment import Environment
from cleanroom.run.events import Event
from cleanroom.run.journal import Journal
from cleanroom.run.ports import Ports
from cleanroom.run.record import IterationRecord, ScenarioRecord, Trouble
from cleanroom.run.scenario import look, mark, play
from cleanroom.run.stage import Stage
from cleanroom.run.tracing import AttributeScalar, OpenSpan, StartTrace, Tracer, span
from cleanroom.run.trouble import trouble_of
from cleanroom.spec.scenario import Scenario

KEEP_SECONDS = 3600.0


class Iteration:
    """Runs the scenarios of one iteration in one slot."""

    def __init__(self, ports: Ports, plan: Plan, journal: Journal, start_trace: StartTrace) -> None:
        self._ports = ports
        self._plan = plan
        self._journal = journal
        self._start_trace = start_trace

    def run(self, index: int, slot: int) -> IterationRecord:
        """Run iteration `index` (0-based) in `slot`; trouble is in the record, never raised."""
        clock, suite = self._ports.clock, self._plan.suite
        start_ns = clock.now_ns()
        self._ports.listen(Event(kind="iteration", text="running", suite=suite.name, iteration=index))
        runner_environment = f"{suite.name}-{index}-runner"
        common: dict[str, AttributeScalar] = {"cleanroom.suite": suite.name, "cleanroom.iteration": index}
        record = IterationRecord(index=index, slot=slot, start_ns=start_ns)
        try:
            tracer = self._start_trace(runner_environment, common)
        except Exception as err:  # noqa: BLE001 - a defect ends in a report and a clean engine too
            record = replace(record, end_ns=clock.now_ns(), trouble=trouble_of(err))
            self._tell(record)
            return record
        environments = 1 if suite.environment == "suite" else len(suite.scenarios)
        attributes = {"index": index, "seed": self._plan.seed, "environments": environments}
        try:
            with span(tracer, "cleanroom.iteration", attributes, None) as root:
                record = self._scenarios(record, tracer, root)
                if record.trouble is not None or any(s.trouble is not None for s in record.scenarios):
                    root.error("the iteration did not come to its end")
            tracer.flush()
        except Exception as err:  # noqa: BLE001 - a defect ends in a report and a clean engine too
            record = replace(record, trouble=record.trouble or trouble_of(err))
        finally:
            tracer.close()
        try:
            record = replace(record, runner_payloads=self._ports.telemetry.payloads(runner_environment))
            record = replace(record, end_ns=clock.now_ns())
            self._journal.iteration(suite.name, record)
        except Exception as err:  # noqa: BLE001 - a defect ends in a report and a clean engine too
            record = replace(record, end_ns=clock.now_ns(), trouble=record.trouble or trouble_of(err))
        self._tell(record)
        return record

    def _scenarios(self, record: IterationRecord, tracer: Tracer, root: OpenSpan) -> IterationRecord:
        if self._plan.suite.environment == "suite":
            events = [event for scenario in self._plan.suite.scenarios for event in self._plan.timeline(scenario.name)]
            with self._ports.prepared(events):
                return self._shared(record, tracer, root)
        done: list[ScenarioRecord] = []
        for scenario in self._plan.suite.scenarios:
            if self._ports.stop.requested:
                return replace(record, scenarios=tuple(done), trouble=trouble_of(_interrupted()))
            with self._ports.prepared(self._plan.timeline(scenario.name)):
                one = self._alone(record, scenario, tracer, root)
            done.append(one)
            if one.trouble is not None and one.trouble.exit_code != ExitCode.FINDINGS:
                break
        return replace(record, scenarios=tuple(done))

    def _environment(self, record: IterationRecord, label: str, tracer: Tracer) -> Environment:
        return Environment(
            self._ports,
            self._plan,
            tracer,
            slot=record.slot,
            scene=(record.index, label, ""),
        )

    def _stage(self, record: IterationRecord, tracer: Tracer, environment: Environment) -> Stage:
        return Stage(
            ports=self._ports, plan=self._plan, iteration=record.index, tracer=tracer, environment=environment,
            journal=self._journal,
        )  # fmt: skip

    def _alone(self, record: IterationRecord, scenario: Scenario, tracer: Tracer, root: OpenSpan) -> ScenarioRecord:
        """Play a scenario in a fresh environment of its own, which is closed whatever happens."""
        environment = self._environment(record, scenario.name, tracer)
        stage = self._stage(record, tracer, environment)
        apart = Apart(stage, record.slot, scenario.name)
        clock = self._ports.clock
        with span(tracer, "cleanroom.scenario", {"cleanroom.scenario": scenario.name}, root) as opened:
            result = ScenarioRecord(
                name=scenario.name, outcome="error", span_id=opened.span_id, trace_id=opened.trace_id,
                start_ns=clock.now_ns(),
            )  # fmt: skip
            try:
                if scenario.property is not None and scenario.property.isolation == "example":
                    result = replace(result, property=look(stage, scenario, opened, apart.inside))
                environment.open(opened)
                result = play(stage, scenario, opened, result)
                if self._ports.keep and record.index == 0:
                    self._keep(environment)
            except Exception as err:  # noqa: BLE001 - a defect ends in a report and a clean engine too
                result = replace(result, outcome="error", trouble=apart.left.trouble or trouble_of(err))
                mark(opened, "error", str(err))
            except BaseException:
                # A mistake of the program is no reason to leave containers behind.
                self._close(environment, opened, failed=True)
                raise
            closed = self._close(environment, opened, failed=result.outcome != "passed")
            if closed.trouble is not None:
                mark(opened, "error", closed.trouble.message)
        return _with_environment(replace(result, end_ns=clock.now_ns()), joined(apart.left, closed), shared=False)

    def _keep(self, environment: Environment) -> None:
        """Leave the environment up until the run is asked to stop, an hour at most, and say how to get in."""
        if self._ports.stop.requested:
            return
        lines = [f"{name}: {environment.way_in(name)}" for name in sorted(environment.containers)]
        text = "kept up until you press Ctrl-C (or an hour has passed); to get in:\n  " + "\n  ".join(lines)
        self._ports.listen(Event(kind="warning", text=text, suite=self._plan.suite.name, iteration=0))
        self._ports.stop.wait(KEEP_SECONDS)

    def _shared(self, record: IterationRecord, tracer: Tracer, root: OpenSpan) -> IterationRecord:
        environment = self._environment(record, "suite", tracer)
        clock = self._ports.clock
        done: list[ScenarioRecord] = []
        trouble: Trouble | None = None
        try:
            environment.open(root)
            for scenario in self._plan.suite.scenarios:
                self._ports.stop.check()
                with span(tracer, "cleanroom.scenario", {"cleanroom.scenario": scenario.name}, root) as opened:
                    result = ScenarioRecord(
                        name=scenario.name, outcome="error", span_id=opened.span_id, trace_id=opened.trace_id,
                        start_ns=clock.now_ns(),
                    )  # fmt: skip
                    result = play(self._stage(record, tracer, environment), scenario, opened, result)
                done.append(replace(result, end_ns=clock.now_ns()))
                if result.trouble is not None:
                    break
        except Exception as err:  # noqa: BLE001 - a defect ends in a report and a clean engine too
            trouble = trouble_of(err)
        except BaseException:
            self._close(environment, root, failed=True)
            raise
        failed = trouble is not None or any(s.outcome != "passed" for s in done)
        closed = self._close(environment, root, failed=failed)
        scenarios = tuple(_with_environment(s, closed, shared=True) for s in done)
        return replace(record, scenarios=scenarios, trouble=trouble or (closed.trouble if not scenarios else None))

    def _close(self, environment: Environment, parent: OpenSpan, *, failed: bool) -> Closed:
        trigger = "failure" if failed else "normal"
        return environment.close(parent, "interrupt" if self._ports.stop.requested else trigger)

    def _tell(self, record: IterationRecord) -> None:
        trouble = record.trouble or next((s.trouble for s in record.scenarios if s.trouble), None)
        outcomes = ", ".join(f"{s.name}: {s.outcome}" for s in record.scenarios)
        self._ports.listen(
            Event(
                kind="iteration", text=trouble.message if trouble else outcomes, suite=self._plan.suite.name,
                iteration=record.index, seconds=(record.end_ns - record.start_ns) / 10**9,
                ok=trouble is None and all(s.outcome in ("passed", "degraded") for s in record.scenarios),
            )
        )  # fmt: skip


def _with_environment(record: ScenarioRecord, closed: Closed, *, shared: bool) -> ScenarioRecord:
    return replace(
        record, services=closed.services, egress=closed.egress, cleanup=closed.cleanup, payloads=closed.payloads,
        late=closed.late, noise_traces=closed.noise_traces, shared=shared, trouble=record.trouble or closed.trouble,
        timings={**record.timings, **closed.timings}, outcome="error" if closed.trouble else record.outcome,
    )  # fmt: skip


def _interrupted() -> InterruptedRunError:
    return InterruptedRunError("the run was interrupted")
