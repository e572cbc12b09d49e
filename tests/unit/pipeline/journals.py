"""Report folders as runs leave them, for tests of what reads them back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cleanroom.report.model import RunReport
from cleanroom.report.write import write_report
from cleanroom.run.journal import Journal
from cleanroom.run.record import SessionRecord
from cleanroom.run.session import SessionOptions, run_suites
from cleanroom.validate.judge import judge_session
from tests.fakes import PROOF, World
from tests.unit.run.worlds import behaving

START = 1_700_000_000 * 10**9


def recorded(directory: Path, world: World | None = None, secrets: tuple[str, ...] = ()) -> RunReport:
    """Run all iterations with fakes, write journal and report as a worker does, and return the report."""
    world = world or behaving()
    journal = Journal(directory / "journal")
    suites = run_suites(world.ports, (world.plan,), SessionOptions(parallel=2), journal, world.start_trace)
    session = SessionRecord(suites=suites, proof=PROOF, engine_mode="cell", timings={"engine": 1.25})
    journal.session(session)
    verdict = judge_session(session)
    report = RunReport(
        session=replace(session, timings={**session.timings, "judge": 0.1}), verdict=verdict,
        repro="cleanroom run shop.cleanroom.yaml --seed 42", seed=42, started_ns=START, ended_ns=START + 10**9,
        secrets=secrets,
    )  # fmt: skip
    write_report(report, directory)
    return report


def contents(directory: Path) -> dict[str, bytes]:
    """Every file below `directory` by name."""
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}
