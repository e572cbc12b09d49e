"""What is done to a path inside the target's mount namespace, looked at, and undone: one class for each deed.

Each works on the job that the parent sent and returns JSON. `state` in a job is what `apply` returned: the parent keeps
it, so that a deed can be undone by another process, after the container was started anew.
"""

# ruff: noqa: PTH108, PTH110, PTH112, PTH114, PTH115, PTH116, PTH119, PTH120, PTH208, PTH211 - paths are the target's, and many calls go by descriptor

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Any, Protocol

from cleanroom.faults.filesystem.corrupt import Corrupt
from cleanroom.faults.filesystem.permission import Permission
from cleanroom.faults.filesystem.refusal import RefusedError
from cleanroom.faults.filesystem.shadow import bring_back, hide, identity, remove_tree
from cleanroom.faults.filesystem.system import cover_read_only, unmount

Job = dict[str, Any]
Answer = dict[str, Any]


class Deed(Protocol):
    """One kind of change to a path."""

    def apply(self, job: Job) -> Answer:
        """Do it and return the state that `undo` needs."""

    def look(self, job: Job) -> Answer:
        """Return `holds`, `reason` and `facts`: whether it is so now, by operations of ours."""

    def undo(self, job: Job) -> Answer:
        """Undo it and return facts."""

    def gone(self, job: Job) -> Answer:
        """Return `holds`, `reason` and `facts`: whether all is as before."""


def found(reason: str, **facts: object) -> Answer:
    """Return an answer that holds when there is no reason against it."""
    return {"holds": not reason, "reason": reason, "facts": facts}


def failing(function: Callable[[], object]) -> str:
    """Return the name of the error that it fails with; empty when it does not fail."""
    try:
        function()
    except OSError as err:
        return errno.errorcode.get(err.errno or 0, str(err.errno))
    return ""


def _probes(job: Job) -> list[str]:
    return [name for name in os.listdir(job["state"]["real"]) if name.startswith(f".cleanroom-{job['token']}-")]


class ReadOnly:
    """The path is mounted over itself, read-only."""

    def apply(self, job: Job) -> Answer:
        """Cover it."""
        path = os.path.realpath(job["path"])
        if path == "/":
            raise RefusedError(
                "the root of a container cannot be covered: its processes stand in it already",
                "name a directory below /",
            )
        os.stat(path)
        if not os.access(path, os.W_OK):
            raise RefusedError(f"{path} is read-only already")
        cover_read_only(path)
        return {"real": path}

    def look(self, job: Job) -> Answer:
        """Try to write, as root."""
        path = job["state"]["real"]
        probe = f"{path}/.cleanroom-{job['token']}"

        def write() -> None:
            if os.path.isdir(path):
                os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                os.unlink(probe)
            else:
                os.close(os.open(path, os.O_WRONLY))

        error = failing(write)
        wrong = "" if error == "EROFS" else f"a write of ours below {path} got {error or 'through'}, not EROFS"
        return found(wrong, write=error or "ok")

    def undo(self, job: Job) -> Answer:
        """Uncover it."""
        unmount(job["state"]["real"])
        return {}

    def gone(self, job: Job) -> Answer:
        """Whether it can be written again."""
        path = job["state"]["real"]
        writable = os.access(path, os.W_OK)
        return found("" if writable else f"{path} is still read-only", writable=writable)


class Missing:
    """The path has another name, beside it."""

    def apply(self, job: Job) -> Answer:
        """Hide it."""
        return hide(job["path"], job["token"])

    def look(self, job: Job) -> Answer:
        """Ask for it."""
        error = failing(lambda: os.lstat(job["path"]))
        return found("" if error == "ENOENT" else f"{job['path']} is there", stat=error or "ok")

    def undo(self, job: Job) -> Answer:
        """Put it back; what was made in its place meanwhile is kept beside it."""
        return bring_back(job["path"], job["state"], job["token"])

    def gone(self, job: Job) -> Answer:
        """Whether the same thing is there; in another container: whether nothing of ours is."""
        if job.get("elsewhere"):
            return self._left(job)
        same = identity(job["path"]) == job["state"]["identity"]
        return found("" if same else f"{job['path']} is not what it was", restored=same)

    def _left(self, job: Job) -> Answer:
        shadow = job["state"]["shadow"]
        return found(f"{job['path']} is still {shadow}" if os.path.lexists(shadow) else "")


