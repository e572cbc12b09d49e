"""What runs outside of the cell: specs first, then a cell for the rest, and a report whatever happens."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cleanroom.clock import SystemClock
from cleanroom.engine.conversation import Interrupt
from cleanroom.engine.launcher import LaunchOptions, LaunchResult, launch
from cleanroom.engine.modes import choose_mode, gather_facts
from cleanroom.errors import CleanroomError, EngineError, ExitCode, InterruptedRunError, UsageError
from cleanroom.pipeline.folder import FolderError, check_apart, make_room
from cleanroom.pipeline.job import JOB, encode_job
from cleanroom.pipeline.options import RunOptions
from cleanroom.pipeline.repro import repro_line
from cleanroom.pipeline.selection import nothing_chosen
from cleanroom.pipeline.suites import InvalidSpecsError, Loaded, check_machine, load_runnable
from cleanroom.report.model import RunReport
from cleanroom.report.write import write_report
from cleanroom.run.record import SessionRecord, Trouble
from cleanroom.validate.judge import judge_session

WORKER = ("-m", "cleanroom.cli.main", "worker")
REPORT = "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended: its exit code, where the report is, and what the launcher has to say."""

    exit_code: int
    out: str
    seed: int | None = None
    notes: tuple[str, ...] = ()
    message: str = ""
    """Why it ended before anything could be judged; empty otherwise."""
    launched: LaunchResult | None = None


def run_cleanroom(options: RunOptions, sink: Callable[[bytes], None], interrupt: Interrupt) -> RunOutcome:
    """Run the specs that `options` name and return how it ended; a report is written in every case.

    Raises nothing of ours: trouble is in the outcome and in the report.
    """
    started = SystemClock().now_ns()
    loaded: Loaded | None = None
    try:
        make_room(Path(options.out), Path(options.root))
        loaded = load_runnable(options)
        check_machine(loaded.plans, len(os.sched_getaffinity(0)))
        check_apart(Path(options.out), Path(options.root), (plan.suite.file for plan in loaded.plans))
        if not loaded.plans:
            return _nothing(loaded, options, started)
        outcome = _launch(loaded, sink, interrupt)
    except FolderError as err:
        return RunOutcome(exit_code=int(err.exit_code), out=options.out, message=str(err))
    except CleanroomError as err:
        return _failed(options, loaded, err, started)
    if (Path(options.out) / REPORT).is_file():
        return outcome
    return _without_report(loaded, outcome, started)


def _without_report(loaded: Loaded, outcome: RunOutcome, started: int) -> RunOutcome:
    """Write the report that the cell did not leave: its exit code alone is no evidence."""
    if outcome.exit_code == ExitCode.INTERRUPTED:
        err: CleanroomError = InterruptedRunError("the run was interrupted before there was a report")
    else:
        err = EngineError(
            f"the run ended with {outcome.exit_code} and left no report", remedy="its output above says what happened"
        )
    failed = _failed(loaded.options, loaded, err, started)
    return replace(failed, notes=outcome.notes, launched=outcome.launched)


def _nothing(loaded: Loaded, options: RunOptions, started: int) -> RunOutcome:
    message = nothing_chosen(options)
    if options.fail_on_empty:
        remedy = "correct the tags or the tier, or allow an empty selection with fail-on-empty: false"
        raise UsageError(message, remedy=remedy)
    session = SessionRecord(skipped=loaded.skipped, pass_rates=options.pass_rates)
    verdict = judge_session(session)
    # That nothing was chosen may be right, but a share of nothing is none.
    code = ExitCode.PASS if not options.pass_rates else verdict.exit_code
    report = RunReport(
        session=session, verdict=replace(verdict, exit_code=code),
        repro=repro_line(options, None), seed=options.seed, started_ns=started, ended_ns=SystemClock().now_ns(),
        secrets=options.secrets,
    )  # fmt: skip
    write_report(report, Path(options.out))
    return RunOutcome(exit_code=int(code), out=options.out, message=message)


def _launch(loaded: Loaded, sink: Callable[[bytes], None], interrupt: Interrupt) -> RunOutcome:
    options = loaded.options
    mode = choose_mode(options.engine, gather_facts(os.environ))
    if mode == "inside":
        raise UsageError(
            "this is the inside of a cell already", remedy="run cleanroom on the machine that holds the engine"
        )
    result = launch(
        mode,
        LaunchOptions(
            workspace=options.root,
            worker=WORKER,
            out=options.out,
            sink=sink,
            environment={JOB: encode_job(options), **_proxies()},
            image=options.image,
            exclude=(".git", ".build", *_report_inside(options)),
            cache=options.image_cache == "auto",
            cache_scope=options.cache_scope or options.root,
            state_dir=options.state_dir,
            owner_ids=options.owner,
            interrupt=interrupt,
        ),
    )
    return RunOutcome(
        exit_code=_exit_code(result), out=options.out, seed=loaded.plans[0].seed, notes=_notes(result),
        launched=result,
    )  # fmt: skip


def _report_inside(options: RunOptions) -> tuple[str, ...]:
    """Return the report folder when it lies in the workspace: it must not travel into the cell."""
    out, root = Path(options.out).resolve(), Path(options.root).resolve()
    return (out.relative_to(root).as_posix(),) if out.is_relative_to(root) and out != root else ()


def _proxies() -> dict[str, str]:
    """Return the proxy settings: part of the way to registries and packages, in the preparation phase only."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
    return {name: os.environ[name] for name in names if name in os.environ}


def _exit_code(result: LaunchResult) -> int:
    """Return the worker's own, unless something of the run is left: that is trouble whatever the verdict was."""
    if result.left and result.exit_code != ExitCode.INTERRUPTED:
        return int(ExitCode.ENGINE)
    return result.exit_code


def _notes(result: LaunchResult) -> tuple[str, ...]:
    left = tuple(f"left behind: {name}" for name in result.left)
    swept = tuple(f"removed what an earlier run had left: {name}" for name in result.swept)
    return (*result.notes, *swept, *left)


def _failed(options: RunOptions, loaded: Loaded | None, err: CleanroomError, started: int) -> RunOutcome:
    problems = err.problems if isinstance(err, InvalidSpecsError) else ()
    # Each problem is reported at its own place; as trouble they would all be told a second time, without one.
    files = len({problem.at.file for problem in problems})
    summed = f"{len(problems)} problem{'s'[: len(problems) > 1]} in {files} spec{'s'[: files > 1]}: nothing was started"
    message = summed if problems else err.message
    trouble = Trouble(exit_code=int(err.exit_code), message=message, remedy=err.remedy)
    session = SessionRecord(trouble=trouble, interrupted=err.exit_code is ExitCode.INTERRUPTED)
    seed = loaded.plans[0].seed if loaded is not None and loaded.plans else options.seed
    report = RunReport(
        session=session,
        verdict=replace(judge_session(session), exit_code=ExitCode(err.exit_code)),
        repro=repro_line(options, loaded),
        seed=seed,
        started_ns=started,
        ended_ns=SystemClock().now_ns(),
        secrets=options.secrets,
        problems=problems,
    )
    try:
        write_report(report, Path(options.out))
    except CleanroomError as second:
        return RunOutcome(exit_code=int(err.exit_code), out=options.out, seed=seed, message=f"{err}\n{second}")
    return RunOutcome(exit_code=int(err.exit_code), out=options.out, seed=seed, message=str(err))
