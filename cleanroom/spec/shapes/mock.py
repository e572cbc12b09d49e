"""The shape of a service's `mock` (spec.md section 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cleanroom.spec.document import Items, Scalar, plain
from cleanroom.spec.mock import CassetteMock, JsonBody, Match, Mock, OpenapiMock, Reply, Route, RoutesMock
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import (
    Shape,
    choice,
    fixed_text,
    free_text,
    integer,
    items,
    number,
    pattern_text,
    scalar_text,
    table,
)
from cleanroom.spec.shapes.value import duration, pattern
from cleanroom.spec.templates.runtime_text import RuntimeText

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanroom.canonical import Json
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST = rf"{_LABEL}(?:\.{_LABEL})*"
"""A host name: labels of letters, digits and hyphens, separated by dots."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
host = pattern_text(HOST, "a host name such as api.example.com", example="api.example.com")


def _header(key: str) -> str:
    return "" if _TOKEN.fullmatch(key) else "is not the name of a header"


_HEADER = {"pattern": f"^{_TOKEN.pattern}$"}


def _json(node: Node, place: Place) -> Json:
    if isinstance(node, Scalar):
        if isinstance(node.value, RuntimeText):
            raise place.too_late(node, "any value")
        if node.broken:
            raise RefusedError
    elif isinstance(node, Items):
        for index, item in enumerate(node.items):
            _json(item, place.item(index))
    else:
        for entry in node.entries:
            _json(entry.value, place.key(entry.key))
    value: Json = plain(node)
    return value


_body = Shape(_json, "any value", schema=True, example="{ok: true}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_WHEN = Record(
    place="services.<name>.mock.routes[].when",
    doc="Which requests a route is for; all that is given must fit, and an empty one fits all requests.",
    keys={
        "method": Key(choice(*_METHODS), "The method of the request; any method without it.", example="POST"),
        "path": Key(
            pattern, "A glob for the path of the request, without its query, or `{regex: …}`; any path without it.",
            example="/orders/*",
        ),
        "headers": Key(
            table(pattern, _header, keys=_HEADER), "Headers that the request has, each with a glob or `{regex: …}`.",
            default="{}", example="{accept: application/json*}",
        ),
    },
)  # fmt: skip
_REPLY = Record(
    place="a reply",
    doc="What a mock answers.",
    keys={
        "status": Key(integer(100, 599), "The status of the answer.", default="200", example="503"),
        "headers": Key(
            table(scalar_text, _header, keys=_HEADER), "Headers of the answer.", default="{}",
            example="{retry-after: 1}",
        ),
        "json": Key(_body, "The body, sent as JSON with the type `application/json`."),
        "body": Key(free_text, "The body as text, sent as it is."),
        "delay": Key(duration, "How long the mock waits before it answers.", default="0s", example="50ms"),
    },
    at_most_one=(("json", "body"),),
)  # fmt: skip


def _reply(fields: Fields) -> Reply:
    values = fields.values
    if "json" in values:
        values["body"] = JsonBody(value=fields.take("json"))
    return Reply(**values)


reply = _REPLY.into(_reply)
_ROUTE = Record(
    place="services.<name>.mock.routes[]",
    doc="Requests that fit `when` are answered with the replies of `sequence`, one after the other, then with `reply`.",
    keys={
        "when": Key(
            _WHEN.making(Match), "Which requests the route is for; all without it.",
            default="{}", example="{method: GET, path: /health}",
        ),
        "reply": Key(
            reply, "The answer to every request that fits, after `sequence` is used up.", example="{status: 200}"
        ),
        "sequence": Key(
            items(reply, at_least=1),
            "Answers to the first requests that fit, one each, in order; without `reply` the last one is repeated.",
            example="[{status: 503}, {status: 200}]",
        ),
        "percent": Key(
            number(0, 100, above=True),
            "The share of fitting requests that this route answers, drawn from the seed; others go to the next one.",
            default="100", example="10",
        ),
    },
    at_least_one=("reply", "sequence"),
)  # fmt: skip
_MOCK = Record(
    place="services.<name>.mock",
    doc="A service that the runner itself plays. It is traced, draws from the seed, and refuses what it does not know.",
    keys={
        "openapi": Key(
            fixed_text,
            "An OpenAPI document inside the repository, relative to the spec; the mock answers what it describes.",
            example="./api.yaml", errors=("missing-path", "outside"),
        ),
        "routes": Key(
            items(_ROUTE.into(lambda fields: Route(**fields.values, at=fields.node.at)), at_least=1),
            "What the mock answers; the first route that fits does.",
            example="[{when: {path: /health}, reply: {status: 200}}]",
        ),
        "cassette": Key(
            fixed_text, "A file inside the repository, relative to the spec, with recorded requests and answers.",
            example="./payments.cassette.json", errors=("missing-path", "outside"),
        ),
        "mode": Key(
            choice("replay", "record"),
            "`replay` answers from the cassette, `record` asks the real host and writes the cassette.",
            default="replay",
        ),
        "hosts": Key(
            items(host, at_least=1),
            "Names that the mock answers for inside the environment, besides that of the service, over TLS too: with a "
            "certificate of the run's own authority, which services are given in the standard variables.",
            example="[api.example.com]", errors=("duplicate-host",),
        ),
    },
    exactly_one=("openapi", "routes", "cassette"),
    needs={"mode": "cassette"},
)  # fmt: skip


_MAKERS = {"openapi": OpenapiMock, "routes": RoutesMock, "cassette": CassetteMock}


def _mock(node: Node, place: Place) -> Mock:
    fields = _MOCK(node, place)
    values: dict[str, Any] = fields.values
    kind, _ = fields.only(_MOCK.exactly_one)
    if kind != "cassette":
        values.pop("mode", None)  # reported: it needs a cassette
    elif values.get("mode") == "record" and "hosts" not in fields.written:
        message = f"{place.path} records, and says of no host that it is to be asked"
        place.log.report("missing-key", node.at, message, expected="a key hosts")
        raise RefusedError
    make: Callable[..., Mock] = _MAKERS[kind]
    return make(**values)


mock = Shape(_mock, "a mapping", _MOCK)
"""What a mock answers."""
