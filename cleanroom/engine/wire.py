"""The connection to one Docker engine: negotiated API version, clients per thread, every foreign error translated."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final

import docker
import requests
import urllib3
from docker import errors as docker_errors
from docker.utils import version_gte

from cleanroom.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEME: Final = "unix://"
# One meaning on every engine: newer API versions change defaults. Engines from 29 on speak nothing older than 1.44.
PREFERRED_API: Final = "1.44"
TIMEOUT_S: Final = 120.0

# The engine's words (lower case) → what a person can do about them; the first that is found wins.
_REMEDIES: Final = (
    ("no space left on device", "free disk space for the engine's data root (`docker system df` says what uses it)"),
    ("disk quota exceeded", "free disk space for the engine's data root, or raise the quota"),
    ("no such image", "pull or build the image first, or correct its name in the spec"),
    ("manifest unknown", "correct the image's name or tag in the spec"),
    ("manifest for", "correct the image's name or tag in the spec"),
    ("pull access denied", "correct the image's name, or give credentials with the input registry-auth"),
    ("unauthorized", "give credentials for this registry with the input registry-auth"),
    ("no basic auth credentials", "give credentials for this registry with the input registry-auth"),
    ("toomanyrequests", "give credentials for this registry with the input registry-auth, or try again later"),
    (
        "temporary failure in name resolution",
        "the engine cannot reach the registry: build or load the image beforehand",
    ),
    ("no such host", "the engine cannot reach the registry: build or load the image beforehand"),
    ("connection refused", "the engine cannot reach the registry: build or load the image beforehand"),
    ("is already in use by container", "remove the container of that name, or let the sweep of the next run do it"),
    ("pool overlaps", "remove the network that has this subnet (`docker network ls`)"),
    ("executable file not found", "correct `command` or `entrypoint` of the service: the image has no such program"),
    ("permission denied: unknown", "correct `command` or `entrypoint` of the service: the file is not executable"),
    ("is not running", "look at the service's log in the report: it ended earlier than expected"),
    ("is paused", "unpause the container first"),
    ("cannot allocate memory", "free memory on this machine, or lower `limits.memory` of the services"),
)
_DEAD: Final = (
    "start the engine, or set DOCKER_HOST to the socket of one that runs; `cleanroom doctor` says what is possible here"
)


def remedy_for(words: str) -> str:
    """Return what to do about the engine's `words`, or "" when nothing better than the words is known."""
    lowered = words.lower()
    return next((remedy for needle, remedy in _REMEDIES if needle in lowered), "")


class Wire:
    """Hands out low-level clients of one engine, each used by one thread at a time; connects on first use."""

    def __init__(self, url: str) -> None:
        if not url.startswith(SCHEME):
            raise EngineError(
                f"the engine's address is {url!r}, expected a unix socket such as unix:///var/run/docker.sock",
                remedy="set DOCKER_HOST to a unix socket; an engine behind TCP is not used",
            )
        self.url = url
        self.path = url.removeprefix(SCHEME)
        self._idle: list[docker.APIClient] = []
        self._lock = threading.Lock()
        self._api_version = ""
        self._engine_version = ""

    def engine_version(self) -> str:
        """Return the engine's own version, e.g. `26.1.5`."""
        with self.api("ask the engine for its version"):
            return self._engine_version

    @contextlib.contextmanager
    def api(self, what: str) -> Iterator[docker.APIClient]:
        """Lend a client for the block; foreign errors inside it become `EngineError("cannot <what>: …")`."""
        with self.translated(what):
            client = self._take()
            healthy = False
            try:
                yield client
                healthy = True
            except docker_errors.APIError:
                healthy = True
                raise
            finally:
                if healthy:
                    with self._lock:
                        self._idle.append(client)
                else:
                    client.close()

    @contextlib.contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Turn every foreign error of the block into `EngineError` with the engine's words and a remedy."""
        try:
            yield
        except docker_errors.APIError as err:
            words = str(err.explanation or err).strip()
            raise EngineError(f"cannot {what}: {words}", remedy=remedy_for(words)) from err
        except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError) as err:
            raise EngineError(f"cannot {what}: the engine at {self.url} gave no answer in time", remedy=_DEAD) from err
        except (requests.ConnectionError, OSError) as err:
            # docker-py's transport wraps the socket's own error several times over; the innermost one is readable.
            raise EngineError(
                f"cannot {what}: Cannot connect to the Docker engine at {self.url} ({_innermost(err)})", remedy=_DEAD
            ) from err
        except (docker_errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError) as err:
            raise EngineError(f"cannot {what}: {err}", remedy=remedy_for(str(err))) from err
        except ValueError as err:
            # A JSON decoding error of docker-py or requests: what answered is not a Docker engine.
            raise EngineError(
                f"cannot {what}: the engine at {self.url} answered nonsense ({err})", remedy=_DEAD
            ) from err

    def connect(self) -> tuple[socket.socket, str]:
        """Return a fresh connection to the engine and the path prefix of its API (`/v1.41`); raises OSError."""
        self._negotiate()
        return self._dial(), f"/v{self._api_version}"

    def close(self) -> None:
        """Close every idle client; the wire can be used again afterwards."""
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    def _dial(self) -> socket.socket:
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            raw.settimeout(TIMEOUT_S)
            raw.connect(self.path)
        except OSError:
            raw.close()
            raise
        return raw

    def _take(self) -> docker.APIClient:
        self._negotiate()
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return docker.APIClient(self.url, version=self._api_version, timeout=int(TIMEOUT_S))

    def _negotiate(self) -> None:
        with self._lock:
            if self._api_version:
                return
            self._dial().close()
            client = docker.APIClient(self.url, version=PREFERRED_API, timeout=int(TIMEOUT_S))
            try:
                found = client.version(api_version=False)
            finally:
                client.close()
            self._engine_version = str(found.get("Version", ""))
            self._api_version = choose_api(str(found["ApiVersion"]), str(found.get("MinAPIVersion", "1.24")))


def choose_api(newest: str, oldest: str) -> str:
    """Return the API version to speak with an engine that speaks `oldest` to `newest`: 1.44 where it can."""
    if not version_gte(newest, PREFERRED_API):
        return newest
    return PREFERRED_API if version_gte(PREFERRED_API, oldest) else oldest


def _innermost(err: BaseException) -> str:
    seen, words = err, str(err)
    for _ in range(10):
        if isinstance(seen, OSError) and seen.strerror:
            words = seen.strerror
        inner = seen.__cause__ or seen.__context__
        if inner is None:
            break
        seen = inner
    return words
