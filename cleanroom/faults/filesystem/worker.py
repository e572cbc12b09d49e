"""The process that works in a target's files: it enters the mount namespace that it was given, and needs nothing there.

Started as `python -m cleanroom.faults.filesystem.worker NAMESPACE [KEEP]` (open descriptors). Its standard input is one
line of JSON, the job; its standard output one line of JSON, the answer. A job that holds something goes on until its
standard input ends, which also happens when its parent dies, and answers once more.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from cleanroom.faults.filesystem import churn, deeds, lock, passthrough, probe
from cleanroom.faults.filesystem.refusal import RefusedError
from cleanroom.faults.filesystem.system import enter_mounts

_AT_ONCE = {**deeds.ACTS, "probe": probe.probe, "lock.try": lock.attempt, "churn.look": churn.look}
_HELD = {"lock": lock.hold, "churn": churn.hold, "cover": passthrough.hold}


def answer(said: dict[str, Any]) -> None:
    """Tell the parent, which may be gone: then there is nobody to tell."""
    try:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(0)


def main() -> int:
    """Do the job; the exit code is 0 whatever came of it: the answer says that."""
    os.umask(0)
    namespace = int(sys.argv[1])
    keep = int(sys.argv[2]) if len(sys.argv) > 2 else -1  # noqa: PLR2004 - the second argument
    job = json.loads(os.fsdecode(_line()))
    act = job["act"]
    try:
        # What must be opened on our side, before there is nothing of ours to be seen any more.
        opened = passthrough.prepare() if act == "cover" else {}
        enter_mounts(namespace)
        if act in _HELD:
            _HELD[act]({**job, **opened}, answer)
        else:
            answer({"done": _AT_ONCE[act]({**job, "keep": keep})})
    except RefusedError as err:
        answer({"refused": str(err), "remedy": err.remedy})
    except OSError as err:
        answer({"error": f"{err.filename or job.get('path', '')}: {err.strerror}", "errno": err.errno})
    return 0


def _line() -> bytes:
    """Read one line and not a byte more: what follows is for whoever holds something."""
    found = bytearray()
    while (byte := os.read(0, 1)) and byte != b"\n":
        found += byte
    return bytes(found)


if __name__ == "__main__":
    sys.exit(main())
