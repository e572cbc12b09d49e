"""The OpenTelemetry Collector: its configuration as a pure function, its process, its counters."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.clock import Clock, Deadline
from cleanroom.errors import TelemetryError

GRPC_PORT: Final = 4317
HTTP_PORT: Final = 4318
LOOPBACK: Final = "127.0.0.1"
START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 3.0
SCRAPE_SECONDS: Final = 5.0
FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.1
SHORTEST_WAIT: Final = 0.05
"""Seconds; less would make an answer of a busy machine look like none."""
_MEGABYTES: Final = 64
_LOG_TAIL: Final = 4096
_SAMPLE: Final = re.compile(
    r"otelcol_(receiver|exporter)_(accepted|refused|failed|sent|send_failed)_(spans|metric_points|log_records)"
    r'\{[^}]*?\b(?:receiver|exporter)="([^"]+)"[^}]*\} ([0-9.e+]+)'
)


@dataclass(frozen=True, slots=True)
class SlotAddress:
    """A slot and the address of its gateway, on which its receiver listens."""

    slot: int
    gateway: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What went through one slot's pipelines so far, in items (spans, metric points and log records together)."""

    accepted: int = 0
    sent: int = 0
    lost: int = 0
    """Refused by the receiver's pipeline or not delivered by the exporter."""

    def since(self, earlier: Counters) -> Counters:
        """Return what came after `earlier`."""
        return Counters(
            accepted=self.accepted - earlier.accepted,
            sent=self.sent - earlier.sent,
            lost=self.lost - earlier.lost,
        )


def poll(deadline: Deadline, holds: Callable[[], bool]) -> bool:
    """Ask `holds` until it is true or the deadline has passed, at first every 5 ms; return the last answer."""
    pause = FIRST_PAUSE
    while not holds():
        if deadline.expired():
            return False
        deadline.clock.sleep(min(pause, deadline.remaining()))
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return True


def collector_config(slots: Sequence[SlotAddress], *, receiver_port: int, metrics_port: int) -> str:
    """Return the collector's configuration (JSON, which is YAML): per slot one receiver, one exporter, three pipelines.

    No queue, no batch, no retry: a request is answered when our receiver has it, so that nothing can be on its way when
    a service has been told that its spans arrived.
    """
    names = {s.slot: f"slot{s.slot}" for s in slots}
    config = {
        "receivers": {f"otlp/{names[s.slot]}": {"protocols": _listen(s.gateway)} for s in slots},
        "processors": {"memory_limiter": {"check_interval": "1s", "limit_mib": 512, "spike_limit_mib": 128}},
        "exporters": {
            f"otlp_http/{name}": {
                "endpoint": f"http://{LOOPBACK}:{receiver_port}/slot/{slot}",
                "encoding": "proto",
                "compression": "none",
                "timeout": "10s",
                "max_conns_per_host": 16,
                "sending_queue": {"enabled": False},
                "retry_on_failure": {"enabled": False},
            }
            for slot, name in names.items()
        },
        "service": {
            "telemetry": _own_telemetry(metrics_port),
            "pipelines": {
                f"{signal_name}/{name}": {
                    "receivers": [f"otlp/{name}"],
                    "processors": ["memory_limiter"],
                    "exporters": [f"otlp_http/{name}"],
                }
                for name in names.values()
                for signal_name in ("traces", "metrics", "logs")
            },
        },
    }
    return json.dumps(config, indent=2) + "\n"


def _listen(gateway: str) -> dict[str, object]:
    return {
        "grpc": {"endpoint": f"{gateway}:{GRPC_PORT}", "max_recv_msg_size_mib": _MEGABYTES},
        "http": {"endpoint": f"{gateway}:{HTTP_PORT}", "max_request_body_size": _MEGABYTES << 20},
    }


def _own_telemetry(metrics_port: int) -> dict[str, object]:
    reader = {
        "host": LOOPBACK,
        "port": metrics_port,
        "without_scope_info": True,
        "without_type_suffix": True,
        "without_units": True,
    }
    return {
        "logs": {"level": "warn", "encoding": "console", "disable_caller": True, "disable_stacktrace": True},
        "metrics": {"level": "basic", "readers": [{"pull": {"exporter": {"prometheus": reader}}}]},
    }


