"""File commands: outputs, state and the step summary, in the form that the runner's parser takes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from cleanroom.errors import UsageError
from cleanroom.text import clean

OUTPUTS = (
    "conclusion",
    "passed",
    "failed",
    "known",
    "inconclusive",
    "skipped",
    "digest",
    "seed",
    "schedule-digest",
    "repro",
    "report-dir",
    "junit",
    "summary",
    "json",
)
SUMMARY_LIMIT = 1024 * 1024
_NAME = re.compile(r"[a-z][a-z0-9-]*")


def append_values(file: str, values: Mapping[str, str]) -> None:
    """Append outputs or state to the runner's file; nothing where the runner gave none.

    Every value stands between random delimiters, so that no text of a report can add an output of its own. Raises
    `UsageError` when the file cannot be written.
    """
    if not file:
        return
    lines: list[str] = []
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of an output")
        text = clean(value)
        delimiter = f"cleanroom_{secrets.token_hex(16)}"
        lines.append(f"{name}<<{delimiter}\n{text}\n{delimiter}\n")
    _append(file, "".join(lines))


def append_summary(file: str, page: str, short: str) -> None:
    """Append `page` to the step's summary, or `short` where the runner would drop the whole of it for its size."""
    if not file:
        return
    path = Path(file)
    used = path.stat().st_size if path.exists() else 0
    text = page if used + len(page.encode("utf-8")) + 1 <= SUMMARY_LIMIT else short
    if used + len(text.encode("utf-8")) + 1 <= SUMMARY_LIMIT:
        _append(file, text.rstrip("\n") + "\n")


def _append(file: str, text: str) -> None:
    try:
        with Path(file).open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as err:
        raise UsageError(
            f"the runner's file {file} cannot be written: {err.strerror or err}",
            remedy="this file belongs to the runner; is its folder mounted?",
        ) from err
