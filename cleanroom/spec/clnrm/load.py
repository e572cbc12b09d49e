"""A `.clnrm.toml` as the parts of a spec, and what must be said about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom.errors import SpecError
from cleanroom.spec.clnrm.document import read_clnrm
from cleanroom.spec.clnrm.expectations import expectations
from cleanroom.spec.clnrm.report import Findings, lines
from cleanroom.spec.clnrm.services import SHELL, services, shell
from cleanroom.spec.clnrm.steps import Steps
from cleanroom.spec.document import MOST_NODES

_TAKEN = frozenset({"test", "meta", "vars", "services", "service", "containers", "steps", "scenario", "expect"})
_READ_ONLY = {
    "assertions": "write checks in expect, or in a step's expect",
    "otel_validation": "write checks in expect",
    "otel": "every service is told where its telemetry goes",
    "matrix": "write it anew: there its combinations were never run",
    "report": "name reports on the command line",
    "limits": "write limits of the suite or of a service",
}
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedClnrm:
    """What a spec of the predecessor gives, as plain data, and lines about what it does not give."""

    name: str
    parts: Mapping[str, Any]
    """The blocks of the spec after `meta`."""
    not_taken: tuple[str, ...]
    never_evaluated: tuple[str, ...]
    changed: tuple[str, ...]


def import_clnrm(path: Path) -> ImportedClnrm:
    """Return the honest part of a `.clnrm.toml`; raises SpecError when it is no TOML, or has nothing that runs."""
    document = read_clnrm(path)
    if _size(document) > MOST_NODES:
        raise SpecError(f"{path.name} has too many values", remedy=f"at most {MOST_NODES}")
    findings = Findings()
    tables: dict[str, Any] = {}
    for key in ("services", "service", "containers"):
        block = document.get(key)
        if isinstance(block, Mapping) and (key != "service" or "services" not in document):
            tables |= services(block, key, findings)
        elif block is not None:
            findings.not_taken(key, "it is no table, or stands beside services, which alone was started")
    steps = Steps(frozenset(tables), _table(document, "vars"), findings)
    scenarios = _scenarios(document, steps)
    if not scenarios:
        raise SpecError(
            f"{path.name} has no steps that can run",
            remedy="it needs [[steps]] with a command, or [[scenario]] with run; older forms are not imported",
        )
    if steps.needs_shell:
        tables[SHELL] = shell()
        findings.changed(
            "steps", f"those that name no service run in one container, {SHELL}; there each had a fresh one"
        )
    expect = expectations(_table(document, "expect"), findings)
    determinism = _determinism(_table(document, "determinism"), findings)
    for key in document:
        if key not in _TAKEN and key != "determinism":
            findings.ignored(key, _READ_ONLY.get(key, "there is nothing like it"))
    return ImportedClnrm(
        name=_name(document, path),
        parts={"services": tables, "scenarios": scenarios, "expect": expect or _default(), "determinism": determinism},
        not_taken=lines(findings.lost),
        never_evaluated=lines(findings.unchecked),
        changed=lines(findings.altered),
    )


def _default() -> dict[str, Any]:
    return {"hermeticity": {"egress": "none", "leaks": "none"}}


def _scenarios(document: Mapping[str, Any], steps: Steps) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    listed = document.get("scenario", [])
    for number, table in enumerate(listed if isinstance(listed, list) else [listed]):
        scenario = steps.scenario(table, number) if isinstance(table, Mapping) else None
        if scenario is None:
            steps.findings.not_taken(f"scenario[{number}]", "nothing in it can run")
        else:
            made.append(scenario)
    direct = steps.steps(document.get("steps", []), "steps")
    if direct:
        made.append({"name": "the steps", "steps": direct})
    names: dict[str, int] = {}
    for scenario in made:
        count = names[scenario["name"]] = names.get(scenario["name"], 0) + 1
        scenario["name"] += f" ({count})" if count > 1 else ""
    return made


def _determinism(table: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    made: dict[str, Any] = {"iterations": 5, "seed": 42}
    for key, value in table.items():
        if key == "seed" and isinstance(value, int) and 0 <= value <= _LARGEST_SEED:
            made["seed"] = value
            findings.never("determinism.seed", "nothing drew from it")
        elif key == "freeze_clock":
            findings.ignored("determinism.freeze_clock", "write determinism.freeze_clock to set the services' clocks")
        else:
            findings.ignored(f"determinism.{key}", "there is nothing like it")
    return made


def _name(document: Mapping[str, Any], path: Path) -> str:
    test = _table(document, "test")
    for table in (_table(document, "meta"), _table(test, "metadata"), test):
        if isinstance(table.get("name"), str) and table["name"].strip():
            return str(table["name"])
    return path.name.split(".")[0]


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _size(value: Any) -> int:  # noqa: ANN401 -- as TOML has it
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + sum(_size(part) for part in parts)
