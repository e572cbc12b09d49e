"""One small example of every fault that needs no special server, for a throw-away container."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cleanroom.pipeline.doctor.laboratory import FILE, FOLDER, PORT, SIZED, TARGET
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.fault import AtManual, Fault, ParameterValue
from cleanroom.spec.query import ExecAction
from cleanroom.spec.shapes.chaos import defaults_of
from cleanroom.spec.shapes.fault_table import FAULTS

_MS: Final = 10**6
_MIB: Final = 1 << 20
_MARK: Final = f"{FOLDER}/mark"


def _python(text: str) -> ExecAction:
    python = str(Path(sys.executable).resolve())
    return ExecAction(service=TARGET, command=(python, "-I", "-S", "-c", f"import os, sys; {text}"))


_CUSTOM: Final = {
    "inject": _python(f"open({_MARK!r}, 'w').close()"),
    "verify": _python(f"sys.exit(not os.path.exists({_MARK!r}))"),
    "revert": _python(f"os.remove({_MARK!r})"),
}
EXAMPLES: Mapping[str, Mapping[str, ParameterValue]] = MappingProxyType({
    "container.kill": {},
    "container.stop": {"grace": Duration(5000 * _MS)},
    "container.pause": {},
    "container.restart": {"grace": Duration(5000 * _MS)},
    "container.crash_loop": {"every": Duration(200 * _MS), "times": 1},
    "container.recreate": {},
    "container.oom": {"memory": Size(48 * _MIB)},
    "container.exit": {"code": 7, "times": 1},
    "process.signal": {"match": "backlog", "signal": "STOP"},
    "process.zombies": {"count": 5},
    "process.fork_bomb": {"pids": 12},
    "network.latency": {"delay": Duration(100 * _MS)},
    "network.loss": {"every": 2},
    "network.corrupt": {"percent": 50.0},
    "network.duplicate": {"percent": 50.0},
    "network.reorder": {"percent": 50.0, "gap": 2, "delay": Duration(50 * _MS)},
    "network.bandwidth": {"rate": Rate(250_000)},
    "network.partition": {},
    "network.disconnect": {},
    "network.refuse": {},
    "network.blackhole": {},
    "network.connection_limit": {"max": 1},
    "network.port_exhaustion": {"leave": 0},
    "network.reset": {"after": Size(20)},
    "network.slow_close": {"delay": Duration(200 * _MS)},
    "network.slice": {"size": Size(10), "delay": Duration(20 * _MS)},
    "network.limit_data": {"bytes": Size(20)},
    "network.flap": {"up": Duration(400 * _MS), "down": Duration(400 * _MS)},
    "dns.nxdomain": {},
    "dns.servfail": {},
    "dns.timeout": {},
    "dns.delay": {"delay": Duration(200 * _MS)},
    "dns.spoof": {"address": "192.0.2.7"},
    "http.abort": {"after": Size(1)},
    "http.delay": {"delay": Duration(200 * _MS)},
    "http.status": {"code": 503},
    "http.body": {"replace": "{}"},
    "http.headers": {"set": {"x-doctor": "yes"}},
    "http.fail_first": {"count": 1},
    "http.rate_limit": {"rate": 0.1},
    "resource.cpu_stress": {"workers": 1, "load": 50.0},
    "resource.cpu_throttle": {"cpus": 0.2},
    "resource.memory_pressure": {"size": Size(16 * _MIB)},
    "resource.memory_limit": {"memory": Size(64 * _MIB)},
    "resource.memory_leak": {"step": Size(_MIB), "every": Duration(100 * _MS)},
    "resource.disk_full": {"path": SIZED},
    "resource.inode_exhaustion": {"path": SIZED},
    "resource.fd_exhaustion": {"leave": 1},
    "resource.pids_limit": {"max": 5},
    "resource.io_throttle": {"write": Rate(8 * _MIB)},
    "resource.file_size": {"max": Size(4096)},
    "filesystem.read_only": {"path": FOLDER},
    "filesystem.permission": {"path": FILE, "mode": "0400", "owner": "0"},
    "filesystem.missing": {"path": FILE},
    "filesystem.corrupt": {"path": FILE, "bytes": Size(16)},
    "filesystem.symlink": {"path": FILE},
    "filesystem.unlink_open": {"path": FILE},
    "filesystem.io_error": {"path": FOLDER},
    "filesystem.io_delay": {"path": FOLDER, "delay": Duration(50 * _MS)},
    "filesystem.lock": {"path": FILE},
    "filesystem.churn": {"path": FOLDER, "files": 5},
    "clock.skew": {"offset": Duration(3600_000 * _MS)},
    "clock.jump": {"offsets": (Duration(3600_000 * _MS),), "every": Duration(2000 * _MS)},
    "clock.rate": {"rate": 2.0},
    "clock.freeze": {},
    "dependency.down": {},
    "cache.slow": {"delay": Duration(100 * _MS)},
    "custom": _CUSTOM,
})  # fmt: skip
"""Fault → its parameters besides the defaults."""
_OF_PORT: Final = frozenset({"network.refuse", "network.connection_limit", "network.bandwidth"})


def event_of(kind: str) -> FaultEvent:
    """Return the event of an example, on the target."""
    parameters = MappingProxyType({**defaults_of(kind), **EXAMPLES[kind]})
    fault = Fault(
        id="doctor", kind=kind, moment=AtManual(), parameters=parameters, direction=FAULTS[kind].direction,
        ports=(PORT,) if kind in _OF_PORT or FAULTS[kind].rungs == ("proxy",) else (),
    )  # fmt: skip
    return FaultEvent(
        fault=fault, scenario="doctor", occurrence=0, stream=hashlib.sha256(kind.encode()).hexdigest(), drawn=True,
        targets=(TARGET,), moment=fault.moment, parameters=parameters,
    )  # fmt: skip
