"""The process that outlives the launcher by seconds: when the launcher dies, it removes what carries the run's label.

A running cell ends by itself; a cell that was created and never started does not, nor does a request that the engine
was still working on. Called as `python -m cleanroom.engine.watcher <run> <engine address or "">`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import TracebackType
from typing import Self

from cleanroom.engine.child import child_environment, child_python

_DONE = b"."


class Watcher:
    """The launcher's end: from entering until leaving the block, the death of this process has consequences."""

    def __init__(self, run: str, address: str) -> None:
        names = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
        self._process = subprocess.Popen(
            (*child_python(), "-m", "cleanroom.engine.watcher", run, address),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=child_environment({name: os.environ[name] for name in names if name in os.environ}),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell it that all is in order; it ends without a look at the engine."""
        with contextlib.suppress(OSError):  # it is dead, and we are not: nothing is lost
            self._process.communicate(_DONE, timeout=5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def main(argv: list[str]) -> int:
    """Wait for the launcher's word or its death."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.read(0, 1):
        return 0
    from cleanroom.engine.sweep import remove_run  # noqa: PLC0415 - not needed unless the launcher dies

    remove_run(argv[1], argv[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
