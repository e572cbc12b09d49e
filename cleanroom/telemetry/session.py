"""Telemetry of one run behind its port: inbox, receiver and collector (or the embedded receivers), and the barrier."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol

from cleanroom.clock import Clock, Deadline
from cleanroom.errors import TelemetryError
from cleanroom.quantity import Duration
from cleanroom.telemetry.collector import (
    GRPC_PORT,
    HTTP_PORT,
    LOOPBACK,
    SHORTEST_WAIT,
    CollectorProcess,
    Counters,
    SlotAddress,
    poll,
)
from cleanroom.telemetry.embedded import serve_embedded
from cleanroom.telemetry.inbox import JSON, Inbox
from cleanroom.telemetry.ports import Payload
from cleanroom.telemetry.receiver import loopback_route, runner_path, serve
from cleanroom.trace.otlp_protobuf import require_fast_backend

MAX_BYTES: Final = 256 << 20
"""Bytes of telemetry that one environment may send."""
_MARKER_SECONDS: Final = 10.0


class Front(Protocol):
    """What services talk to: the collector, or the embedded receivers."""

    def check(self) -> None:
        """Raise `TelemetryError` when it has died."""

    def counters(self, slot: int, within: float) -> Counters:
        """Return what it says it took and passed on; raises `TelemetryError`, also after `within` seconds."""


class TelemetrySession:
    """Implements `ports.Telemetry`; safe to use from several threads, one at a time for each slot."""

    def __init__(self, inbox: Inbox, front: Front, addresses: Sequence[SlotAddress], port: int, clock: Clock) -> None:
        self._inbox = inbox
        self._front = front
        self._gateways = {address.slot: address.gateway for address in addresses}
        self._port = port
        self._clock = clock
        self._opened: dict[int, Counters] = {}

    def open(self, slot: int, environment: str) -> None:
        """File everything that arrives on `slot` under `environment` from now on."""
        self._gateway(slot)
        self._front.check()
        self._opened[slot] = self._front.counters(slot, _MARKER_SECONDS)
        self._inbox.open(slot, environment)

    def endpoint(self, slot: int, protocol: str) -> str:
        """Return OTEL_EXPORTER_OTLP_ENDPOINT for services of `slot` (`grpc`, `http/protobuf`, `http/json`)."""
        return f"http://{self._gateway(slot)}:{GRPC_PORT if protocol == 'grpc' else HTTP_PORT}"

    def runner_endpoint(self, environment: str) -> str:
        """Return the OTLP/HTTP base endpoint for the runner's own spans, which services cannot reach."""
        self._inbox.admit_runner(environment)
        return f"http://{LOOPBACK}:{self._port}{runner_path(environment)}"

    def payloads(self, environment: str) -> tuple[Payload, ...]:
        """Return what has arrived for `environment` so far, in order of arrival; the barrier is `drain`."""
        return self._inbox.payloads(environment)

    def drain(self, slot: int, timeout: Duration) -> None:
        """Return when everything the slot's receiver accepted has reached us; raises `TelemetryError` otherwise.

        The proof has two parts: a marker span goes the whole way that services' spans go, and then the front's own
        counters say, twice in a row and unchanged, that it passed on what it accepted and lost nothing.
        """
        deadline = Deadline.after(self._clock, timeout.seconds)
        self._front.check()
        self._inbox.check(slot)
        before = self._opened.get(slot, Counters())
        unmarked = self._front.counters(slot, deadline.remaining()).since(before)
        self._send_marker(slot, deadline)
        seen: list[Counters] = []

        def settled() -> bool:
            self._front.check()
            traffic = self._inbox.traffic(slot)
            now = self._front.counters(slot, deadline.remaining()).since(before)
            if now.lost:
                raise _lost(slot, now)
            # Counters that did not see the marker say nothing about anything else.
            counting = now.accepted > unmarked.accepted
            whole = counting and now.accepted == now.sent and traffic.started == traffic.finished
            steady = whole and seen[-1:] == [now]
            seen.append(now)
            return steady

        if not poll(deadline, settled):
            last = seen[-1]
            raise TelemetryError(
                f"telemetry slot {slot} was not drained within {timeout}: {last.accepted} item(s) accepted, "
                f"{last.sent} passed on",
                remedy="something still sends, or the machine is overloaded: stop the services first, allow more time",
            )
        self._inbox.check(slot)

    def close(self, slot: int, environment: str) -> tuple[Payload, ...]:
        """Stop filing under `environment` and return all of it; what arrives on the slot later is counted as late."""
        return self._inbox.close(slot, environment)

    def late(self, environment: str) -> int:
        """Return how many requests arrived on the environment's slot after it was closed, outside any open one."""
        return self._inbox.late(environment)

    def check(self) -> None:
        """Raise `TelemetryError` when the collector has died, or an environment sent more than may be held."""
        self._front.check()
        self._inbox.check()

    def _send_marker(self, slot: int, deadline: Deadline) -> None:
        # Unguessable, so that no service can send a span that would be taken for the marker and disappear.
        token = secrets.token_hex(16).encode()
        with self._inbox.marker(slot, token):
            status, answer = self._post(slot, _marker_span(token.decode()), deadline)
            if status != http.client.OK:
                self._front.check()
                lost = self._front.counters(slot, deadline.remaining()).since(self._opened.get(slot, Counters()))
                raise _lost(slot, lost, f"its marker span was answered with {status}: {answer}")
            if not poll(deadline, lambda: self._inbox.marker_seen(slot, token)):
                raise TelemetryError(
                    f"the marker span of telemetry slot {slot} was accepted and did not arrive in time",
                    remedy="the collector keeps telemetry back: look at its log; nothing can be judged without it",
                )

    def _post(self, slot: int, body: bytes, deadline: Deadline) -> tuple[int, str]:
        gateway = self._gateway(slot)
        timeout = min(_MARKER_SECONDS, max(SHORTEST_WAIT, deadline.remaining()))
        connection = http.client.HTTPConnection(gateway, HTTP_PORT, timeout=timeout)
        try:
            connection.request("POST", "/v1/traces", body, {"Content-Type": JSON})
            response = connection.getresponse()
            return response.status, response.read(1 << 12).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as err:
            self._front.check()
            raise TelemetryError(
                f"the receiver of telemetry slot {slot} on {gateway}:{HTTP_PORT} did not take the marker span: {err}",
                remedy="telemetry of this environment cannot be trusted to be whole: run again",
            ) from err
        finally:
            connection.close()

    def _gateway(self, slot: int) -> str:
        gateway = self._gateways.get(slot)
        if gateway is None:
            raise TelemetryError(
                f"there is no telemetry slot {slot}; this run has {sorted(self._gateways)}",
                remedy="start telemetry with every slot the run uses",
            )
        return gateway


