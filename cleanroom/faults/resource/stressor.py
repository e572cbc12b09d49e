"""Our side of a process that works in a container's groups."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
from collections.abc import Mapping, Sequence
from typing import cast

from cleanroom.canonical import Json
from cleanroom.engine.child import child_environment, child_python
from cleanroom.errors import CapabilityError, EngineError

START_TIMEOUT = 30.0
_LOOK_TIMEOUT = 10.0
_END_TIMEOUT = 10.0
_MODULE = "cleanroom.faults.resource.stress.worker"


class Stressor:
    """One job, from `start` to `end`; it ends by itself when we do, or when the container does."""

    def __init__(self, process: subprocess.Popen[str], facts: Mapping[str, Json]) -> None:
        self._process = process
        self.facts = facts
        """What it said when it had begun."""
        self.figures: dict[str, Json] = {}
        """What it said when it ended; empty when it was killed."""

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._process.poll() is None

    def look(self) -> dict[str, Json]:
        """Ask how its job stands; raises `EngineError` when it does not answer."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        found = _line(self._process, _LOOK_TIMEOUT)
        if "error" in found:
            raise EngineError(str(found["error"]))
        return found

    def end(self) -> None:
        """End it and take down its figures; safe to call twice."""
        if not self.figures:
            self.figures = _finish(self._process)


def start(
    task: str,
    options: Mapping[str, object],
    *,
    groups: Sequence[str] = (),
    watch: int = 0,
    mounts_of: int = 0,
    timeout: float = START_TIMEOUT,
) -> Stressor:
    """Start a job in these control groups; raises `CapabilityError` with its reason when it cannot be done.

    `watch` is a process at whose end the job ends, `mounts_of` one whose mounts it sees; the option
    `notes` is a descriptor that it gets under the same number.
    """
    job = {"task": task, "with": dict(options), "groups": list(groups), "watch": watch, "mounts_of": mounts_of}
    notes = (cast("int", options["notes"]),) if "notes" in options else ()
    try:
        process = subprocess.Popen(
            [*child_python(), "-m", _MODULE, json.dumps(job)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd="/", env=child_environment({}), start_new_session=True, pass_fds=notes,
        )  # fmt: skip
    except OSError as err:
        raise EngineError(f"a process for the fault cannot be started: {err}") from err
    facts = _line(process, timeout)
    if not facts.pop("ready", False):
        process.kill()
        process.communicate()
        raise CapabilityError(str(facts.get("error", "the process for the fault did not start")))
    return Stressor(process, facts)


def trial(
    task: str, options: Mapping[str, object], *, groups: Sequence[str] = (), timeout: float = START_TIMEOUT
) -> Mapping[str, Json]:
    """Return what a job found that is done when it has begun; raises `CapabilityError`."""
    stressor = start(task, options, groups=groups, timeout=timeout)
    stressor.end()
    return stressor.facts


def _line(process: subprocess.Popen[str], timeout: float) -> dict[str, Json]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    ready, _, _ = select.select([process.stdout], [], [], timeout)
    line = process.stdout.readline() if ready else ""
    if line:
        answer: dict[str, Json] = json.loads(line)
        return answer
    if not ready:
        return {"error": f"the process for the fault said nothing within {timeout:g}s"}
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)
    last = process.stderr.read().strip().splitlines()[-1:] if process.stderr and process.poll() is not None else []
    return {"error": f"the process for the fault died: {last[0] if last else 'it was killed'}"}


def _finish(process: subprocess.Popen[str]) -> dict[str, Json]:
    out = ""
    try:
        out, _ = process.communicate(timeout=_END_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_END_TIMEOUT)
    except ValueError:  # its pipes are closed: it was ended before
        return {}
    lines = [line for line in out.splitlines() if line.startswith("{")]
    figures: dict[str, Json] = json.loads(lines[-1]) if lines else {}
    return figures if "ended" in figures else {}
