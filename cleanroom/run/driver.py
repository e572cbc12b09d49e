"""The program of a driver process, `python -m cleanroom.run.driver`: a workload starts it and speaks to it, alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cleanroom.drive.workload import session
from cleanroom.drive.workload.driver import serve
from cleanroom.run import operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanroom.drive.workload.job import Job


def main() -> None:
    """Do the job that comes on standard input."""
    serve(sys.stdin.buffer, sys.stdout.buffer, _open, operation.judge_operation)


def _open(job: Job) -> Callable[[], session.KeptSession]:
    steps = tuple(each.step for each in job.workload.mix)
    session.load_for(steps)
    operation.load_for(steps)
    return lambda: session.KeptSession(job.addresses)


if __name__ == "__main__":
    main()
