"""The variables that every service gets: where to send telemetry, and the same seed, time zone and locale each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from cleanroom.spec.service import Service

DELAY_MS: Final = "100"
"""SDKs batch for 5 s by default; a test waits for its spans."""
METRIC_INTERVAL_MS: Final = "1000"
SOURCE_DATE_EPOCH: Final = "315532800"
"""1980-01-01T00:00:00Z, the first moment that every archive format can store."""
_PYTHON_HASH_SEEDS: Final = 2**32


def telemetry_variables(service: Service, endpoint: str, resource: Mapping[str, str], seed: int) -> dict[str, str]:
    """Return the whole environment of `service`'s containers in order of name (spec.md sections 3 and 7).

    `endpoint` is the one of the service's slot and protocol, `resource` is `otel.resource` of the suite. What the
    service's own `environment` says wins; its OTEL_RESOURCE_ATTRIBUTES win key by key. Nothing of our own process's
    environment gets in.
    """
    own = service.environment
    variables = {
        "CLEANROOM_SEED": str(seed),
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": str(seed % _PYTHON_HASH_SEEDS),
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
        "TZ": "UTC",
    }
    if service.telemetry.inject:
        variables |= _exporter(service, endpoint)
    variables |= own
    if service.telemetry.inject and resource:
        variables["OTEL_RESOURCE_ATTRIBUTES"] = _resource(resource, own.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    return dict(sorted(variables.items()))


def _exporter(service: Service, endpoint: str) -> dict[str, str]:
    variables = {
        "OTEL_BLRP_SCHEDULE_DELAY": DELAY_MS,
        "OTEL_BSP_SCHEDULE_DELAY": DELAY_MS,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": service.telemetry.protocol,
        "OTEL_METRIC_EXPORT_INTERVAL": METRIC_INTERVAL_MS,
        "OTEL_PROPAGATORS": "tracecontext,baggage",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",
    }
    # OTEL_SERVICE_NAME beats service.name in OTEL_RESOURCE_ATTRIBUTES, so a service that chose the latter keeps it.
    if "service.name" not in _keys(service.environment.get("OTEL_RESOURCE_ATTRIBUTES", "")):
        variables["OTEL_SERVICE_NAME"] = service.telemetry.service_name or service.name
    return variables


def _resource(resource: Mapping[str, str], own: str) -> str:
    taken = _keys(own)
    added = [f"{_encoded(key)}={_encoded(value)}" for key, value in sorted(resource.items()) if key not in taken]
    return ",".join([*added, own] if own else added)


def _keys(attributes: str) -> frozenset[str]:
    return frozenset(entry.partition("=")[0].strip() for entry in attributes.split(","))


def _encoded(text: str) -> str:
    """Percent-encode as W3C Baggage asks; letters, digits and `_.-~/:` stay readable."""
    return quote(text, safe="/:")
