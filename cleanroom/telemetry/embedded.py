"""Telemetry without a collector: our own receiver on each gateway, OTLP/HTTP and OTLP/gRPC."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from cleanroom.errors import TelemetryError
from cleanroom.telemetry.collector import GRPC_PORT, HTTP_PORT, Counters, SlotAddress
from cleanroom.telemetry.inbox import PROTOBUF, Arrival, Inbox
from cleanroom.telemetry.ports import Signal
from cleanroom.telemetry.receiver import MAX_BODY, gateway_route, serve, slot_mailbox

if TYPE_CHECKING:
    import grpc

_WORKERS: Final = 8
_STOP_SECONDS: Final = 1.0
_SERVICES: Final[tuple[tuple[Signal, str], ...]] = (
    ("traces", "opentelemetry.proto.collector.trace.v1.TraceService"),
    ("metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService"),
    ("logs", "opentelemetry.proto.collector.logs.v1.LogsService"),
)


class Embedded:
    """The receivers of all slots in our own process; there is no other process to die or to lose anything."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def check(self) -> None:
        """Nothing can have died but ourselves."""

    def counters(self, slot: int, within: float) -> Counters:  # noqa: ARG002 - the port's; nothing here is waited for
        """Return the slot's requests: accepted when their reading began, sent when they were kept or refused."""
        traffic = self._inbox.traffic(slot)
        return Counters(accepted=traffic.started, sent=traffic.finished, lost=traffic.refused)


@contextmanager
def serve_embedded(inbox: Inbox, slots: Sequence[SlotAddress]) -> Iterator[Embedded]:
    """Listen on 4317 (gRPC) and 4318 (HTTP) of every gateway while the block runs; raises `TelemetryError`."""
    with ExitStack() as stack:
        for address in slots:
            stack.enter_context(serve(address.gateway, HTTP_PORT, gateway_route(inbox, address.slot)))
            stack.enter_context(_serve_grpc(inbox, address))
        yield Embedded(inbox)


@contextmanager
def _serve_grpc(inbox: Inbox, address: SlotAddress) -> Iterator[None]:
    # grpcio costs as much to import as the rest of the program, and a run with a collector never needs it.
    import grpc  # noqa: PLC0415

    server = grpc.server(
        ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"otlp-grpc-{address.slot}"),
        handlers=[
            grpc.method_handlers_generic_handler(
                service,
                # No serializers: requests stay bytes, and an empty message is a full success in all three services.
                {"Export": grpc.unary_unary_rpc_method_handler(_export(inbox, address.slot, signal))},
            )
            for signal, service in _SERVICES
        ],
        options=[("grpc.max_receive_message_length", MAX_BODY), ("grpc.so_reuseport", 0)],
    )
    try:
        server.add_insecure_port(f"{address.gateway}:{GRPC_PORT}")
    except RuntimeError as err:
        raise TelemetryError(
            f"cannot listen for telemetry on {address.gateway}:{GRPC_PORT}: {err}",
            remedy="end what listens there already, or give the run an address that this machine has",
        ) from err
    server.start()
    try:
        yield
    finally:
        server.stop(_STOP_SECONDS).wait()


def _export(inbox: Inbox, slot: int, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    import grpc  # noqa: PLC0415 - see above

    mailbox = slot_mailbox(inbox, slot, signal)

    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        with mailbox.receiving():
            filing = mailbox.file(Arrival(signal=signal, content_type=PROTOBUF, body=body))
        if filing == "full":
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "this environment has sent more than is kept")
        if filing == "unknown":
            context.abort(grpc.StatusCode.NOT_FOUND, "no environment is open here")
        return b""

    return export
