"""Prints docs/fault-evidence.md from the reports of the faults' own specs: fault, rung, evidence, and the spec."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleanroom.faults.ladder import LADDERS
from cleanroom.spec.shapes.fault_table import FAULTS

MOST_FACTS = 6
MOST_TEXT = 60
HEAD = """\
# What was seen of each fault

Written by `make fault-evidence` from one run of the specs under `tests/specs/faults/` on real containers. Each fault
has a control in which its effect is prevented, so that it is not taken for proven. *Not seen here* is what this machine
cannot do; the reason is what the fault itself said.
"""


def seen(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every fault record of every report, with the verdict of its suite."""
    for path in sorted(folder.glob("*.json")):
        for suite in json.loads(path.read_text(encoding="utf-8"))["suites"]:
            for scenario in suite["scenarios"]:
                for record in scenario["iterations"][0].get("faults", []):
                    yield {**record, "suite": suite["name"], "suite_verdict": suite["verdict"]}


def facts(record: dict[str, Any]) -> str:
    """Return the first facts of its evidence."""
    found = [f"{name}={text(value)}" for name, value in record["evidence"].items() if name != "refused_rungs"]
    return ", ".join(found[:MOST_FACTS])


def text(value: object) -> str:
    """Return a value short enough for a cell."""
    whole = value if isinstance(value, str) else json.dumps(value)
    return (whole if len(whole) <= MOST_TEXT else f"{whole[:MOST_TEXT]}…").replace("|", "\\|").replace("\n", " ")


def table(records: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the rows: one for each fault and rung that was proven, one for each fault that never was."""
    rungs = {ladder.kind: [rung.name for rung in ladder.rungs] for ladder in LADDERS}
    yield "| fault | rung | evidence | spec | prevented, it says |"
    yield "|---|---|---|---|---|"
    for kind in FAULTS:
        mine = [record for record in records if record["fault"] == kind]
        proven = {r["backend"]: r for r in mine if r["verified"] and r["reverted"] and r["suite_verdict"] == "pass"}
        refused = next((r["reason"] for r in mine if not r["verified"] and r["reason"]), "")
        for backend, record in proven.items():
            yield f"| {kind} | {backend} | {facts(record)} | {record['file']} | {text(refused)} |"
        if not proven:
            yield f"| {kind} | none of {', '.join(rungs.get(kind, []))} | **not seen here** | | {text(refused)} |"


def main() -> int:
    """Print the page."""
    print(HEAD)  # noqa: T201 - its output
    print("\n".join(table(list(seen(Path(sys.argv[1]))))))  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
