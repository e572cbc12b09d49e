"""The rungs of the family filesystem."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.filesystem.base import Open
from cleanroom.faults.filesystem.change import opener
from cleanroom.faults.filesystem.covered import open_covered
from cleanroom.faults.filesystem.held import open_churn, open_lock
from cleanroom.faults.rung import Ladder, Rung

_INSIDE = (needs.ENGINE, needs.PIDS, needs.MOUNTS)


def _ladder(kind: str, rung: str, mechanism: str, proof: str, opens: Open, *more: str) -> Ladder:
    return Ladder(
        kind=f"filesystem.{kind}",
        rungs=(Rung(name=rung, mechanism=mechanism, needs=(*_INSIDE, *more), proof=proof),),
        open=opens,
    )


LADDERS: tuple[Ladder, ...] = (
    _ladder(
        "read_only", "mount", "a read-only mount of the path over itself, in the target's mount namespace",
        "a write of ours there fails with EROFS", opener("mount"), needs.MOUNT_SETATTR,
    ),
    _ladder(
        "permission", "files", "chmod and chown, restored exactly",
        "what the service's own user may do is another", opener("files"),
    ),
    _ladder("missing", "files", "another name beside it, and back", "ENOENT", opener("files")),
    _ladder(
        "corrupt", "files", "bytes of the seeded stream, the original kept on our side",
        "the file read anew", opener("files"),
    ),
    _ladder("symlink", "files", "a link in its place", "opening it fails with ENOENT or ELOOP", opener("files")),
    _ladder(
        "unlink_open", "files", "its name is removed, another link kept",
        "descriptors of the service that lead to a deleted file", opener("files"),
    ),
    _ladder(
        "io_error", "fuse", "a passthrough of ours over the directory, which strikes by index of the seeded stream",
        "operations of ours that were struck, and its count of the service's", open_covered, needs.FUSE,
    ),
    _ladder(
        "io_delay", "fuse", "a passthrough of ours over the directory, which holds requests back",
        "operations of ours that took as long, and its count of the service's", open_covered, needs.FUSE,
    ),
    _ladder(
        "lock", "process", "a process of ours that holds the lock",
        "another process of ours is refused it; /proc/locks", open_lock,
    ),
    _ladder(
        "churn", "process", "processes of ours that make, rename and remove files",
        "files seen, counts that grow and add up", open_churn,
    ),
)  # fmt: skip
