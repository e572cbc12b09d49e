"""The outer engine as the launcher needs it: one thin layer over the engine's API, with its errors turned into ours."""

from __future__ import annotations

import os
import socket as sockets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cleanroom.engine.thaw import thawing
from cleanroom.errors import EngineError

if TYPE_CHECKING:
    import docker

_FRAME_HEADER = 8
_STDERR = 2
CONFLICT = 409
NOT_FOUND = 404
NO_ANSWER = 0


class EngineRefusalError(EngineError):
    """The engine said no; `status` is its HTTP status, `NO_ANSWER` when it did not answer at all."""

    def __init__(self, message: str, *, status: int, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


@contextmanager
def _told(what: str) -> Iterator[None]:
    import docker.errors  # noqa: PLC0415 - a cold `cleanroom validate` must not pay for it
    import requests  # noqa: PLC0415 - the same

    try:
        yield
    except docker.errors.APIError as err:
        raise EngineRefusalError(f"{what}: {err.explanation or err}", status=err.status_code or NO_ANSWER) from err
    except (docker.errors.DockerException, requests.RequestException, OSError) as err:
        raise EngineRefusalError(f"{what}: {err}", status=NO_ANSWER) from err


@dataclass(slots=True)
class Stream:
    """A hijacked connection to a container: both its outputs apart, and its input."""

    _socket: sockets.socket

    def frames(self) -> Iterator[tuple[bool, bytes]]:
        """Yield (is it standard error, bytes) until the other end closes."""
        while header := self._exactly(_FRAME_HEADER):
            if data := self._exactly(int.from_bytes(header[4:], "big")):
                yield header[0] == _STDERR, data

    def send(self, data: bytes) -> None:
        """Write to the container's standard input; raises `OSError` when it is gone."""
        self._socket.sendall(data)

    def end_input(self) -> None:
        """Close the container's standard input and keep reading."""
        self._socket.shutdown(sockets.SHUT_WR)

    def close(self) -> None:
        """Drop the connection: the container sees the end of its input; a reader in another thread ends."""
        try:
            self._socket.shutdown(sockets.SHUT_RDWR)
        except OSError:
            # Already disconnected by the other end, which is what this is for.
            return
        finally:
            self._socket.close()

    def _exactly(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            try:
                part = self._socket.recv(min(count, 1 << 18))
            except OSError:
                return b""
            if not part:
                return b""
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class RawEngine:
    """An engine at `address` (`unix://…`, `tcp://…`), or where the environment says (DOCKER_HOST, TLS) when "".

    One object per thread. Every method raises `EngineRefusalError` with the engine's own words.
    """

    def __init__(self, address: str = "", timeout: float = 60.0) -> None:
        self.address = address
        with _told(
            f"the Docker engine at {address or os.environ.get('DOCKER_HOST', 'its default socket')} does not answer"
        ):
            import docker  # noqa: PLC0415 - a cold `cleanroom validate` must not pay for it
            from docker.utils import kwargs_from_env  # noqa: PLC0415 - the same

            settings: dict[str, Any] = {"base_url": address} if address else dict(kwargs_from_env())
            self._api: docker.APIClient = docker.APIClient(**settings, version="auto", timeout=int(timeout))

    def close(self) -> None:
        """Drop the connections."""
        self._api.close()

    def version(self) -> str:
        """Return the engine's version."""
        with _told("asking the engine for its version"):
            return str(self._api.version()["Version"])

    def info(self) -> Mapping[str, Any]:
        """Return what the engine says of itself (`GET /info`)."""
        with _told("asking the engine about itself"):
            return dict(self._api.info())

    def create(self, name: str, body: Mapping[str, object]) -> str:
        """Create a container from an API body and return its id."""
        with _told(f"creating container {name}"):
            made = self._api.create_container_from_config(dict(body), name=name)  # type: ignore[no-untyped-call]
            return str(made["Id"])

    def start(self, container: str) -> None:
        """Start a container."""
        with _told(f"starting container {container[:12]}"):
            self._api.start(container)

    def inspect(self, container: str) -> Mapping[str, Any] | None:
        """Return what the engine knows of a container, None when there is none."""
        try:
            with _told(f"inspecting container {container[:12]}"):
                return dict(self._api.inspect_container(container))
        except EngineRefusalError as err:
            if err.status == NOT_FOUND:
                return None
            raise

    def remove(self, container: str) -> bool:
        """Kill and remove a container with its anonymous volumes; False when there was none (or it is going)."""
        # A cell that was killed by others ends only when nothing in it is frozen (see `thaw`).
        with thawing(container):
            return self._gone_is_fine(
                f"removing container {container[:12]}",
                lambda: self._api.remove_container(container, v=True, force=True),
            )

    def remove_network(self, name: str) -> bool:
        """Remove a network; False when there was none."""
        return self._gone_is_fine(f"removing network {name}", lambda: self._api.remove_network(name))

    def remove_volume(self, name: str) -> bool:
        """Remove a volume; False when there was none or a container still uses it."""
        return self._gone_is_fine(f"removing volume {name}", lambda: self._api.remove_volume(name, force=True))

    def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a named volume unless it exists."""
        with _told(f"creating volume {name}"):
            self._api.create_volume(name, labels=dict(labels))

    def containers(self, filters: Mapping[str, object]) -> list[Mapping[str, Any]]:
        """Return all containers that match, running or not."""
        with _told("listing containers"):
            return list(self._api.containers(all=True, filters=dict(filters)))

    def networks(self, filters: Mapping[str, object]) -> list[Mapping[str, Any]]:
        """Return the networks that match."""
        with _told("listing networks"):
            return list(self._api.networks(filters=dict(filters)))

    def volumes(self, filters: Mapping[str, object]) -> list[Mapping[str, Any]]:
        """Return the volumes that match."""
        with _told("listing volumes"):
            return list(self._api.volumes(filters=dict(filters))["Volumes"] or [])

    def image(self, reference: str) -> Mapping[str, Any] | None:
        """Return what the engine knows of an image, None when it has none of that name."""
        try:
            with _told(f"inspecting image {reference}"):
                return dict(self._api.inspect_image(reference))  # type: ignore[no-untyped-call]
        except EngineRefusalError as err:
            if err.status == NOT_FOUND:
                return None
            raise

    def save_images(self, references: tuple[str, ...]) -> Iterator[bytes]:
        """Yield one archive of several images as `docker save` would write it: a layer they share is in it once."""
        with _told(f"exporting {', '.join(references)}"):
            # The library itself exports one image at a time only; its parts do the rest.
            api: Any = self._api
            answer = api._get(api._url("/images/get"), params={"names": list(references)}, stream=True)  # noqa: SLF001
            api._raise_for_status(answer)  # noqa: SLF001
            yield from answer.iter_content(chunk_size=1 << 20)

    def attach(self, container: str) -> Stream:
        """Attach to all three streams of a container; dropping the connection closes its standard input."""
        with _told(f"attaching to container {container[:12]}"):
            found = self._api.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        return _stream(found)

    def execute(self, container: str, command: tuple[str, ...]) -> tuple[str, Stream]:
        """Start a command with its input open; return the exec's id (for `exit_code`) and its streams."""
        with _told(f"running {command[0]} in container {container[:12]}"):
            made = self._api.exec_create(container, list(command), stdin=True, stdout=True, stderr=True)
            return str(made["Id"]), _stream(self._api.exec_start(made["Id"], socket=True))

    def exit_code(self, execution: str) -> int | None:
        """Return how a command started with `execute` ended; None while it runs."""
        with _told("asking for an exit code"):
            code = self._api.exec_inspect(execution)["ExitCode"]
        return None if code is None else int(code)

    def put_archive(self, container: str, path: str, data: Iterator[bytes]) -> None:
        """Unpack a tar stream into a folder of a container."""
        with _told(f"copying into {path} of container {container[:12]}"):
            self._api.put_archive(container, path, data)

    def get_archive(self, container: str, path: str) -> Iterator[bytes]:
        """Yield a folder of a container as a tar stream."""
        with _told(f"copying {path} out of container {container[:12]}"):
            chunks, _ = self._api.get_archive(container, path, chunk_size=1 << 18)
            yield from chunks

    def _gone_is_fine(self, what: str, call: Callable[[], object]) -> bool:
        try:
            with _told(what):
                call()
        except EngineRefusalError as err:
            if err.status in {NOT_FOUND, CONFLICT}:
                return False
            raise
        return True


def _stream(found: Any) -> Stream:  # noqa: ANN401 - the library types neither of the two things that it returns here
    # A descriptor of our own: the library's response closes its one when it is collected, and trips over a closed one.
    own = getattr(found, "_sock", found).dup()
    getattr(found, "_response", found).close()
    return Stream(own)
