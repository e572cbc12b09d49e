"""The `exec` action: a command inside a service's container."""

from __future__ import annotations

from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.result import ActionResult
from cleanroom.engine.ports import ContainerState, Engine, ExecResult, ExecSpec
from cleanroom.errors import EngineError
from cleanroom.quantity import Duration
from cleanroom.spec.query import ExecAction
from cleanroom.text import clean

_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_KILLED = 137
_NEWS = Duration(5 * 10**8)
_REFUSED = b"OCI runtime exec failed"
_MISSING = (b"executable file not found", b"no such file or directory")


def run_exec(reach: Reach, action: ExecAction, limits: Limits, context: str) -> ActionResult:
    """Run the command within `limits`, with `context` as its `TRACEPARENT`; its failure is a result."""
    engine, container = reach.engine, reach.containers[action.service].id
    spec = ExecSpec(
        command=action.command,
        user=action.user,
        environment={"TRACEPARENT": context, **action.env},
        working_dir=action.working_dir,
        stdin=action.stdin.encode() if action.stdin is not None else None,
        timeout=limits.timeout,
        grace=limits.grace,
    )
    try:
        result = engine.execute(container, spec)
    except EngineError as err:
        return _container_gone(engine, container, err)
    return _of_result(engine, container, result)


def _of_result(engine: Engine, container: str, result: ExecResult) -> ActionResult:
    kind, message = "", ""
    if result.timed_out:
        kind, message = (
            "timeout",
            "the command did not end in time" + (" and had to be killed" if result.killed else ""),
        )
    elif result.exit_code is None or result.exit_code == _KILLED:
        kind, message = _why_killed(engine, container)
    elif result.exit_code == _NOT_FOUND or (result.exit_code == _NOT_EXECUTABLE and _is_missing(result)):
        kind, message = "not_found", "the command was not found"
    elif result.exit_code == _NOT_EXECUTABLE:
        kind, message = "permission_denied", "the command could not be executed"
    elif result.exit_code != 0:
        kind, message = "exit_code", f"the command exited with {result.exit_code}"
    stdout = clean(result.stdout.decode("utf-8", "replace"))
    return ActionResult(
        error_type=kind,
        message=message,
        exit_code=result.exit_code,
        stdout=stdout,
        value=stdout.rstrip("\r\n"),
        stderr=clean(result.stderr.decode("utf-8", "replace")),
        truncated=_cut(result),
        killed=result.killed,
        terminated_ns=result.terminated_ns,
        killed_ns=result.killed_ns,
        duration_ns=result.duration_ns,
    )


def _is_missing(result: ExecResult) -> bool:
    """Whether the engine says that there is no such program: to some of its versions that is 126 as well."""
    said = (result.stdout + result.stderr).lstrip()
    return said.startswith(_REFUSED) and any(words in said for words in _MISSING)


def _cut(result: ExecResult) -> tuple[str, ...]:
    """Which streams were cut; the engine says of both together that one was."""
    if not result.truncated:
        return ()
    most = max(len(result.stdout), len(result.stderr))
    return tuple(name for name, data in (("stdout", result.stdout), ("stderr", result.stderr)) if len(data) == most)


def _settled(engine: Engine, container: str) -> ContainerState:
    """Return the container's state; the engine may hear of the end of a command before that of its container."""
    state = engine.inspect(container)
    if state.status == "running" and engine.wait(container, _NEWS) is not None:
        return engine.inspect(container)
    return state


def _why_killed(engine: Engine, container: str) -> tuple[str, str]:
    try:
        state = _settled(engine, container)
    except EngineError as err:
        return "engine", f"the command was killed, and the engine does not say by whom: {err.message}"
    if state.oom_killed:
        return "oom_killed", "the kernel killed it for want of memory"
    if state.status != "running":
        return "container_killed", f"the container was {state.status} (exit {state.exit_code}) before the command ended"
    return "killed", "the command was killed by SIGKILL"


def _container_gone(engine: Engine, container: str, err: EngineError) -> ActionResult:
    try:
        state = _settled(engine, container)
    except EngineError:
        return ActionResult(error_type="engine", message=err.message)
    if state.status in ("exited", "dead", "restarting"):
        return ActionResult(
            error_type="not_started", message=f"the container is {state.status} (exit {state.exit_code})"
        )
    return ActionResult(error_type="engine", message=err.message)
