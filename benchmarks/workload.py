"""Workloads beside wrk and pgbench, on the same nginx and the same PostgreSQL, in one run of this program.

Compared, in rounds that take turns, each goal judged on the median of the rounds:

- HTTP: wrk with a pause before every request (a closed loop at a moderate rate) and our closed loop with the same
  `think`, both with the same number of connections. Latency is that of a request, the pause left out.
- SQL: `pgbench --rate` and our open rate, at the same rate with the same number of sessions, the same query in the
  extended protocol. Latency counts from the intended start. (pgbench draws its starts at random, ours are even.)

Then what a hundred workers reach, processor time of our own per operation, and a stall of 200 ms (SIGSTOP of nginx's
workers), which the p99 of an open rate must show and the p99 of a closed loop hides.

wrk and pgbench run in a service of the same environment: nothing is installed here. Needs an engine (DOCKER_HOST or the
default socket) and the image that CLEANROOM_IMAGE names. Exits 1 when a goal is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cleanroom.drive.workload.operation import WorkloadRecord  # noqa: E402 - it is run from anywhere
from cleanroom.run.journal import read_journal  # noqa: E402 - as above
from cleanroom.validate.resilience.latency import nearest_rank  # noqa: E402 - as above

ROUNDS, SECONDS = 3, 6
CONNECTIONS, THINK_MS, RATE = 4, 10, 300
MANY, HTTP_RATE, SQL_RATE, MANY_S = 100, 2000, 1500, 8
STALL_S, STALL_RATE, STALL_MS = 8, 500, 200
NEAR_MS, TAIL_MS, TAIL_SHARE = 0.3, 1.0, 1.2
QUERY = "select n from counter"
HTTP = "http: {service: web, path: /}"
SQL = f'sql: {{service: db, user: postgres, password: secret, query: "{QUERY}"}}'
# Two seconds after a connection is there, all of nginx's workers stand still for a while (a line of the shell's own
# command must not begin as their names do).
STALL = f"""until grep -q ':0050 [0-9A-F:]* 01 ' /proc/net/tcp; do sleep 0.05; done
sleep 2
workers=$(grep -lz '^nginx: worker' /proc/[0-9]*/cmdline | cut -d/ -f3)
kill -STOP $workers; sleep {STALL_MS / 1000}; kill -CONT $workers"""


def workload(name: str, what: str, step: str) -> str:
    """Return a workload as a step; `what` are its settings."""
    mix = f"[{{step: {{name: one of {name}, {step}}}}}]"
    return f"{{name: {name}, timeout: 60s, workload: {{barrier: true, {what}, mix: {mix}}}}}"


def steps() -> Iterator[str]:
    """Yield the steps of the run."""
    closed = f"workers: {CONNECTIONS}, duration: {SECONDS}s, think: {THINK_MS}ms"
    paced = f"workers: {CONNECTIONS}, duration: {SECONDS}s, rate: {RATE}"
    wrk = f"[with-wrk, 'http://web/', '{CONNECTIONS}', '{SECONDS}', '{THINK_MS}']"
    pgbench = f"[with-pgbench, db, '{CONNECTIONS}', '{SECONDS}', '{RATE}', '{QUERY}']"
    for turn in range(ROUNDS):
        yield f"{{name: wrk {turn}, timeout: 60s, exec: {{service: load, command: {wrk}}}}}"
        yield workload(f"http {turn}", closed, HTTP)
        yield f"{{name: pgbench {turn}, timeout: 60s, exec: {{service: load, command: {pgbench}}}}}"
        yield workload(f"sql {turn}", paced, SQL)
    yield workload("http many", f"workers: {MANY}, duration: {MANY_S}s, rate: {HTTP_RATE}", HTTP)
    yield workload("sql many", f"workers: {MANY}, duration: {MANY_S}s, rate: {SQL_RATE}", SQL)
    for name, how in (("open", f"rate: {STALL_RATE}"), ("closed", f"think: {THINK_MS}ms")):
        loaded = workload(f"stalled {name}", f"workers: {CONNECTIONS}, duration: {STALL_S}s, {how}", HTTP)
        stall = f"{{name: stall {name}, timeout: 60s, exec: {{service: web, command: {json.dumps(STALL)}}}}}"
        yield f"{{name: {name} rate, timeout: 90s, parallel: [{loaded}, {stall}]}}"


def spec() -> str:
    """Return the whole spec; what fails shows in the figures, and does not skip the rest."""
    listed = "\n".join(f"      - {step[:-1]}, continue_on_failure: true}}" for step in steps())
    return f"""cleanroom: 1
