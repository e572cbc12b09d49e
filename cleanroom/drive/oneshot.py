"""The `run` action: a one-shot container on the environment's network, gone when it has ended."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.result import ActionResult
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import EngineError
from cleanroom.quantity import Duration
from cleanroom.spec.step import RunAction
from cleanroom.text import clean

_SLICE = 0.5
_DEATH = Duration(10 * 10**9)
_ENDS = {126: "permission_denied", 127: "not_found"}
_SIGKILL = 137


def run_oneshot(reach: Reach, action: RunAction, limits: Limits, context: str) -> ActionResult:
    """Run the container within `limits`, with `context` as its `TRACEPARENT`; its failure is a result.

    It is removed whatever happens; its own exit, its two streams and what the kernel did to it are the result.
    """
    began = time.monotonic_ns()
    container = ""
    try:
        spec = reach.place(action, context)
        container = spec.name
        reach.engine.create(spec)
        result = _played(reach, container, limits, began)
    except EngineError as err:
        result = ActionResult(error_type="engine", message=err.message)
    finally:
        # What cannot be removed now is found, tried again and reported by the environment's teardown.
        with suppress(EngineError):
            if container:
                reach.engine.remove(container)
    return replace(result, duration_ns=result.duration_ns or time.monotonic_ns() - began)


def _played(reach: Reach, container: str, limits: Limits, began: int) -> ActionResult:
    engine = reach.engine
    try:
        engine.start(container)
    except EngineError as err:
        # The engine keeps why it could not begin as an exit code, as a shell would.
        code = engine.inspect(container).exit_code
        kind = _ENDS.get(code, "engine")
        return ActionResult(error_type=kind, message=err.message, exit_code=code if code in _ENDS else None)
    ended = _awaited(reach, container, (began + limits.timeout.ns) / 1e9)
    terminated = killed = 0
    if not ended:
        terminated = time.monotonic_ns() - began
        _signal(reach, container, "TERM")
        if engine.wait(container, limits.grace if limits.grace.ns else Duration(1)) is None:
            killed = time.monotonic_ns() - began
            _signal(reach, container, "KILL")
            engine.wait(container, _DEATH)
    took = time.monotonic_ns() - began
    output = engine.output(container)
    state = engine.inspect(container)
    kind, message = _verdict(state, late=not ended, killed=bool(killed), stop=reach.stop.requested)
    stdout = clean(output.stdout.decode("utf-8", "replace"))
    return ActionResult(
        error_type=kind, message=message, exit_code=state.exit_code, stdout=stdout,
        stderr=clean(output.stderr.decode("utf-8", "replace")), truncated=output.truncated,
        value=stdout.rstrip("\r\n"), killed=bool(killed), terminated_ns=terminated, killed_ns=killed, duration_ns=took,
    )  # fmt: skip


def _awaited(reach: Reach, container: str, deadline: float) -> bool:
    """Wait for the end of the container; False when its time, or that of the run, was over first."""
    while (left := deadline - time.monotonic()) > 0 and not reach.stop.requested:
        if reach.engine.wait(container, Duration(max(1, int(min(left, _SLICE) * 1e9)))) is not None:
            return True
    return False


def _signal(reach: Reach, container: str, signal: str) -> None:
    # It may have ended by itself a moment ago, which is what the signal was for.
    with suppress(EngineError):
        reach.engine.kill(container, signal)


def _verdict(state: ContainerState, *, late: bool, killed: bool, stop: bool) -> tuple[str, str]:
    code = state.exit_code
    if late and stop:
        return "killed", "the run was interrupted"
    if late:
        return "timeout", "the container did not end in time" + (" and had to be killed" if killed else "")
    if state.oom_killed:
        return "oom_killed", "the kernel killed it for want of memory"
    if code == _SIGKILL:
        return "killed", "the container was killed by SIGKILL"
    if code in _ENDS:
        return _ENDS[code], f"its command could not be run (exit {code})"
    return ("exit_code", f"the container exited with {code}") if code else ("", "")