@contextmanager
def start_telemetry(
    slots: Sequence[tuple[int, str]],
    *,
    collector: Path | None,
    directory: Path,
    clock: Clock,
    max_bytes: int = MAX_BYTES,
) -> Iterator[TelemetrySession]:
    """Run telemetry for `slots` (number, address of the gateway) while the block runs; raises `TelemetryError`.

    `collector` is an otelcol binary, or None for the embedded receivers; `directory` gets its configuration and log.
    """
    # Said before anything runs: what is collected could not be judged in time.
    require_fast_backend()
    addresses = tuple(SlotAddress(slot, gateway) for slot, gateway in slots)
    inbox = Inbox(tuple(address.slot for address in addresses), clock, max_bytes)
    with ExitStack() as stack:
        port = stack.enter_context(serve(LOOPBACK, 0, loopback_route(inbox)))
        front: Front
        if collector is None:
            front = stack.enter_context(serve_embedded(inbox, addresses))
        else:
            process = CollectorProcess.start(collector, addresses, receiver_port=port, directory=directory, clock=clock)
            stack.callback(process.stop)
            front = process
        yield TelemetrySession(inbox, front, addresses, port, clock)


def _lost(slot: int, counters: Counters, why: str = "") -> TelemetryError:
    return TelemetryError(
        f"telemetry slot {slot} lost {counters.lost} of {counters.accepted + counters.lost} item(s)"
        f"{f'; {why}' if why else ''}",
        remedy="what is missing could have broken an expectation, so nothing is judged: run again, or send less",
    )


def _marker_span(token: str) -> bytes:
    span = {
        "traceId": token,
        "spanId": token[:16],
        "name": f"cleanroom.marker.{token}",
        "kind": 1,
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "1",
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
