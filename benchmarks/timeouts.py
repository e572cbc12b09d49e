"""Fifty commands that run out of time: how long each took, by which signal it ended, and what is left of its group.

Half of them end when they are asked to (SIGTERM), half ignore it and fork (SIGKILL after the grace). Each must take
from its limit to 150 ms more, in every case; two spans stand where SIGTERM was not honoured, one where it was; no
process of any group is left. Exits 1 otherwise.

Needs an engine (DOCKER_HOST or the default socket) and the image that CLEANROOM_IMAGE names.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COUNT = 50
TIMEOUT_MS, GRACE_MS, SLACK_MS = 300, 200, 150
OBEYS = "exec sleep 331"
DEFIES = "trap '' TERM; sleep 332 & (sleep 333 & sleep 334) & while :; do wait; done"


def step(number: int) -> str:
    """Return one step of the spec: even ones obey, odd ones defy."""
    command, wanted = (DEFIES, TIMEOUT_MS + GRACE_MS) if number % 2 else (OBEYS, TIMEOUT_MS)
    return (
        f'      - {{name: "{number}", exec: {{service: box, command: "{command}"}}, timeout: {TIMEOUT_MS}ms, '
        f"grace: {GRACE_MS if number % 2 else 5000}ms, continue_on_failure: true, "
        f"expect: {{error_type: timeout, duration: {{gte: {wanted}ms, lte: {wanted + SLACK_MS}ms}}}}}}"
    )


def spec() -> str:
    """Return the whole spec."""
    steps = "\n".join(step(number) for number in range(COUNT))
    return f"""cleanroom: 1
services: {{box: {{image: "debian:trixie-slim", command: [sleep, infinity]}}}}
scenarios:
  - name: out of time
    timeout: 5m
    steps:
{steps}
      - name: nothing is left
        exec: {{service: box, command: "cat /proc/[0-9]*/cmdline | tr '\\\\0' ' '"}}
        expect: {{stdout: {{not_contains: "sleep 33"}}}}
    expect:
      spans:
        - {{name: cleanroom.timeout.graceful, count: {COUNT}, attributes: {{all: {{signal: SIGTERM}}}}}}
        - {{name: cleanroom.timeout.hard, count: {COUNT // 2}, attributes: {{all: {{signal: SIGKILL}}}}}}
determinism: {{iterations: 1}}
"""


def run(folder: Path) -> dict[str, Any]:
    """Run the spec and return its report."""
    (folder / "timeouts.cleanroom.yaml").write_text(spec(), encoding="utf-8")
    command = (
        sys.executable,
        "-m",
        "cleanroom.cli.main",
        "run",
        "timeouts.cleanroom.yaml",
        "--out",
        str(folder / "out"),
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"the run ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    if done.returncode:
        print(done.stdout[-6000:])
    return dict(json.loads((folder / "out" / "report.json").read_text(encoding="utf-8")))


def main() -> int:
    """Print the figures; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="cleanroom-bench-") as made:
        report = run(Path(made))
    (scenario,) = report["suites"][0]["scenarios"]
    steps = {one["name"]: one for one in scenario["iterations"][0]["steps"]}
    for name, wanted, which in (("TERM", TIMEOUT_MS, 0), ("KILL", TIMEOUT_MS + GRACE_MS, 1)):
        found = [steps[str(number)]["duration_ms"] - wanted for number in range(which, COUNT, 2)]
        beyond = f"{min(found):.1f} to {max(found):.1f} ms, {statistics.median(found):.1f} ms in the median"
        print(f"{name}: beyond its limit of {wanted} ms by {beyond}")
    passed = sum(steps[str(number)]["outcome"] == "passed" for number in range(COUNT))
    verdict = report["suites"][0]["verdict"]
    print(f"within [t, t + {SLACK_MS} ms]: {passed} of {COUNT}; with the spans and what is left: {verdict}")
    return 0 if passed == COUNT and verdict == "pass" else 1


if __name__ == "__main__":
    sys.exit(main())
