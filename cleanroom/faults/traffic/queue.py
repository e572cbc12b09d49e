"""The userspace queue rung: packets are handed to our worker by NFQUEUE rules inside the target's namespace."""

from __future__ import annotations

import contextlib
import json
import re
import select
import subprocess
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.engine.child import child_environment, child_python
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.traffic.place import Inside
from cleanroom.faults.traffic.shape import Match, Shape
from cleanroom.faults.traffic.worker import MARK
from cleanroom.network.command import run

_START_TIMEOUT = 10.0
_END_TIMEOUT = 5.0
_BACKEND = "nfqueue"
# One number per direction; the namespace is the container's own, so nobody else's queue is in the way.
_QUEUES = {"egress": 77, "ingress": 78}
_CHAINS = {"egress": ("POSTROUTING", "-o"), "ingress": ("INPUT", "-i")}
_NEEDS = "iptables and a kernel with nfnetlink_queue and xt_NFQUEUE are needed"
_OURS = re.compile(r"--queue-num (77|78)\b")
_PORTS_PER_RULE = 15  # what the multiport match takes


def rules(match: Match, direction: str, queue: int) -> tuple[tuple[str, ...], ...]:
    """Return the iptables rules (without the command and its verb) that hand the matching packets to `queue`."""
    protocols = ("tcp", "udp") if match.ports and match.protocol == "any" else (match.protocol,)
    batches = [match.ports[i : i + _PORTS_PER_RULE] for i in range(0, len(match.ports), _PORTS_PER_RULE)] or [()]
    chain, interface = _CHAINS[direction]
    side = "-d" if direction == "egress" else "-s"
    found = []
    for protocol in protocols:
        for peer in match.peers or ("",):
            for ports in batches:
                # What a service says to itself crosses no network.
                rule: tuple[str, ...] = (chain, "!", interface, "lo")
                # What the worker sends anew has been held already.
                rule += ("-m", "mark", "!", "--mark", hex(MARK)) if direction == "egress" else ()
                rule += (side, peer) if peer else ()
                rule += ("-p", protocol) if protocol != "any" else ()
                rule += ("-m", "multiport", "--ports", ",".join(str(p) for p in ports)) if ports else ()
                # Bypass: should the worker die, packets pass and the verification says so, and nothing is blackholed.
                found.append((*rule, "-j", "NFQUEUE", "--queue-num", str(queue), "--queue-bypass"))
    return tuple(found)


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[str]
    direction: str


class QueueTraffic:
    """One shape on one container by NFQUEUE; `apply` and `remove` are whole."""

    backend = _BACKEND

    def __init__(self, place: Inside, shape: Shape) -> None:
        self._place = place
        self._shape = shape
        self._workers: list[_Worker] = []
        self._rules: tuple[tuple[str, ...], ...] = ()
        self.figures: dict[str, Json] = {}
        self.lapses: list[str] = []

    def apply(self) -> None:
        """Start a worker per direction, then lead packets there; raises `CapabilityError` where there is no queue."""
        if self._listed():
            raise EngineError("packets of this service are led to a queue of ours already; a fault was not taken back")
        wanted = self._shape.match.direction
        found: list[tuple[str, ...]] = []
        for direction in ("egress", "ingress") if wanted == "both" else (wanted,):
            self._workers.append(_Worker(self._start(direction), direction))
            found.extend(rules(self._shape.match, direction, _QUEUES[direction]))
        script = "\n".join(("*mangle", *(" ".join(("-A", *rule)) for rule in found), "COMMIT", ""))
        self._rules = tuple(found)
        try:
            # One transaction: all the rules or none.
            self._place.do(lambda: run(("iptables-restore", "--noflush", "-w"), stdin=script))
        except EngineError as err:
            self._rules = ()
            raise CapabilityError(f"backend {_BACKEND}: {err.message}", remedy=_NEEDS) from err

    def _iptables(self, *arguments: str) -> str:
        return self._place.do(lambda: run(("iptables", "-w", "-t", "mangle", *arguments)))

    def _listed(self) -> tuple[str, ...]:
        try:
            listing = self._iptables("-S")
        except EngineError as err:
            raise CapabilityError(f"backend {_BACKEND}: {err.message}", remedy=_NEEDS) from err
        return tuple(line for line in listing.splitlines() if _OURS.search(line))

    def _start(self, direction: str) -> subprocess.Popen[str]:
        delay = self._shape.delay
        job = {
            "queue": _QUEUES[direction], "resend": direction == "egress", "stream": self._shape.stream,
            "delay_ns": delay.delay.ns, "jitter_ns": delay.jitter.ns,
            "distribution": delay.distribution, "correlation": delay.correlation,
        }  # fmt: skip
        process = self._place.do(lambda: _spawn(json.dumps(job)))
        answer = _line(process, _START_TIMEOUT)
        if not answer.get("ready"):
            process.kill()
            process.communicate()
            raise CapabilityError(f"backend {_BACKEND}: {answer.get('error', 'the worker did not start')}")
        return process

    def remove(self) -> None:
        """Take the rules away, let every held packet go, and end the workers; safe to call twice."""
        gone, self._rules = self._rules, ()
        for rule in reversed(gone):
            try:
                self._iptables("-D", *rule)
            except EngineError as err:
                # Whether it is gone or cannot be removed, `leftovers` sees; in either case it was not as we left it.
                self.lapses.append(f"a rule was not there to be taken away: {err.message}")
        workers, self._workers = self._workers, []
        for worker in workers:
            self._end(worker)

    def _end(self, worker: _Worker) -> None:
        early = worker.process.poll()
        figures = _finish(worker.process)
        if early is not None or not figures:
            self.lapses.append(f"the worker that held its {worker.direction} ended early ({worker.process.returncode})")
        if figures.get("dropped"):
            self.lapses.append(f"the queue was full and lost {figures['dropped']} packets")
        for name, value in figures.items():
            self.figures[f"{worker.direction}.{name}"] = value

    def leftovers(self) -> tuple[str, ...]:
        """Return the rules of ours that the namespace still has, and the workers that still run."""
        alive = tuple(f"worker {w.process.pid}" for w in self._workers if w.process.poll() is None)
        return (*self._listed(), *alive)


def _spawn(job: str) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [*child_python(), "-m", "cleanroom.faults.traffic.worker", job],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd="/", env=child_environment({}), start_new_session=True,
        )  # fmt: skip
    except OSError as err:
        raise EngineError(f"the process that holds packets cannot be started: {err}") from err


def _line(process: subprocess.Popen[str], timeout: float) -> dict[str, Json]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    ready, _, _ = select.select([process.stdout], [], [], timeout)
    line = process.stdout.readline() if ready else ""
    if line:
        answer: dict[str, Json] = json.loads(line)
        return answer
    if ready and process.stderr is not None:
        last = process.stderr.read().strip().splitlines()[-1:]
        return {"error": f"the worker died: {last[0] if last else 'without a word'}"}
    return {"error": f"the worker said nothing within {timeout:g}s"}


def _finish(process: subprocess.Popen[str]) -> dict[str, Json]:
    """End the worker by ending its input; return its figures, none when it had to be killed or was dead."""
    out = ""
    try:
        out, _ = process.communicate(timeout=_END_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it is dead; a pipe that stays open is not ours
            process.communicate(timeout=_END_TIMEOUT)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    figures: dict[str, Json] = json.loads(lines[-1]) if lines else {}
    return figures
