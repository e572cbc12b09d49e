"""filesystem.io_error and io_delay: a directory is served by a process of ours, which strikes some operations.

Files that were open before keep leading past it, for that is where they were opened: nothing here claims otherwise.
"""

from __future__ import annotations

import contextlib
import errno
import json
import threading
from typing import Any, cast

from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.filesystem.base import Hit, OnPath, backend_of
from cleanroom.faults.filesystem.strikes import OPERATIONS
from cleanroom.faults.filesystem.tree import Worker
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

# From these the kernel learns that it need not ask again: the fault would outlive itself.
_LASTING = frozenset({"ENOSYS"})
# How long the kernel may take to let go of what nobody has open any more.
_LEAVING = 2.0

_serving: set[Worker] = set()
"""Workers whose directory is uncovered and who still serve files that a service has open from then."""


class Covered(OnPath):
    """One of the two faults: `errno` fails what is struck, `delay` makes it late."""

    def __init__(self, event: FaultEvent, context: FaultContext, backend: str) -> None:
        super().__init__(event, context, backend)
        named = cast("tuple[str, ...]", event.parameters.get("operations") or ())
        self._operations = tuple(named) or OPERATIONS
        self._percent = float(cast("float", event.parameters.get("percent", 100.0)))
        delay = event.parameters.get("delay")
        self._delay_ns = delay.ns if isinstance(delay, Duration) else 0
        self._errno = "" if self._delay_ns else str(event.parameters["errno"])

    def _job(self, hit: Hit) -> dict[str, Any]:
        return {
            "path": self._path, "real": hit.state.get("real", ""), "token": hit.token, "state": hit.state,
            "operations": self._operations, "percent": self._percent, "stream": self._event.stream,
            "errno": self._errno, "delay_ns": self._delay_ns,
        }  # fmt: skip

    def _apply(self, hit: Hit) -> None:
        hit.state = hit.tree.do("swept.apply", self._job(hit))
        before = self._probe(hit, rounds=1)
        early = [name for name in self._named(before) if before["operations"][name]["struck"]] or before["errors"]
        hit.state["early"] = ", ".join(map(str, early))
        hit.state["below"] = hit.tree.mounted(hit.state["real"])
        hit.worker = hit.tree.hold("cover", self._job(hit))
        hit.worker.answer()
        hit.applied = True

    def _covers(self, hit: Hit) -> bool:
        """Whether something is mounted there that was not before: of a worker that died on the way, too."""
        return hit.tree.mounted(hit.state["real"])[-1:] not in (hit.state["below"][-1:], ())

    def _named(self, told: dict[str, Any]) -> list[str]:
        return [name for name in told["operations"] if name in self._operations]

    def _probe(self, hit: Hit, **more: object) -> dict[str, Any]:
        """Try the operations ourselves; their decisions come from a stream of their own."""
        worker = hit.tree.start()
        try:
            if hit.worker is not None:
                hit.worker.say(f"ours {worker.process.pid}")
                hit.worker.answer()
            worker.say(json.dumps({**self._job(hit), "act": "probe", **more}))
            return worker.answer()
        finally:
            worker.end()

    def _look(self, hit: Hit) -> Evidence:
        told = self._probe(hit)
        operations = told["operations"]
        # What asks for attributes is part of almost everything.
        names = list(operations) if "stat" in self._operations else self._named(told)
        struck = [name for name in names if operations[name]["struck"]]
        assert hit.worker is not None  # noqa: S101 - it was applied
        hit.worker.say("figures")
        counted = hit.worker.answer()["ours"]
        facts = {f"ours.{name}": f"{operations[name]['struck']:g} of {operations[name]['tried']:g}" for name in names}
        facts["ours.counted"] = counted
        if self._delay_ns:
            facts |= {f"longest_ms.{name}": operations[name]["longest_ms"] for name in struck}
        reason = ""
        if hit.state["early"]:
            reason = f"operations were struck before the fault: {hit.state['early']}"
        elif not struck or counted.startswith("0 "):
            reason = f"none of {', '.join(names) or 'the operations'} was struck when we tried them"
        return Evidence(holds=not reason, facts=facts, reason=reason)

    def _undo(self, hit: Hit) -> None:
        if hit.worker is None:
            return
        alive = hit.worker.process.poll() is None
        if not alive and hit.applied:
            hit.lapses.append("the process that served the directory ended early")
        elif alive:
            hit.worker.say("heal")
            with contextlib.suppress(EngineError):
                hit.facts.update({key: value for key, value in hit.worker.answer().items() if key != "by_operation"})
        now = hit.tree.now()
        try:
            if now != "gone":
                covers = now == "same" and self._covers(hit)
                if now == "same" and hit.applied and not covers:
                    hit.lapses.append(f"what covered {self._path} was taken away by somebody else")
                if now == "restarted":
                    hit.lapses.append("it was restarted, and ran on without the fault")
                hit.tree.do("swept.undo", {**self._job(hit), "covered": covers})
        finally:
            self._let_go(hit)

    def _let_go(self, hit: Hit) -> None:
        """End the worker; where the service has files open from then it serves them, unharmed, to the service's end."""
        worker = hit.worker
        assert worker is not None  # noqa: S101 - see `_undo`
        hit.worker = None
        if hit.tree.now() == "same":
            with contextlib.suppress(Exception):
                worker.process.wait(_LEAVING)
            if worker.process.poll() is None:
                hit.facts["still_serving_open_files"] = True
                _serving.add(worker)
                threading.Thread(target=_see_off, args=(worker,), name="serving", daemon=True).start()
                return
        worker.end()

    def _gone(self, hit: Hit) -> Evidence:
        if hit.tree.now() != "same":
            return Evidence(holds=True)
        said = hit.tree.do("swept.gone", self._job(hit))
        covered = self._covers(hit)
        after = self._probe(hit, rounds=1)
        # What was so before the fault is nothing that it left.
        slow = [] if hit.state["early"] else [n for n in self._named(after) if after["operations"][n]["struck"]]
        left = said["reason"] or ("it is still mounted" if covered else "") or ", ".join(slow)
        hit.tree.do("swept.undo", {**self._job(hit), "covered": False})
        return Evidence(holds=not left, reason=f"still struck: {left}" if left else "")


def _see_off(worker: Worker) -> None:
    worker.process.wait()
    worker.end()
    _serving.discard(worker)


def open_covered(event: FaultEvent, context: FaultContext) -> Covered:
    """Return the fault; raises `CapabilityError` for an error that cannot be had, and for another rung."""
    name = str(event.parameters.get("errno") or "EIO")
    if name not in errno.errorcode.values():
        raise CapabilityError(f"{event.fault.kind}: there is no error {name}", remedy="use one such as EIO or ENOSPC")
    if name in _LASTING:
        raise CapabilityError(
            f"{event.fault.kind}: after {name} the kernel never asks again, so it would outlive the fault",
            remedy="use EOPNOTSUPP",
        )
    return Covered(event, context, backend_of(event, "fuse"))
