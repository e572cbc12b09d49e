"""The table of what is judged of spans: a spec's own words, the rule, and the contrary that breaks by that rule."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cleanroom.spec.shapes.expect import scenario_expect
from cleanroom.trace.model import SpanEvent
from cleanroom.validate.occurrence import FaultState
from cleanroom.validate.scenario import judge_expect
from tests.unit.spec.shapes.reading import accepted
from tests.unit.validate.builders import SEC, own, record, runner_spans, scene, span

ORDER = replace(
    span(
        10, "POST /orders", parent=3, status="ok", start=4 * SEC, end=4 * SEC + 50_000_000, links=(90, 91),
        resource={"deployment.environment.name": "test", "host.cpus": 4},
        attrs={
            "http.response.status_code": 201, "http.route": "/orders", "cached": False, "share": 0.5,
            "items": ("a1", "b2"), "big": 2**63 - 1, "raw": b"\x00", "none": None, "user": {"id": 7},
        },
    ),
    events=(
        SpanEvent(name="order.created", time_ns=1),
        SpanEvent(name="order.sent", time_ns=2, attributes={"to": "q"}),
    ),
)  # fmt: skip
SPANS = (
    *runner_spans(own(4, "cleanroom.cleanup", parent=1, start=8 * SEC, end=9 * SEC, status="ok")),
    ORDER,
    span(11, "INSERT orders", parent=10, service="db", kind="client", scope="psycopg", start=4 * SEC, end=5 * SEC),
    span(12, "INSERT items", parent=11, service="db", kind="client", scope="psycopg", start=5 * SEC, end=6 * SEC,
         status="error", events=("exception",)),
    span(13, "GET /orders", parent=3, start=6 * SEC, end=6 * SEC + 300_000_000, attrs={"cached": True}),
    span(14, "job.run", service="worker", kind="internal", scope="", start=7 * SEC, end=7 * SEC),
)  # fmt: skip
FAULTS = {"slow": FaultState(windows=((4 * SEC, 5 * SEC - 1),)), "gone": FaultState(windows=((6 * SEC, 0),))}
FACTS = {"services": ("api", "db", "worker"), "faults": FAULTS, "scenarios": (record(),)}
WHOLE = scene(*SPANS, **FACTS)
EMPTY = scene(**{**FACTS, "scenarios": ()})
ONLY_RUNNER = scene(*runner_spans(), **FACTS)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row: `rule` breaks with `breaks`, and nothing breaks with `holds`."""

    rule: str
    holds: str
    breaks: str


def verdict(text, where=WHOLE):
    """The checks of an `expect` block as a spec writes it."""
    return judge_expect(where, accepted(scenario_expect, f"{{{text}}}"))


def _spans(rule, *pairs, select='name: "POST *"'):
    return [
        Case(rule=f"spans.{rule}", holds=f"spans: [{{{select}, {right}}}]", breaks=f"spans: [{{{select}, {wrong}}}]")
        for right, wrong in pairs
    ]


def _attribute(*pairs):
    return _spans(
        "attributes",
        *((f"attributes: {{all: {{{right}}}}}", f"attributes: {{all: {{{wrong}}}}}") for right, wrong in pairs),
    )


def _block(family, *rows):
    return [
        Case(rule=f"{family}.{rule}", holds=f"{family}: {{{a}}}", breaks=f"{family}: {{{b}}}") for rule, a, b in rows
    ]


def _selected(*pairs):
    return [Case(rule="spans.count", holds=f"spans: [{{{a}}}]", breaks=f"spans: [{{{b}}}]") for a, b in pairs]


