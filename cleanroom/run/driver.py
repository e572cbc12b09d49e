"""The program of a driver process, `python -m cleanroom.run.driver`: a workload starts it and speaks to it, alone."""

from __future__ import annotations

import sys

from cleanroom.drive.workload.driver import serve
from cleanroom.drive.workload.session import KeptSession
from cleanroom.run.workload import judge_operation


def main() -> None:
    """Do the job that comes on standard input."""
    serve(sys.stdin.buffer, sys.stdout.buffer, lambda job: lambda: KeptSession(job.addresses), judge_operation)


if __name__ == "__main__":
    main()
