"""The rules of normalising, named and versioned: digests can be compared only under one rule set (design section 7).

A rule whose behaviour changes gets a higher version; the golden digests of the tests fail until it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.canonical import Json, digest
from cleanroom.trace.model import SpanKind

Siblings: TypeAlias = Literal["unordered", "by_start"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One built-in rule: a stable id, a version that grows with its behaviour, and what it does, for the report."""

    id: str
    version: int
    description: str


RULES = (
    Rule(
        "ids", 1, "Trace, span and parent ids, flags and values of trace state are removed; known ids within text too."
    ),
    Rule("times", 1, "Starts, ends, durations and event times are removed."),
    Rule(
        "runner-issued-traces", 1, "Traces the runner issued for traffic whose amount depends on timing are left out."
    ),
    Rule("duplicate-deliveries", 1, "A span that was delivered more than once, the same in every field, counts once."),
    Rule("runner-spans", 1, "Of the runner's own spans, names, status and the listed attributes stay; no measurement."),
    Rule("addresses", 1, "Addresses, host names, container names and container ids become roles such as <db>."),
    Rule("ephemeral-ports", 1, "Client ports are removed; a port above 32767 behind a role becomes <port>."),
    Rule(
        "instances",
        1,
        "What names one process or container is removed: service.instance.id, process.pid, thread.id and their like.",
    ),
    Rule("machine", 1, "What describes the machine is removed: host.*, os.*."),
    Rule("user-agents", 1, "Versions in user agents become <version>."),
    Rule("attribute-order", 1, "Attributes and links are sorted; events keep their order."),
    Rule("sibling-order", 1, "Siblings are sorted by name and content, or by start (the runner's own always by name)."),
)

EPHEMERAL_ABOVE = 32767
"""Linux gives client sockets ports from 32768 (net.ipv4.ip_local_port_range)."""

DROPPED = {
    "instances": (
        "service.instance.id",
        "container.id",
        "container.name",
        "process.pid",
        "process.vpid",
        "process.parent_pid",
        "process.*_leader.pid",
        "process.creation.time",
        "process.exit.time",
        "thread.id",
        "thread.name",
    ),
    "machine": ("host.*", "os.*"),
}
"""Rule → globs of the attributes it removes from spans, resources, events and links of services."""

CLIENT_PORTS = {
    SpanKind.SERVER: ("client.port", "network.peer.port", "net.peer.port", "net.sock.peer.port"),
    SpanKind.CLIENT: ("network.local.port", "net.sock.host.port", "source.port"),
}
"""Kind of span → attributes that hold the client's own port there, whatever its number."""

MAYBE_CLIENT_PORTS = (
    "client.port",
    "source.port",
    "network.peer.port",
    "network.local.port",
    "net.peer.port",
    "net.host.port",
    "net.sock.peer.port",
    "net.sock.host.port",
)
"""Attributes that hold a client's port on one side only: removed where the number is an ephemeral one."""

USER_AGENTS = ("user_agent.original", "user_agent.version", "http.user_agent")

_COMMON = ("cleanroom.suite", "cleanroom.scenario")
RUNNER_ATTRIBUTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cleanroom.iteration": _COMMON,
        "cleanroom.environment": _COMMON,
        "cleanroom.service.": (*_COMMON, "service"),
        "cleanroom.scenario": (*_COMMON, "outcome", "degraded"),
        "cleanroom.step:": (*_COMMON, "type", "service", "exit_code", "error.type"),
        "cleanroom.timeout.": (*_COMMON, "kind"),
        "cleanroom.steady_state": (*_COMMON, "phase"),
        "cleanroom.chaos.": (*_COMMON, "fault.id", "occurrence", "target", "backend", "verified"),
        "cleanroom.recovery": (*_COMMON, "strategy", "success"),
        "cleanroom.cleanup": (*_COMMON, "trigger", "success"),
    }
)
"""Beginning of a runner's span name → attributes that enter the digest: facts of what happened, never measurements."""

RUNNER_SKIPPED = ("cleanroom.retry.attempt",)
"""Runner's spans whose number depends on timing: left out, their children move up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormaliseOptions:
    """What normalising needs to know: facts of one iteration (roles, issued traces) and the spec's own rules.

    `drop` and `keep` are globs of attribute names; `keep` cancels built-in rules for them. `replace` holds pairs of a
    regular expression and its replacement, applied to names, messages and text values of services in this order.
    """

    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Exact text (address, host name, container name or id) → the role that stands for it, e.g. `<db>`."""
    excluded_traces: frozenset[str] = frozenset()
    drop: tuple[str, ...] = ()
    drop_spans: tuple[str, ...] = ()
    """Globs of the names, as sent, of services' spans that are left out; what is below them moves up."""
    replace: tuple[tuple[str, str], ...] = ()
    keep: tuple[str, ...] = ()
    siblings: Siblings = "unordered"
    bucket_ns: int = 0
    """Width of the steps in which durations of services' spans stay; 0: they go."""


def rule_set_id(options: NormaliseOptions) -> str:
    """Return the digest of every rule in force: the built-in ones with version and tables, and the spec's own."""
    drop: list[Json] = [*sorted(set(options.drop))]
    keep: list[Json] = [*sorted(set(options.keep))]
    return digest(
        {
            "rules": [f"{rule.id}/{rule.version}" for rule in RULES],
            "tables": _tables(),
            "drop": drop,
            "replace": [list(pair) for pair in options.replace],
            "keep": keep,
            "siblings": options.siblings,
            **({"drop_spans": [*sorted(set(options.drop_spans))]} if options.drop_spans else {}),
            **({"bucket_ns": str(options.bucket_ns)} if options.bucket_ns else {}),
        }
    )


def _tables() -> Json:
    """Return the attribute tables above, so that a changed table is a changed rule set without anybody's care."""
    return {
        "dropped": {rule: [*globs] for rule, globs in DROPPED.items()},
        "client_ports": {kind.value: [*names] for kind, names in CLIENT_PORTS.items()},
        "maybe_client_ports": [*MAYBE_CLIENT_PORTS],
        "ephemeral_above": EPHEMERAL_ABOVE,
        "user_agents": [*USER_AGENTS],
        "runner": {start: [*names] for start, names in RUNNER_ATTRIBUTES.items()},
        "runner_skipped": [*RUNNER_SKIPPED],
    }


RULE_SET_ID = rule_set_id(NormaliseOptions())
"""The rule set of a spec that adds no rule of its own."""


def matches(name: str, globs: tuple[str, ...]) -> bool:
    """Return whether an attribute's name matches one of the globs (case matters)."""
    return any(fnmatchcase(name, glob) for glob in globs)
