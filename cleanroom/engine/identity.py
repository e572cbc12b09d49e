"""Who owns what: the identity of a run, of the process that owns it, and of the container around that."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

RUN_LABEL = "cleanroom.run"
ROLE_LABEL = "cleanroom.role"
OWNER_LABEL = "cleanroom.owner"
RUN_ID = re.compile(r"[0-9a-f]{8}")
# The runner calls `docker run --label <6 hex digits>`; a sibling that carries it is removed by the runner's own
# clean-up.
_RUNNER_LABEL = re.compile(r"[0-9a-f]{6}")
# An engine mounts these three from its own folder of the container: `<data root>/containers/<64 hex>/hostname`.
_OWN_FILES = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf)$")
# The root's own line of mountinfo: ` / / rw … - overlay overlay rw,lowerdir=…,upperdir=<path>,workdir=…`.
_UPPER = re.compile(r"(?<=,)upperdir=([^,\s]+)")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that owns a run, named so that its death can be proven later, even after a reboot."""

    pid: int
    start: int
    """Start time in clock ticks since boot (field 22 of /proc/<pid>/stat): a reused pid has another one."""
    boot: str
    """Boot id of the kernel: another one means that the machine has been started again since, or is another machine."""
    namespace: str
    """The PID namespace that `pid` is counted in, e.g. `pid:[4026531836]`."""
    container: str = ""
    """Id of the container that the process lives in, "" outside of one."""

    def encode(self) -> str:
        """Return the owner as the text of a label."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


def decode_owner(text: str) -> Owner | None:
    """Return the owner that a label names; None where the text is not one of ours."""
    try:
        raw = json.loads(text)
        return Owner(
            pid=int(raw["pid"]),
            start=int(raw["start"]),
            boot=str(raw["boot"]),
            namespace=str(raw["namespace"]),
            container=str(raw["container"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def new_run_id() -> str:
    """Return a fresh run id: 8 hex digits."""
    return secrets.token_hex(4)


def boot_id() -> str:
    """Return the kernel's boot id."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time(pid: int) -> int | None:
    """Return when process `pid` started, in clock ticks since boot; None when there is none, or only its zombie."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command name stands in parentheses and may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def this_process(container: str = "") -> Owner:
    """Return the identity of the calling process."""
    pid = os.getpid()
    return Owner(
        pid=pid,
        start=start_time(pid) or 0,
        boot=boot_id(),
        namespace=str(Path("/proc/self/ns/pid").readlink()),
        container=container,
    )


def provably_dead(owner: Owner, observer: Owner) -> bool | None:
    """Whether the process `owner` is dead, as `observer` (the calling process) can tell; None: it cannot tell.

    Another boot id says nothing by itself: the engine that shows the label may be another machine's.
    """
    if owner.boot != observer.boot or owner.namespace != observer.namespace:
        return None
    return start_time(owner.pid) != owner.start


def own_container_id(mountinfo: str) -> str:
    """Return the id that a `/proc/self/mountinfo` names for the container it was read in, "" where it names none.

    A claim, not a proof: it is to be verified with the engine (`same_mounts`).
    """
    found = {match[1] for line in mountinfo.splitlines() if (match := _OWN_FILES.search(_unescape(_field(line, 3))))}
    return found.pop() if len(found) == 1 else ""


def same_mounts(inspected: Mapping[str, object], mountinfo: str) -> bool:
    """Whether an inspected container is the one that `mountinfo` was read in: all its mounts are mount points here."""
    mounts = inspected.get("Mounts")
    if not isinstance(mounts, list):
        return False
    here = {_unescape(_field(line, 4)) for line in mountinfo.splitlines()}
    wanted = {str(mount.get("Destination", "")) for mount in mounts if isinstance(mount, dict)}
    # Debian's /var/run is a link to /run, and the kernel names mount points by their real path.
    return all(path in here or path.replace("/var/run/", "/run/", 1) in here for path in wanted)


def own_layer(mountinfo: str) -> str:
    """Return the writable layer below `/` as `<id>/<folder>`, the end of its path; "" where `/` is no overlay."""
    for line in mountinfo.splitlines():
        if _field(line, 4) == "/" and (match := _UPPER.search(line)):
            return _tail(_unescape(match[1]))
    return ""


def same_layer(inspected: Mapping[str, object], layer: str) -> bool | None:
    """Whether an inspected container has the writable layer that `own_layer` named; None: the engine does not tell.

    Mounts alone do not prove it: a container that joined another's network is shown that one's `/etc/hostname`, and
    the two may have the same mounts.
    """
    driver = inspected.get("GraphDriver")
    data = driver.get("Data") if isinstance(driver, dict) else None
    upper = data.get("UpperDir") if isinstance(data, dict) else None
    return _tail(str(upper)) == layer if upper and layer else None


def runner_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels by which a workflow runner finds what is left of its job, out of our own container's labels."""
    return {name: value for name, value in labels.items() if _RUNNER_LABEL.fullmatch(name)}


def ours(labels: Mapping[str, str], run: str) -> bool:
    """Whether something with these labels belongs to `run`."""
    return labels.get(RUN_LABEL) == run


def run_filter(run: str = "") -> Mapping[str, Iterable[str]]:
    """Return the engine filter for what belongs to `run`, or to any run of ours."""
    return {"label": [f"{RUN_LABEL}={run}" if run else RUN_LABEL]}


def _tail(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _field(line: str, index: int) -> str:
    fields = line.split(" ")
    return fields[index] if len(fields) > index else ""


def _unescape(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
