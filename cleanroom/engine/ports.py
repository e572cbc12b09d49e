"""What the rest of the program may ask of a Docker engine; `client` implements it, tests use a fake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

from cleanroom.quantity import Duration

ContainerStatus: TypeAlias = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A bind mount from the engine's own file system."""

    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """How a container is to be made; sizes in bytes, `cpus` in whole CPUs."""

    name: str
    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    hostname: str = ""
    user: str = ""
    working_dir: str = ""
    init: bool = True
    stop_signal: str = ""
    tmpfs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    mounts: tuple[Mount, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    network: str = ""
    """Name of the network; "" for no network at all."""
    address: str = ""
    dns: tuple[str, ...] = ()
    """Whom the engine's own resolver may ask; only a program that goes to it directly ever does."""
    cpus: float | None = None
    cpuset: str = ""
    """The CPUs that it may run on, e.g. `0` or `0-2,4`; "" for all."""
    memory: int | None = None
    memory_swap: int | None = None
    pids: int | None = None
    nofile: int | None = None
    restart_policy: Literal["no", "on-failure", "always"] = "no"
    restart_max: int = 0
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    cap_add: tuple[str, ...] = ()
    cgroup_parent: str = ""
    volumes_from: str = ""
    """Another container whose volumes it has too, at the same places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """What an engine says of a container; `pid` is 0 when it does not run."""

    id: str
    name: str
    status: ContainerStatus
    pid: int
    exit_code: int
    oom_killed: bool
    started_at: str
    finished_at: str
    restart_count: int
    address: str
    health: str = "none"
    """What the health check of its image reports: none (there is none), starting, healthy, unhealthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A container's place on a network: what it needs to be put back just as it was."""

    network: str
    address: str
    mac: str = ""
    aliases: tuple[str, ...] = ()
    """Names besides the container's own that the engine's resolver knows it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a container executes: the program with its arguments, and where it is looked for (`PATH`)."""

    words: tuple[str, ...]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How an engine asks a container after its health."""

    words: tuple[str, ...]
    """The program with its arguments; with `shell` the one text that the container's shell is given."""
    shell: bool
    path: tuple[str, ...]
    """Where programs are looked for (`PATH`)."""
    interval: float
    """Seconds from the end of one check to the next."""
    timeout: float
    """Seconds that a check may take."""
    retries: int
    """How many must fail, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSpec:
    """A command to run inside a running container."""

    command: tuple[str, ...]
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    working_dir: str = ""
    stdin: bytes | None = None
    timeout: Duration = Duration(30 * 10**9)
    grace: Duration = Duration(2 * 10**9)
    """SIGTERM to the whole process group at `timeout`, SIGKILL after `grace` more."""
    max_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """How a command ended; the two streams apart, each cut at `max_bytes` (`truncated` says so)."""

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    truncated: bool
    timed_out: bool
    killed: bool
    """SIGKILL was needed after SIGTERM and the grace."""
    duration_ns: int
    terminated_ns: int = 0
    """When SIGTERM was sent, counted from the begin; 0: never."""
    killed_ns: int = 0
    """When SIGKILL was first sent, counted from the begin; 0: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The beginning of what a container wrote; `truncated` names the streams of which there was more."""

    stdout: bytes
    stderr: bytes
    truncated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSpec:
    """An image to build from a context inside the workspace; `context` is an absolute directory on our file system."""

    tag: str
    context: str
    dockerfile: str = "Dockerfile"
    args: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything that exists in an engine: names (or ids) in sorted order; default networks left out."""

    containers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    def minus(self, other: Inventory) -> Inventory:
        """Return what is in this inventory and not in `other`."""

        def gone(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(sorted(set(mine) - set(theirs)))

        return Inventory(
            containers=gone(self.containers, other.containers),
            networks=gone(self.networks, other.networks),
            volumes=gone(self.volumes, other.volumes),
        )

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not (self.containers or self.networks or self.volumes)


class Engine(Protocol):
    """One Docker engine; methods raise `EngineError` with the engine's own words and may be called by any thread."""

    def version(self) -> str:
        """Return the engine's version, e.g. `26.1.5`."""

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its id; its files are in place before it can be started."""

    def start(self, container: str) -> None:
        """Start a created or stopped container."""

    def stop(self, container: str, grace: Duration) -> None:
        """Send the stop signal, wait `grace`, then SIGKILL; returns when the container does not run."""

    def kill(self, container: str, signal: str = "KILL") -> None:
        """Send a signal to the container's first process."""

    def pause(self, container: str) -> None:
        """Hold every process of the container."""

    def unpause(self, container: str) -> None:
        """Let the processes of a paused container go on."""

    def rename(self, container: str, name: str) -> None:
        """Give the container another name."""

    def command(self, container: str) -> Command:
        """Return what the container executes, as image and declaration together say it."""

    def health_check(self, container: str) -> HealthCheck | None:
        """Return the container's health check, as image and declaration together say it; None without one."""

    def unpack(self, container: str, archive: bytes) -> None:
        """Unpack a tar at the root of the container's file system, running or not."""

    def volumes(self, container: str) -> Mapping[str, str]:
        """Return the container's volumes: path inside → name of the volume."""

    def remove(self, container: str) -> None:
        """Kill and remove a container with its anonymous volumes; one that does not exist is not an error."""

    def inspect(self, container: str) -> ContainerState:
        """Return the container's state."""

    def wait(self, container: str, timeout: Duration) -> int | None:
        """Wait until the container does not run; return its exit code, or None when `timeout` passed first."""

    def logs(self, container: str, max_bytes: int = 1 << 20) -> bytes:
        """Return the end of the container's output, both streams in order, at most `max_bytes`."""

    def output(self, container: str, max_bytes: int = 1 << 20) -> Output:
        """Return what an ended container wrote from its start, both streams apart, at most `max_bytes` of each."""

    def follow_logs(self, container: str, sink: Callable[[bytes], None]) -> Callable[[], None]:
        """Call `sink` with output, from the container's start, in a thread; return the function that ends it."""

    def follow_events(self, container: str, sink: Callable[[str], None]) -> Callable[[], None]:
        """Call `sink` with the name of every event of the container (`die`, `start`, `health_status: healthy`, …).

        From now on, in a thread; return the function that ends it.
        """

    def execute(self, container: str, spec: ExecSpec) -> ExecResult:
        """Run a command in the container and wait for it."""

    def create_network(self, name: str, *, bridge: str, subnet: str, gateway: str) -> None:
        """Create a bridge network on an existing (or new) bridge interface."""

    def remove_network(self, name: str) -> None:
        """Remove a network; one that does not exist is not an error."""

    def attachments(self, container: str) -> tuple[Attachment, ...]:
        """Return the networks that the container is on, by name."""

    def disconnect(self, container: str, network: str) -> None:
        """Take the container off a network."""

    def connect(self, container: str, attachment: Attachment) -> None:
        """Put the container on a network, at this address."""

    def inventory(self) -> Inventory:
        """Return everything that exists in the engine."""

    def has_image(self, reference: str) -> bool:
        """Whether the image is in the engine."""

    def image_id(self, reference: str) -> str:
        """Return the image's id (`sha256:…`), or "" when it is not there."""

    def pull(self, reference: str, auth: Mapping[str, str] | None = None) -> None:
        """Pull an image from its registry."""

    def build(self, spec: BuildSpec, log: Callable[[str], None]) -> str:
        """Build an image, calling `log` with each line of output; return its id."""
