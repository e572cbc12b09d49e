"""The rungs of the family http: every fault of it is done by the transparent proxy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cleanroom.faults.base import FaultContext
from cleanroom.faults.http.deeds import (
    abort_of,
    body_of,
    delay_of,
    fail_first_of,
    headers_of,
    rate_limit_of,
    status_of,
)
from cleanroom.faults.proxy.fault import Deed, ProxyFault, open_proxy
from cleanroom.faults.proxy.rungs import PROXY
from cleanroom.faults.rung import Ladder
from cleanroom.plan.model import FaultEvent

_DEEDS: Mapping[str, Callable[[FaultEvent], Deed]] = MappingProxyType(
    {
        "http.abort": abort_of,
        "http.delay": delay_of,
        "http.status": status_of,
        "http.body": body_of,
        "http.headers": headers_of,
        "http.fail_first": fail_first_of,
        "http.rate_limit": rate_limit_of,
    }
)


def open_http(event: FaultEvent, context: FaultContext) -> ProxyFault:
    """Return the fault; raises `CapabilityError`."""
    return open_proxy(event, context, _DEEDS[event.fault.kind](event))


LADDERS: tuple[Ladder, ...] = tuple(Ladder(kind=kind, rungs=(PROXY,), open=open_http) for kind in _DEEDS)
