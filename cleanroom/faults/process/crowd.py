"""A program of ours inside a container's control groups, and where asked inside its pid namespace.

Called as `python -m cleanroom.faults.process.crowd <JSON>`; needs nothing of the image. It says in one line of JSON
what it came to, and lasts until its standard input ends, which is also what the death of the runner does to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

_CLONE_NEWPID: Final = 0x20000000
_CHUNK: Final = 256 * 1024


def main(words: list[str]) -> int:
    """Join, do the task, tell, wait for the end of the input, and leave nothing."""
    task = json.loads(words[0])
    for file in task["groups"]:
        Path(file).write_text(str(os.getpid()), encoding="ascii")
    if task["do"] == "memory":
        tell(squeeze(task))
        return 0
    namespace = os.open(f"/proc/{task['pid']}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWPID) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.close(namespace)
    return lead(task)


def squeeze(task: dict[str, Any]) -> dict[str, int]:
    """Let a child take memory; return how many processes the kernel killed for it, the child itself left out.

    This process stays small and in the group, which cannot go while it is there: what the kernel counted is not lost
    with the container.
    """
    before = kills(task)
    child = os.fork()
    if child == 0:
        fill(task, before)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    own = int(os.waitstatus_to_exitcode(status) != 0)
    return {"kills": kills(task) - before - own}


def fill(task: dict[str, Any], before: int) -> None:
    """Take memory piece by piece until the kernel has killed for it, or there is no more to take."""
    # A file in memory that nobody maps: it counts for the group, and not for this process when one is chosen to die.
    held, piece = os.memfd_create("taken"), bytes(_CHUNK)
    taken = 0
    # OSError: no memory, and nobody whom the kernel could have killed for it.
    with contextlib.suppress(OSError):
        while taken + _CHUNK <= task["most"] and kills(task) == before:
            taken += os.write(held, piece)


def kills(task: dict[str, Any]) -> int:
    """Return how many processes the kernel has killed for the group's memory."""
    for line in Path(task["counter"]).read_text(encoding="ascii").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def lead(task: dict[str, Any]) -> int:
    """Let a child inside the namespace lead the crowd; it ends with this process."""
    lifeline, end = os.pipe()
    said, say = os.pipe()
    leader = os.fork()
    if leader == 0:
        os.close(end)
        os.close(said)
        os._exit(crowd(task, lifeline, say))
    os.close(lifeline)
    os.close(say)
    answer = os.read(said, 4096)
    tell({"leader": leader, **json.loads(answer or b'{"made": 0}')})
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.close(end)
    os.waitpid(leader, 0)
    return 0


def crowd(task: dict[str, Any], lifeline: int, say: int) -> int:
    """Make the crowd, say how many there are, and take all of it away when the lifeline ends."""
    members: list[int] = []
    error = ""
    for _ in range(task["count"]):
        try:
            pid = os.fork()
        except OSError as err:
            error = err.strerror or str(err)
            break
        if pid == 0:
            if task["do"] == "sleep":
                os.close(say)
                # Woken by the leader's end as well as by its word.
                os.read(lifeline, 1)
            os._exit(0)
        members.append(pid)
    if task["do"] == "end":
        for pid in members:
            # One that has not come to its end yet is no zombie; that it is waited for must not take it away.
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    os.write(say, json.dumps({"made": len(members), "error": error}).encode())
    os.read(lifeline, 1)
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in members:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return 0


def tell(what: dict[str, Any]) -> None:
    """Write one line for the runner."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
