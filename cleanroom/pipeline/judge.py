"""Spans recorded anywhere, judged without an engine: the same report, the same exit codes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanroom.clock import SystemClock
from cleanroom.errors import UsageError
from cleanroom.pipeline.folder import check_apart, make_room
from cleanroom.pipeline.options import RunOptions
from cleanroom.pipeline.recorded import read_recorded
from cleanroom.pipeline.suites import load_runnable
from cleanroom.plan.model import Plan
from cleanroom.report.model import RunReport
from cleanroom.report.write import write_report
from cleanroom.run.record import SessionRecord
from cleanroom.spec.problem import nearest
from cleanroom.spec.scenario import Scenario
from cleanroom.text import one_line
from cleanroom.trace.model import Origin
from cleanroom.validate.recorded import judge_recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is to be judged: files of spans, files of the runner's own, the scenario that they are of."""

    traces: tuple[str, ...]
    runner: tuple[str, ...] = ()
    scenario: str = ""
    allow_inconclusive: str = ""


def judge_files(options: RunOptions, recording: Recording) -> RunReport:
    """Judge the files by the one spec that `options` name, write the report to its `out`, and return it.

    Raises `UsageError` (files, folder, names), `InvalidSpecsError`, and `TelemetryError` for files that are no OTLP;
    a spec that asks for what cannot be judged in this version is refused by name, as `run` does.
    """
    started = SystemClock().now_ns()
    plan = _only(load_runnable(options).plans)
    scenario = _scenario(plan, recording.scenario)
    out, root = Path(options.out), Path(options.root)
    _check_apart(out, (*recording.traces, *recording.runner))
    payloads = read_recorded(recording.traces)
    runner = read_recorded(recording.runner, Origin.RUNNER)
    make_room(out, root)
    check_apart(out, root, (plan.suite.file,))
    verdict = judge_recorded(plan, payloads, runner, scenario=scenario, leave=recording.allow_inconclusive)
    report = RunReport(
        session=SessionRecord(), verdict=verdict, repro=_repro(options, recording), seed=plan.seed,
        started_ns=started, ended_ns=SystemClock().now_ns(),
    )  # fmt: skip
    write_report(report, out)
    return report


def _only(plans: Sequence[Plan]) -> Plan:
    if len(plans) != 1:
        names = ", ".join(one_line(plan.suite.name) for plan in plans[:10]) or "none"
        raise UsageError(
            f"spans are judged by one suite, and these are {len(plans)}: {names}",
            remedy="name one spec file without a matrix, or with one combination",
        )
    return plans[0]


def _scenario(plan: Plan, name: str) -> Scenario | None:
    scenarios = {scenario.name: scenario for scenario in plan.suite.scenarios}
    if not name:
        if plan.suite.expect is None:
            raise UsageError(
                f"{plan.suite.file}: there is no expect of the suite's own",
                remedy=f"name the scenario that the spans are of with --scenario: {_listed(scenarios)}",
            )
        return None
    if name not in scenarios:
        close = nearest(name, tuple(scenarios))
        raise UsageError(
            f"there is no scenario {one_line(name)!r}",
            remedy=f"did you mean {one_line(close)!r}?" if close else f"the scenarios are: {_listed(scenarios)}",
        )
    return scenarios[name]


def _listed(names: dict[str, Scenario]) -> str:
    return ", ".join(repr(one_line(name)) for name in names)


def _check_apart(out: Path, files: tuple[str, ...]) -> None:
    for file in files:
        if Path(file).resolve().is_relative_to(out.resolve()):
            raise UsageError(
                f"{one_line(file)} lies in the report folder {out}, which is emptied first",
                remedy="name another folder with --out",
            )


def _repro(options: RunOptions, recording: Recording) -> str:
    words = ["cleanroom judge", *(shlex.quote(word) for word in (*options.specs, *recording.traces))]
    words += [f"--runner {shlex.quote(file)}" for file in recording.runner]
    words += [f"--scenario {shlex.quote(recording.scenario)}"] if recording.scenario else []
    words += [f"--var {shlex.quote(f'{name}={value}')}" for name, value in sorted(options.variables.items())]
    leave = recording.allow_inconclusive
    return " ".join([*words, *([f"--allow-inconclusive {shlex.quote(leave)}"] if leave else [])])