class Symlink(Missing):
    """The path is a link that leads nowhere, and what was there has another name."""

    def apply(self, job: Job) -> Answer:
        """Put the link there."""
        path = job["path"]
        if not os.path.lexists(path):
            raise RefusedError(f"there is no {path} in the container")
        target = os.path.basename(path) if job["kind"] == "loop" else f"/.cleanroom-{job['token']}/nowhere"
        state = hide(path, job["token"])
        try:
            os.symlink(target, path)
        except OSError:
            bring_back(path, state, job["token"])
            raise
        return {**state, "target": target}

    def look(self, job: Job) -> Answer:
        """Open it."""
        error = failing(lambda: os.close(os.open(job["path"], os.O_RDONLY)))
        wanted = "ELOOP" if job["kind"] == "loop" else "ENOENT"
        linked = os.path.islink(job["path"])
        wrong = "" if (error, linked) == (wanted, True) else f"{job['path']} opens with {error or 'success'}"
        return found(wrong, open=error or "ok", link=os.readlink(job["path"]) if linked else "")

    def undo(self, job: Job) -> Answer:
        """Take the link away, where it is still ours, and put back what was there."""
        path = job["path"]
        if os.path.islink(path) and os.readlink(path) == job["state"]["target"]:
            os.unlink(path)
        return bring_back(path, job["state"], job["token"])


class UnlinkOpen(Missing):
    """The name of a file is removed; another link to it keeps it for its return."""

    def apply(self, job: Job) -> Answer:
        """Remove the name."""
        path = os.path.realpath(job["path"])
        was = os.stat(path)
        if not stat.S_ISREG(was.st_mode):
            raise RefusedError(f"{path} is not a regular file")
        shadow = f"{os.path.dirname(path)}/.cleanroom-{job['token']}"
        os.link(path, shadow)
        now = os.stat(path)
        os.unlink(path)
        # A file of the image becomes another one when it is first linked: those who had it open have the old one.
        return {"shadow": shadow, "identity": identity(shadow), "real": path,
                "inodes": sorted({(was.st_dev, was.st_ino), (now.st_dev, now.st_ino)})}  # fmt: skip

    def undo(self, job: Job) -> Answer:
        """Give it its name back."""
        return bring_back(job["state"]["real"], job["state"], job["token"])


class Swept:
    """Nothing but what operations of ours may have left below a directory that was covered."""

    def apply(self, job: Job) -> Answer:
        """Find the directory."""
        path = os.path.realpath(job["path"])
        if not os.path.isdir(path):
            raise RefusedError(f"{path} is not a directory" if os.path.exists(path) else f"there is no {path}")
        if path == "/":
            raise RefusedError("the root of a container cannot be covered", "name a directory below /")
        return {"real": path}

    def look(self, job: Job) -> Answer:
        """Say what is left."""
        left = _probes(job)
        return found(f"still there: {', '.join(left)}" if left else "")

    def undo(self, job: Job) -> Answer:
        """Uncover it where it is covered, and remove what is left."""
        path = job["state"]["real"]
        if job["covered"]:
            unmount(path)
        for name in _probes(job):
            remove_tree(f"{path}/{name}")
        return {}

    gone = look


DEEDS: dict[str, Deed] = {
    "read_only": ReadOnly(),
    "permission": Permission(),
    "missing": Missing(),
    "corrupt": Corrupt(),
    "symlink": Symlink(),
    "unlink_open": UnlinkOpen(),
    "swept": Swept(),
}
ACTS: dict[str, Callable[[Job], Answer]] = {
    f"{name}.{act}": getattr(deed, act) for name, deed in DEEDS.items() for act in ("apply", "look", "undo", "gone")
}
