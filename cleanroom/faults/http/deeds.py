"""The faults of the family http: what each is told to do, and what a connection of ours is told instead."""

from __future__ import annotations

from collections.abc import Mapping

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError
from cleanroom.faults.proxy import prove
from cleanroom.faults.proxy.fault import Deed
from cleanroom.faults.proxy.limits import LONGEST_NS
from cleanroom.faults.proxy.trial import BODY
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration, Size

_SECOND = 10**9
# They say where a message ends, or belong to the connection: changed alone, a message would have no end, or two.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "trailer", "upgrade", "te"})
_ALL: Mapping[str, Json] = {"route": "*", "percent": 100}


def _whom(event: FaultEvent) -> dict[str, Json]:
    return {"route": str(event.parameters["route"]), "percent": _number(event.parameters["percent"])}


def _number(value: object) -> float:
    assert isinstance(value, int | float)  # noqa: S101 - the shape of the parameter
    return value


def _int(value: object) -> int:
    assert isinstance(value, int)  # noqa: S101 - the shape of the parameter
    return value


def _bytes(value: object) -> int:
    assert isinstance(value, Size)  # noqa: S101 - the shape of the parameter
    return value.bytes


def _ns(value: object) -> int:
    assert isinstance(value, Duration)  # noqa: S101 - the shape of the parameter
    return value.ns


def abort_of(event: FaultEvent) -> Deed:
    """`http.abort`."""
    after = _bytes(event.parameters["after"])
    trial = {**_ALL, "after": min(after, len(BODY) // 2)}
    return Deed(parameters={**_whom(event), "after": after}, trial=trial, prove=prove.prove_abort)


def delay_of(event: FaultEvent) -> Deed:
    """`http.delay`."""
    delay, jitter = _ns(event.parameters["delay"]), _ns(event.parameters["jitter"])
    trial: dict[str, Json] = {**_ALL, "delay_ns": min(delay, LONGEST_NS), "jitter_ns": 0}
    return Deed(
        parameters={**_whom(event), "delay_ns": delay, "jitter_ns": jitter}, trial=trial, prove=prove.prove_delay
    )


def status_of(event: FaultEvent) -> Deed:
    """`http.status`; `Retry-After` counts whole seconds, and is never less than what was asked."""
    found: dict[str, Json] = {"code": _int(event.parameters["code"])}
    if "retry_after" in event.parameters:
        found["retry_after"] = -(-_ns(event.parameters["retry_after"]) // _SECOND)
    return Deed(parameters={**_whom(event), **found}, trial={**_ALL, **found}, prove=prove.prove_status)


def body_of(event: FaultEvent) -> Deed:
    """`http.body`."""
    if "replace" in event.parameters:
        found: dict[str, Json] = {"replace": str(event.parameters["replace"])}
        trial = dict(found)
    else:
        size = _bytes(event.parameters["truncate"])
        found, trial = {"truncate": size}, {"truncate": min(size, len(BODY) // 2)}
    return Deed(parameters={**_whom(event), **found}, trial={**_ALL, **trial}, prove=prove.prove_body)


def headers_of(event: FaultEvent) -> Deed:
    """`http.headers`; raises `CapabilityError` for headers that say where a message ends."""
    changed, removed = event.parameters.get("set", {}), event.parameters.get("remove", ())
    assert isinstance(changed, Mapping)  # noqa: S101 - the shape of the parameter
    assert isinstance(removed, tuple)  # noqa: S101 - the same
    names = [str(name) for name in (*changed, *removed)]
    refused = sorted(name for name in names if name.lower() in _FRAMING)
    if refused:
        raise CapabilityError(
            f"http.headers cannot change {', '.join(refused)}: the message would have no end, or two",
            remedy="http.body cuts a response, http.abort breaks it off",
        )
    if any("\n" in str(word) or "\r" in str(word) for word in (*names, *changed.values())):
        raise CapabilityError("http.headers: a header is one line", remedy="take the line ends out of it")
    found: dict[str, Json] = {
        "set": {str(name): str(value) for name, value in changed.items()}, "remove": [str(name) for name in removed]
    }  # fmt: skip
    return Deed(parameters={**_whom(event), **found}, trial={**_ALL, **found}, prove=prove.prove_headers)


def fail_first_of(event: FaultEvent) -> Deed:
    """`http.fail_first`."""
    found: dict[str, Json] = {"count": _int(event.parameters["count"]), "code": _int(event.parameters["code"])}
    trial: dict[str, Json] = {**_ALL, **found, "count": 1}
    return Deed(parameters={**_whom(event), **found}, trial=trial, prove=prove.prove_fail_first)


def rate_limit_of(event: FaultEvent) -> Deed:
    """`http.rate_limit`."""
    found: dict[str, Json] = {
        "rate": _number(event.parameters["rate"]), "burst": _int(event.parameters["burst"])
    }  # fmt: skip
    # One may pass, and no other while the trial lasts.
    trial: dict[str, Json] = {**_ALL, "rate": 0.001, "burst": 1}
    return Deed(parameters={**_whom(event), **found}, trial=trial, prove=prove.prove_rate_limit)