meta: {{name: workload}}
determinism: {{iterations: 1}}
services:
  web:
    build: {{context: tests/images/nginx}}
    files:
      /etc/nginx/conf.d/all.conf: >
        keepalive_requests 10000000; access_log off;
        server {{ listen 80; location / {{ return 200 "ok"; }} }}
    ready: [{{tcp: 80}}]
  db:
    build: {{context: tests/images/postgres}}
    environment: {{POSTGRES_PASSWORD: secret}}
    command: [postgres, -c, max_connections=120]
    files:
      /docker-entrypoint-initdb.d/all.sql: "create table counter (n integer); insert into counter values (1);"
    ready: [{{tcp: 5432}}]
    ready_timeout: 60s
  load: {{build: {{context: benchmarks/load}}}}
scenarios:
  - name: measured
    timeout: 10m
    steps:
{listed}
"""  # noqa: S608 - no statement: a specification that holds one, of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one workload, ours or theirs; latencies in milliseconds."""

    p50: float
    p99: float
    most: float = 0.0
    count: int
    rate: float
    failed: int
    cpu_us: float = 0.0
    """Processor time of our drivers for each operation."""
    late_ms: float = 0.0
    """How long after the last intended start the last operation ended."""


def ours(record: WorkloadRecord) -> Figures:
    """Return the figures of one of our workloads; latency counts from the intended start."""
    done = record.operations
    taken = [end - intended for intended, end in zip(done.intended_ns, done.end_ns, strict=True)]
    if not taken:
        raise SystemExit(f"{record.step}: no operation was begun: {record.reason}")
    seconds = max(1, record.ended_ns - record.began_ns) / 1e9
    return Figures(
        p50=nearest_rank(taken, 50) / 1e6, p99=nearest_rank(taken, 99) / 1e6, most=max(taken) / 1e6, count=len(taken),
        rate=len(taken) / seconds, failed=len(taken) - done.counts()["ok"], cpu_us=record.cpu_ns / 1e3 / len(taken),
        late_ms=(max(done.end_ns) - max(done.intended_ns)) / 1e6,
    )  # fmt: skip


def theirs(said: str) -> Figures:
    """Return the figures that the last line of a program says."""
    found = json.loads(said.strip().splitlines()[-1])
    return Figures(
        p50=found["p50_us"] / 1e3, p99=found["p99_us"] / 1e3, count=found["count"], failed=found["errors"],
        rate=found["count"] * 1e6 / found["duration_us"],
    )  # fmt: skip


