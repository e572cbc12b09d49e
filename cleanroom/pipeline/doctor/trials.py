"""Every need of a rung tried for real: in a network namespace of its own, or on a throw-away container."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from cleanroom.engine.cgroup import group_of
from cleanroom.engine.client import DockerEngine
from cleanroom.engine.clock import KIT, LIBRARY
from cleanroom.engine.ports import ContainerSpec, ContainerState
from cleanroom.errors import CleanroomError
from cleanroom.faults import needs
from cleanroom.faults.container.wrapper import MACHINE
from cleanroom.faults.filesystem.passthrough import DEVICE, prepare
from cleanroom.faults.filesystem.refusal import RefusedError
from cleanroom.faults.needs import NEEDS
from cleanroom.faults.victim import visible_pid
from cleanroom.pipeline.doctor.findings import Diagnosis
from cleanroom.pipeline.probe import IMAGE, OURS, make_probe_image, our_python

_TIMEOUT: Final = 15
_SLEEP: Final = "import signal; signal.pause()"
# Gone with its process.
_ALONE: Final = ("unshare", "--net")
_SH: Final = (*_ALONE, "sh", "-ec")
_RANGE: Final = "/proc/sys/net/ipv4/ip_local_port_range"
_HTB: Final = "tc qdisc add dev lo root handle 1: htb default 1 && tc class add dev lo parent 1: classid 1:1 htb rate"
_QUEUE: Final = "iptables -t mangle -A OUTPUT -j NFQUEUE --queue-num 77 --queue-bypass"
_COVER: Final = "from cleanroom.faults.filesystem.system import cover_read_only; cover_read_only('/proc')"
_NETEM: Final = "tc qdisc add dev lo root netem delay 1ms"
Trial: TypeAlias = Callable[[ContainerState], str]
"""Raises `OSError` or `CleanroomError`, or returns words, where it does not work."""


def _nft(chain: str, rule: str, family: str = "inet") -> tuple[str, ...]:
    table = f"table {family} cleanroom_doctor {{ chain c {{ {chain}; {rule}; }}; }}"
    return (*_ALONE, "nft", table)


_IN = "type filter hook input priority 0"
_ON_WIRE = 'type filter hook egress device "lo" priority 0'
COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    needs.SYSCTL: (*_SH, f"cat {_RANGE} > /dev/null; echo 40000 40001 > {_RANGE}"),
    needs.NETEM: (*_SH, _NETEM),
    needs.HTB: (*_SH, f"{_HTB} 1mbit"),
    needs.IFB: (*_ALONE, "ip", "link", "add", "clr-doctor", "type", "ifb"),
    needs.NFQUEUE: (*_SH, _QUEUE),
    needs.TABLES: _nft(_IN, "drop"),
    needs.CONNECTIONS: (*_ALONE, "nft", (f"table inet d {{ set s {{ type ipv4_addr; flags dynamic; }}; "
                        f"chain c {{ {_IN}; add @s {{ ip saddr ct count over 2 }} drop; }}; }}")),
    needs.NETDEV: _nft(_ON_WIRE, "drop", "netdev"),
    needs.NUMGEN: _nft(_IN, "numgen inc mod 3 2 drop"),
    needs.REDIRECT: _nft("type nat hook prerouting priority -100", "tcp dport 80 redirect to :8080", "ip"),
    needs.REJECT: _nft(_IN, "meta l4proto tcp reject with tcp reset"),
    needs.MOUNT_SETATTR: ("unshare", "--mount", sys.executable, "-c", _COVER),
    needs.KIT: (*_SH, f"LD_PRELOAD={KIT / LIBRARY} FAKETIME=+1d {KIT / 'read_clock'}"),
})  # fmt: skip
"""Need → the command whose success shows it."""
TOOLS: Final = (needs.TC, needs.IPTABLES, needs.NFT)
CONTAINER: Final = (
    needs.PIDS, needs.MOUNTS, needs.LIMITS, needs.FREEZER, needs.CPU, needs.MEMORY, needs.PROCESSES, needs.IO
)  # fmt: skip
"""Needs that are tried on a throw-away container."""


def _frozen(engine: DockerEngine, state: ContainerState) -> str:
    engine.pause(state.id)
    try:
        status = engine.inspect(state.id).status
    finally:
        engine.unpause(state.id)
    return "" if status == "paused" else f"the container is {status}"


def _rewritten(controller: str, first: str, second: str) -> Trial:
    def trial(state: ContainerState) -> str:
        group = group_of(state, controller)
        name = first if group.version == 1 else second
        # The value that it has: the container is as before, and a file that is not ours to change says so.
        group.write(name, group.read(name))
        return ""

    return trial


def _throttled(state: ContainerState) -> str:
    group = group_of(state, "blkio")
    name = "blkio.throttle.write_bps_device" if group.version == 1 else "io.max"
    # Without a limit it reads as nothing, which is no value to write.
    os.close(os.open(group.place / name, os.O_WRONLY))
    return ""


def _entered(state: ContainerState) -> str:
    return refused(("nsenter", f"--mount=/proc/{visible_pid(state)}/ns/mnt", "true"))


def _limited(state: ContainerState) -> str:
    pid = visible_pid(state)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, resource.prlimit(pid, resource.RLIMIT_NOFILE))
    return ""


def _seen(state: ContainerState) -> str:
    visible_pid(state)
    return ""


def _trials(engine: DockerEngine) -> Mapping[str, Trial]:
    """Return what is tried on a throw-away container, by need."""
    return {
        needs.PIDS: _seen,
        needs.MOUNTS: _entered,
        needs.LIMITS: _limited,
        needs.FREEZER: lambda state: _frozen(engine, state),
        needs.CPU: _rewritten("cpu", "cpu.cfs_quota_us", "cpu.max"),
        needs.MEMORY: _rewritten("memory", "memory.limit_in_bytes", "memory.max"),
        needs.PROCESSES: _rewritten("pids", "pids.max", "pids.max"),
        needs.IO: _throttled,
    }


def _fuse() -> str:
    """Open the device as the fault does, which makes its node where there is none; such a node goes again."""
    there = Path(DEVICE).exists()
    try:
        for descriptor in prepare().values():
            os.close(descriptor)
    except RefusedError as err:
        return str(err)
    finally:
        if not there:
            Path(DEVICE).unlink(missing_ok=True)
    return ""


def examine(engine: DockerEngine | None, trouble: str = "") -> tuple[Diagnosis, ...]:
    """Try every need that a machine can have, in the order of the registry; `trouble` is why there is no `engine`."""
    found = {name: _diagnosis(name, refused(argv)) for name, argv in COMMANDS.items()}
    found |= {name: _tool(name) for name in TOOLS}
    found[needs.FUSE] = _diagnosis(needs.FUSE, *_called(_fuse))
    machine = platform.machine()
    found[needs.X86] = _diagnosis(needs.X86, "" if machine == MACHINE else f"this is {machine}", machine)
    found |= _in_container(engine, trouble)
    return tuple(found[name] for name, need in NEEDS.items() if not need.by_service)


def _in_container(engine: DockerEngine | None, trouble: str) -> dict[str, Diagnosis]:
    names = (needs.ENGINE, *CONTAINER)
    if engine is None:
        return {name: _diagnosis(name, f"there is no engine: {trouble}") for name in names}
    try:
        with throw_away(engine) as state:
            found = {name: _diagnosis(name, *_called(trial, state)) for name, trial in _trials(engine).items()}
    except CleanroomError as err:
        return {name: _diagnosis(name, err.message) for name in names}
    return {needs.ENGINE: _diagnosis(needs.ENGINE, "", engine.version()), **found}


@contextlib.contextmanager
def throw_away(engine: DockerEngine) -> Iterator[ContainerState]:
    """Run a container without a network for the length of the block; raises `EngineError`."""
    make_probe_image(engine)
    name = f"clr-doctor-{secrets.token_hex(4)}"
    try:
        container = engine.create(
            ContainerSpec(name=name, image=IMAGE, entrypoint=our_python(_SLEEP), mounts=(OURS,), init=False)
        )
        engine.start(container)
        yield engine.inspect(container)
    finally:
        engine.remove(name)


def _called(call: Callable[..., object], *arguments: object) -> tuple[str]:
    """Return why a call fails, in its own words; nothing when it does not."""
    try:
        return (str(call(*arguments) or ""),)
    except CleanroomError as err:
        return (err.message,)
    except OSError as err:
        return (f"{err.filename or 'the kernel'}: {err.strerror}",)


def _diagnosis(name: str, trouble: str, seen: str = "works") -> Diagnosis:
    return Diagnosis(name=name, works=not trouble, seen=trouble or seen, remedy=NEEDS[name].remedy if trouble else "")


def _tool(name: str) -> Diagnosis:
    path = shutil.which(name)
    return _diagnosis(name, "" if path else "not on PATH", path or "")


def refused(argv: tuple[str, ...]) -> str:
    """Run a command; return nothing when it succeeds, else its own words on one line."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as err:
        return str(err)
    if done.returncode == 0:
        return ""
    return " ".join((done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").split())
