"""What a killed cell of namespaces leaves on the host, and its removal: interfaces, packet filter, cgroups."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cleanroom.engine.prepare import CGROUPS

_ATTEMPTS = 40
_PAUSE = 0.05
_NET = Path("/sys/class/net")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTraces:
    """The names by which the traces of one run on a host are found, derived from its id alone."""

    run: str

    @property
    def link_prefix(self) -> str:
        """Bridges are `clr-<first 4 hex digits of the run id>-<slot>`."""
        return f"clr-{self.run[:4]}-"

    @property
    def engine_bridge(self) -> str:
        """The interface that a private engine gets in place of docker0."""
        return f"clrd-{self.run[:4]}"

    @property
    def table(self) -> str:
        """Name of the nftables table (any family)."""
        return f"cleanroom_{self.run[:4]}"

    @property
    def cgroup(self) -> str:
        """Name of the run's group under the root of each hierarchy."""
        return f"cleanroom-{self.run}"


def find(traces: HostTraces) -> tuple[str, ...]:
    """Return what exists of a run on this host: `link …`, `table …`, `cgroup …`."""
    return (
        *(f"link {name}" for name in _links(traces)),
        *(f"table {family} {name}" for family, name in _tables(traces)),
        *(f"{tool} rule {' '.join(rule)}" for tool, rule in _rules(traces)),
        *(f"cgroup {path}" for path in _cgroups(traces)),
    )


def remove(traces: HostTraces) -> tuple[str, ...]:
    """Remove the traces of a run whose processes are dead; return those that could not be removed."""
    for name in _links(traces):
        _call("ip", "link", "delete", name)
    for family, name in _tables(traces):
        _call("nft", "delete", "table", family, name)
    for tool, rule in _rules(traces):
        _call(tool, "--wait", "5", "--delete", *rule)
    # A cgroup is busy for a moment after its last process died.
    for _ in range(_ATTEMPTS):
        for path in _cgroups(traces):
            _remove_tree(path)
        if not any(True for _ in _cgroups(traces)):
            break
        time.sleep(_PAUSE)
    return find(traces)


def _links(traces: HostTraces) -> tuple[str, ...]:
    """Return the run's bridges, and before them what is plugged into them.

    An engine that dies between making a cable and putting its other end into a container leaves both ends here, and
    once the bridge is gone nobody can tell whose they are.
    """
    names = (entry.name for entry in _NET.iterdir())
    bridges = sorted(name for name in names if name.startswith(traces.link_prefix) or name == traces.engine_bridge)
    ports = {port.name for bridge in bridges for port in (_NET / bridge / "brif").glob("*")}
    return (*sorted(ports), *bridges)


def _tables(traces: HostTraces) -> tuple[tuple[str, str], ...]:
    try:
        listed = json.loads(_call("nft", "--json", "list", "tables") or "{}")
    except ValueError:
        return ()
    tables = (entry["table"] for entry in listed.get("nftables", ()) if "table" in entry)
    return tuple((t["family"], t["name"]) for t in tables if t["name"] == traces.table)


def _rules(traces: HostTraces) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the rules of the machine's packet filter that name our bridges, each as arguments of `--delete`."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for tool in ("iptables", "ip6tables"):
        for line in _call(tool, "--wait", "5", "--list-rules").splitlines():
            words = shlex.split(line)
            if words[:1] == ["-A"] and any(word.startswith(traces.link_prefix) for word in words):
                found.append((tool, tuple(words[1:])))
    return tuple(found)


def _cgroups(traces: HostTraces) -> Iterator[Path]:
    roots = [CGROUPS]
    with contextlib.suppress(OSError):  # no cgroup tree, no groups in it
        roots += [entry for entry in CGROUPS.iterdir() if entry.is_dir() and entry.is_mount()]
    yield from (root / traces.cgroup for root in roots if (root / traces.cgroup).is_dir())


def _remove_tree(path: Path) -> None:
    with contextlib.suppress(OSError):  # busy or gone: the caller looks again
        for child in path.iterdir():
            if child.is_dir():
                _remove_tree(child)
    with contextlib.suppress(OSError):  # the same
        path.rmdir()


def _call(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        # The tool is not there, so nothing was made with it; what was made all the same shows in `find`.
        return ""
    return done.stdout.decode("utf-8", "replace")
