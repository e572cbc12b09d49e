"""Every fault of spec.md section 8 by family, with the names of its parameters: what the language has, built or not."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FAMILIES: dict[str, tuple[str, ...]] = {
    "container": (
        "kill signal revive",
        "stop grace",
        "pause",
        "restart times grace",
        "crash_loop every times",
        "recreate keep_volumes",
        "exit code times",
        "oom memory",
    ),
    "process": (
        "signal match signal count",
        "zombies count",
        "fork_bomb pids",
    ),
    "network": (
        "latency delay jitter distribution correlation",
        "loss percent every gilbert",
        "corrupt percent",
        "duplicate percent",
        "reorder percent gap delay",
        "bandwidth rate burst",
        "partition groups one_way",
        "disconnect",
        "refuse",
        "reset after",
        "blackhole",
        "slow_close delay",
        "slice size delay",
        "limit_data bytes",
        "connection_limit max",
        "port_exhaustion leave",
        "flap up down",
    ),
    "dns": (
        "nxdomain names percent",
        "servfail names percent",
        "timeout names percent",
        "delay delay names percent",
        "spoof address names percent",
    ),
    "http": (
        "abort after route percent",
        "delay delay jitter route percent",
        "status code retry_after route percent",
        "body replace truncate route percent",
        "headers set remove route percent",
        "fail_first count code route percent",
        "rate_limit rate burst route percent",
    ),
    "resource": (
        "cpu_stress workers load",
        "cpu_throttle cpus",
        "memory_pressure size percent ramp",
        "memory_limit memory",
        "memory_leak step every",
        "disk_full path leave percent",
        "inode_exhaustion path leave",
        "fd_exhaustion leave",
        "pids_limit max",
        "io_throttle read write",
        "file_size max",
    ),
    "filesystem": (
        "read_only path",
        "permission path mode owner",
        "missing path",
        "corrupt path offset bytes truncate",
        "io_error path operations errno percent",
        "io_delay path operations delay",
        "lock path kind",
        "churn path workers files",
        "symlink path kind",
        "unlink_open path",
    ),
    "clock": (
        "skew offset",
        "jump offsets every",
        "rate rate",
        "freeze at",
    ),
    "dependency": (
        "down mode",
        "unhealthy",
    ),
    "database": (
        "lock table mode",
        "kill_sessions count percent match",
        "exhaust_connections leave",
        "pause_replay",
        "promote",
    ),
    "cache": (
        "flush",
        "maxmemory memory policy",
        "slow delay",
    ),
    "broker": (
        "memory_alarm",
        "delete_queue queue",
    ),
    "credentials": ("rotate user",),
    "composite": (
        "monkey rate every weights max_concurrent",
        "cascade root dependents delay",
        "concurrent faults",
        "sweep fault parameter values slope",
    ),
}
"""Family to faults, each followed by the names of its parameters."""

FAULTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{
            f"{family}.{fault}": tuple(parameters)
            for family, faults in _FAMILIES.items()
            for fault, *parameters in map(str.split, faults)
        },
        "custom": ("inject", "verify", "revert"),
    }
)
"""`family.fault` (and `custom`) to the names of its parameters."""
