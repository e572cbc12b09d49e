"""Faults of what services speak: dns, http, dependency, database, cache, broker, credentials (spec.md section 8)."""

from __future__ import annotations

import ipaddress
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar
from cleanroom.spec.shapes.fault_kind import Kind, globs, parameter, percent, route
from cleanroom.spec.shapes.shape import (
    Shape,
    choice,
    fixed_text,
    free_text,
    integer,
    items,
    number,
    regex,
    scalar_text,
    table,
)
from cleanroom.spec.shapes.value import duration, positive_duration, positive_size, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place


def _address(node: Node, place: Place) -> str:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise place.wrong(node, _ADDRESS)
    try:
        return str(ipaddress.ip_address(node.value))
    except ValueError:
        raise place.wrong(node, _ADDRESS, code="wrong-value") from None


_ADDRESS = "an IP address such as 192.0.2.1"
address = Shape(_address, _ADDRESS, {"type": "string", "pattern": "^[0-9a-fA-F.:]+$"}, example="192.0.2.1")

_NAMES = {
    "names": parameter(globs, "The names that are asked for, as globs.", '["*"]', example="[api.example.com]"),
    "percent": parameter(percent, "The share of questions, each decided by the seeded stream.", "100"),
}
_ROUTE = {
    "route": parameter(
        route,
        "Which requests to the target: a glob over paths, with or without a method before it. TLS and HTTP/2 pass "
        "untouched.",
        '"*"', example='"POST /orders*"',
    ),
    "percent": parameter(percent, "The share of these requests, each decided by the seeded stream.", "100"),
}  # fmt: skip

DNS: Mapping[str, Kind] = MappingProxyType({
    "dns.nxdomain": Kind(
        doc="Names that the target asks for do not exist.", parameters=_NAMES, rungs=("resolver",), available=True,
    ),
    "dns.servfail": Kind(
        doc="The target's resolver fails.", parameters=_NAMES, rungs=("resolver",), available=True,
    ),
    "dns.timeout": Kind(
        doc="The target's resolver does not answer.", parameters=_NAMES, rungs=("resolver",), available=True,
    ),
    "dns.delay": Kind(
        doc="The target's resolver answers late.",
        parameters={"delay": parameter(positive_duration, "How late."), **_NAMES},
        required=("delay",),
        rungs=("resolver",), available=True,
    ),
    "dns.spoof": Kind(
        doc="Names that the target asks for have another address.",
        parameters={"address": parameter(address, "The address that is answered."), **_NAMES},
        required=("address",),
        rungs=("resolver",), available=True,
    ),
})  # fmt: skip

_headers = table(scalar_text, at_least=1)

HTTP: Mapping[str, Kind] = MappingProxyType({
    "http.abort": Kind(
        doc="The connection is closed in the middle of the response.",
        parameters={
            "after": parameter(size, "How many bytes of the body are sent before.", "0", example="1KiB"), **_ROUTE
        },
        rungs=("proxy",), in_container=False, available=True,
    ),
    "http.delay": Kind(
        doc="Responses come late.",
        parameters={
            "delay": parameter(positive_duration, "How late.", example="500ms"),
            "jitter": parameter(duration, "How far a delay may be from `delay`, either way.", "0", example="100ms"),
            **_ROUTE,
        },
        required=("delay",),
        rungs=("proxy",), in_container=False, available=True,
    ),
    "http.status": Kind(
        doc="Requests are answered with a status, and do not reach the service.",
        parameters={
            "code": parameter(integer(200, 599), "The status.", example="503"),
            "retry_after": parameter(duration, "What the header Retry-After says. Left out: no such header."),
            **_ROUTE,
        },
        required=("code",),
        rungs=("proxy",), in_container=False, available=True,
    ),
    "http.body": Kind(
        doc="The body of the response is another one, or cut.",
        parameters={
            "replace": parameter(free_text, "The body that is sent instead.", example='"{}"'),
            "truncate": parameter(size, "How many bytes are sent; the declared length stays.", example="10"),
            **_ROUTE,
        },
        exactly_one=("replace", "truncate"),
        rungs=("proxy",), in_container=False, available=True,
    ),
    "http.headers": Kind(
        doc="The headers of the response are changed.",
        parameters={
            "set": parameter(_headers, "Headers that are added or replaced.", example="{cache-control: no-store}"),
            "remove": parameter(items(fixed_text, at_least=1), "Headers that are taken out.", example="[etag]"),
            **_ROUTE,
        },
        at_least_one=("set", "remove"),
        rungs=("proxy",), in_container=False, available=True,
    ),
    "http.fail_first": Kind(
        doc="The first requests fail, later ones do not.",
        parameters={
            "count": parameter(integer(1), "How many fail.", example="3"),
            "code": parameter(integer(400, 599), "The status that they are answered with.", "503"),
            **_ROUTE,
        },
        required=("count",),
        rungs=("proxy",), in_container=False, available=True,
    ),
    "http.rate_limit": Kind(
        doc="Requests beyond a rate are answered with 429.",
        parameters={
            "rate": parameter(number(0, above=True), "Requests a second.", example="10"),
            "burst": parameter(integer(1), "How many may come at once after a pause.", "1", example="5"),
            **_ROUTE,
        },
        required=("rate",),
        rungs=("proxy",), in_container=False, available=True,
    ),
})  # fmt: skip

