"""A report folder, read back: its journal is judged again, and every output can be written again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import UsageError
from cleanroom.pipeline.folder import FolderError, make_room
from cleanroom.report.facts import NAME, RunFacts, read_facts, report_of
from cleanroom.report.model import RunReport
from cleanroom.report.write import write_report
from cleanroom.run.journal import read_journal
from cleanroom.text import one_line
from cleanroom.validate.judge import judge_session

_JOURNAL = "journal"
_SESSION = "session.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A run read back from its journal, judged anew."""

    report: RunReport
    facts: RunFacts


def find_journal(text: str) -> Path:
    """Return the journal's folder that `text` names, itself or the report folder around it; raises `UsageError`."""
    given = Path(text)
    for folder in (given / _JOURNAL, given):
        if (folder / _SESSION).is_file():
            return folder
    raise UsageError(
        f"{one_line(text)}: there is no journal of a finished run",
        remedy="name the report folder of a run, or the `journal` folder in it",
    )


def retell(journal: Path) -> Told:
    """Return the run in `journal`; raises `UsageError` naming the file that is missing or broken."""
    session = read_journal(journal)
    path = journal / NAME
    try:
        facts = read_facts(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or err
        raise UsageError(
            f"{one_line(str(path), 500)}: not part of a complete journal: {one_line(str(why))}",
            remedy="name the `journal` folder of a run that wrote its report to the end",
        ) from err
    return Told(report=report_of(session, judge_session(session), facts), facts=facts)


def write_again(told: Told, journal: Path, out: Path) -> tuple[Path, ...]:
    """Write the whole report folder anew at `out`, the journal with it; return the paths.

    Raises `FolderError` (a `UsageError`) when `out` is the folder that is read, or cannot be written.
    """
    if journal.resolve().is_relative_to(out.resolve()) or out.resolve().is_relative_to(journal.resolve()):
        raise FolderError(f"the report folder {out} is the one that is read", remedy="name another with --out")
    try:
        files = {
            path.relative_to(journal).as_posix(): path.read_bytes()
            for path in sorted(journal.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
    except OSError as err:
        raise UsageError(f"{journal} cannot be read: {err.strerror or err}") from err
    make_room(out, journal)
    return write_report(told.report, out, files)
