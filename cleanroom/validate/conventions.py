"""What OpenTelemetry's conventions say of one span: the empty string where it keeps them, else what is wrong.

The rules are those of the OpenTelemetry specification and semantic conventions: span names of low cardinality, kinds,
`Recording exceptions`, `HTTP spans` (status) and `Naming`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from cleanroom.trace.model import Attributes, Span, SpanKind, StatusCode

_VALUES = (
    ("a UUID", re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")),
    ("an e-mail address", re.compile(r"[\w.+-]+@[\w-]+\.\w")),
    ("an IP address", re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")),
    ("a time", re.compile(r"\d{4}-\d\d-\d\d")),
    ("a query string", re.compile(r"\?[\w.\[\]-]+=")),
    # At least one digit and one letter, so that neither a word (`facade`) nor a plain number is meant.
    ("an id", re.compile(r"(?<![0-9A-Za-z])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}(?![0-9A-Za-z])", re.IGNORECASE)),
    ("an id", re.compile(r"(?<![0-9A-Za-z])(?=[0-9A-Z]*\d)[0-9A-HJKMNP-TV-Z]{26}(?![0-9A-Za-z])")),
    # `/v1`, `HTTP/1.1` and `s3` name versions and things; a number that stands by itself counts something.
    ("a number", re.compile(r"(?<![0-9A-Za-z.$])\d+(?![0-9A-Za-z.])")),
)
_PROTOCOL = re.compile(r"\b(?:HTTP|TLS|SPDY|gRPC|QUIC)/\d(?:\.\d)?\b", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[._][a-z0-9]+)*")
_FREE = (
    "http.request.header.", "http.response.header.", "rpc.request.metadata.", "rpc.response.metadata.",
    "rpc.grpc.request.metadata.", "rpc.grpc.response.metadata.", "rpc.connect_rpc.request.metadata.",
    "rpc.connect_rpc.response.metadata.", "db.query.parameter.", "db.operation.parameter.",
    "process.environment_variable.", "container.label.", "k8s.pod.label.", "k8s.pod.annotation.",
    "k8s.namespace.label.", "k8s.namespace.annotation.", "k8s.node.label.", "k8s.node.annotation.",
)  # fmt: skip
"""Namespaces whose last part is somebody else's name."""
_FAILED = 500
_REFUSED = 400
_STATUSES = ("http.response.status_code", "http.status_code")


def service_breach(name: str) -> str:
    """Return what is wrong with a `service.name`; SDKs make up `unknown_service` where there is none."""
    if not name.strip():
        return "there is no service.name"
    return f'service.name is "{name}", which the SDK made up' if name.startswith("unknown_service") else ""


@lru_cache(maxsize=65536)
def name_breach(name: str) -> str:
    """Return which value of a request a span's name has; there must be few names."""
    if not name.strip():
        return "the name is empty"
    plain = _PROTOCOL.sub("", name)
    return next((f"the name has {what}" for what, pattern in _VALUES if pattern.search(plain)), "")


def kind_breach(span: Span) -> str:
    """Return whether the kind is missing."""
    return "the kind is unspecified" if span.kind is SpanKind.UNSPECIFIED else ""


def error_breach(span: Span) -> str | None:
    """Return what says that a span failed though its status does not; None where nothing says so."""
    sign = _sign(span)
    if not sign:
        return None
    return "" if span.status is StatusCode.ERROR else f"{sign}, and the status is {span.status.value}"


def _sign(span: Span) -> str:
    for event in span.events:
        # An exception that was caught and handled inside is no failure of the span.
        if event.name == "exception" and event.attributes.get("exception.escaped") is not False:
            return "it recorded an exception"
    error = span.attributes.get("error.type")
    if isinstance(error, str) and error:
        return f"error.type is {error}"
    status = next((span.attributes[key] for key in _STATUSES if key in span.attributes), None)
    # A server leaves 4xx unset: the client was wrong, and for the client it is an error.
    least = _REFUSED if span.kind is SpanKind.CLIENT else _FAILED
    if not isinstance(status, int) or isinstance(status, bool) or status < least:
        return ""
    return f"the HTTP status is {status}"


def time_breach(span: Span) -> str:
    """Return what is wrong with the times of a span."""
    if span.start_ns <= 0:
        return "it has no start"
    return "it ends before it starts" if span.end_ns < span.start_ns else ""


def dropped_breach(span: Span) -> str:
    """Return what the limits of the SDK took away."""
    dropped = (
        ("attribute", span.dropped_attributes), ("event", span.dropped_events), ("link", span.dropped_links)
    )  # fmt: skip
    told = [f"{number} {noun}{'' if number == 1 else 's'}" for noun, number in dropped if number]
    return f"{' and '.join(told)} dropped" if told else ""


def attribute_breach(span: Span) -> str | None:
    """Return which attributes of the span, its events, links, scope or resource are named against the rules."""
    wrong: set[str] = set()
    asked = False
    for attributes in _attributes(span):
        asked = asked or bool(attributes)
        wrong.update(key for key in attributes if not is_attribute_name(key))
    if not asked:
        return None
    return f"named {', '.join(sorted(wrong))}" if wrong else ""


def _attributes(span: Span) -> Iterable[Attributes]:
    yield span.attributes
    yield span.resource.attributes
    yield span.scope.attributes
    for event in span.events:
        yield event.attributes
    for link in span.links:
        yield link.attributes


@lru_cache(maxsize=65536)
def is_attribute_name(name: str) -> bool:
    """Whether a name is lower-case words joined by `_`, in namespaces joined by `.`."""
    free = next((prefix for prefix in _FREE if name.startswith(prefix)), "")
    return name != free if free else _NAME.fullmatch(name) is not None
