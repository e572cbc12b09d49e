"""Which file systems a container has for itself, and on which disks the others are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import CapabilityError

# An engine's volume in memory is mounted where the engine keeps its volumes, which we see as well.
_VOLUME = "/_data"
_VOLUMES = "/volumes/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of /proc/<pid>/mountinfo."""

    device: str
    root: str
    point: str
    kind: str
    options: str


def read_mounts(text: str) -> tuple[Mount, ...]:
    """Return the mounts of a mountinfo file."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        words, behind = left.split(), right.split()
        found.append(Mount(device=words[2], root=words[3], point=words[4], kind=behind[0], options=behind[-1]))
    return tuple(found)


def own_file_systems(inside: tuple[Mount, ...], ours: tuple[Mount, ...]) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return the devices that are the container's own and have a size, and of the others, whose they are."""
    shared = {
        mount.device for mount in ours
        if not (mount.kind == "tmpfs" and _VOLUMES in mount.point and mount.point.endswith(_VOLUME))
    }  # fmt: skip
    own, others = [], {}
    for mount in inside:
        if mount.kind != "overlay" and mount.device not in shared and mount.kind in ("tmpfs", "ext4", "xfs", "btrfs"):
            own.append(mount.device)
        else:
            others[mount.device] = f"{mount.kind}, which is the machine's: to fill it would fill the machine"
    return tuple(dict.fromkeys(own)), others


def memory_file_systems(mounts: tuple[Mount, ...]) -> frozenset[str]:
    """Return the devices that are kept in memory."""
    return frozenset(mount.device for mount in mounts if mount.kind == "tmpfs")


def disk_of(pid: int, proc: Path = Path("/proc"), system: Path = Path("/sys")) -> tuple[str, str]:
    """Return the disk (`major:minor`) that the container's own layer is on, and a directory there.

    Raises `CapabilityError` where that layer is not ours to see, or is on no disk.
    """
    text = (proc / str(pid) / "mountinfo").read_text(encoding="utf-8", errors="replace")
    root = next((mount for mount in reversed(read_mounts(text)) if mount.point == "/"), None)
    upper = (
        next((o.partition("=")[2] for o in root.options.split(",") if o.startswith("upperdir=")), "") if root else ""
    )
    folder = Path(upper).parent if upper else None
    try:
        device = os.stat(folder).st_dev if folder is not None else 0  # noqa: PTH116 - one call
    except OSError:
        device = 0
    name = f"{os.major(device)}:{os.minor(device)}"
    if folder is None or not os.major(device):
        raise CapabilityError(
            "the container's own layer is on no disk that can be seen from here",
            remedy="use an engine on this machine whose data root is on a disk",
        )
    block = system / "dev/block" / name
    if (block / "partition").exists():
        # Limits are of whole disks.
        name = (block.resolve().parent / "dev").read_text(encoding="ascii").strip()
    return name, str(folder)