CODE, ROUTE, ITEMS = "http.response.status_code", "http.route", "items"
CASES = (
    *_selected(
        ("name: POST /orders", "name: POST /order"),
        ("name: POST /orders", "name: post /orders"),
        ('name: "POST *"', 'name: "PUT *"'),
        ('name: "* /orders", count: 2', 'name: "* /orders", count: 1'),
        ('name: "[GP]*T /orders", count: 2', 'name: "[gp]*t /orders", count: 2'),
        ('name: {regex: "^POST"}', 'name: {regex: "POST$"}'),
        ('name: {regex: "orders"}, count: 3', 'name: {regex: "orders"}, count: 4'),
        ('name: "cleanroom.step:*"', 'name: {regex: "^cleanroom"}'),
        ("name: cleanroom.cleanup", "name: cleanroom.clean"),
        ("service: api, count: 2", "service: ap, count: 2"),
        ('service: "*b", count: 2', 'service: "b*", count: 2'),
        ("service: {regex: ^work}", "service: {regex: ^ork}"),
        ("name: INSERT orders, service: db", "name: INSERT orders, service: api"),
        ("kind: client, count: 2", "kind: consumer"),
        ("kind: internal", "kind: producer"),
        ("name: INSERT orders, kind: client", "name: INSERT orders, kind: server"),
        ('scope: "psy*"', "scope: psy"),
        ("scope: lib, count: 2", "scope: psycopg, count: 3"),
        (f"where: {{{CODE}: 201}}", f"where: {{{CODE}: 200}}"),
        (f"where: {{{CODE}: {{lt: 300}}}}, count: 1", f"where: {{{CODE}: {{lt: 201}}}}"),
        ("where: {cached: {exists: false}}, count: 3", "where: {cached: {exists: false}}, count: 2"),
        ("where: {cached: true}", 'where: {cached: "true"}'),
        (f"where: {{{CODE}: 201, cached: false}}", f"where: {{{CODE}: 201, cached: true}}"),
        ("during: slow, count: 2", "during: slow, count: 3"),
        ("during: gone, count: 3", "during: gone, count: 2"),
        ("name: INSERT items, before: gone", "name: GET /orders, before: gone"),
        ("name: job.run, after: slow", "name: POST /orders, after: slow"),
        ("name: INSERT items, after: slow", "name: INSERT orders, after: slow"),
        ("name: GET /orders, after: slow", "name: job.run, after: gone"),
        ("name: DELETE, count: 0", "name: GET /orders, count: 0"),
        ("service: db, count: {gte: 2}", "service: db, count: {gte: 3}"),
        ("service: db, count: {lt: 3}", "service: db, count: {lt: 2}"),
        ("service: db, count: {between: [1, 2]}", "service: db, count: {between: [3, 4]}"),
        ("service: db, count: {in: [1, 2]}", "service: db, count: {in: [1, 3]}"),
        ("service: db, count: {ne: 3}", "service: db, count: {ne: 2}"),
        ("service: db, count: {gt: 1, lt: 3}", "service: db, count: {gt: 2, lt: 5}"),
    ),
    *_spans(
        "parent",
        ('parent: "cleanroom.step*"', "parent: cleanroom.scenario"),
        ("parent: cleanroom.step:place", 'parent: "*"'),
        ('parent: "cleanroom.step:*"', "parent: {regex: step}"),
    ),
    *_spans(
        "parent", ("parent: INSERT orders", "parent: POST /orders"), ("parent: {regex: ^INS}", "parent: {regex: ^ins}"),
        select="name: INSERT items",
    ),
    *_spans("parent", ('parent: "*"', "parent: POST /orders"), select="service: db"),
    *_spans(
        "ancestor",
        ("ancestor: POST /orders", "ancestor: GET /orders"),
        ("ancestor: cleanroom.iteration", "ancestor: cleanroom.cleanup"),
        ("ancestor: INSERT orders", "ancestor: INSERT items"),
        ("ancestor: {regex: ^POST}", "ancestor: {regex: ^cleanroom}"),
        select="name: INSERT items",
    ),
    *_spans("root", ("root: true", "root: false")),
    *_spans("root", ("root: false", "root: true"), select="service: db"),
    *_spans("root", ("root: true", "root: false"), select="name: job.run"),
    *_spans("root", ("root: true", "root: false"), select="name: cleanroom.iteration"),
    *_spans("root", ("root: false", "root: true"), select="name: cleanroom.cleanup"),
    *_attribute(
        (f"{CODE}: 201", f"{CODE}: 200"),
        (f"{CODE}: 201.0", f'{CODE}: "201"'),
        (f"{CODE}: {{eq: 201}}", f"{CODE}: {{eq: true}}"),
        (f"{CODE}: {{ne: 200}}", f"{CODE}: {{ne: 201}}"),
        (f"{CODE}: {{ne: 200}}", f"{CODE}: {{ne: two}}"),
        (f"{CODE}: {{gt: 200}}", f"{CODE}: {{gt: 201}}"),
        (f"{CODE}: {{gte: 201}}", f"{CODE}: {{gte: 202}}"),
        (f"{CODE}: {{lt: 202}}", f"{CODE}: {{lt: 201}}"),
        (f"{CODE}: {{lte: 201}}", f"{CODE}: {{lte: 200}}"),
        (f"{CODE}: {{between: [200, 299]}}", f"{CODE}: {{between: [300, 399]}}"),
        (f"{CODE}: {{in: [200, 201]}}", f"{CODE}: {{in: [200, 202]}}"),
        (f"{CODE}: {{not_in: [200, 202]}}", f"{CODE}: {{not_in: [200, 201]}}"),
        (f"{CODE}: {{type: integer}}", f"{CODE}: {{type: string}}"),
        (f"{CODE}: {{exists: true}}", f"{CODE}: {{exists: false}}"),
        ("absent: {exists: false}", "absent: {exists: true}"),
        (f"{CODE}: {{approx: {{value: 200, tolerance: 1}}}}", f"{CODE}: {{approx: {{value: 200, tolerance: 0.5}}}}"),
        (f"{CODE}: {{approx: {{value: 200, tolerance: 1%}}}}", f"{CODE}: {{approx: {{value: 190, tolerance: 1%}}}}"),
        ("big: 9223372036854775807", "big: 9223372036854775806"),
        ("big: {gt: 9223372036854775806}", "big: {lt: 9223372036854775807}"),
        ("share: 0.5", "share: 0.25"),
        ("share: {type: number}", "share: {type: integer}"),
        ("cached: false", "cached: 0"),
        ("cached: {type: boolean}", "cached: {type: integer}"),
        (f"{ROUTE}: /orders", f"{ROUTE}: /order"),
        (f"{ROUTE}: {{contains: order}}", f"{ROUTE}: {{contains: Order}}"),
        (f"{ROUTE}: {{not_contains: item}}", f"{ROUTE}: {{not_contains: order}}"),
        (f"{ROUTE}: {{starts_with: /o}}", f"{ROUTE}: {{starts_with: o}}"),
        (f"{ROUTE}: {{ends_with: s}}", f"{ROUTE}: {{ends_with: /}}"),
        (f'{ROUTE}: {{matches: "^/o.*s$"}}', f'{ROUTE}: {{matches: "^o"}}'),
        (f"{ROUTE}: {{length: 7}}", f"{ROUTE}: {{length: 6}}"),
        (f"{ROUTE}: {{length: {{lt: 8}}}}", f"{ROUTE}: {{length: {{lt: 7}}}}"),
        (f"{ITEMS}: {{length: 2}}", f"{ITEMS}: {{length: 3}}"),
        (f"{ITEMS}: {{contains: a1}}", f"{ITEMS}: {{contains: c3}}"),
        (f"{ITEMS}: {{any: {{starts_with: a}}}}", f"{ITEMS}: {{any: {{starts_with: c}}}}"),
        (f"{ITEMS}: {{all: {{length: 2}}}}", f"{ITEMS}: {{all: {{starts_with: a}}}}"),
        (f"{ITEMS}: {{none: c3}}", f"{ITEMS}: {{none: a1}}"),
        ("raw: {type: bytes}", "raw: {type: string}"),
        ("none: {type: 'null'}", "none: {type: string}"),
        ("user: {type: object}", "user: {type: array}"),
        ("user: {contains: id}", "user: {contains: name}"),
        (f"{CODE}: {{gte: 200, lt: 300}}", f"{CODE}: {{gte: 200, lt: 201}}"),
        (f"{CODE}: 201, {ROUTE}: /orders", f"{CODE}: 201, {ROUTE}: /"),
        (f"{CODE}: 201", "absent: 201"),
        (f"{CODE}: {{gt: 1}}", f"{CODE}: {{gt: one}}"),
    ),
    *_spans(
        "attributes",
        ("attributes: {any: {cached: false, fresh: true}}", "attributes: {any: {cached: true, fresh: true}}"),
        ("attributes: {any: {fresh: {exists: false}}}", "attributes: {any: {fresh: {exists: true}}}"),
        ("attributes: {none: [password]}", "attributes: {none: [cached]}"),
        ('attributes: {none: ["pass*"]}', 'attributes: {none: ["http.*"]}'),
        ("attributes: {all: {cached: false}, none: [secret]}", "attributes: {all: {cached: false}, none: [share]}"),
    ),
    *_spans(
        "schema",
        (f"schema: {{{ROUTE}: {{type: string, required: true}}}}", f"schema: {{{ROUTE}: {{type: integer}}}}"),
        ("schema: {absent: {type: string}}", "schema: {absent: {type: string, required: true}}"),
        (f"schema: {{{CODE}: {{minimum: 201}}}}", f"schema: {{{CODE}: {{minimum: 202}}}}"),
        (f"schema: {{{CODE}: {{maximum: 201}}}}", f"schema: {{{CODE}: {{maximum: 200}}}}"),
        ("schema: {big: {maximum: 9223372036854775807}}", "schema: {big: {maximum: 9223372036854775806}}"),
        ("schema: {share: {exclusiveMinimum: 0.25}}", "schema: {share: {exclusiveMinimum: 0.5}}"),
        ("schema: {share: {exclusiveMaximum: 0.75}}", "schema: {share: {exclusiveMaximum: 0.5}}"),
        ("schema: {share: {multipleOf: 0.1}}", "schema: {share: {multipleOf: 0.2}}"),
        (f"schema: {{{ROUTE}: {{minLength: 7}}}}", f"schema: {{{ROUTE}: {{minLength: 8}}}}"),
        (f"schema: {{{ROUTE}: {{maxLength: 7}}}}", f"schema: {{{ROUTE}: {{maxLength: 6}}}}"),
        (f'schema: {{{ROUTE}: {{pattern: "^/"}}}}', f'schema: {{{ROUTE}: {{pattern: "/$"}}}}'),
        ("schema: {cached: {const: false}}", "schema: {cached: {const: 0}}"),
        (f"schema: {{{CODE}: {{enum: [200, 201]}}}}", f"schema: {{{CODE}: {{enum: [200, 202]}}}}"),
        ("schema: {items: {minItems: 2}}", "schema: {items: {minItems: 3}}"),
        ("schema: {items: {maxItems: 2}}", "schema: {items: {maxItems: 1}}"),
        ("schema: {items: {items: {type: string}}}", "schema: {items: {items: {type: integer}}}"),
        ("schema: {share: {type: [string, number], maximum: 1}}", f"schema: {{{ROUTE}: {{maximum: 1}}}}"),
    ),
    *_spans(
        "resource",
        ("resource: {deployment.environment.name: test}", "resource: {deployment.environment.name: prod}"),
        ("resource: {host.cpus: {gte: 4}}", "resource: {host.cpus: {gt: 4}}"),
        ("resource: {service.name: api}", "resource: {service.name: db}"),
        ("resource: {k8s.pod.name: {exists: false}}", "resource: {k8s.pod.name: {exists: true}}"),
        ("resource: {host.cpus: 4}", 'resource: {host.cpus: "4"}'),
    ),
    *_spans(
        "events",
        ("events: {all: [order.created]}", "events: {all: [order.paid]}"),
        ('events: {all: ["order.*"]}', 'events: {all: ["*.paid"]}'),
        ("events: {all: [order.created, order.sent]}", "events: {all: [order.created, order.paid]}"),
        ("events: {any: [order.paid, order.sent]}", "events: {any: [order.paid, order.late]}"),
        ("events: {none: [exception]}", "events: {none: [order.sent]}"),
        ('events: {none: ["exc*"]}', 'events: {none: ["ord*"]}'),
    ),
    *_spans(
        "links",
        ("links: {count: 2}", "links: {count: 1}"),
        ("links: {count: {gte: 1}}", "links: {count: {gte: 3}}"),
        ("links: {count: {ne: 0}}", "links: {count: 0}"),
    ),
    *_spans("links", ("links: {count: 0}", "links: {count: {gte: 1}}"), select="service: db"),
    *_spans(
        "status",
        ("status: ok", "status: error"),
        ("status: {ne: error}", "status: {ne: ok}"),
        ("status: {in: [ok, unset]}", "status: {in: [error, unset]}"),
    ),
    *_spans("status", ("status: unset", "status: ok"), select="name: INSERT orders"),
    *_spans("status", ("status: {ne: ok}", "status: error"), select="service: db"),
    *_spans(
        "duration",
        ("duration: 50ms", "duration: 51ms"),
        ("duration: {lte: 50ms}", "duration: {lt: 50ms}"),
        ("duration: {gt: 49ms, lt: 51ms}", "duration: {gt: 50ms}"),
        ("duration: {approx: {value: 45ms, tolerance: 5ms}}", "duration: {approx: {value: 45ms, tolerance: 10%}}"),
        ("duration: {between: [10ms, 1s]}", "duration: {between: [100ms, 1s]}"),
    ),
    *_spans(
        "some",
        ("status: ok, some: true", "status: error, some: true"),
        ("duration: {gte: 300ms}, some: true", "duration: {gte: 301ms}, some: true"),
        ("attributes: {all: {cached: true}}, some: true", "attributes: {all: {cached: true}}, status: ok, some: true"),
        (f"schema: {{{ROUTE}: {{required: true}}}}, some: true", "schema: {absent: {required: true}}, some: true"),
        select="service: api",
    ),
    *_spans("some", ("parent: INSERT orders, some: true", "parent: INSERT items, some: true"), select="service: db"),
    *_block(
        "counts",
        ("spans", "spans: 5", "spans: 4"),
        ("spans", "spans: {gte: 5}", "spans: {gt: 5}"),
        ("spans", "spans: {lt: 6}", "spans: {lt: 5}"),
        ("spans", "spans: {between: [1, 5]}", "spans: {between: [6, 9]}"),
        ("spans", "spans: {in: [5, 9]}", "spans: {not_in: [5, 9]}"),
        ("errors", "errors: 1", "errors: 0"),
        ("errors", "errors: {lte: 1}", "errors: {lt: 1}"),
        ("events", "events: 3", "events: 2"),
        ("events", "events: {gte: 3}", "events: {gte: 4}"),
        ("by_name", 'by_name: {"INSERT *": 2}', 'by_name: {"INSERT *": 3}'),
        ("by_name", "by_name: {GET /orders: 1}", "by_name: {GET /: 1}"),
        ("by_name", 'by_name: {"cleanroom.*": 4}', 'by_name: {"cleanroom.*": 5}'),
        ("by_name", "by_name: {DELETE: 0}", "by_name: {job.run: 0}"),
        ("by_service", "by_service: {api: 2}", "by_service: {api: 1}"),
        ("by_service", 'by_service: {"*": 5}', 'by_service: {"*": 9}'),
        ("by_service", "by_service: {web: 0}", "by_service: {web: 1}"),
        ("by_kind", "by_kind: {client: 2}", "by_kind: {client: {gt: 2}}"),
        ("by_kind", "by_kind: {internal: 1}", "by_kind: {internal: 5}"),
        ("by_kind", "by_kind: {producer: 0}", "by_kind: {server: 0}"),
    ),
    *_block(
        "status",
        ("all", "all: {in: [ok, unset, error]}", "all: {ne: error}"),
        ("all", "all: {in: [error, ok, unset]}", "all: ok"),
        ("by_name", "by_name: {POST /orders: ok}", "by_name: {POST /orders: unset}"),
        ("by_name", "by_name: {INSERT items: error}", "by_name: {INSERT items: {ne: error}}"),
        ("by_name", 'by_name: {"GET *": unset}', 'by_name: {"GET *": ok}'),
        ("by_name", "by_name: {cleanroom.cleanup: ok}", "by_name: {cleanroom.cleanup: error}"),
        ("by_name", 'by_name: {"INSERT *": {ne: ok}}', 'by_name: {"INSERT *": error}'),
        ("by_name", "by_name: {job.run: unset}", "by_name: {job.walk: unset}"),
    ),
    *_block(
        "hermeticity",
        ("resource", "resource: {service.name: {exists: true}}", "resource: {deployment.environment.name: test}"),
        ("resource", "resource: {service.name: {in: [api, db, worker]}}", "resource: {service.name: api}"),
        ("resource", "resource: {k8s.pod.name: {exists: false}}", "resource: {host.cpus: {exists: false}}"),
        ("forbid_attributes", "forbid_attributes: [http.url]", "forbid_attributes: [http.route]"),
        ("forbid_attributes", 'forbid_attributes: ["db.*"]', 'forbid_attributes: ["http.*"]'),
        ("forbid_attributes", "forbid_attributes: [from]", "forbid_attributes: [to]"),
    ),
    Case(rule="lint.score", holds="lint: {min_score: 90}", breaks="lint: {min_score: 100}"),
    Case(rule="outcome", holds="outcome: passed", breaks="outcome: failed"),
    Case(rule="outcome", holds="outcome: {outcome: passed, id: x}", breaks="outcome: {outcome: degraded, id: x}"),
)  # fmt: skip