def parse_counters(exposition: str, slot: int) -> Counters:
    """Return the counters of one slot from the collector's Prometheus text."""
    totals: dict[tuple[str, str], int] = {}
    for _, what, items, component, value in _SAMPLE.findall(exposition):
        if component.partition("/")[2] == f"slot{slot}":
            key = (what, items)
            totals[key] = totals.get(key, 0) + int(float(value))
    items = {key[1] for key in totals}

    def total(what: str) -> int:
        return sum(totals.get((what, item), 0) for item in items)

    # An item that the exporter could not deliver is refused by the receiver too: the same loss, seen twice.
    lost = sum(
        max(totals.get(("refused", item), 0) + totals.get(("failed", item), 0), totals.get(("send_failed", item), 0))
        for item in items
    )
    return Counters(accepted=total("accepted"), sent=total("sent"), lost=lost)


class CollectorProcess:
    """One running collector, in a process group of its own; started by `start`, ended by `stop`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, metrics_port: int, clock: Clock) -> None:
        self._process = process
        self._log = log
        self._metrics_port = metrics_port
        self._clock = clock

    @classmethod
    def start(
        cls, binary: Path, slots: Sequence[SlotAddress], *, receiver_port: int, directory: Path, clock: Clock
    ) -> CollectorProcess:
        """Start `binary` and return when all its ports listen; raises `TelemetryError` with the end of its log.

        Its configuration and log are kept in `directory`. It gets an empty environment: no proxy, no credential.
        """
        for address in slots:
            for port in (GRPC_PORT, HTTP_PORT):
                _require_free(address.gateway, port)
        metrics_port = _free_port()
        config, log = directory / "collector.yaml", directory / "collector.log"
        try:
            config.write_text(
                collector_config(slots, receiver_port=receiver_port, metrics_port=metrics_port), encoding="utf-8"
            )
            with log.open("wb") as output:
                process = subprocess.Popen(
                    (str(binary), f"--config=file:{config}"),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={},
                    cwd=directory,
                    start_new_session=True,
                )
        except OSError as err:
            raise TelemetryError(
                f"the collector {binary} could not be started: {err}",
                remedy="check that the file is an otelcol for this machine, or use `otel: {collector: embedded}`",
            ) from err
        collector = cls(process, log, metrics_port, clock)
        try:
            collector._await_ready(slots)
        except BaseException:
            collector.stop()
            raise
        return collector

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise `TelemetryError` with the end of its log when the collector has died."""
        code = self._process.poll()
        if code is not None:
            how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            raise TelemetryError(
                f"the OpenTelemetry Collector ended {how} during the run; the end of its log:\n{self._tail()}",
                remedy="what services sent after that is lost, so nothing can be judged: read the log, then run again",
            )

    def counters(self, slot: int, within: float) -> Counters:
        """Return the collector's own counters of one slot; raises `TelemetryError`, also after `within` seconds."""
        return parse_counters(self._scrape(min(SCRAPE_SECONDS, max(SHORTEST_WAIT, within))), slot)

    def stop(self) -> None:
        """End the process and wait for it: SIGTERM, then SIGKILL to its group."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):  # it ended between the two lines
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def _await_ready(self, slots: Sequence[SlotAddress]) -> None:
        waiting = [(LOOPBACK, self._metrics_port)]
        waiting += [(a.gateway, port) for a in slots for port in (GRPC_PORT, HTTP_PORT)]

        def ready() -> bool:
            self.check()
            while waiting and _listens(*waiting[-1]):
                waiting.pop()
            return not waiting

        if not poll(Deadline.after(self._clock, START_SECONDS), ready):
            host, port = waiting[-1]
            raise TelemetryError(
                f"the collector does not listen on {host}:{port} after {START_SECONDS:g} s; "
                f"the end of its log:\n{self._tail()}",
                remedy="check that the machine is not overloaded and that the gateway address is up",
            )
        self.check()

    def _scrape(self, timeout: float) -> str:
        connection = http.client.HTTPConnection(LOOPBACK, self._metrics_port, timeout=timeout)
        try:
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as err:
            self.check()
            raise TelemetryError(
                f"the collector's counters on {LOOPBACK}:{self._metrics_port} cannot be read: {err}",
                remedy="without them the barrier cannot be proven; run again, and look at the collector's log",
            ) from err
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise TelemetryError(
                f"the collector's counters answered {response.status}",
                remedy="without them the barrier cannot be proven; look at the collector's log",
            )
        return text

    def _tail(self) -> str:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL))
                return file.read().decode("utf-8", "replace").strip() or "(it is empty)"
        except OSError as err:
            return f"(it cannot be read: {err})"


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _require_free(host: str, port: int) -> None:
    """Raise unless host:port is free: a stranger's listener there would look like a collector that is ready."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as err:
            raise TelemetryError(
                f"cannot listen for telemetry on {host}:{port}: {err.strerror or err}",
                remedy="end what listens there already, or give the run an address that this machine has",
            ) from err


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
