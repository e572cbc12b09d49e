"""The shape of questions to a service: exec, http, sql, redis (spec.md section 4), and `query`, exactly one of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.document import Items, Scalar, plain
from cleanroom.spec.query import DIALECT_PORTS, ExecAction, HttpAction, Query, RedisAction, SqlAction
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import (
    Shape,
    boolean,
    choice,
    either,
    fixed_text,
    free_text,
    items,
    pattern_text,
    scalar_text,
    table,
    text,
)
from cleanroom.spec.shapes.value import command, port, variables, words
from cleanroom.spec.templates.runtime_text import RuntimeText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleanroom.canonical import Json
    from cleanroom.spec.document import Node
    from cleanroom.spec.query import Parameter
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

service = Key(fixed_text, "The name of the service that is asked.", example="db", errors=("unknown-service",))


def scalars(node: Node) -> Iterator[Scalar]:
    """Yield every scalar of a value."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Items):
        for item in node.items:
            yield from scalars(item)
    else:
        for entry in node.entries:
            yield from scalars(entry.value)


_method = pattern_text(r"[A-Z]{1,20}", "an HTTP method in capitals", example="POST", runtime=True)
_request_path = pattern_text(
    r"/[^\s\x00-\x1f#]*", "a path that begins with /, without spaces", example="/health", runtime=True
)
_url = pattern_text(
    r"https?://[^\s\x00-\x1f/#?]+(?:[/?][^\s\x00-\x1f#]*)?",
    "a URL that begins with http:// or https://, without spaces and fragment",
    example="https://api:8443/v1/orders",
    runtime=True,
)


def _json(node: Node, place: Place) -> Json:
    for scalar in scalars(node):
        if isinstance(scalar.value, RuntimeText):
            place.accept_runtime(scalar, scalar.value)
    value: Json = plain(node)
    return value


json_value = Shape(_json, "any value", {}, example="{total: 3}", runtime=True)
"""Any value of YAML, sent or compared as JSON."""


def _parameter(node: Node, place: Place) -> Parameter:
    if not isinstance(node, Scalar):
        raise place.wrong(node, "text, a number, true, false or null")
    return node.value


_PARAMETER = Shape(
    _parameter, "text, a number, true, false or null", {"type": ["string", "number", "boolean", "null"]},
    example="3", runtime=True,
)  # fmt: skip
_PARAMETERS = either(
    "a list of values, or a mapping from names to values",
    sequence=items(_PARAMETER, at_least=1),
    mapping=table(_PARAMETER, at_least=1),
)

EXEC_KEYS = {
    "command": Key(command, "What is run: a list of arguments, or text for `sh -c`."),
    "user": Key(text, "The user inside the container; by default the container's own.", example="postgres"),
    "env": Key(variables, "Variables added to the container's environment.", example="{PGDATABASE: shop}"),
    "stdin": Key(scalar_text, "Text that the command reads from its standard input."),
    "working_dir": Key(text, "The directory it runs in; by default the container's own.", example="/srv"),
}
_EXEC = Record(
    place="scenarios[].steps[].exec",
    doc="A command inside a running service; also in probes, queries and custom faults.",
    keys={"service": service, **EXEC_KEYS},
    required=("service", "command"),
    advice=MappingProxyType({
        "environment": "did you mean env?", "cwd": "did you mean working_dir?", "workdir": "did you mean working_dir?",
    }),
)  # fmt: skip
exec_action = _EXEC.making(ExecAction)
"""`exec: {service, command, …}`."""

HTTP_KEYS = {
    "url": Key(
        _url, "Where the request goes, instead of service, port and path; its host is a service.",
    ),
    "service": service,
    "port": Key(port, "The port that the service listens on.", default="80", example="8080"),
    "path": Key(_request_path, "The path, with a query if it is written there.", default="/"),
    "method": Key(_method, "The method.", default="GET"),
    "headers": Key(words, "Headers of the request, besides `traceparent`.", example="{accept: application/json}"),
    "query": Key(words, "Parameters appended to the path, escaped.", example="{page: 2}"),
    "json": Key(json_value, "A body that is sent as JSON, with its content type."),
    "body": Key(free_text, "A body that is sent as it is."),
    "form": Key(words, "A body that is sent as a form, with its content type.", example="{name: Ada}"),
    "follow": Key(boolean, "Whether redirects are followed.", default="true", example="false"),
    "tls_verify": Key(
        boolean, "Whether the certificate of an https `url` must be valid.", default="true", example="false"
    ),
}  # fmt: skip
_BODIES = ("json", "body", "form")
_HTTP = Record(
    place="scenarios[].steps[].http",
    doc="A request that the runner makes itself, with a `traceparent` header; also in probes and queries.",
    keys=HTTP_KEYS,
    exactly_one=("service", "url"),
    at_most_one=(_BODIES, ("url", "port"), ("url", "path")),
)


