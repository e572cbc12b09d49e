"""`DockerEngine`: the port `Engine` on docker-py's low-level client, one API call per act wherever one will do."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final, Self

import requests
from docker import errors as docker_errors

from cleanroom.engine import archive, build, events, execute, inventory, logs
from cleanroom.engine.payload import (
    attachments_of,
    command_of,
    container_body,
    health_check_of,
    network_body,
    state_of,
    volumes_of,
)
from cleanroom.engine.ports import (
    Attachment,
    BuildSpec,
    Command,
    ContainerSpec,
    ContainerState,
    ExecResult,
    ExecSpec,
    HealthCheck,
    Inventory,
    Output,
)
from cleanroom.engine.seed import fingerprint
from cleanroom.engine.wire import Wire, remedy_for
from cleanroom.errors import EngineError
from cleanroom.quantity import Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GONE_S: Final = 20.0
_STOP_SLACK_S: Final = 30.0
_PULL_ATTEMPTS: Final = 3
# Words of a registry or network that may work a moment later; anything else is final.
_PASSING: Final = (
    "timeout",
    "connection reset",
    "tls handshake",
    "unexpected eof",
    "502 bad",
    "503 service",
    "504 gate",
)


class DockerEngine:
    """One Docker engine behind a unix socket; every container and network made through it bears `labels`."""

    def __init__(self, socket_url: str, *, labels: Mapping[str, str]) -> None:
        self._wire = Wire(socket_url)
        self._labels = dict(labels)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections; the engine can be used again afterwards."""
        self._wire.close()

    @property
    def url(self) -> str:
        """The engine's address, `unix://…`."""
        return self._wire.url

    def version(self) -> str:
        """Return the engine's version, e.g. `26.1.5`."""
        return self._wire.engine_version()

    def create(self, spec: ContainerSpec) -> str:
        """Create a container with its files in place and return its id."""
        with self._wire.api(f"create container {spec.name} from {spec.image}") as api:
            made = api.create_container_from_config(  # type: ignore[no-untyped-call]
                container_body(spec, self._labels), spec.name
            )
        container = str(made["Id"])
        if spec.files:
            try:
                with self._wire.api(f"put files into container {spec.name}") as api:
                    api.put_archive(container, "/", archive.files_archive(spec.files))
            except EngineError:
                self.remove(container)
                raise
        return container

    def start(self, container: str) -> None:
        """Start a created or stopped container."""
        with self._wire.api(f"start container {container}") as api:
            api.start(container)

    def stop(self, container: str, grace: Duration) -> None:
        """Send the stop signal, wait `grace`, then SIGKILL; returns when the container does not run."""
        whole, rest = divmod(grace.ns, 10**9)
        if not rest:
            with self._wire.api(f"stop container {container}") as api:
                api.timeout, before = int(whole + _STOP_SLACK_S), api.timeout
                try:
                    api.stop(container, timeout=whole)
                finally:
                    api.timeout = before
            return
        # The engine counts its grace in whole seconds, so a finer one takes the three steps itself.
        with self._wire.api(f"stop container {container}") as api:
            signal = str(api.inspect_container(container)["Config"].get("StopSignal") or "SIGTERM")
        self._kill_if_running(container, signal)
        if self.wait(container, grace) is None:
            self._kill_if_running(container, "KILL")
            self.wait(container, Duration(int(_STOP_SLACK_S * 1e9)))

    def kill(self, container: str, signal: str = "KILL") -> None:
        """Send a signal to the container's first process (the engine's restart policy does not answer to this)."""
        with self._wire.api(f"send {signal} to container {container}") as api:
            api.kill(container, signal)

    def pause(self, container: str) -> None:
        """Hold every process of the container."""
        with self._wire.api(f"pause container {container}") as api:
            api.pause(container)

    def unpause(self, container: str) -> None:
        """Let the processes of a paused container go on."""
        with self._wire.api(f"unpause container {container}") as api:
            api.unpause(container)

    def rename(self, container: str, name: str) -> None:
        """Give the container another name."""
        with self._wire.api(f"rename container {container}") as api:
            api.rename(container, name)

    def command(self, container: str) -> Command:
        """Return what the container executes, as image and declaration together say it."""
        with self._wire.api(f"inspect container {container}") as api:
            return command_of(api.inspect_container(container))

    def health_check(self, container: str) -> HealthCheck | None:
        """Return the container's health check, as image and declaration together say it; None without one."""
        with self._wire.api(f"inspect container {container}") as api:
            return health_check_of(api.inspect_container(container))

    def unpack(self, container: str, archive: bytes) -> None:
        """Unpack a tar at the root of the container's file system, running or not."""
        with self._wire.api(f"put files into container {container}") as api:
            api.put_archive(container, "/", archive)

    def volumes(self, container: str) -> Mapping[str, str]:
        """Return the container's volumes: path inside → name of the volume."""
        with self._wire.api(f"inspect container {container}") as api:
            return volumes_of(api.inspect_container(container))

    def remove(self, container: str) -> None:
        """Kill and remove a container with its anonymous volumes; one that does not exist is not an error."""
        limit = time.monotonic() + _GONE_S
        while True:
            with self._wire.api(f"remove container {container}") as api:
                try:
                    api.remove_container(container, force=True, v=True)
                except docker_errors.NotFound:
                    return
                except docker_errors.APIError as err:
                    # 409: another removal is under way; 500: a mount of it is still busy. Both pass.
                    if err.status_code not in (409, 500) or time.monotonic() >= limit:
                        raise
                else:
                    return
            time.sleep(0.05)

    def inspect(self, container: str) -> ContainerState:
        """Return the container's state."""
        with self._wire.api(f"inspect container {container}") as api:
            return state_of(api.inspect_container(container))

    def wait(self, container: str, timeout: Duration) -> int | None:
        """Wait until the container does not run; return its exit code, or None when `timeout` passed first."""
        with self._wire.api(f"wait for container {container}") as api:
            try:
                # A float is what requests takes; docker-py's stubs know whole seconds only.
                answer = api.wait(container, timeout=max(0.001, timeout.seconds))  # type: ignore[arg-type]
            except requests.ReadTimeout:
                return None
            except requests.ConnectionError as err:
                # Engines send the response's head at once, so the timeout strikes while its body is awaited.
                if "read timed out" in str(err).lower():
                    return None
                raise
        return int(answer["StatusCode"])

    def logs(self, container: str, max_bytes: int = 1 << 20) -> bytes:
        """Return the end of the container's output, both streams in order, at most `max_bytes`."""
        return logs.read_tail(self._wire, container, max_bytes)

    def output(self, container: str, max_bytes: int = 1 << 20) -> Output:
        """Return what an ended container wrote from its start, both streams apart, at most `max_bytes` of each."""
        return logs.read_streams(self._wire, container, max_bytes)

    def follow_logs(self, container: str, sink: Callable[[bytes], None]) -> Callable[[], None]:
        """Call `sink` with output, from the container's start, in a thread; return the function that ends it."""
        return logs.follow(self._wire, container, sink)

    def follow_events(self, container: str, sink: Callable[[str], None]) -> Callable[[], None]:
        """Call `sink` with the name of every event of the container, in a thread; return the function that ends it."""
        return events.follow_events(self._wire, container, sink)

    def execute(self, container: str, spec: ExecSpec) -> ExecResult:
        """Run a command in the container and wait for it."""
        return execute.run_exec(self._wire, container, spec)

    def create_network(self, name: str, *, bridge: str, subnet: str, gateway: str, mtu: int | None = None) -> None:
        """Create a bridge network on an existing (or new) bridge interface: no masquerading, no IPv6."""
        body = network_body(name, self._labels, bridge=bridge, subnet=subnet, gateway=gateway, mtu=mtu)
        with self._wire.api(f"create network {name} ({subnet} on {bridge})") as api:
            api.create_network(**body)

    def remove_network(self, name: str) -> None:
        """Remove a network; one that does not exist is not an error."""
        with self._wire.api(f"remove network {name}") as api, contextlib.suppress(docker_errors.NotFound):
            api.remove_network(name)

    def attachments(self, container: str) -> tuple[Attachment, ...]:
        """Return the networks that the container is on, by name."""
        with self._wire.api(f"inspect container {container}") as api:
            return attachments_of(api.inspect_container(container))

    def disconnect(self, container: str, network: str) -> None:
        """Take the container off a network."""
        with self._wire.api(f"take container {container} off network {network}") as api:
            api.disconnect_container_from_network(container, network)

    def connect(self, container: str, attachment: Attachment) -> None:
        """Put the container on a network, at this address and with this hardware address."""
        with self._wire.api(f"put container {container} on network {attachment.network}") as api:
            api.connect_container_to_network(
                container, attachment.network, ipv4_address=attachment.address or None,
                aliases=list(attachment.aliases) or None, mac_address=attachment.mac or None,
            )  # fmt: skip

    def inventory(self) -> Inventory:
        """Return everything that exists in the engine."""
        with self._wire.api("list what exists") as api:
            return inventory.inventory_of(api.containers(all=True), api.networks(), api.volumes().get("Volumes") or ())

    def has_image(self, reference: str) -> bool:
        """Whether the image is in the engine."""
        return bool(self.image_id(reference))

    def image_id(self, reference: str) -> str:
        """Return the image's id (`sha256:…`), or "" when it is not there."""
        with self._wire.api(f"look for image {reference}") as api:
            try:
                return str(api.inspect_image(reference)["Id"])  # type: ignore[no-untyped-call]
            except docker_errors.NotFound:
                return ""

    def import_image(self, reference: str, archive: bytes) -> None:
        """Make an image of one layer from a tar archive of its file system."""
        repository, _, tag = reference.rpartition(":")
        with self._wire.api(f"import image {reference}") as api:
            api.import_image_from_data(archive, repository=repository, tag=tag)

    def pull(self, reference: str, auth: Mapping[str, str] | None = None) -> None:
        """Pull an image from its registry."""
        for attempt in range(1, _PULL_ATTEMPTS + 1):
            try:
                self._pull_once(reference, auth)
            except EngineError as err:
                if attempt == _PULL_ATTEMPTS or not any(word in err.message.lower() for word in _PASSING):
                    raise
                time.sleep(2 ** (attempt - 1))
            else:
                return

    def build(self, spec: BuildSpec, log: Callable[[str], None]) -> str:
        """Build an image, calling `log` with each line of output; return its id."""
        return build.run_build(self._wire, spec, log)

    def image_fingerprint(self, reference: str) -> str:
        """Return a text that is equal for equal images in any two engines, "" when the image is not there."""
        with self._wire.api(f"look for image {reference}") as api:
            try:
                found = api.inspect_image(reference)  # type: ignore[no-untyped-call]
            except docker_errors.NotFound:
                found = None
        return fingerprint(found)

    def _pull_once(self, reference: str, auth: Mapping[str, str] | None) -> None:
        what = f"pull image {reference}"
        with self._wire.api(what) as api:
            events = tuple(api.pull(reference, stream=True, decode=True, auth_config=dict(auth) if auth else None))
        words = next((str(event["error"]) for event in events if "error" in event), "")
        if words:
            raise EngineError(f"cannot {what}: {words}", remedy=remedy_for(words))

    def _kill_if_running(self, container: str, signal: str) -> None:
        with self._wire.api(f"send {signal} to container {container}") as api:
            try:
                api.kill(container, signal)
            except docker_errors.APIError as err:
                # 409: it has ended by itself, which is what the signal was for.
                if err.status_code != requests.codes.conflict:
                    raise
