"""Every fault that works by control groups, on containers of the engine at hand: quick, because it needs no cell.

Run as root by a Python that has cleanroom, among the processes and control groups of the machine; prints one line of
JSON for each fault, and exits 1 when one is not proven, or not taken back.
"""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
from stage import Stage, open_stage, strike

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import ContainerSpec
from cleanroom.errors import CleanroomError
from cleanroom.faults.ladder import open_fault
from cleanroom.quantity import Duration, Rate, Size

MIB = 1 << 20
LIMITED = {"memory": 64 * MIB, "memory_swap": 64 * MIB, "tmpfs": {"/data": 8 * MIB}}
LIVES = {
    "resource.pids_limit": {"max": 6},
    "resource.memory_limit": {"memory": Size(32 * MIB)},
    "resource.cpu_throttle": {"cpus": 0.1},
    "resource.io_throttle": {"read": Rate(32 * MIB), "write": Rate(8 * MIB)},
    "container.pause": {},
    "container.oom": {"memory": Size(32 * MIB)},
    "resource.memory_pressure": {"size": Size(20 * MIB)},
    "resource.memory_leak": {"step": Size(MIB), "every": Duration(10**8)},
    "resource.cpu_stress": {"workers": 2, "load": 50.0},
    "resource.disk_full": {"path": "/data"},
    "resource.inode_exhaustion": {"path": "/data", "leave": 3},
    "resource.fd_exhaustion": {"leave": 2},
    "resource.file_size": {"max": Size(4096)},
}


def live(stage: Stage, kind: str) -> dict[str, object]:
    """Return what was seen of one fault from begin to end."""
    target = stage.service("target", 10, **LIMITED)
    try:
        fault = open_fault(strike(kind, "target", parameters=LIVES[kind]), stage.context(target))
        try:
            fault.inject()
            effect = fault.verify()
        finally:
            fault.revert()
        reversal = fault.verify_reversal()
    finally:
        stage.engine.remove(target.id)
    return {
        "holds": effect.holds and reversal.holds, "rung": fault.backend, "why": effect.reason or reversal.reason,
        "evidence": dict(effect.facts),
    }  # fmt: skip


def main() -> int:
    """Print what was seen."""
    bad = 0
    with DockerEngine("unix:///var/run/docker.sock", labels={"cleanroom.test": secrets.token_hex(4)}) as engine:

        def run(*command: str, **options: object) -> str:
            values = {"name": f"clr-test-{secrets.token_hex(4)}", "image": "debian:trixie-slim", **options}
            container = engine.create(ContainerSpec(command=command, **values))  # type: ignore[arg-type]
            engine.start(container)
            return container

        with open_stage(engine, run) as stage:
            for kind in sys.argv[1:] or LIVES:
                try:
                    found = live(stage, kind)
                except CleanroomError as err:
                    found = {"holds": False, "rung": "", "why": err.message}
                bad += not found["holds"]
                print(json.dumps({"fault": kind, **found}, default=str), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
