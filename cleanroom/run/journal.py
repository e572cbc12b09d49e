"""The record of a run on disk: all that is needed to judge again, and what was about to be done when it died.

Layout: a folder per suite with `plan.json`, `faults.jsonl` (each line before an injection and after a reversal), and
per iteration a folder with one JSON file, the operations of each workload and the raw OTLP requests; `session.json` at
the end.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cleanroom.drive.workload.operation import WorkloadRecord
from cleanroom.errors import EngineError, UsageError
from cleanroom.plan.model import Plan
from cleanroom.run.codec import decode, encode
from cleanroom.run.operations import read_operations, write_operations
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
_LONGEST = 80


def file_name(text: str) -> str:
    """Return a name for a file or folder, different for each `text`: no colon, no leading dot, never empty."""
    readable = _UNSAFE.sub("-", text).strip(".-")[:_LONGEST]
    # Two texts that only differ in what a file name cannot hold must not share a file.
    return (
        readable
        if readable and readable == text
        else f"{readable or 'unnamed'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    )


@contextmanager
def _written(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise EngineError(
            f"the journal in {directory} cannot be written: {err.strerror or err}",
            remedy="make room on that disk, or name another report folder",
        ) from err


class Journal:
    """Writes one run's journal into a directory; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        with _written(directory):
            directory.mkdir(parents=True, exist_ok=True)

    def plan(self, plan: Plan) -> None:
        """Write the plan before anything is started; raises `EngineError` when the disk refuses, as all of these do."""
        with _written(self._directory):
            self._write(self._suite(plan.suite.name) / "plan.json", {"schema": SCHEMA, "plan": encode(plan)})

    def fault(self, suite: str, iteration: int, scenario: str, record: FaultRecord) -> None:
        """Append a fault's record as it is now."""
        entry = {"iteration": iteration, "scenario": scenario, "fault": encode(record)}
        with _written(self._directory), self._lock:
            path = self._suite(suite) / "faults.jsonl"
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=True) + "\n")

    def iteration(self, suite: str, record: IterationRecord) -> None:
        """Write one iteration: its record without the raw requests, and those in files of their own."""
        with _written(self._directory):
            self._iteration(suite, record)

    def _iteration(self, suite: str, record: IterationRecord) -> None:
        folder = self._suite(suite) / f"iteration-{record.index + 1}"
        folder.mkdir(exist_ok=True)
        shared = record.scenarios[0].payloads if record.scenarios and record.scenarios[0].shared else None
        if shared is not None:
            _write_payloads(folder, "suite", shared)
        for scenario in record.scenarios:
            if shared is None:
                _write_payloads(folder, f"scenario-{file_name(scenario.name)}", scenario.payloads)
            for workload in scenario.workloads:
                write_operations(_operations_file(folder, scenario.name, workload.step), workload.operations)
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
        whole = {"schema": SCHEMA, "session": encode(bare), "suites": suites}
        with _written(self._directory):
            self._write(self._directory / "session.json", whole)

    def _suite(self, name: str) -> Path:
        folder = _suite_folder(self._directory, name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _write(self, path: Path, value: dict[str, Any]) -> None:
        temporary = path.with_name(f"{path.name}.part")
        temporary.write_text(json.dumps(value, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)


def _suite_folder(directory: Path, name: str) -> Path:
    # The prefix keeps a suite from being called like a file of ours.
    return directory / f"suite-{file_name(name)}"


def _operations_file(folder: Path, scenario: str, step: str) -> Path:
    return folder / f"operations-{file_name(scenario)}" / f"{file_name(step)}.jsonl"


def _read_workloads(folder: Path, scenario: ScenarioRecord) -> tuple[WorkloadRecord, ...]:
    found = []
    for workload in scenario.workloads:
        path = _operations_file(folder, scenario.name, workload.step)
        with _read(path):
            found.append(replace(workload, operations=read_operations(path)))
    return tuple(found)


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
    path = folder / f"{name}.otlp.json"
    with _read(folder / f"{name}.otlp"):
        data = (folder / f"{name}.otlp").read_bytes()
    with _read(path):
        entries = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(replace(decode(e, Payload), body=_slice(data, e["offset"], e["length"])) for e in entries)
        if sum(len(p.body) for p in found) != len(data):
            raise ValueError(f"its entries are {sum(len(p.body) for p in found)} bytes, {name}.otlp has {len(data)}")
    return found


def _slice(data: bytes, offset: int, length: int) -> bytes:
    """Return the bytes; raises `ValueError` where the file has fewer: a part must not pass for the whole."""
    if not 0 <= offset <= offset + length <= len(data):
        raise ValueError(f"bytes {offset} to {offset + length} of {len(data)} are not there")
    return data[offset : offset + length]


@contextmanager
def _read(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        why = f"there is no {err}" if isinstance(err, KeyError) else getattr(err, "strerror", None) or str(err)
        raise UsageError(
            f"{path}: not part of a complete journal: {why}", remedy="name the `journal` folder of a finished run"
        ) from err


def _load(path: Path) -> dict[str, Any]:
    """Return a JSON file of ours; raises `ValueError` for one of another version."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found["schema"] != SCHEMA:
        raise ValueError(f"its schema is {found['schema']}, expected {SCHEMA}")
    return found


def read_journal(directory: Path) -> SessionRecord:
    """Return the session that a journal holds; raises `UsageError` naming the file that is missing or broken."""
    path = directory / "session.json"
    with _read(path):
        whole = _load(path)
        session = decode(whole["session"], SessionRecord)
        suites = tuple(_read_suite(_suite_folder(directory, s["name"]), s) for s in whole["suites"])
    return replace(session, suites=suites)


def _read_suite(folder: Path, entry: dict[str, Any]) -> SuiteRecord:
    with _read(folder / "plan.json"):
        plan = decode(_load(folder / "plan.json")["plan"], Plan)
    trouble = decode(entry["trouble"], Trouble) if entry["trouble"] else None
    return SuiteRecord(
        plan=plan, trouble=trouble, iterations=tuple(_read_iteration(folder, i) for i in entry["iterations"])
    )


def _read_iteration(folder: Path, index: int) -> IterationRecord:
    place = folder / f"iteration-{index + 1}"
    with _read(place / "record.json"):
        record = decode(_load(place / "record.json")["iteration"], IterationRecord)
    shared = _read_payloads(place, "suite") if any(s.shared for s in record.scenarios) else None

    def of(scenario: ScenarioRecord) -> tuple[Payload, ...]:
        return shared if shared is not None else _read_payloads(place, f"scenario-{file_name(scenario.name)}")

    scenarios = tuple(
        replace(s, payloads=of(s), workloads=_read_workloads(place, s)) if s.workloads else replace(s, payloads=of(s))
        for s in record.scenarios
    )
    return replace(record, scenarios=scenarios, runner_payloads=_read_payloads(place, "runner"))
