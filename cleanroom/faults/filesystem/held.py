"""filesystem.lock and churn: what a process of ours holds or does in the target's files until the fault's end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleanroom.faults.base import ActiveFault, Evidence, FaultContext, Recovery
from cleanroom.faults.filesystem.base import Hit, OnPath, backend_of
from cleanroom.plan.model import FaultEvent

_LOCKS = Path("/proc/locks")
_LINE_FIELDS = 6


def held_locks(table: str, process: int, inode: int) -> int:
    """Return how many locks on the inode /proc/locks gives to the process; waiting ones do not count."""
    found = 0
    for line in table.splitlines():
        fields = line.split()
        if len(fields) >= _LINE_FIELDS and fields[1] != "->":
            found += fields[4] == str(process) and fields[5].rsplit(":", 1)[-1] == str(inode)
    return found


class Held(OnPath):
    """A worker that holds something in each target."""

    act = ""

    def _job(self, hit: Hit) -> dict[str, Any]:
        return {**self._event.parameters, "token": hit.token}

    def _apply(self, hit: Hit) -> None:
        hit.worker = hit.tree.hold(self.act, self._job(hit))
        hit.state = hit.worker.answer()
        hit.applied = True

    def _undo(self, hit: Hit) -> None:
        worker, hit.worker = hit.worker, None
        if worker is None:
            return
        ended = worker.process.poll() is not None
        if ended and hit.applied:
            hit.lapses.append("the process that held it ended early")
        try:
            if hit.applied and not ended:
                assert worker.process.stdin is not None  # noqa: S101 - it is a pipe
                worker.process.stdin.close()
                hit.facts.update(worker.answer())
        finally:
            worker.end()


class Lock(Held):
    """A lock on a file; the effect is that another process of ours is refused it."""

    act = "lock"

    def _look(self, hit: Hit) -> Evidence:
        assert hit.worker is not None  # noqa: S101 - it was applied
        second = hit.tree.do("lock.try", self._job(hit))["second"]
        listed = held_locks(_LOCKS.read_text(encoding="ascii"), hit.worker.process.pid, hit.state["inode"])
        wrong = "" if second == "EWOULDBLOCK" else "another process of ours got the lock as well"
        return Evidence(holds=not wrong, facts={"second_attempt": second, "proc_locks": listed}, reason=wrong)

    def _gone(self, hit: Hit) -> Evidence:
        table = _LOCKS.read_text(encoding="ascii")
        # The service may hold it by now, which is its right: only ours must be gone.
        listed = held_locks(table, hit.state["process"], hit.state["inode"])
        return Evidence(
            holds=not listed, facts={"proc_locks": listed}, reason="the lock is still held" if listed else ""
        )

    def _apply(self, hit: Hit) -> None:
        super()._apply(hit)
        assert hit.worker is not None  # noqa: S101 - just made
        hit.state["process"] = hit.worker.process.pid


class Churn(Held):
    """Files that come and go; the effect is that they are there and that the counts grow."""

    act = "churn"

    def _look(self, hit: Hit) -> Evidence:
        assert hit.worker is not None  # noqa: S101 - it was applied
        first = self._counts(hit)
        seen, now = 0, first
        for _ in range(50):
            seen = max(seen, hit.tree.do("churn.look", self._job(hit))["files"])
            now = self._counts(hit)
            if seen and now["made"] > first["made"]:
                return Evidence(holds=True, facts={"files_seen": seen, **now})
        return Evidence(holds=False, facts={"files_seen": seen, **now}, reason="no files came and went")

    def _counts(self, hit: Hit) -> dict[str, int]:
        assert hit.worker is not None  # noqa: S101 - it was applied
        hit.worker.say("counts")
        return hit.worker.answer()

    def _gone(self, hit: Hit) -> Evidence:
        there = hit.tree.do("churn.look", self._job(hit))["there"]
        wrong = "files of ours are still there" if there else ""
        if not hit.facts.get("reconciled") and not wrong and not hit.lapses:
            hit.lapses.append(f"the counts do not add up: {hit.facts.get('failure') or 'made and removed differ'}")
        return Evidence(holds=not wrong, reason=wrong)

    def recovery(self) -> Recovery | None:
        """Nothing has to recover from other files that come and go."""
        return None


def open_lock(event: FaultEvent, context: FaultContext) -> ActiveFault:
    """Return the fault; raises `CapabilityError` for another rung."""
    return Lock(event, context, backend_of(event, "process"))


def open_churn(event: FaultEvent, context: FaultContext) -> ActiveFault:
    """Return the fault; raises `CapabilityError` for another rung."""
    return Churn(event, context, backend_of(event, "process"))
