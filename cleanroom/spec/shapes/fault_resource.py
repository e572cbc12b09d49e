"""Faults of the families resource, filesystem and clock (spec.md section 8)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.shapes.clock import FASTEST, instant, offset
from cleanroom.spec.shapes.fault_kind import Kind, parameter, path, percent, written_as
from cleanroom.spec.shapes.shape import choice, integer, items, number, pattern_text
from cleanroom.spec.shapes.value import duration, positive_duration, positive_size, rate, size

if TYPE_CHECKING:
    from collections.abc import Mapping

_full = parameter(path, "A directory of the file system that runs full.", example="/var/lib/data")
_file = parameter(path, "The file or directory.", example="/etc/app.toml")
_mounted = parameter(path, "The directory that the fault covers.", example="/var/lib/data")
_operations = parameter(
    items(
        choice("open", "read", "write", "fsync", "create", "rename", "unlink", "mkdir", "readdir", "stat", "truncate"),
        at_least=1,
    ),
    "The operations that are struck. Left out: all of them.", example="[write, fsync]",
)  # fmt: skip

RESOURCE: Mapping[str, Kind] = MappingProxyType({
    "resource.cpu_stress": Kind(
        doc="Processes that count as the container's burn its processors; inside it nobody sees them.",
        parameters={
            "workers": parameter(integer(1, 1000), "How many.", "1", example="2"),
            "load": parameter(percent, "The share of the time that each of them burns.", "100"),
        },
        rungs=("stressor",), available=True,
    ),
    "resource.cpu_throttle": Kind(
        doc="The container gets less processor time than it has.",
        parameters={"cpus": parameter(number(0, above=True), "How many processors' worth.", example="0.1")},
        required=("cpus",),
        rungs=("cgroup",), available=True,
    ),
    "resource.memory_pressure": Kind(
        doc="Memory is taken that counts as the container's, and given back at the fault's end; more than it may have, "
        "or than the machine can spare, is refused.",
        parameters={
            "size": parameter(positive_size, "How much, in bytes."),
            "percent": parameter(percent, "How much, as a share of its limit.", example="80"),
            "ramp": parameter(duration, "The time in which it is taken.", "0", example="5s"),
        },
        exactly_one=("size", "percent"),
        rungs=("stressor",), available=True,
    ),
    "resource.memory_limit": Kind(
        doc="The container's memory limit is another one, without swap; one below what it uses is refused. A service "
        "that the kernel ends for it is brought back.",
        parameters={"memory": parameter(positive_size, "The limit, in bytes.")},
        required=("memory",),
        rungs=("cgroup",), available=True,
    ),
    "resource.memory_leak": Kind(
        doc="More and more memory is taken that counts as the container's, in steps, until the fault's end or until "
        "the kernel ends the service, which needs a memory limit and is brought back.",
        parameters={
            "step": parameter(positive_size, "How much more each time, in bytes.", example="1MiB"),
            "every": parameter(positive_duration, "The time between two steps.", example="500ms"),
        },
        required=("step", "every"),
        rungs=("stressor",), available=True,
    ),
    "resource.disk_full": Kind(
        doc="A file system of the container's own with a size (`tmpfs`) is full, and stays so; that of the machine "
        "is refused. With neither `leave` nor `percent` nothing is left. For a moment at its begin even less is.",
        parameters={
            "path": _full,
            "leave": parameter(size, "How much is left, in bytes.", example="1MiB"),
            "percent": parameter(percent, "Which share of it is in use.", example="95"),
        },
        required=("path",),
        at_most_one=(("leave", "percent"),),
        rungs=("ballast",), available=True,
    ),
    "resource.inode_exhaustion": Kind(
        doc="A file system in memory of the container's own (`tmpfs`) has no room for new files.",
        parameters={"path": _full, "leave": parameter(integer(0), "How many files there is room for.", "0")},
        required=("path",),
        rungs=("remount",), available=True,
    ),
    "resource.fd_exhaustion": Kind(
        doc="The processes of the container can open no more files.",
        parameters={"leave": parameter(integer(0), "How many each of them can still open.", "0")},
        rungs=("prlimit",), available=True,
    ),
    "resource.pids_limit": Kind(
        doc="The container can start no more processes than this. For a moment at its begin it can start none.",
        parameters={"max": parameter(integer(1), "Processes and threads.", example="20")},
        required=("max",),
        rungs=("cgroup",), available=True,
    ),
    "resource.io_throttle": Kind(
        doc="The container reads or writes the disk of its own layer slowly. Control groups of version 1 count only "
        "what goes past the page cache.",
        parameters={
            "read": parameter(rate, "The most that it reads.", example="4MiB/s"),
            "write": parameter(rate, "The most that it writes.", example="1MiB/s"),
        },
        at_least_one=("read", "write"),
        rungs=("cgroup",), available=True,
    ),
    "resource.file_size": Kind(
        doc="The processes of the container can write no file that is larger.",
        parameters={"max": parameter(positive_size, "The largest size, in bytes.", example="1MiB")},
        required=("max",),
        rungs=("prlimit",), available=True,
    ),
})  # fmt: skip

_MODE = "a mode in octal digits, such as 0400"
_OWNER = "an owner, such as root or 1000:1000"

FILESYSTEM: Mapping[str, Kind] = MappingProxyType({
    "filesystem.read_only": Kind(
        doc="Nothing can be written below a directory.", parameters={"path": _mounted}, required=("path",),
        rungs=("mount",), available=True,
    ),
    "filesystem.permission": Kind(
        doc="A file or directory has another mode or owner.",
        parameters={
            "path": _file,
            "mode": parameter(written_as("[0-7]{3,4}", _MODE, example='"0400"'), "The mode, in octal digits."),
            "owner": parameter(
                written_as(r"[a-z_0-9][a-z0-9_.-]*(?::[a-z_0-9][a-z0-9_.-]*)?", _OWNER, example="root"),
                "The owner, and after a colon the group.",
            ),
        },
        required=("path",),
        at_least_one=("mode", "owner"),
        rungs=("files",), available=True,
    ),
    "filesystem.missing": Kind(
        doc="A file or directory is not there, and is put back at the fault's end.", parameters={"path": _file},
        required=("path",), rungs=("files",), available=True,
    ),
    "filesystem.corrupt": Kind(
        doc="Bytes of a file are changed, or its end is cut off; a copy is put back at the fault's end.",
        parameters={
            "path": _file,
            "offset": parameter(size, "Where the bytes begin. Left out: drawn from the seed.", example="0"),
            "bytes": parameter(positive_size, "How many bytes are changed.", example="16"),
            "truncate": parameter(size, "The size to which it is cut.", example="100"),
        },
        required=("path",),
        exactly_one=("bytes", "truncate"),
        at_most_one=(("offset", "truncate"),),
        rungs=("files",), available=True,
    ),
    "filesystem.io_error": Kind(
        doc="Operations below a directory fail.",
        parameters={
            "path": _mounted,
            "operations": _operations,
            "errno": parameter(pattern_text("E[A-Z0-9]{2,15}", "an error such as EIO", example="EIO"),
                               "The error that they fail with.", "EIO", example="ENOSPC"),
            "percent": parameter(percent, "The share of them, each decided by the seeded stream.", "100"),
        },
        required=("path",),
        rungs=("fuse",), available=True,
    ),
    "filesystem.io_delay": Kind(
        doc="Operations below a directory are slow.",
        parameters={
            "path": _mounted,
            "operations": _operations,
            "delay": parameter(positive_duration, "How much longer each of them takes.", example="50ms"),
        },
        required=("path", "delay"),
        rungs=("fuse",), available=True,
    ),
    "filesystem.lock": Kind(
        doc="A lock on a file is held.",
        parameters={"path": _file, "kind": parameter(choice("flock", "fcntl"), "Which kind of lock.", "flock")},
        required=("path",),
        rungs=("process",), available=True,
    ),
    "filesystem.churn": Kind(
        doc="Files are made, written, renamed and removed all the time.",
        parameters={
            "path": _mounted,
            "workers": parameter(integer(1, 1000), "How many processes do so.", "1", example="4"),
            "files": parameter(integer(1), "How many files each of them has at once.", "100", example="1000"),
        },
        required=("path",),
        rungs=("process",), available=True,
    ),
    "filesystem.symlink": Kind(
        doc="A path is a symbolic link that leads nowhere.",
        parameters={
            "path": _file,
            "kind": parameter(choice("dangling", "loop"), "To nothing, or back to itself.", "dangling"),
        },
        required=("path",),
        rungs=("files",), available=True,
    ),
    "filesystem.unlink_open": Kind(
        doc="A file is removed while it is open; it is put back at the fault's end.", parameters={"path": _file},
        required=("path",), rungs=("files",), available=True,
    ),
})  # fmt: skip

CLOCK: Mapping[str, Kind] = MappingProxyType({
    "clock.skew": Kind(
        doc="The container's clock is wrong by a fixed time.",
        parameters={"offset": parameter(offset, "By how much; ahead when positive.")},
        required=("offset",),
        rungs=("libfaketime",), available=True,
    ),
    "clock.jump": Kind(
        doc="The container's clock jumps, again and again.",
        parameters={
            "offsets": parameter(
                items(offset, at_least=1), "How far it is ahead after each jump, in order, and from the first again.",
                example="[1h, -90s]",
            ),
            "every": parameter(positive_duration, "The time between two jumps.", example="1s"),
        },
        required=("offsets", "every"),
        rungs=("libfaketime",), available=True,
    ),
    "clock.rate": Kind(
        doc="The container's clock runs faster or slower.",
        parameters={
            "rate": parameter(number(0, FASTEST, above=True), "How many times as fast.", example="1.5")
        },
        required=("rate",),
        rungs=("libfaketime",), available=True,
    ),
    "clock.freeze": Kind(
        doc="The container's clock stands still.",
        parameters={
            "at": parameter(instant, "What it shows. Left out: the time at which the fault begins.")
        },
        rungs=("libfaketime",), available=True,
        nested=True,
    ),
})  # fmt: skip
