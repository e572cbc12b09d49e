"""What runs inside a cell, from its job to its report: the worker's main function."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

from cleanroom.clock import SystemClock
from cleanroom.engine.cell import CellFacts
from cleanroom.engine.control import WorkerLink
from cleanroom.errors import UsageError
from cleanroom.pipeline.job import JOB, decode_job
from cleanroom.pipeline.options import RunOptions
from cleanroom.pipeline.repro import repro_line
from cleanroom.pipeline.suites import Loaded, load_runnable
from cleanroom.pipeline.worker import Inside, Worker
from cleanroom.report.console import LiveConsole, PlainConsole, render_console
from cleanroom.report.model import RunReport
from cleanroom.report.write import write_report
from cleanroom.run.events import Listener, silent
from cleanroom.run.record import SessionRecord
from cleanroom.run.stop import Stop
from cleanroom.run.trouble import trouble_of
from cleanroom.validate.judge import judge_session


def run_inside(environment: MutableMapping[str, str]) -> int:
    """Do the job of a cell and return the exit code; the job may hold credentials and leaves `environment`."""
    facts = CellFacts.from_environment(environment)
    job = environment.pop(JOB, "")
    if facts is None or not job:
        raise UsageError("`cleanroom worker` is started by `cleanroom run`, inside a cell")
    asked = decode_job(job)
    options = replace(asked, root=facts.workspace, out=facts.report)
    stop = Stop()
    _obey_signals(stop)
    return _Job(options, asked, facts, stop).run(WorkerLink.from_environment(environment))


class _Job:
    def __init__(self, options: RunOptions, asked: RunOptions, facts: CellFacts, stop: Stop) -> None:
        self._options = options
        self._asked = asked
        self._facts = facts
        self._stop = stop
        self._clock = SystemClock()

    def run(self, link: WorkerLink | None) -> int:
        out = Path(self._options.out)
        started = self._clock.now_ns()
        listen = _listener(self._options)
        loaded: Loaded | None = None
        try:
            loaded = load_runnable(self._options)
            inside = Inside(
                facts=self._facts, link=link, listen=listen, stop=self._stop, journal=out / "journal", clock=self._clock
            )
            record = Worker(loaded, inside).run()
        except Exception as err:  # noqa: BLE001 - a defect ends in a report too
            record = SessionRecord(trouble=trouble_of(err))
        began = self._clock.monotonic()
        verdict = judge_session(record)
        record = replace(record, timings={**record.timings, "judge": self._clock.monotonic() - began})
        report = RunReport(
            session=record, verdict=verdict, repro=repro_line(self._asked, loaded), seed=_seed(loaded),
            started_ns=started, ended_ns=self._clock.now_ns(), secrets=self._options.secrets,
        )  # fmt: skip
        write_report(report, out)
        if isinstance(listen, LiveConsole | PlainConsole):
            listen.close()
        _print(render_console(report, self._asked.out))
        return int(verdict.exit_code)


def _listener(options: RunOptions) -> Listener:
    if options.progress == "quiet":
        return silent
    return LiveConsole(_print, options.columns) if options.progress == "live" else PlainConsole(_print)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _seed(loaded: Loaded | None) -> int | None:
    return loaded.plans[0].seed if loaded is not None and loaded.plans else None


def _obey_signals(stop: Stop) -> None:
    """Let the first signal ask the run to stop, from a thread as handlers must not wait; the second ends it."""

    def handler(number: int, _frame: object) -> None:
        if stop.requested:
            os._exit(128 + number)
        threading.Thread(target=stop.request, name="stop", daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
