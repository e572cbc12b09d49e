"""The figures of workloads and what services used, as every report tells them; and the time lines as files."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.canonical import Json
from cleanroom.report.model import Pair, RunReport
from cleanroom.report.names import slug, unique
from cleanroom.report.timeline import svg, text
from cleanroom.report.timeline.model import timelines
from cleanroom.run.record import ResourceRecord, ScenarioRecord
from cleanroom.validate.resilience.told import told, unavailable

# What a table has room for; report.json and junit.xml have all.
_IN_TABLES = (
    "operations", "success_rate", "latency.p50", "latency.p95", "latency.p99", "latency.max", "throughput",
    "availability", "unavailability", "recovery_time.max", "rto",
)  # fmt: skip
HEAD = ("scenario, iteration", "journal", *_IN_TABLES)


def figures_json(record: ScenarioRecord) -> dict[str, Json]:
    """Return the figures of a scenario's workloads and their windows of unavailability."""
    return {
        "figures": [
            {"journal": one.journal, "figure": one.figure, "value": one.value, "unit": one.unit} for one in told(record)
        ],
        "unavailability": [
            {"journal": journal, "start_ns": str(begin), "end_ns": str(end)}
            for journal, (begin, end) in unavailable(record)
        ],
    }


def resources_json(used: ResourceRecord | None) -> Json:
    """Return what a service used; null where nothing was measured."""
    if used is None:
        return None
    return {
        "memory_peak_bytes": used.memory_peak,
        "memory_peak_by": used.memory_peak_by,
        "cpu_ms": None if used.cpu_ns is None else used.cpu_ns / 10**6,
        "open_files": used.open_files,
        "memory_ready_bytes": used.memory_ready,
        "memory_end_bytes": used.memory_end,
        "growth_bytes": used.growth,
        "oom_killed": used.oom_killed,
        "ends_unseen": used.ends_unseen,
        "samples": used.samples,
        "missing": used.missing,
    }


def figure_properties(pair: Pair) -> dict[str, str]:
    """Return the figures of a suite as properties of a JUnit suite."""
    return {
        f"cleanroom.figure.{record.name}.{one.journal}.{one.figure}.iteration-{index + 1}": one.words
        for index, record in pair.scenarios()
        for one in told(record)
    }


def figure_rows(pair: Pair) -> Iterator[tuple[str, ...]]:
    """Yield (scenario and iteration, journal, figures in words) for each workload; plain text."""
    for index, record in pair.scenarios():
        found: dict[str, dict[str, str]] = {}
        for one in told(record):
            found.setdefault(one.journal, {})[one.figure] = one.words
        for journal, words in found.items():
            yield f"{record.name} {index + 1}", journal, *(words.get(figure, "-") for figure in _IN_TABLES)


def drawn(pair: Pair) -> Iterator[str]:
    """Yield the time lines of the first iteration as characters."""
    for index, record in pair.scenarios():
        if not index:
            yield from (text.text(one) for one in timelines(record, index, text.COLUMNS))


def timeline_files(report: RunReport) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each time line as a picture: one for each workload of each scenario and iteration."""
    taken: set[str] = set()
    for pair in report.pairs:
        for index, record in pair.scenarios():
            for one in timelines(record, index, svg.COLUMNS):
                base = f"{slug(pair.name)}-{slug(record.name)}-{slug(one.journal)}-{index + 1}"
                name = unique(f"timelines/{base}", taken)
                yield f"{name}.svg", svg.svg(one).encode("utf-8", "backslashreplace")
