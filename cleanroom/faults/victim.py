"""A container's first process as this machine sees it; it is never mistaken for another process of the same number."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import FaultContext


def visible_pid(state: ContainerState) -> int:
    """Return the pid of the container's first process in our own pid namespace; raises `CapabilityError`.

    An engine on another machine, or in another pid namespace, names pids that are somebody else's here.
    """
    if state.pid <= 0:
        raise CapabilityError(f"{state.name} has no process ({state.status})")
    try:
        cgroup = Path(f"/proc/{state.pid}/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError as err:
        raise CapabilityError(
            f"process {state.pid} of {state.name} is not visible from here",
            remedy="use an engine on this machine (engine cell or own)",
        ) from err
    if not state.id or state.id not in cgroup:
        raise CapabilityError(
            f"process {state.pid} here is not that of {state.name}: the engine counts processes elsewhere",
            remedy="use an engine on this machine (engine cell or own)",
        )
    return state.pid


def interrupted(context: FaultContext, service: str, container: str, started_at: str) -> str:
    """Return why the service ran on without what was put on its `container` while it was so; empty when it did not.

    A program that has died under a fault is none such: one that was begun anew is, whatever became of it since.
    """
    if context.containers[service].id != container:
        return "another container took its place under the fault, and ran on without it"
    try:
        now = context.engine.inspect(container)
    except EngineError:
        return ""
    return "" if now.started_at == started_at else "it was restarted under the fault, and ran on without it"


def send_signal(state: ContainerState, number: signal.Signals) -> None:
    """Signal the container's first process from our side; raises `CapabilityError` or `EngineError`."""
    try:
        handle = os.pidfd_open(visible_pid(state))
    except OSError as err:
        raise EngineError(f"process {state.pid} of {state.name} cannot be signalled: {err.strerror}") from err
    try:
        # Asked again with the handle in hand: the number may have passed to another process in between.
        visible_pid(state)
        signal.pidfd_send_signal(handle, number)
    except OSError as err:
        raise EngineError(f"process {state.pid} of {state.name} cannot be signalled: {err.strerror}") from err
    finally:
        os.close(handle)
