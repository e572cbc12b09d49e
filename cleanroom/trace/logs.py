"""Log records as OTLP has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cleanroom.trace.decode import request_tree
from cleanroom.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Origin, Resource, Scope
from cleanroom.trace.otlp_protobuf import Node
from cleanroom.trace.values import attributes_of, resource_of, scope_of, value_of

_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")  # four numbers each, from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One log record; times in nanoseconds since the epoch (0: none), ids in lower-case hex ("": none)."""

    time_ns: int = 0
    observed_ns: int = 0
    severity_number: int = 0
    severity_text: str = ""
    body: AttributeValue = None
    attributes: Attributes = field(default_factory=lambda: NO_ATTRIBUTES)
    dropped_attributes: int = 0
    flags: int = 0
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)
    origin: Origin = Origin.SERVICE

    @property
    def severity(self) -> str:
        """The sender's own word, else the name of the severity number (INFO for 9 to 12), else the empty string."""
        if self.severity_text or not 1 <= self.severity_number <= 4 * len(_SEVERITIES):
            return self.severity_text
        return _SEVERITIES[(self.severity_number - 1) // 4]

    @property
    def moment_ns(self) -> int:
        """When it happened; else when it was seen; 0 when the sender gave neither."""
        return self.time_ns or self.observed_ns


def decode_logs(body: bytes, content_type: str, origin: Origin) -> tuple[LogRecord, ...]:
    """Return the log records of one OTLP request in its order; raises `TelemetryError` for what is none."""
    return tuple(_records(request_tree(body, content_type, "logs"), origin))


def _records(tree: Node, origin: Origin) -> Iterator[LogRecord]:
    for group in tree.get("resourceLogs", ()):
        resource = resource_of(group)
        for scope_logs in group.get("scopeLogs", ()):
            scope = scope_of(scope_logs)
            for node in scope_logs.get("logRecords", ()):
                yield LogRecord(
                    time_ns=int(node.get("timeUnixNano", 0)),
                    observed_ns=int(node.get("observedTimeUnixNano", 0)),
                    severity_number=node.get("severityNumber", 0),
                    severity_text=node.get("severityText", ""),
                    body=value_of(node.get("body", {})),
                    attributes=attributes_of(node),
                    dropped_attributes=node.get("droppedAttributesCount", 0),
                    flags=node.get("flags", 0),
                    trace_id=node.get("traceId", ""),
                    span_id=node.get("spanId", ""),
                    event_name=node.get("eventName", ""),
                    resource=resource,
                    scope=scope,
                    origin=origin,
                )
