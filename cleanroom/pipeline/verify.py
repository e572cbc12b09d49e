"""A report folder, verified against its own journal: sums, verdicts, digests, and every file that is made of them."""

from __future__ import annotations

from pathlib import Path

from cleanroom import __version__
from cleanroom.errors import CleanroomError, UsageError
from cleanroom.pipeline.folder import FILES
from cleanroom.pipeline.retelling import Told, find_journal, retell
from cleanroom.plan.build import schedule_digest
from cleanroom.report.digests import SUMS
from cleanroom.report.figures import timeline_files
from cleanroom.report.logs import log_files
from cleanroom.report.traces import trace_files
from cleanroom.report.verification import Discrepancy, Verification, check_document, check_sums
from cleanroom.report.write import RENDERERS
from cleanroom.text import one_line

_MADE = ("traces", "logs", "timelines")
_FOLDERS = ("journal", *_MADE)


def verify(text: str) -> Verification:
    """Return how the report folder that `text` names (or its journal) differs from what its journal says.

    Raises `UsageError` when there is no journal, or no `report.json` and `SHA256SUMS` beside it to compare with.
    """
    journal = find_journal(text)
    if journal.name != "journal" or journal.is_symlink():
        raise UsageError(
            f"{one_line(text)}: this journal lies in no report folder", remedy="name the whole report folder of a run"
        )
    root = journal.parent
    files = files_of(root)
    missing = [name for name in ("report.json", SUMS) if name not in files]
    if missing:
        raise UsageError(
            f"{one_line(text)}: there is no {' and no '.join(missing)} to compare the journal with",
            remedy="name the whole report folder of a run",
        )
    sums = check_sums(files[SUMS].decode("utf-8", "backslashreplace"), files)
    try:
        told = retell(journal)
    except CleanroomError as err:
        if not sums:
            raise
        broken = Discrepancy(file="journal", says=err.message, should="the journal of a finished run")
        return Verification(discrepancies=(*sums, broken))
    return _compare(told, files, sums)


def _compare(told: Told, files: dict[str, bytes], sums: tuple[Discrepancy, ...]) -> Verification:
    masked = bool(told.facts.masked)
    found = [*_plans(told)]
    for name, render in RENDERERS.items():
        found += check_document(name, files.get(name), render(told.report), masked=masked)
    made = dict((*log_files(told.report), *timeline_files(told.report), *trace_files(told.report)))
    for name, data in made.items():
        found += check_document(name, files.get(name), data.decode("utf-8", "backslashreplace"), masked=masked)
    extra = sorted(n for n in files if n.split("/")[0] in _MADE and n not in made)
    found += [Discrepancy(file=name, says="a file", should="none: the journal makes no such file") for name in extra]
    unknown: list[str] = []
    if found and not sums and masked:
        # What was masked was part of what was judged and digested: nobody can tell these from tampering any more.
        places = ", ".join(dict.fromkeys(f"{d.file} {d.where}".strip() for d in found))
        unknown.append(f"secrets were masked in {len(told.facts.masked)} files of the journal, and so differ {places}")
        found = []
    if found and told.facts.version != __version__:
        unknown.append(
            f"version {told.facts.version} wrote the report, and this is {__version__}: differences may come of that"
        )
    looked = ("SHA256SUMS", "verdicts", "digests", *RENDERERS)
    return Verification(discrepancies=(*sums, *found), unknown=tuple(unknown), looked_at=looked)


def _plans(told: Told) -> list[Discrepancy]:
    """Compare each plan's schedule digest with its own timeline: it is part of every digest."""
    plans = [record.plan for record in told.report.session.suites]
    return [
        Discrepancy(
            file="journal", where=f"schedule digest of {plan.suite.name}", says=plan.schedule_digest,
            should=schedule_digest(plan.scenarios),
        )
        for plan in plans
        if plan.schedule_digest != schedule_digest(plan.scenarios)
    ]  # fmt: skip


def files_of(root: Path) -> dict[str, bytes]:
    """Return the report's files by name; links are not followed, so one in a file's place is a missing file."""
    found = [root / name for name in FILES]
    for folder in _FOLDERS:
        if not (root / folder).is_symlink():
            found += sorted((root / folder).rglob("*"))
    try:
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in found if p.is_file() and not p.is_symlink()}
    except OSError as err:
        raise UsageError(f"{root} cannot be read: {err.strerror or err}") from err
