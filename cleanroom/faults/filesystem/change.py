"""Faults that change something at a path and change it back: what they do there is among the deeds."""

from __future__ import annotations

import tempfile
from typing import IO, Any

from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import ActiveFault, Evidence, FaultContext
from cleanroom.faults.filesystem.base import Hit, OnPath, Open, backend_of, evidence
from cleanroom.plan.model import FaultEvent

# What a mount covers is free again when the processes that saw it are gone; what is changed in files is not.
_MOUNTED = frozenset({"read_only"})


class Change(OnPath):
    """One deed at `path`, done by a worker in the target's mount namespace and undone by another."""

    def __init__(self, event: FaultEvent, context: FaultContext, backend: str) -> None:
        super().__init__(event, context, backend)
        self._deed = event.fault.kind.partition(".")[2]
        self._kept: dict[str, IO[bytes]] = {}

    def _do(self, hit: Hit, act: str) -> dict[str, Any]:
        job: dict[str, Any] = {
            **{key: _plain(value) for key, value in self._event.parameters.items()},
            "token": hit.token, "state": hit.state, "stream": self._event.stream,
            "users": hit.tree.users() if self._deed == "permission" else [],
            "elsewhere": hit.tree.successor() is not None,
        }  # fmt: skip
        keep = self._kept[hit.name].fileno() if hit.name in self._kept else -1
        return hit.tree.do(f"{self._deed}.{act}", job, keep)

    def _apply(self, hit: Hit) -> None:
        if self._deed == "corrupt":
            self._kept[hit.name] = tempfile.TemporaryFile()  # noqa: SIM115 - kept until the fault's end
        hit.state = self._do(hit, "apply")
        hit.applied = True
        if self._deed in _MOUNTED:
            hit.state["mount"] = hit.tree.mounted(hit.state["real"])[-1:]

    def _look(self, hit: Hit) -> Evidence:
        found = evidence(self._do(hit, "look"))
        if self._deed != "unlink_open" or not found.holds:
            return found
        having, deleted = hit.tree.openers(hit.state["inodes"])
        return Evidence(
            holds=deleted > 0,
            facts={**found.facts, "open": having, "open_and_deleted": deleted},
            reason="" if deleted else "no process of the service has the file open",
        )

    def _undo(self, hit: Hit) -> None:
        if not hit.applied:
            return
        if hit.tree.now() == "gone":
            if self._deed not in _MOUNTED and hit.tree.successor() is not None:
                # Volumes may have passed to it, with what was done in them.
                hit.facts.update(self._do(hit, "undo"))
            return
        if self._deed in _MOUNTED and not self._still_covers(hit):
            return
        hit.facts.update(self._do(hit, "undo"))

    def _still_covers(self, hit: Hit) -> bool:
        now = hit.tree.now()
        if now == "same":
            if hit.tree.mounted(hit.state["real"])[-1:] == hit.state.get("mount", ()):
                return True
            hit.lapses.append(f"what covered {self._path} was taken away by somebody else")
        elif now == "restarted":
            hit.lapses.append("it was restarted, and ran on without the fault")
        return False

    def _outlives(self, hit: Hit) -> bool:
        if self._deed in _MOUNTED:
            return False
        try:
            return bool(self._do(hit, "look")["holds"])
        except EngineError:
            return False

    def _left_behind(self, hit: Hit) -> str:
        if self._deed in _MOUNTED or hit.tree.successor() is None:
            return ""
        found = evidence(self._do(hit, "gone"))
        return "" if found.holds else found.reason

    def _gone(self, hit: Hit) -> Evidence:
        if self._deed in _MOUNTED and hit.tree.now() != "same":
            return Evidence(holds=True)
        return evidence(self._do(hit, "gone"))

    def verify_reversal(self) -> Evidence:
        """Hold when each path is as it was; what was kept on our side goes then."""
        try:
            return super().verify_reversal()
        finally:
            for kept in self._kept.values():
                kept.close()


def _plain(value: object) -> object:
    """Return a parameter as JSON has it: sizes as their bytes."""
    return getattr(value, "bytes", value)


def opener(rung: str) -> Open:
    """Return what opens a change by its only rung."""

    def open_change(event: FaultEvent, context: FaultContext) -> ActiveFault:
        if event.parameters["path"] == "/":
            raise CapabilityError(
                f"{event.fault.kind} cannot strike the root of a container", remedy="name a path below /"
            )
        return Change(event, context, backend_of(event, rung))

    return open_change
