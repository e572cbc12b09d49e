"""What a service's process really has around it, read from the kernel: what was asked for may have come to nothing."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Final

from cleanroom.engine.ports import Engine
from cleanroom.engine.processes import children
from cleanroom.errors import InconclusiveError

ZONES: Final = "/usr/share/zoneinfo"
_PROC: Final = Path("/proc")
_PATIENCE: Final = 20.0


def surroundings(engine: Engine, container: str, *, init: bool) -> dict[str, str]:
    """Return hostname, timezone, locale, cpus and started_at of a running container's first process.

    With `init` that is the child of the engine's own. An empty value: there is none. Raises `InconclusiveError` when it
    does not run (any more), `EngineError` when the engine does not say.
    """
    state = engine.inspect(container)
    pid = state.pid
    if init and pid:
        pid = min(children(pid), default=0)
    if not pid:
        raise InconclusiveError("it has ended, and what its process had around it cannot be looked at")
    try:
        variables = dict(
            text.partition("=")[::2]
            for text in (_PROC / str(pid) / "environ").read_text("utf-8", "replace").split("\0")
        )
        cpus = len(os.sched_getaffinity(pid))
        zone = variables.get("TZ", "")
        known = zone == "UTC" or (_PROC / str(pid) / f"root{ZONES}" / zone).is_file()
        return {
            "hostname": hostname_of(pid),
            "timezone": zone if known else f"{zone} (which its image does not know)",
            "locale": variables.get("LC_ALL", ""),
            "cpus": str(cpus),
            "started_at": state.started_at,
        }
    except OSError as err:
        raise InconclusiveError(f"its process cannot be looked at: {err.strerror}") from err


def hostname_of(pid: int) -> str:
    """Return the host name in the UTS namespace of a process; raises `OSError`."""
    command = ("nsenter", "--target", str(pid), "--uts", "uname", "-n")
    try:
        return subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE, text=True).stdout.strip()
    except subprocess.SubprocessError as err:
        raise OSError(errno.ESRCH, f"its host name cannot be read: {err}") from err
