"""A private dockerd: own unix socket, own data root, no packet filter of its own, no TCP, gone when we are."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cleanroom.clock import Clock, Deadline, SystemClock
from cleanroom.engine.identity import RUN_ID
from cleanroom.engine.leftovers import HostTraces
from cleanroom.engine.unixhttp import get_json, ping
from cleanroom.errors import CapabilityError, EngineError

# Engines before this answer DNS questions of isolated networks from the host (CVE-2024-29018).
SAFE_MAJOR = 26
_MAJOR = re.compile(r"(\d+)\.")
_LOG_TAIL = 4096
_START_LIMIT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonOptions:
    """Where a private dockerd keeps what; all paths absolute, `socket` short enough for a unix socket."""

    data_root: str
    exec_root: str
    socket: str
    pidfile: str
    log: str
    cgroup_parent: str = ""
    """A cgroup of its own for everything it starts, where our cgroup tree is the host's; "" inside a container."""
    start_limit: float = _START_LIMIT
    """Seconds until an engine that does not answer counts as broken."""
    stop_grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""


@dataclass(slots=True, kw_only=True)
class Daemon:
    """A running dockerd of ours."""

    options: DaemonOptions
    containerd: subprocess.Popen[bytes]
    process: subprocess.Popen[bytes]
    storage_driver: str
    version: str = ""
    warnings: tuple[str, ...] = ()
    """What the report must say about it."""

    @property
    def address(self) -> str:
        """The address for clients, `unix://…`."""
        return f"unix://{self.options.socket}"

    def check_alive(self) -> None:
        """Raise `EngineError` with the end of its log when the engine is dead."""
        if (code := self.process.poll()) is not None:
            raise EngineError(f"the nested engine died (exit code {code}):\n{log_tail(self.options.log)}")

    def stop(self) -> None:
        """SIGTERM, wait, SIGKILL: dockerd, which stops its containers, then containerd; returns when both are gone."""
        for process in (self.process, self.containerd):
            _end(process, self.options.stop_grace)


def command(options: DaemonOptions, storage_driver: str, bridge: str) -> tuple[str, ...]:
    """Return the argv of dockerd. Pure.

    The packet filter is ours alone, only a unix socket listens. The cgroup driver is cgroupfs
    because a systemd outside of our PID namespace could not place our processes.
    """
    parent = (f"--cgroup-parent={options.cgroup_parent}",) if options.cgroup_parent else ()
    return (
        "dockerd",
        f"--config-file={options.exec_root}/daemon.json",
        f"--containerd={options.exec_root}/containerd.sock",
        f"--data-root={options.data_root}",
        f"--exec-root={options.exec_root}",
        f"--host=unix://{options.socket}",
        f"--pidfile={options.pidfile}",
        f"--storage-driver={storage_driver}",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-masq=false",
        "--ip-forward=false",
        f"--bridge={bridge}",
        "--userland-proxy=false",
        "--live-restore=false",
        "--shutdown-timeout=2",
        "--log-driver=json-file",
        "--max-concurrent-downloads=6",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        *parent,
    )


def version_warnings(version: str) -> tuple[str, ...]:
    """Return what a report must say of an engine of this version.

    Old engines forward DNS questions of isolated networks to the host; our services never ask the engine's resolver
    (they get our own resolv.conf), so an old one is told of, not refused.
    """
    match = _MAJOR.match(version)
    if match and int(match[1]) < SAFE_MAJOR:
        return (f"the engine is {version}, older than {SAFE_MAJOR}: its own resolver leaks, services use ours only",)
    return ()


@contextlib.contextmanager
def start_dockerd(options: DaemonOptions, clock: Clock | None = None) -> Iterator[Daemon]:
    """Run a private dockerd for the length of the block: it answers when the block begins and is gone when it ends.

    Raises `CapabilityError` when there is no dockerd, `EngineError` with the end of its log when it does not get ready.
    """
    if shutil.which("dockerd") is None:
        raise CapabilityError("there is no dockerd on PATH", remedy="install Docker Engine (Debian, Ubuntu: docker.io)")
    time = clock or SystemClock()
    _clear(options)
    driver = storage_driver(options.data_root)
    containerd = _start_containerd(options, time)
    try:
        process = _spawn(command(options, driver, default_bridge()), options.log)
    except BaseException:
        _end(containerd, 0)
        raise
    daemon = Daemon(options=options, containerd=containerd, process=process, storage_driver=driver)
    try:
        _wait_ready(daemon, time)
        yield daemon
    finally:
        daemon.stop()


