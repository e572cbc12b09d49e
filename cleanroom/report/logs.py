"""`logs/<suite>/iteration-N/<scenario>/<service>.log`: the end of each service's output."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.report.model import RunReport
from cleanroom.report.names import slug, unique
from cleanroom.text import clean

_LIMIT = 1 << 20
"""Characters of one log; the record is bounded already, this is the report's own bound."""


def log_files(report: RunReport) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each service's log; a log that was cut says so in its first line."""
    taken: set[str] = set()
    for pair in report.pairs:
        for index, scenario in pair.scenarios():
            for service in scenario.services:
                path = f"logs/{slug(pair.name)}/iteration-{index + 1}/{slug(scenario.name)}/{slug(service.name)}"
                text = clean(service.log)
                cut = service.log_truncated or len(text) > _LIMIT
                head = "[the beginning of this log was cut]\n" if cut else ""
                yield f"{unique(path, taken)}.log", (head + text[-_LIMIT:]).encode("utf-8", "backslashreplace")