def measured() -> dict[str, Figures]:
    """Run the spec; return step → figures."""
    with tempfile.TemporaryDirectory(prefix="cleanroom-bench-") as made:
        # The images are made from folders of the repository: paths of a spec are relative to its own.
        file, out = ROOT / f"workload-{os.getpid()}.cleanroom.yaml", Path(made) / "out"
        file.write_text(spec(), encoding="utf-8")
        command = (
            sys.executable, "-m", "cleanroom.cli.main", "run", str(file), "--out", str(out), "--progress", "quiet",
        )  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        finally:
            file.unlink()
        if done.returncode not in (0, 1):
            raise SystemExit(f"the run ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        if done.returncode:
            print(*(line for line in done.stdout.splitlines() if " expected " in line), sep="\n")
        ((scenario,),) = [i.scenarios for i in read_journal(out / "journal").suites[0].iterations]
    found = {record.step: ours(record) for record in scenario.workloads}
    said = {step.name: step.stdout for step in scenario.steps if step.name.startswith(("wrk", "pgbench"))}
    return found | {name: theirs(text) for name, text in said.items()}


def goal(holds: bool, words: str) -> bool:
    """Print a goal with its figure; return whether it holds."""
    print(f"{'ok    ' if holds else 'MISSED'} {words}")
    return holds


def compared(found: dict[str, Figures], mine: str, other: str) -> Iterator[bool]:
    """Print one comparison; yield whether its goals hold."""
    pairs = [(found[f"{mine} {turn}"], found[f"{other} {turn}"]) for turn in range(ROUNDS)]
    for our, their in pairs:
        print(
            f"       {other:<8}{their.rate:6.0f}/s  p50 {their.p50:6.3f}  p99 {their.p99:6.3f} ms    "
            f"ours {our.rate:6.0f}/s  p50 {our.p50:6.3f}  p99 {our.p99:6.3f} ms  cpu {our.cpu_us:4.0f} us each"
        )
    p50, base50 = (statistics.median(one.p50 for one in side) for side in zip(*pairs, strict=True))
    p99, base99 = (statistics.median(one.p99 for one in side) for side in zip(*pairs, strict=True))
    yield goal(p50 <= base50 + NEAR_MS, f"{mine} p50 {p50:.3f} ms, {other} {base50:.3f} ms: within {NEAR_MS} ms of it")
    yield goal(
        p99 <= max(base99 * TAIL_SHARE, base99 + TAIL_MS),
        f"{mine} p99 {p99:.3f} ms, {other} {base99:.3f} ms ({p99 / base99:.2f}x): within 20 % or {TAIL_MS:g} ms of it",
    )
    failed = sum(our.failed + their.failed for our, their in pairs)
    yield goal(failed == 0, f"{failed} operations failed on either side: none")


def many(found: dict[str, Figures], name: str, rate: int) -> Iterator[bool]:
    """Print what a hundred workers reached; yield whether its goals hold."""
    one = found[f"{name} many"]
    print(f"       {name}, {MANY} workers: p50 {one.p50:.3f}  p99 {one.p99:.3f}  max {one.most:.3f} ms")
    yield goal(one.rate >= 0.99 * rate and not one.failed, f"{name} {one.rate:.0f}/s, {one.failed} failed: {rate}/s")
    most = 1e6 / rate
    yield goal(
        one.cpu_us <= most, f"{name} {one.cpu_us:.0f} us of our own CPU each: at most {most:.0f} us, one CPU in all"
    )


def stalled(found: dict[str, Figures]) -> Iterator[bool]:
    """Print what a stall does to both kinds of loop; yield whether the goals hold."""
    paced, closed = found["stalled open"], found["stalled closed"]
    yield goal(paced.p99 >= STALL_MS / 2, f"stall of {STALL_MS} ms, open rate: p99 {paced.p99:.1f} ms shows it")
    yield goal(
        closed.p99 < STALL_MS / 4 and closed.most >= STALL_MS * 0.9,
        f"stall of {STALL_MS} ms, closed loop: p99 {closed.p99:.1f} ms hides it, max {closed.most:.1f} ms",
    )


def main() -> int:
    """Measure once, print every goal with its figure; return the exit code."""
    found = measured()
    print(
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {CONNECTIONS} connections, {ROUNDS} x {SECONDS} s each"
    )
    held = [
        *compared(found, "http", "wrk"), *compared(found, "sql", "pgbench"), *many(found, "http", HTTP_RATE),
        *many(found, "sql", SQL_RATE), *stalled(found),
    ]  # fmt: skip
    print(f"{sum(held)} of {len(held)} goals held")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
