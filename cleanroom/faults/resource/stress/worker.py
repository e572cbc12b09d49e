"""A process of ours in a container's groups: does its job until its input ends, or the container does.

The job is its argument. Its first line says that it is ready, or why not; each line that it reads it answers with how
the job stands; its last line is what there was.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cleanroom.faults.resource.stress.ballast import Ballast
from cleanroom.faults.resource.stress.burner import Burner
from cleanroom.faults.resource.stress.ceiling import Ceilings
from cleanroom.faults.resource.stress.hoard import Hoard, Leak
from cleanroom.faults.resource.stress.inodes import Inodes
from cleanroom.faults.resource.stress.place import enter
from cleanroom.faults.resource.stress.task import RefusedError, Task
from cleanroom.faults.resource.stress.trial import Blocks, Cached, Forks

TASKS: Mapping[str, Callable[..., Task]] = {
    "burn": Burner, "hoard": Hoard, "leak": Leak, "forks": Forks, "blocks": Blocks, "cached": Cached,
    "ballast": Ballast, "inodes": Inodes, "ceilings": Ceilings,
}  # fmt: skip


def serve(task: Task, watched: int | None) -> dict[str, object]:
    """Work until standard input or the watched process ends; return what there was."""
    ended = ""
    while not ended:
        wait = task.tick()
        handles = [sys.stdin.buffer.fileno(), *(() if watched is None else (watched,))]
        readable, _, _ = select.select(handles, [], [], wait)
        if watched in readable:
            ended = "container"
        elif readable:
            asked = os.read(handles[0], 4096)
            for _ in range(asked.count(b"\n")):
                _say(task.look())
            ended = "" if asked else "asked"
    return {**task.end(), "ended": ended}


def main() -> int:
    """Run the job; the exit code is 0 unless it could not be begun."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    try:
        watched = os.pidfd_open(job["watch"]) if job.get("watch") else None
        # After everything is loaded: what a process has taken before counts where it was.
        for group in job.get("groups", ()):
            Path(group, "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        if job.get("mounts_of"):
            enter(job["mounts_of"])
        task = TASKS[job["task"]](**job["with"])
        found = task.begin()
    except (OSError, RefusedError) as err:
        _say({"ready": False, "error": str(err)})
        return 1
    _say({"ready": True, **found})
    figures = serve(task, watched)
    # Nobody may be there to read it: then there is nobody to tell, either.
    with contextlib.suppress(BrokenPipeError):
        _say(figures)
    return 0


def _say(facts: Mapping[str, object]) -> None:
    print(json.dumps(facts), flush=True)  # noqa: T201 - its protocol


if __name__ == "__main__":
    sys.exit(main())
