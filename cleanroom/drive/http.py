"""The `http` action: one request from the runner to a service, with the step's trace context in its headers."""

from __future__ import annotations

import errno
import http.client
import ssl
import time
from collections.abc import Iterator

import requests
from urllib3.exceptions import DecodeError, HTTPError, InvalidChunkLength, ProtocolError

from cleanroom.drive.inside import OutsideError, session_inside
from cleanroom.drive.json_text import parsed
from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.result import ActionResult
from cleanroom.spec.query import HttpAction
from cleanroom.text import clean, one_line

MAX_BODY = 1 << 20


def run_http(reach: Reach, action: HttpAction, limits: Limits, context: str) -> ActionResult:
    """Make the request with `context` as its `traceparent`; an answer is a result, whatever its status; never raises.

    Nobody but the services of `reach` gets it, nor is a redirect followed to anybody else.
    """
    timeout = limits.timeout
    started = time.monotonic_ns()
    deadline = time.monotonic() + timeout.seconds
    headers = {"User-Agent": "cleanroom", "traceparent": context, **action.headers}
    try:
        with session_inside(reach.addresses, deadline) as session:
            response = session.request(
                action.method,
                # Named as a client inside the environment would, in the Host header too: spans then carry no address.
                action.url or f"http://{action.service}:{action.port}{action.path}",
                params=dict(action.query),
                headers=headers,
                data=_data(action),
                json=action.json if action.has_json else None,
                timeout=(timeout.seconds, timeout.seconds),
                allow_redirects=action.follow,
                verify=action.tls_verify,
                stream=True,
            )
            body, truncated = _read(response.iter_content(65536))
    except (requests.RequestException, HTTPError, OSError, ValueError) as err:
        kind, message = error_type(err)
        return ActionResult(error_type=kind, message=message, duration_ns=time.monotonic_ns() - started)
    text = _decoded(body, response.encoding or "utf-8")
    value, has_json = parsed(text)
    failed = response.status_code >= requests.codes.bad_request
    return ActionResult(
        error_type="http_status" if failed else "",
        message=f"the answer was {response.status_code}" if failed else "",
        status=response.status_code,
        headers={k.lower(): clean(v) for k, v in response.headers.items()},
        body=clean(text),
        json=value,
        has_json=has_json,
        value=value if has_json else clean(text),
        truncated=("body",) if truncated else (),
        duration_ns=time.monotonic_ns() - started,
    )


def _data(action: HttpAction) -> bytes | dict[str, str] | None:
    if action.form is not None:
        return dict(action.form)
    return action.body.encode() if action.body is not None else None


def _read(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY:
            return bytes(body[:MAX_BODY]), True
    return bytes(body), False


def _decoded(body: bytes, charset: str) -> str:
    """Return the body as text: the charset is whatever a service wrote, also what is none."""
    try:
        return body.decode(charset, "replace")
    except (LookupError, ValueError):
        return body.decode("utf-8", "replace")


def error_type(err: BaseException) -> tuple[str, str]:
    """Return (error type of spec.md section 4, one line) from errno and class, never from localised text."""
    if isinstance(err, requests.Timeout | TimeoutError):
        return "timeout", "no complete answer in time"
    if isinstance(err, requests.exceptions.SSLError):
        return "tls", "the TLS handshake failed"
    for cause in _causes(err):
        if found := _of_cause(cause):
            return found
    if any(_is_no_http(cause) for cause in _causes(err)):
        return "network_failure", "what the service answered is no HTTP"
    if any(isinstance(cause, ProtocolError) for cause in _causes(err)):
        return "connection_reset", "the connection ended before the answer"
    # The spec's own address has been looked at: one that is none comes from a redirect.
    why = f"leads to what is no address: {one_line(str(err), 200)}" if isinstance(err, ValueError) else "failed"
    return "network_failure", f"the request {why} ({type(err).__name__})"


def _is_no_http(cause: BaseException) -> bool:
    """Whether bytes came that are no response; one that only ends too soon is broken off."""
    if isinstance(cause, InvalidChunkLength):
        return True
    broken_off = (ConnectionResetError, http.client.IncompleteRead)
    return isinstance(cause, http.client.HTTPException | DecodeError) and not isinstance(cause, broken_off)


def _of_cause(cause: BaseException) -> tuple[str, str] | None:
    match cause:
        case OutsideError() | requests.exceptions.InvalidSchema():
            found = "network_failure", f"the request leads out of the environment: {cause}"
        case ssl.SSLError():
            found = "tls", f"the TLS handshake failed ({cause.reason or type(cause).__name__})"
        case TimeoutError(errno=None):
            found = "timeout", "no complete answer in time"
        case ConnectionRefusedError():
            found = "connection_refused", "the connection was refused"
        case ConnectionResetError() | BrokenPipeError():
            found = "connection_reset", "the connection was reset"
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH | errno.ETIMEDOUT as number):
            found = "network_failure", f"the service could not be reached ({errno.errorcode[number]})"
        case _:
            return None
    return found


def _causes(err: BaseException) -> Iterator[BaseException]:
    queue: list[BaseException] = [err]
    seen: set[int] = set()
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        linked = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        queue.extend(item for item in linked if isinstance(item, BaseException))
