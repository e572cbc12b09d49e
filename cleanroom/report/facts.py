"""`journal/run.json`: what a report tells of a run that the run's own record does not hold.

With it a journal is enough to write every output again, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cleanroom.report.model import RunReport
from cleanroom.run.record import SessionRecord
from cleanroom.validate.model import RunVerdict

SCHEMA = 1
NAME = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The facts; `masked` names the files of the journal in which secrets were overwritten."""

    version: str
    repro: str
    seed: int | None
    started_ns: int
    ended_ns: int
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    masked: tuple[str, ...] = ()


def render_facts(report: RunReport, masked: tuple[str, ...]) -> str:
    """Return the text of `run.json`."""
    whole = {
        "schema": SCHEMA,
        "version": report.version,
        "repro": report.repro,
        "seed": None if report.seed is None else str(report.seed),
        "started_ns": str(report.started_ns),
        "ended_ns": str(report.ended_ns),
        "timings": dict(report.session.timings),
        "masked": list(masked),
    }
    return json.dumps(whole, ensure_ascii=True, indent=1) + "\n"


def read_facts(text: str) -> RunFacts:
    """Return the facts in `text`; raises `ValueError` for what `render_facts` never wrote."""
    try:
        whole = json.loads(text)
        if whole["schema"] != SCHEMA:
            raise ValueError(f"its schema is {whole['schema']}, expected {SCHEMA}")
        return RunFacts(
            version=_text(whole["version"]),
            repro=_text(whole["repro"]),
            seed=None if whole["seed"] is None else int(_text(whole["seed"])),
            started_ns=int(_text(whole["started_ns"])),
            ended_ns=int(_text(whole["ended_ns"])),
            timings=MappingProxyType({_text(name): float(value) for name, value in whole["timings"].items()}),
            masked=tuple(_text(name) for name in whole["masked"]),
        )
    except KeyError as err:
        raise ValueError(f"there is no {err}") from err
    except (TypeError, AttributeError, RecursionError, OverflowError) as err:
        raise ValueError(f"a value in it is of the wrong type: {err}") from err


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {type(value).__name__}")  # noqa: TRY004 - a part that does not fit
    return value


def report_of(session: SessionRecord, verdict: RunVerdict, facts: RunFacts) -> RunReport:
    """Return the report as the run had it, from its record, the verdict on that, and the facts beside it."""
    return RunReport(
        session=replace(session, timings=facts.timings),
        verdict=verdict,
        repro=facts.repro,
        seed=facts.seed,
        started_ns=facts.started_ns,
        ended_ns=facts.ended_ns,
        version=facts.version,
    )
