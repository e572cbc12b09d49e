"""The append-only record of a run on disk: all that is needed to judge again, and what was about to be done when it died.

Layout: `plan.json` per suite, `faults.jsonl` (each line before an injection and after a reversal), one JSON file and a
folder of raw OTLP requests per iteration, `session.json` at the end.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from cleanroom.errors import UsageError
from cleanroom.plan.model import Plan
from cleanroom.run.codec import decode, encode
from cleanroom.run.record import (
    FaultRecord,
    IterationRecord,
    ScenarioRecord,
    SessionRecord,
    SuiteRecord,
    Trouble,
)
from cleanroom.telemetry.ports import Payload

SCHEMA = 1
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def file_name(text: str) -> str:
    """Return a name for a file or folder made of `text`: no colon, no leading dot, never empty."""
    return _UNSAFE.sub("-", text).strip(".-") or "unnamed"


class Journal:
    """Writes one run's journal into a directory; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)

    def plan(self, plan: Plan) -> None:
        """Write the plan before anything is started."""
        self._write(self._suite(plan.suite.name) / "plan.json", {"schema": SCHEMA, "plan": encode(plan)})

    def fault(self, suite: str, iteration: int, scenario: str, record: FaultRecord) -> None:
        """Append a fault's record as it is now."""
        entry = {"iteration": iteration, "scenario": scenario, "fault": encode(record)}
        path = self._suite(suite) / "faults.jsonl"
        with self._lock, path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=True) + "\n")

    def iteration(self, suite: str, record: IterationRecord) -> None:
        """Write one iteration: its record without the raw requests, and those in files of their own."""
        folder = self._suite(suite) / f"iteration-{record.index + 1}"
        folder.mkdir(exist_ok=True)
        shared = record.scenarios[0].payloads if record.scenarios and record.scenarios[0].shared else None
        if shared is not None:
            _write_payloads(folder, "suite", shared)
        for scenario in record.scenarios:
            if shared is None:
                _write_payloads(folder, f"scenario-{file_name(scenario.name)}", scenario.payloads)
        _write_payloads(folder, "runner", record.runner_payloads)
        bare = replace(record, runner_payloads=(), scenarios=tuple(replace(s, payloads=()) for s in record.scenarios))
        self._write(folder / "record.json", {"schema": SCHEMA, "iteration": encode(bare)})

    def session(self, record: SessionRecord) -> None:
        """Write what is of the whole run, last."""
        bare = replace(record, suites=())
        suites = [
            {"name": s.plan.suite.name, "trouble": encode(s.trouble), "iterations": [i.index for i in s.iterations]}
            for s in record.suites
        ]
        self._write(self._directory / "session.json", {"schema": SCHEMA, "session": encode(bare), "suites": suites})

    def _suite(self, name: str) -> Path:
        folder = self._directory / file_name(name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _write(self, path: Path, value: dict[str, Any]) -> None:
        temporary = path.with_name(f"{path.name}.part")
        temporary.write_text(json.dumps(value, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)


def _write_payloads(folder: Path, name: str, payloads: tuple[Payload, ...]) -> None:
    """Write requests as a table of contents and one file of bytes, in order of arrival."""
    entries, offset = [], 0
    with (folder / f"{name}.otlp").open("wb") as file:
        for payload in payloads:
            file.write(payload.body)
            fields = {**encode(replace(payload, body=b"")), "offset": offset, "length": len(payload.body)}
            entries.append(fields)
            offset += len(payload.body)
    (folder / f"{name}.otlp.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def _read_payloads(folder: Path, name: str) -> tuple[Payload, ...]:
    data = (folder / f"{name}.otlp").read_bytes()
    entries = json.loads((folder / f"{name}.otlp.json").read_text(encoding="utf-8"))
    return tuple(replace(decode(e, Payload), body=data[e["offset"] : e["offset"] + e["length"]]) for e in entries)


def read_journal(directory: Path) -> SessionRecord:
    """Return the session that a journal holds; raises `UsageError` naming the file that is missing or broken."""
    try:
        whole = json.loads((directory / "session.json").read_text(encoding="utf-8"))
        session = decode(whole["session"], SessionRecord)
        suites = tuple(_read_suite(directory / file_name(s["name"]), s) for s in whole["suites"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise UsageError(
            f"{directory}: not a complete journal: {err}", remedy="name the `journal` folder of a finished run"
        ) from err
    return replace(session, suites=suites)


def _read_suite(folder: Path, entry: dict[str, Any]) -> SuiteRecord:
    plan = decode(json.loads((folder / "plan.json").read_text(encoding="utf-8"))["plan"], Plan)
    trouble = decode(entry["trouble"], Trouble) if entry["trouble"] else None
    return SuiteRecord(
        plan=plan, trouble=trouble, iterations=tuple(_read_iteration(folder, i) for i in entry["iterations"])
    )


def _read_iteration(folder: Path, index: int) -> IterationRecord:
    place = folder / f"iteration-{index + 1}"
    record = decode(json.loads((place / "record.json").read_text(encoding="utf-8"))["iteration"], IterationRecord)
    shared = _read_payloads(place, "suite") if any(s.shared for s in record.scenarios) else None

    def of(scenario: ScenarioRecord) -> tuple[Payload, ...]:
        return shared if shared is not None else _read_payloads(place, f"scenario-{file_name(scenario.name)}")

    scenarios = tuple(replace(s, payloads=of(s)) for s in record.scenarios)
    return replace(record, scenarios=scenarios, runner_payloads=_read_payloads(place, "runner"))
