"""What a fault may have left of itself: the state of a container and its namespaces, seen from outside, as a value."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cleanroom.engine.client import DockerEngine

CGROUPS = Path("/sys/fs/cgroup")
# Version 1 has a file for each limit under its controller, version 2 has them all in one group.
LIMITS = (
    "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpuset.cpus",
    "pids.max", "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device",
    "blkio.throttle.write_iops_device", "freezer.state", "memory.max", "memory.swap.max", "memory.high", "cpu.max",
    "io.max", "cgroup.freeze",
)  # fmt: skip
_COUNTERS = re.compile(r"\[\d+:\d+\]|packets \d+ bytes \d+")
# iptables makes a table and its chains on first use, and has no word to remove them: without a rule they do nothing.
_EMPTY_CHAIN = re.compile(r"\tchain \w+ \{\n\t\ttype [^\n]*policy accept;\n\t\}\n\n?")
_EMPTY_TABLE = re.compile(r"table \w+ \w+ \{\n\}\n")
_PER_MOUNT = re.compile(r"^\d+ \d+ \d+:\d+ ")
# Whatever happens by itself in the course of time.
_IDS = re.compile(r"(shared|master|propagate_from):\d+")

_PORT = re.compile(r"\b\d{4,5}\b")

State = dict[str, Any]


def state_of(engine: DockerEngine, container: str) -> State:
    """Return everything that a fault can change and its reversal must restore; the container must run."""
    state = engine.inspect(container)
    pid = state.pid
    return {
        "status": (state.status, state.health),
        "disciplines": _disciplines(pid),
        "filters": _inside(pid, "tc", "filter", "show", "dev", "eth0"),
        "nftables": _without_ports(_nftables(pid)),
        "iptables": {table: _without_ports(_rules(pid, table)) for table in ("mangle", "nat", "filter")},
        "queues": _inside(pid, "cat", "/proc/net/netfilter/nfnetlink_queue"),
        "links": [link["ifname"] for link in json.loads(_inside(pid, "ip", "-j", "link", "show"))],
        "addresses": _addresses(pid),
        "ports": _inside(pid, "cat", "/proc/sys/net/ipv4/ip_local_port_range"),
        "mounts": sorted(
            _IDS.sub("", _PER_MOUNT.sub("", line)) for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        ),
        "limits": _limits(pid),
        "rlimits": Path(f"/proc/{pid}/limits").read_text(),
        "processes": sorted(_commands(pid)),
        "listening": sorted(_without_ports(_inside(pid, "ss", "-Hltun")).splitlines()),
    }


def _without_ports(text: str) -> str:
    """Leave out the ports of the engine's own resolver: it has others after each start of a container."""
    return "\n".join(_PORT.sub("port", line) if "127.0.0.11" in line else line for line in text.splitlines())


@contextmanager
def unchanged(engine: DockerEngine, *containers: str, files: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Fail unless the state of the containers, and what `files` returns, is afterwards what it was before."""
    before = [state_of(engine, one) for one in containers], files()
    yield
    after = [state_of(engine, one) for one in containers], files()
    for was, now in zip(before[0], after[0], strict=True):
        changed = {key: (was[key], now[key]) for key in was if was[key] != now[key]}
        assert not changed, f"left behind: {changed}"
    assert before[1] == after[1]


def _inside(pid: int, *command: str) -> str:
    done = subprocess.run(
        ("nsenter", "--target", str(pid), "--net", *command), capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout if done.returncode == 0 else f"exit {done.returncode}"


def _nftables(pid: int) -> str:
    listed = _COUNTERS.sub("", _inside(pid, "nft", "list", "ruleset"))
    return _EMPTY_TABLE.sub("", _EMPTY_CHAIN.sub("", listed))


def _rules(pid: int, table: str) -> str:
    """Only rules and chains of somebody's: the empty table comes into being by being looked at."""
    lines = _inside(pid, "iptables", "-w", "-t", table, "-S").splitlines()
    return "\n".join(line for line in lines if not line.startswith("-P"))


def _disciplines(pid: int) -> list[object]:
    found = json.loads(_inside(pid, "tc", "-j", "qdisc", "show") or "[]")
    return [(one.get("dev"), one.get("kind"), one.get("options")) for one in found]


def _addresses(pid: int) -> list[object]:
    found = json.loads(_inside(pid, "ip", "-j", "-4", "address", "show") or "[]")
    return [(one["ifname"], [info["local"] for info in one["addr_info"]]) for one in found if one]


def _limits(pid: int) -> dict[str, str]:
    found = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        place = CGROUPS / path.lstrip("/") if number == "0" else CGROUPS / controllers / path.lstrip("/")
        for name in LIMITS:
            file = place / name
            if file.is_file():
                found[f"{controllers}/{name}"] = file.read_text()
    return found


def _commands(pid: int) -> Iterator[str]:
    """Yield the command line of every process in the container's pid namespace."""
    namespace = Path(f"/proc/{pid}/ns/pid").readlink()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "ns/pid").readlink() == namespace:
                yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
