"""The rungs of the family resource."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.resource.cpu import open_cpu_stress, open_cpu_throttle
from cleanroom.faults.resource.disk import open_disk_full, open_inode_exhaustion
from cleanroom.faults.resource.io import open_io_throttle
from cleanroom.faults.resource.memory import open_memory_leak, open_memory_limit, open_memory_pressure
from cleanroom.faults.resource.processes import open_fd_exhaustion, open_file_size, open_pids_limit
from cleanroom.faults.rung import Ladder, Rung


def _stressor(controller: str, what: str, proof: str) -> tuple[Rung, ...]:
    mechanism = f"a process of ours in the container's control groups {what}"
    return (Rung(name="stressor", mechanism=mechanism, needs=(needs.PIDS, controller), proof=proof),)


def _limit(controller: str, what: str, proof: str) -> tuple[Rung, ...]:
    mechanism = f"{what} of the container's control group"
    return (Rung(name="cgroup", mechanism=mechanism, needs=(needs.PIDS, controller), proof=proof),)


def _prlimit(what: str, proof: str) -> tuple[Rung, ...]:
    mechanism = f"the soft limit of {what} of every process of the container"
    return (Rung(name="prlimit", mechanism=mechanism, needs=(needs.PIDS, needs.LIMITS), proof=proof),)


_MOUNTS = (needs.PIDS, needs.MOUNTS, needs.SIZED)

LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="resource.cpu_stress", open=open_cpu_stress,
        rungs=_stressor(
            needs.CPU, "burns processor time", "it ran, or waited for a processor, for the time that was asked for"
        ),
    ),
    Ladder(
        kind="resource.cpu_throttle", open=open_cpu_throttle,
        rungs=_limit(needs.CPU, "the quota", "nr_throttled and the throttled time grow"),
    ),
    Ladder(
        kind="resource.memory_pressure", open=open_memory_pressure,
        rungs=_stressor(needs.MEMORY, "takes memory", "the group's usage grew by it"),
    ),
    Ladder(
        kind="resource.memory_limit", open=open_memory_limit,
        rungs=_limit(needs.MEMORY, "the memory limit", "page cache of ours in the group comes up against it"),
    ),
    Ladder(
        kind="resource.memory_leak", open=open_memory_leak,
        rungs=_stressor(needs.MEMORY, "takes memory step by step", "the group's usage grew by the steps"),
    ),
    Ladder(
        kind="resource.disk_full", open=open_disk_full,
        rungs=(
            Rung(
                name="ballast", mechanism="a file without a name in a file system of the container's own",
                needs=_MOUNTS, proof="bytes free, and a write of ours that failed with ENOSPC",
            ),
        ),
    ),
    Ladder(
        kind="resource.inode_exhaustion", open=open_inode_exhaustion,
        rungs=(
            Rung(
                name="remount", mechanism="the number of files of a file system in memory of the container's own",
                needs=_MOUNTS, proof="files free, and a file of ours that could not be made for ENOSPC",
            ),
        ),
    ),
    Ladder(
        kind="resource.fd_exhaustion", open=open_fd_exhaustion,
        rungs=_prlimit("open files", "open descriptors against the limit, of each process"),
    ),
    Ladder(
        kind="resource.pids_limit", open=open_pids_limit,
        rungs=_limit(needs.PROCESSES, "the number of processes", "a fork of ours in the group failed with EAGAIN"),
    ),
    Ladder(
        kind="resource.io_throttle", open=open_io_throttle,
        rungs=_limit(needs.IO, "the bytes per second", "what we read and write in the group, before and during"),
    ),
    Ladder(
        kind="resource.file_size", open=open_file_size,
        rungs=_prlimit("file size", "the limit of each process, and whether it would die of the signal"),
    ),
)  # fmt: skip
