"""What the first process of a cell does to the kernel's file systems before an engine can run in it."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from cleanroom.errors import CapabilityError

CGROUPS = Path("/sys/fs/cgroup")
# Fixed places that every containerd and every engine of a machine use, whatever their exec root is.
_SHARED_STATE = ("/run/containerd", "/run/docker")


def mount(*arguments: str) -> None:
    """Run the mount command; raises `CapabilityError` with its words."""
    done = subprocess.run(("mount", *arguments), capture_output=True, check=False, timeout=10)
    if done.returncode != 0:
        text = done.stderr.decode("utf-8", "replace").strip()
        raise CapabilityError(
            f"mount {' '.join(arguments)} failed in the cell: {text}",
            remedy="the outer engine must grant SYS_ADMIN and leave seccomp, AppArmor and system paths unconfined",
        )


def prepare_container() -> str:
    """Make /sys and the cgroup tree writable, stop packet forwarding; return what was found, for the report.

    Raises `CapabilityError` when the container lacks what that takes.
    """
    mount("-o", "remount,rw,bind", "/sys")
    kind = _cgroup2() if (CGROUPS / "cgroup.controllers").exists() else _cgroup1()
    for family in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        with contextlib.suppress(FileNotFoundError):  # a kernel without that family has nothing to forward
            Path("/proc/sys/net", family).write_text("0", encoding="ascii")
    return kind


def lock_workspace(path: str) -> None:
    """Make a folder of the cell read-only; raises `CapabilityError` when that fails."""
    mount("--bind", path, path)
    mount("-o", "remount,ro,bind", path)


def prepare_namespaces(runtime: str, binds: dict[str, str], workspace: str) -> str:
    """Give this mount namespace its own runtime folder and engine state.

    `binds` are name in `runtime` → folder of the host. The workspace appears as `<runtime>/workspace`, read-only.
    Raises `CapabilityError` when a mount fails.
    """
    for folder in (*_SHARED_STATE, runtime):
        Path(folder).mkdir(parents=True, exist_ok=True)
        mount("-t", "tmpfs", "-o", "mode=700", "tmpfs", folder)
    for name, source in binds.items():
        target = Path(runtime) / name
        target.mkdir()
        mount("--bind", source, str(target))
    if workspace:
        target = Path(runtime) / "workspace"
        target.mkdir()
        mount("--rbind", workspace, str(target))
        mount("-o", "remount,ro,bind", str(target))
    return "cgroup v2" if (CGROUPS / "cgroup.controllers").exists() else "cgroup v1"


def unmount_below(folder: str) -> None:
    """Detach every mount below `folder` in this mount namespace, the deepest first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = [line.split(" ")[4] for line in lines]
    for point in sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True):
        # What cannot be detached keeps its folder from being removed, and whoever removes it says so.
        subprocess.run(("umount", "--lazy", point), capture_output=True, check=False, timeout=10)


def _cgroup1() -> str:
    """Make each hierarchy writable: the engine mounts it read-only, a flag of the mount and not of the hierarchy."""
    for hierarchy in sorted(CGROUPS.iterdir()):
        if hierarchy.is_dir() and not hierarchy.is_symlink() and hierarchy.is_mount():
            mount("-o", "remount,rw,bind", str(hierarchy))
    return "cgroup v1"


def _cgroup2() -> str:
    """Hand the controllers down, which a group with processes in it cannot: they all move into one of their own."""
    mount("-o", "remount,rw,bind", str(CGROUPS))
    init = CGROUPS / "init"
    init.mkdir(exist_ok=True)
    # Processes may be forking while they are moved: again until none is left, bounded.
    for _ in range(20):
        pids = (CGROUPS / "cgroup.procs").read_text(encoding="ascii").split()
        if not pids:
            break
        for pid in pids:
            with contextlib.suppress(OSError):  # it ended between the reading and the moving
                (init / "cgroup.procs").write_text(pid, encoding="ascii")
    for controller in (CGROUPS / "cgroup.controllers").read_text(encoding="ascii").split():
        with contextlib.suppress(
            OSError
        ):  # one that cannot be handed down is missed by whoever needs it, with its own words
            (CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
    return "cgroup v2"
