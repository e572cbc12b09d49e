"""The parts of docs/spec.md that no record tells: what a file is, templates, types of values, how it is judged."""

from __future__ import annotations

from types import MappingProxyType

INTRODUCTION = """\
# The spec language, version 1

Made from the records that read specs (`cleanroom/spec/`); a test compares the two. To write it again:

    make docs

A suite is one file that ends in `.cleanroom.yaml`, `.cleanroom.yml` or, as a template, in one of them and `.j2`.
Every key below is evaluated or refused: unknown keys, keys in the wrong place and values of the wrong type are
problems with file, line, column and, where there is one near, the name that was meant. What a key needs and *this
machine* cannot do is no problem of the spec: `cleanroom run` reports it as inconclusive, `cleanroom doctor` says
why.

`cleanroom explain NAME` prints any of this in a terminal; `cleanroom schema` prints the JSON Schema for editors.

```yaml
cleanroom: 1
services:
  db:
    build: {context: ./db}
    ready: [{tcp: 5432}]
scenarios:
  - name: an order is stored
    steps:
      - {name: place, http: {service: db, port: 5432, path: /}}
expect:
  spans:
    - {name: "INSERT orders", service: db, count: {gte: 1}}
determinism: {iterations: 5}
```

## YAML

YAML 1.2: `yes`, `on` and timestamps are text, `010` is ten. Anchors, aliases and merge keys (`<<`) work. Custom
tags, duplicate keys, second documents, keys that are not text, NaN and infinities are problems. A file has at most
1 MiB, 64 levels and, aliases expanded, 100,000 values.

| value | written as |
|---|---|
| duration | `250ms`, `2s`, `1m30s` |
| size | `64MiB`, `64m`, or a number of bytes |
| rate | `1mbit`, `200kbit`, `4MiB/s` |
| instant | RFC 3339 text, in quotes or not: `2025-01-01T00:00:00Z` |
| glob | `GET /orders*`; `*` stands for any text, `?` for one character |
| path | relative to the spec's own directory, inside the repository, symbolic links included |

A table below says *run later* where `cleanroom run` cannot carry a key out in this version. `validate` and `plan`
know such a key like any other; `run` refuses a spec that uses it, by name, before anything is started.
"""
TEMPLATES = """\
## Templates

`{{ expression }}` may stand in every scalar value: a Jinja2 expression in a sandbox that can reach nothing but the
names below. An expression that is the whole value keeps its type: `port: "{{ vars.port }}"` is a number where the
variable is one. Quote a value that begins with `{{`, or YAML takes it for a mapping.

| name | is | known in |
|---|---|---|
| `vars.name` | a variable | everywhere |
| `matrix.name` | the value of this instance of the suite | everywhere, with `matrix` |
| `seed` | the seed of the run | everywhere |
| `env(name, default)` | a variable that `--allow-env` names, or that begins with `CLEANROOM_` | everywhere |
| `sha256(text)` | the digest of a text, in hexadecimal | everywhere |
| `file(path)` | the text of a file of the repository | everywhere |
| `range(stop)` | a list of numbers, as in Python | everywhere |
| `to_json(value)` | a value as JSON text; also a filter | everywhere |
| `iteration` | the number of the iteration, from 0 | the name of a `journal` |
| `replica`, `peers` | the number of this replica, the host names of all of them | a service with `replicas` |
| `captured.name` | what an earlier step of the scenario captured | steps |
| `worker`, `operation` | the numbers of the worker and of its operation, from 0 | a `workload` |
| `example.name` | a generated value | a scenario with `property` |

The last five have a value during the run only. They may stand in texts; a value that is needed to plan the run
refuses them (`known-too-late`).

**Variables.** The value of a variable is, in this order: `--var name=value` (the action's input `variables`), the
spec's own `vars`, `CLEANROOM_VAR_name` in the environment, `default()` in the expression. A value given from
outside takes the type of the one in `vars`. `null` in `vars` declares a variable and leaves it to the environment.
A missing variable is a problem at its line.

**Whole files.** A file that ends in `.j2` is rendered as a whole first, in the same sandbox: loops, conditionals
and macros work, and the macros of `cleanroom.j2` (`span`, `lifecycle`, `edges`, `window`, `count`, `attributes`)
can be imported:

    {% from "cleanroom.j2" import span %}

Work, memory, output and nesting of templates are bounded; what exceeds the bounds is a problem (`template`).
"""
JUDGING = """\
## How expectations are judged

- A span name that is `cleanroom.…` or a pattern that begins so selects among the runner's own spans, every other
  among the services'. `counts`, `status.all`, `lint`, `hermeticity` and `graph.closed` look at service spans only.
  Parents, ancestors, paths, orphans and roots are found over both; for `root` and `max_depth` the runner's spans
  are transparent.
- `name`, `service`, `kind`, `scope`, `where`, `during`, `before` and `after` are selectors: all must fit. The rest
  are conditions on what was selected. Every selected span is judged, unless `some`.
- No selected span breaks an expectation, unless its `count` allows none. An empty trace breaks every expectation
  but an explicit zero of spans (`count: 0`, `counts.spans: 0`).
- `edges`: at least one span of the second is a direct child of one of the first. `paths` allow others between.
  `windows`: every contained span lies inside an outer one of its trace. `order`: for all pairs of a group.
  `overlap`: at least one pair.
- Status is the one of OTLP, exact: unset is not ok. Resource attributes are judged on every resource.
- An iteration is judged after its teardown, so that `cleanroom.cleanup` is in the trace.
- Spans of a service whose clock was altered are judged on corrected times; where they cannot be corrected,
  durations, order and windows break with that reason.
- What an injected fault did must be measured. Without evidence it is inconclusive, which fails, unless
  `allow_inconclusive: {reason: …}` stands on the fault or the scenario.

Every broken check is one finding with its rule, its place in the spec, what was expected and what was found.
"""
COMPARATORS = """\
## Comparators

Wherever a value is judged there stands a scalar, which it must equal, or a mapping of comparators, which must all
hold. Numbers compare exactly (`1` is `1.0`, `true` is no number), durations as durations. Comparing what cannot be
compared breaks the expectation with that reason.

"""
SPANS = """\
## The runner's own spans

Their names, parents, attributes and status are in [spans.md](spans.md).
"""
ALLOWING = """\
A comment allows a rule at its place, with a reason: `# cleanroom-lint: allow RULE -- reason`.
"""
ERROR_TYPES = MappingProxyType({
    "exit_code": "ended with another exit code than 0",
    "timeout": "ran longer than its timeout, or than a deadline allowed",
    "killed": "was ended by a signal that was not ours",
    "oom_killed": "was ended by the kernel because memory ran out",
    "container_killed": "ended because its container did",
    "network_failure": "lost its connection, or found no way to the service",
    "connection_refused": "found nobody who accepts at the port",
    "connection_reset": "had its connection reset by the other side",
    "dns_failure": "could not resolve a name",
    "tls": "could not agree on an encrypted connection, or on a certificate",
    "http_status": "was answered with a status of 400 or more",
    "redis": "was answered with an error by a Redis server",
    "not_found": "named a program or file that is not there",
    "permission_denied": "was not allowed to do it",
    "not_started": "could not be started at all",
    "engine": "met an error of the container engine",
    "sql:<code>": "was answered with an error by a database: `sql:40001` by its SQLSTATE, `sql:1213` by its number",
})  # fmt: skip
"""Every type of error that a step can meet (spec.md section 4), with what it says of the step."""
