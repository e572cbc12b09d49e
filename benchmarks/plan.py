"""`plan` of one spec with 50 services and 500 faults: loading, drawing and printing it, and the cost of one fault.

The ratio is the time of a whole plan to that of the same spec with a tenth of the faults: 10 means that a fault costs
the same however many there are, and less is what the services cost once. Needs no engine. Exits 1 when the ratio is
above 12, because then something is done for each pair of faults.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cleanroom.plan.build import build_plan
from cleanroom.plan.document import plan_json
from cleanroom.plan.mermaid import plan_mermaid
from cleanroom.plan.text import plan_text
from cleanroom.spec.load import load_suite
from cleanroom.spec.suite import Suite

SERVICES = 50
FAULTS = 500
MOST = 12.0


def spec(services: int, faults: int) -> str:
    """Return a spec whose services depend on the one before, with latency, loss and kills in turn."""
    kinds = ("network.latency, delay: 100ms", "network.loss, percent: 5", "container.kill")
    lines = ["cleanroom: 1", "services:"]
    for number in range(services):
        after = f", depends_on: [s{number - 1}]" if number else ""
        lines.append(f'  s{number}: {{image: "image:{number}", environment: {{N: "{number}"}}{after}}}')
    lines += ["scenarios:", "  - name: many", "    steps: [{name: wait, sleep: 1s}]", "    chaos:"]
    for number in range(faults):
        target = f"{{any_of: [s{number % services}, s{(number + 1) % services}], count: 1}}"
        kind = kinds[number % len(kinds)]
        lines.append(f"      - {{id: f{number}, fault: {kind}, target: {target}, at: {number}ms, probability: 0.5}}")
    return "\n".join([*lines, "expect: {counts: {spans: {gte: 1}}}", ""])


def measure(faults: int, times: int) -> tuple[float, float, float]:
    """Return the median seconds of loading, planning and printing in all three formats."""
    phases: tuple[list[float], list[float], list[float]] = ([], [], [])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.cleanroom.yaml"
        path.write_text(spec(SERVICES, faults))
        for _ in range(times + 1):
            began = time.perf_counter()
            suite = load_suite(path, root=Path(folder), variables={}, environment={})
            assert isinstance(suite, Suite), suite
            loaded = time.perf_counter()
            plan = build_plan(suite)
            planned = time.perf_counter()
            printed = len(plan_text(plan)) + len(json.dumps(plan_json(plan))) + len(plan_mermaid(plan))
            assert printed > faults
            ended = time.perf_counter()
            for phase, seconds in zip(phases, (loaded - began, planned - loaded, ended - planned), strict=True):
                phase.append(seconds)
    # The first one pays for imports and caches.
    return tuple(statistics.median(phase[1:]) for phase in phases)  # type: ignore[return-value] # three phases


def main() -> int:
    """Measure both sizes, print them, and say whether the cost of a fault stays the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    times: int = parser.parse_args().times
    few, many = measure(FAULTS // 10, times), measure(FAULTS, times)
    print(f"{SERVICES} services, median of {times}{'':<12}load      plan     print       all   per fault")
    for faults, phases in ((FAULTS // 10, few), (FAULTS, many)):
        cells = "".join(f"{seconds * 1000:7.1f} ms" for seconds in (*phases, sum(phases)))
        print(f"{faults:4} faults{'':<23}{cells}{sum(phases) / faults * 1e6:9.0f} us")
    ratio = sum(many) / sum(few)
    print(f"ten times the faults take {ratio:.1f} times as long")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