def storage_driver(data_root: str) -> str:
    """Return `overlay2` where an overlay can be mounted on `data_root`, found out by mounting one, else `vfs`."""
    trial = Path(data_root) / "cleanroom-overlay-trial"
    shutil.rmtree(trial, ignore_errors=True)
    lower, upper, work, merged = (trial / name for name in ("lower", "upper", "work", "merged"))
    for folder in (lower, upper, work, merged):
        folder.mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    try:
        done = subprocess.run(
            ("mount", "-t", "overlay", "overlay", "-o", options, str(merged)),
            capture_output=True,
            check=False,
            timeout=10,
        )
        if done.returncode != 0:
            return "vfs"
        subprocess.run(("umount", str(merged)), capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "vfs"
    else:
        return "overlay2"
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def log_tail(path: str) -> str:
    """Return the end of a dockerd log."""
    try:
        data = Path(path).read_bytes()
    except OSError as err:
        return f"(no log: {err})"
    return data[-_LOG_TAIL:].decode("utf-8", "replace").strip() or "(the log is empty)"


def default_bridge() -> str:
    """Return the default network for an engine here: `none`, or an interface of ours where there is a docker0.

    Told to have none, dockerd deletes docker0 from its network namespace, whoever's that is. Nothing is ever connected
    to the one it gets instead; its address is from the range for benchmarks (RFC 2544), one per run. The supervisor
    removes it. Raises `EngineError` when it cannot be made.
    """
    run = os.environ.get("CLEANROOM_RUN", "")
    if not Path("/sys/class/net/docker0").exists():
        return "none"
    if not RUN_ID.fullmatch(run):
        raise EngineError(
            "a private engine would delete docker0, which another engine uses", remedy="start it inside a cell only"
        )
    name = HostTraces(run=run).engine_bridge
    for argv in (
        ("ip", "link", "add", name, "type", "bridge"),
        ("ip", "address", "add", f"198.18.{int(run[:2], 16)}.1/30", "dev", name),
        ("ip", "link", "set", name, "up"),
    ):
        done = subprocess.run(argv, capture_output=True, check=False, timeout=10)
        if done.returncode != 0:
            raise EngineError(f"{' '.join(argv)} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return name


def _clear(options: DaemonOptions) -> None:
    """Make the folders and remove what an engine that was killed left: its pid files would stop the next one."""
    for folder in (options.data_root, options.exec_root):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for stale in (Path(options.pidfile), Path(options.socket), Path(options.exec_root) / "containerd.sock"):
        stale.unlink(missing_ok=True)
    # Ours instead of /etc/docker/daemon.json, which belongs to the machine's own engine. The proof that a cached data
    # root is empty reads the layout of the classic image store.
    settings = {"features": {"containerd-snapshotter": False}}
    (Path(options.exec_root) / "daemon.json").write_text(json.dumps(settings), encoding="utf-8")


def _spawn(argv: tuple[str, ...], log: str) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/root"}
    # A proxy is part of the way to the registry; the run's id tells whoever looks for leftovers whose process this is.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "CLEANROOM_RUN"):
        if value := os.environ.get(name, os.environ.get(name.lower(), "")):
            environment[name] = value
    with Path(log).open("ab") as sink:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment, start_new_session=True
        )


def _start_containerd(options: DaemonOptions, clock: Clock) -> subprocess.Popen[bytes]:
    """Start a containerd and return when it listens.

    Left to start one itself, dockerd 26 asks before the socket is there and waits a whole second before it asks again.
    """
    Path(options.log).unlink(missing_ok=True)
    socket = Path(options.exec_root) / "containerd.sock"
    config = Path(options.exec_root) / "containerd.toml"
    config.write_text(
        f'version = 2\nroot = "{options.data_root}/containerd"\nstate = "{options.exec_root}/containerd"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{socket}"\n',
        encoding="utf-8",
    )
    process = _spawn(("containerd", "--config", str(config), "--log-level", "warn"), options.log)
    deadline = Deadline.after(clock, options.start_limit)
    while not socket.exists():
        if process.poll() is not None or deadline.expired():
            _end(process, 0)
            raise EngineError(f"containerd did not start:\n{log_tail(options.log)}")
        clock.sleep(0.005)
    return process


def _end(process: subprocess.Popen[bytes], grace: float) -> None:
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):  # which is what SIGKILL is for
            process.wait(grace)
    # Children that it left in its session; the rest of them ends with the cell.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_ready(daemon: Daemon, clock: Clock) -> None:
    deadline = Deadline.after(clock, daemon.options.start_limit)
    pause = 0.005
    while not ping(daemon.options.socket):
        daemon.check_alive()
        if deadline.expired():
            raise EngineError(
                f"the nested engine did not answer in {daemon.options.start_limit:g} s:\n{log_tail(daemon.options.log)}"
            )
        clock.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    daemon.version = str(get_json(daemon.options.socket, "/version").get("Version", ""))
    slow = (
        ()
        if daemon.storage_driver == "overlay2"
        else (f"storage driver {daemon.storage_driver}, slow: overlay2 does not work on {daemon.options.data_root}",)
    )
    daemon.warnings = (*version_warnings(daemon.version), *slow)
