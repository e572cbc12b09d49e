"""Another mode or owner of a path; the effect is what the service's own user may do with it, before and now."""

# ruff: noqa: PTH101, PTH116, PTH123 - paths are the target's, and many calls go by descriptor

from __future__ import annotations

import os
import stat
from typing import Any

from cleanroom.faults.filesystem.refusal import RefusedError
from cleanroom.faults.filesystem.system import become

_MAY = (("r", os.R_OK), ("w", os.W_OK), ("x", os.X_OK))
# CAP_DAC_OVERRIDE: whom modes do not bind.
_OVERRIDE = 1 << 1
_PASSWD, _GROUP = "/etc/passwd", "/etc/group"

Job = dict[str, Any]


class Permission:
    """The deed; `users` in a job are the credentials of the service's processes."""

    def apply(self, job: Job) -> dict[str, Any]:
        """Change what was asked, and remember all of it."""
        path = job["path"]
        was = os.stat(path)
        state: dict[str, Any] = {
            "mode": stat.S_IMODE(was.st_mode), "uid": was.st_uid, "gid": was.st_gid, "inode": was.st_ino,
            "access": {user["name"]: access_of(path, user) for user in job["users"]},
        }  # fmt: skip
        if job.get("owner"):
            os.chown(path, *owner_of(job["owner"]))
        # Afterwards, for a new owner takes the set-id bits away; before that one would not have restored them, either.
        mode = int(job["mode"], 8) if job.get("mode") else state["mode"]
        os.chmod(path, mode)
        now = os.stat(path)
        return {**state, "ours": [stat.S_IMODE(now.st_mode), now.st_uid, now.st_gid]}

    def look(self, job: Job) -> dict[str, Any]:
        """Ask for access as each of the service's users."""
        before = job["state"]["access"]
        now = {user["name"]: access_of(job["path"], user) for user in job["users"]}
        facts = {f"access.{name}": f"{before.get(name, '?')} → {now[name]}" for name in now}
        changed = any(before.get(name) not in (None, now[name]) for name in now)
        above = [user["name"] for user in job["users"] if user["capabilities"] & _OVERRIDE]
        reason = "its users may do with the path what they could before"
        if above:
            reason = f"it runs as {', '.join(above)} with CAP_DAC_OVERRIDE, whom modes and owners do not bind"
        return {"holds": changed, "reason": "" if changed else reason, "facts": facts}

    def undo(self, job: Job) -> dict[str, Any]:
        """Restore what is still as we left it; what somebody changed meanwhile is theirs."""
        path, state = job["path"], job["state"]
        try:
            now = os.stat(path)
        except FileNotFoundError:
            return {"changed_meanwhile": "removed"}
        mode, uid, gid = state["ours"]
        if now.st_ino != state["inode"]:
            return {"changed_meanwhile": "replaced"}
        if (now.st_uid, now.st_gid) == (uid, gid):
            os.chown(path, state["uid"], state["gid"])
        if stat.S_IMODE(now.st_mode) == mode:
            os.chmod(path, state["mode"])
            return {}
        return {"changed_meanwhile": f"mode {stat.S_IMODE(now.st_mode):04o}"}

    def gone(self, job: Job) -> dict[str, Any]:
        """Whether nothing of ours is there any more."""
        state = job["state"]
        try:
            now = os.stat(job["path"])
        except FileNotFoundError:
            return {"holds": True, "reason": "", "facts": {"stat": "ENOENT"}}
        facts = {"mode": f"{stat.S_IMODE(now.st_mode):04o}", "owner": f"{now.st_uid}:{now.st_gid}"}
        was = [state["mode"], state["uid"], state["gid"]]
        # Either as it was, or as somebody else made it.
        ours = [stat.S_IMODE(now.st_mode), now.st_uid, now.st_gid] == state["ours"] and state["ours"] != was
        left = ours and now.st_ino == state["inode"]
        return {"holds": not left, "reason": f"{job['path']} is still {facts['mode']}" if left else "", "facts": facts}


def access_of(path: str, user: dict[str, Any]) -> str:
    """Return what a process with these credentials may do, e.g. `rw-`; a process that is thrown away asks."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            become(user["uid"], user["gid"], user["groups"], user["capabilities"])
            said = "".join(letter if os.access(path, bit, effective_ids=True) else "-" for letter, bit in _MAY)
        except OSError as err:
            said = f"cannot ask: {err.strerror}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 256).decode()
    os.close(reader)
    os.waitpid(child, 0)
    return said


def owner_of(text: str) -> tuple[int, int]:
    """Return uid and gid of `user[:group]` by the container's own names; -1 for a group that was not named."""
    user, _, group = text.partition(":")
    return _number(user, _PASSWD), _number(group, _GROUP) if group else -1


def _number(name: str, table: str) -> int:
    if name.isdigit():
        return int(name)
    try:
        with open(table, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                fields = line.rstrip("\n").split(":")
                if fields[0] == name and len(fields) > 2 and fields[2].isdigit():  # noqa: PLR2004 - name:password:number
                    return int(fields[2])
    except FileNotFoundError:
        pass
    if name == "root":
        return 0
    raise RefusedError(f"the container's {table} knows no {name}", "use a number")
