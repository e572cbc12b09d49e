"""A program of ours inside a container, from our side: started, heard, and ended."""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cleanroom.canonical import Json
from cleanroom.engine.cgroup import Group
from cleanroom.engine.child import child_environment, child_python
from cleanroom.errors import EngineError

MODULE: Final = "cleanroom.faults.process.crowd"
"""What stands in the command line of every process of ours inside a container."""
_END_TIMEOUT: Final = 20.0


@dataclass(slots=True)
class Inside:
    """One such program; `said` is what it came to."""

    process: subprocess.Popen[str]
    said: dict[str, Json] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def end(self) -> None:
        """Let its input end, so that it takes away what it made; raises `EngineError` when it does not end."""
        try:
            self.process.communicate(timeout=_END_TIMEOUT)
        except subprocess.TimeoutExpired as err:
            self.process.kill()
            self.process.wait(_END_TIMEOUT)
            raise EngineError("a process of the fault did not end by itself and was killed") from err


def enter(groups: tuple[Group, ...], task: Mapping[str, Json], timeout: float) -> Inside:
    """Start the program in these groups and wait for what it says; raises `EngineError` with its own words."""
    files: list[Json] = [str(group.place / "cgroup.procs") for group in groups]
    words = json.dumps({**task, "groups": files})
    process = subprocess.Popen(
        (*child_python(), "-m", MODULE, words),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
        env=child_environment({}), start_new_session=True,
    )  # fmt: skip
    made = Inside(process)
    try:
        made.said = json.loads(_first_line(process, timeout))
    except BaseException:
        process.kill()
        process.wait()
        raise
    return made


def _first_line(process: subprocess.Popen[str], timeout: float) -> str:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    ready, _, _ = select.select([process.stdout], [], [], timeout)
    if not ready:
        raise EngineError(f"what was started inside said nothing for {timeout:g} s")
    line = process.stdout.readline()
    if not line:
        _, errors = process.communicate(timeout=_END_TIMEOUT)
        last = errors.strip().splitlines()[-1:] or ["no word"]
        raise EngineError(f"nothing of ours can be started inside: {last[0]}")
    return line
