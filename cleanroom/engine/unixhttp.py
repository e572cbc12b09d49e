"""The two calls that a nested engine must answer before any library is loaded: is it there, and take these images."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Mapping

from cleanroom.errors import EngineError


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ping(path: str, timeout: float = 2.0) -> bool:
    """Whether an engine answers on the unix socket `path`."""
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def get_json(path: str, resource: str, timeout: float = 10.0) -> Mapping[str, object]:
    """Return the JSON object at `resource` (e.g. `/info`) of the engine on the unix socket `path`.

    Raises `EngineError` when it does not answer with one.
    """
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("GET", resource)
        answer = connection.getresponse()
        body = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as err:
        raise EngineError(f"the engine on {path} does not answer {resource}: {err}") from err
    finally:
        connection.close()
    if answer.status != http.client.OK or not isinstance(body, dict):
        raise EngineError(f"the engine on {path} answers {resource} with status {answer.status}: {body}")
    return body


def load_images(path: str, archive: Iterable[bytes], timeout: float = 600.0) -> None:
    """Stream an archive of `docker save` into the engine on the unix socket `path`.

    Raises `EngineError` with the engine's words when it does not take the whole of it.
    """
    connection = _UnixConnection(path, timeout)
    try:
        connection.request(
            "POST",
            "/images/load?quiet=1",
            body=archive,
            headers={"Content-Type": "application/x-tar"},
            encode_chunked=True,
        )
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as err:
        raise EngineError(f"loading images into the nested engine failed: {err}") from err
    finally:
        connection.close()
    # A broken archive is reported inside a stream that began with 200.
    if answer.status != http.client.OK or '"error"' in text:
        raise EngineError(f"the nested engine refused the images (status {answer.status}): {text.strip()[:2000]}")
