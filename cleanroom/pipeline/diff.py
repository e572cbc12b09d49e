"""Two recordings, compared: two runs by their journals, or two files of spans."""

from __future__ import annotations

from pathlib import Path

from cleanroom.errors import UsageError
from cleanroom.pipeline.recorded import read_trace
from cleanroom.pipeline.retelling import find_journal
from cleanroom.run.journal import read_journal
from cleanroom.run.record import SessionRecord
from cleanroom.text import one_line
from cleanroom.trace.comparison import Change, compare
from cleanroom.trace.normalise import normalise
from cleanroom.trace.rules import NormaliseOptions
from cleanroom.validate.changes import compare_sessions


def diff(left: str, right: str) -> tuple[Change, ...]:
    """Return every change from `left` to `right`, ranked by risk; empty only where they are the same.

    Raises `UsageError` for what is neither or for one of each, `TelemetryError` for files that hold no spans.
    """
    folders = [Path(name).is_dir() for name in (left, right)]
    if folders[0] != folders[1]:
        raise UsageError(
            f"{one_line(left)} and {one_line(right)} cannot be compared: one is a folder, one is none",
            remedy="name two report folders, or two files of spans",
        )
    if folders[0]:
        return compare_sessions(_session(left), _session(right))
    ours, theirs = (normalise(read_trace([name]), NormaliseOptions()) for name in (left, right))
    return compare(ours, theirs)


def _session(name: str) -> SessionRecord:
    session = read_journal(find_journal(name))
    if not any(suite.iterations for suite in session.suites):
        # Two runs of nothing would be the same.
        raise UsageError(f"{one_line(name)}: no iteration of this run was recorded", remedy="name a run that ran")
    return session