DEPENDENCY: Mapping[str, Kind] = MappingProxyType({
    "dependency.down": Kind(
        doc="The service cannot be reached by those that depend on it.",
        parameters={"mode": parameter(choice("kill", "pause", "refuse", "blackhole"), "In which way.", "kill")},
        rungs=("api", "nftables"),
        available=True,
    ),
    "dependency.unhealthy": Kind(
        doc="The health check of the service's image fails, while the service itself runs on.",
        rungs=("files",),
        available=True,
    ),
})  # fmt: skip

_LOCKS = (
    "access exclusive", "exclusive", "share row exclusive", "share", "share update exclusive", "row exclusive",
    "row share", "access share", "read", "write",
)  # fmt: skip

DATABASE: Mapping[str, Kind] = MappingProxyType({
    "database.lock": Kind(
        doc="A session of the runner holds a lock on a table.",
        parameters={
            "table": parameter(fixed_text, "The table, with its schema where needed.", example="orders"),
            "mode": parameter(choice(*_LOCKS), "The lock; `read` and `write` are those of MySQL.", "access exclusive"),
        },
        required=("table",),
        rungs=("sql",), available=True,
    ),
    "database.kill_sessions": Kind(
        doc="Sessions of the database are ended by the server.",
        parameters={
            "count": parameter(integer(1), "How many, drawn from the seed.", example="3"),
            "percent": parameter(percent, "Which share of them, drawn from the seed."),
            "match": parameter(regex, "Only those whose last statement matches.", example='"^update"'),
        },
        exactly_one=("count", "percent"),
        rungs=("sql",), instant=True, available=True,
    ),
    "database.exhaust_connections": Kind(
        doc="The runner holds connections until the server has no more to give.",
        parameters={"leave": parameter(integer(0), "How many connections are left.", "0", example="2")},
        rungs=("sql",), available=True,
    ),
    "database.pause_replay": Kind(
        doc="The replica does not apply what it receives, until the fault's end.", rungs=("sql",), available=True
    ),
    "database.promote": Kind(
        doc="The replica becomes a primary.", rungs=("sql",), instant=True, available=True
    ),
})  # fmt: skip

_POLICIES = (
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
    "volatile-ttl",
)  # fmt: skip

CACHE: Mapping[str, Kind] = MappingProxyType({
    "cache.flush": Kind(doc="All keys vanish.", rungs=("redis",), instant=True, available=True),
    "cache.maxmemory": Kind(
        doc="The cache has less memory.",
        parameters={
            "memory": parameter(positive_size, "How much, in bytes.", example="1MiB"),
            "policy": parameter(choice(*_POLICIES), "What it does when that is full.", "noeviction"),
        },
        required=("memory",),
        rungs=("redis",), available=True,
    ),
    "cache.slow": Kind(
        doc="Exchanges with the cache wait: a command, or a pipeline of them.",
        parameters={"delay": parameter(positive_duration, "For how long each.", example="100ms")},
        required=("delay",),
        rungs=("netem", "nfqueue"), available=True,
    ),
})  # fmt: skip

BROKER: Mapping[str, Kind] = MappingProxyType({
    "broker.memory_alarm": Kind(
        doc="The broker believes that its memory is short, and holds publishers back.", rungs=("exec",), available=True
    ),
    "broker.delete_queue": Kind(
        doc="A queue is deleted with all that is in it.",
        parameters={"queue": parameter(fixed_text, "Its name.", example="orders")},
        required=("queue",),
        rungs=("exec",), instant=True, available=True,
    ),
})  # fmt: skip

CREDENTIALS: Mapping[str, Kind] = MappingProxyType({
    "credentials.rotate": Kind(
        doc="The password of a user changes, and is the old one again at the fault's end.",
        parameters={"user": parameter(fixed_text, "The user of the database.", example="app")},
        required=("user",),
        rungs=("sql",), available=True,
    ),
})  # fmt: skip
