"""The userspace queue rung: packets are handed to our worker by NFQUEUE rules inside the target's namespace."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.traffic.shape import Match, Shape
from cleanroom.network.command import run
from cleanroom.network.namespace import in_namespace, namespace_of_pid

_START_TIMEOUT = 10.0
_BACKEND = "nfqueue"
# One number per direction; the namespace is the container's own, so nobody else's queue is in the way.
_QUEUES = {"egress": 77, "ingress": 78}
_CHAINS = {"egress": "POSTROUTING", "ingress": "INPUT"}


def rules(match: Match, direction: str, queue: int) -> tuple[tuple[str, ...], ...]:
    """Return the iptables rules (without the command and its verb) that hand the matching packets to `queue`."""
    protocols = ("tcp", "udp") if match.ports and match.protocol == "any" else (match.protocol,)
    peers = match.peers or ("",)
    side = "-d" if direction == "egress" else "-s"
    found = []
    for protocol in protocols:
        for peer in peers:
            rule: tuple[str, ...] = (_CHAINS[direction],)
            if peer:
                rule += (side, peer)
            if protocol != "any":
                rule += ("-p", protocol)
            if match.ports:
                rule += ("-m", "multiport", "--ports", ",".join(str(p) for p in match.ports))
            # Bypass: should the worker die, packets pass at once and the verification says so, instead of a silent blackhole.
            found.append((*rule, "-j", "NFQUEUE", "--queue-num", str(queue), "--queue-bypass"))
    return tuple(found)


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[str]
    direction: str


class QueueTraffic:
    """One shape on one container by NFQUEUE; `apply` and `remove` are whole."""

    backend = _BACKEND

    def __init__(self, pid: int, shape: Shape) -> None:
        self._pid = pid
        self._shape = shape
        self._workers: list[_Worker] = []
        self._rules: list[tuple[str, ...]] = []
        self.figures: dict[str, Json] = {}

    def apply(self) -> None:
        """Start a worker per direction, then lead packets to it; raises `CapabilityError` when the kernel has no queue."""
        wanted = self._shape.match.direction
        for direction in ("egress", "ingress") if wanted == "both" else (wanted,):
            queue = _QUEUES[direction]
            self._workers.append(_Worker(self._start(queue), direction))
            for rule in rules(self._shape.match, direction, queue):
                try:
                    self._iptables("-A", *rule)
                except EngineError as err:
                    raise CapabilityError(f"backend {_BACKEND}: {err.message}") from err
                self._rules.append(rule)

    def _iptables(self, *arguments: str) -> str:
        return in_namespace(namespace_of_pid(self._pid), lambda: run(("iptables", "-w", "-t", "mangle", *arguments)))

    def _start(self, queue: int) -> subprocess.Popen[str]:
        delay = self._shape.delay
        job = {
            "queue": queue, "stream": self._shape.stream,
            "delay_ns": delay.delay.ns, "jitter_ns": delay.jitter.ns,
            "distribution": delay.distribution, "correlation": delay.correlation,
        }  # fmt: skip
        process = in_namespace(
            namespace_of_pid(self._pid),
            lambda: subprocess.Popen(
                [sys.executable, "-m", "cleanroom.faults.traffic.worker", json.dumps(job)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            ),
        )  # fmt: skip
        answer = _line(process, _START_TIMEOUT)
        if not answer.get("ready"):
            _end(process)
            raise CapabilityError(f"backend {_BACKEND}: {answer.get('error', 'the worker did not start')}")
        return process

    def remove(self) -> None:
        """Take the rules away, let every held packet go, and end the workers; safe to call twice."""
        rules_left, self._rules = self._rules, []
        failed: EngineError | None = None
        for rule in reversed(rules_left):
            try:
                self._iptables("-D", *rule)
            except EngineError as err:
                failed = err
        for worker in self._workers:
            for name, value in _end(worker.process).items():
                self.figures[f"{worker.direction}.{name}"] = value
        self._workers = []
        if failed is not None:
            raise failed

    def leftovers(self) -> tuple[str, ...]:
        """Return the rules of ours that the namespace still has."""
        listing = self._iptables("-S")
        return tuple(line for line in listing.splitlines() if "NFQUEUE" in line)


def _line(process: subprocess.Popen[str], timeout: float) -> dict[str, Json]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    ready, _, _ = select.select([process.stdout], [], [], timeout)
    line = process.stdout.readline() if ready else ""
    if line:
        answer: dict[str, Json] = json.loads(line)
        return answer
    if process.poll() is not None and process.stderr is not None:
        last = process.stderr.read().strip().splitlines()[-1:]
        return {"error": f"the worker died: {last[0] if last else 'without a word'}"}
    return {"error": f"the worker said nothing within {timeout:g}s"}


def _end(process: subprocess.Popen[str]) -> dict[str, Json]:
    try:
        out, _ = process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"killed": True}
    lines = [line for line in out.splitlines() if line.startswith("{") and '"ready"' not in line]
    figures: dict[str, Json] = json.loads(lines[-1]) if lines else {}
    return figures