def http_request(fields: Fields, place: Place) -> HttpAction:
    """Return the request that the keys of HTTP_KEYS describe; reports a `tls_verify` without TLS."""
    url = fields.values.get("url", "")
    if "tls_verify" in fields.written and not url.startswith("https://"):
        at = fields.node.key_at("tls_verify")
        message = f"{place.path}.tls_verify is about certificates, and the request uses none"
        place.log.report("contradiction", at, message, expected="a url that begins with https://")
    values = {name: value for name, value in fields.values.items() if name in HTTP_KEYS}
    return HttpAction(has_json="json" in fields.values, **values)


http_action = Shape(lambda node, place: http_request(_HTTP(node, place), place), "a mapping", _HTTP)
"""`http: {service or url, …}`."""

SQL_CLIENT_KEYS = {
    "dialect": Key(choice("postgresql", "mysql"), "Which protocol and SQL the database speaks.", default="postgresql"),
    "port": Key(port, "The port; for mysql the default is 3306.", default="5432", example="5433"),
    "database": Key(text, "The database; by default the one named like the user, for mysql none.", example="shop"),
    "user": Key(text, "Who connects; by default `postgres`, for mysql `root`.", example="app"),
    "password": Key(free_text, "The password; by default none.", example="secret"),
}
SQL_QUERY_KEYS = {
    "query": Key(text, "One statement.", example='"select count(*) from orders"'),
    "file": Key(
        fixed_text, "A file of statements, relative to the spec, inside the repository.", example="checks/total.sql",
        errors=("outside", "missing-path"),
    ),
    "parameters": Key(
        _PARAMETERS, "Values bound to the placeholders of `query`: a list by position (`$1`, `$2`, or `?` where there "
        "is none of these), a mapping by name (`:name`).",
        example="[3, paid]",
    ),
}  # fmt: skip
_SQL = Record(
    place="a query.sql",
    doc="SQL that the runner sends itself, in probes and queries.",
    keys={"service": service, **SQL_CLIENT_KEYS, **SQL_QUERY_KEYS},
    required=("service",),
    exactly_one=("query", "file"),
    needs={"parameters": "query"},
)
_READY_SQL = Record(
    place="services.<name>.ready[].sql",
    doc="SQL that succeeds when the service is ready.",
    keys={**SQL_CLIENT_KEYS, **SQL_QUERY_KEYS},
    exactly_one=("query", "file"),
    needs={"parameters": "query"},
)


def sql_of(fields: Fields) -> SqlAction:
    """Return the SQL that a record of the keys above read, with the port of its dialect."""
    values = dict(fields.values)
    values.setdefault("port", DIALECT_PORTS[values.get("dialect", "postgresql")])
    return SqlAction(**values)


sql = _SQL.into(sql_of)
"""`sql: {service, query or file, …}`."""
ready_sql = _READY_SQL.into(sql_of)

_REDIS_KEYS = {
    "port": Key(port, "The port.", default="6379", example="6380"),
    "command": Key(items(scalar_text, at_least=1), "One command and its arguments.", example="[GET, cart]"),
    "commands": Key(
        items(items(scalar_text, at_least=1), at_least=1), "Several commands on one connection, in order.",
        example="[[SET, cart, 1], [GET, cart]]",
    ),
}  # fmt: skip
_REDIS = Record(
    place="scenarios[].steps[].redis",
    doc="Redis commands that the runner sends itself; also in probes and queries.",
    keys={"service": service, **_REDIS_KEYS},
    required=("service",),
    exactly_one=("command", "commands"),
)
_READY_REDIS = Record(
    place="services.<name>.ready[].redis",
    doc="Redis commands that succeed when the service is ready.",
    keys=_REDIS_KEYS,
    exactly_one=("command", "commands"),
)


def _redis(fields: Fields) -> RedisAction:
    key, value = fields.only(("command", "commands"))
    rest = {name: fields.values[name] for name in ("service", "port") if name in fields.values}
    return RedisAction(commands=(value,) if key == "command" else value, **rest)


redis_action = _REDIS.into(_redis)
"""`redis: {service, command or commands}`."""
ready_redis = _READY_REDIS.into(_redis)

_QUERY = Record(
    place="a query",
    doc="A question whose answer is a value.",
    keys=MappingProxyType({
        "sql": Key(sql, "The rows of an SQL query.", example='{service: db, query: "select 1"}'),
        "redis": Key(
            redis_action, "The reply to the last Redis command.", example="{service: cache, command: [DBSIZE]}"
        ),
        "http": Key(
            http_action, "The body of the response, parsed where it is JSON.", example="{service: api, path: /total}"
        ),
        "exec": Key(
            exec_action, "What the command prints, without the last line break.",
            example="{service: db, command: [total]}",
        ),
    }),
    exactly_one=("sql", "redis", "http", "exec"),
)  # fmt: skip


def _one_query(fields: Fields) -> Query:
    _, value = fields.only(_QUERY.exactly_one)
    found: Query = value
    return found


query = _QUERY.into(_one_query)
"""Exactly one of sql, redis, http and exec."""
