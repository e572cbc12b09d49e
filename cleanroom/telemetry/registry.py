"""The registry of the runner's own spans (spec.md section 9), as data; `docs/spans.md` is made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

SpanValue: TypeAlias = str | bool | int | float | tuple[str, ...]
"""What an attribute of ours may hold."""
TypeName: TypeAlias = Literal["string", "bool", "int", "float", "string[]", "any"]

ROOT: Final = "none"


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """One attribute; a key that ends in `.*` stands for every key with that prefix; `one_of` closes a choice."""

    key: str
    type: TypeName
    meaning: str
    one_of: tuple[str, ...] = ()

    def covers(self, key: str) -> bool:
        """Whether this rule is the one for `key`."""
        return key.startswith(self.key[:-1]) and key != self.key[:-1] if self.key.endswith(".*") else key == self.key

    def accepts(self, value: SpanValue) -> bool:
        """Whether `value` has the type, and is one of the choices where there are any."""
        match self.type:
            case "string":
                return isinstance(value, str) and (not self.one_of or value in self.one_of)
            case "bool":
                return isinstance(value, bool)
            case "int":
                return isinstance(value, int) and not isinstance(value, bool)
            case "float":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "string[]":
                return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
            case "any":
                return isinstance(value, str | bool | int | float | tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRule:
    """One span: its name (`<word>` stands for a part that varies), parents by rule name, attributes, events, status."""

    name: str
    parents: tuple[str, ...]
    meaning: str
    attributes: tuple[AttributeRule, ...] = ()
    events: tuple[str, ...] = ()
    error: str
    """When its status is error; it is unset otherwise."""


def _string(key: str, meaning: str, *one_of: str) -> AttributeRule:
    return AttributeRule(key, "string", meaning, one_of)


def _int(key: str, meaning: str) -> AttributeRule:
    return AttributeRule(key, "int", meaning)


def _float(key: str, meaning: str) -> AttributeRule:
    return AttributeRule(key, "float", meaning)


def _bool(key: str, meaning: str) -> AttributeRule:
    return AttributeRule(key, "bool", meaning)


def _texts(key: str, meaning: str) -> AttributeRule:
    return AttributeRule(key, "string[]", meaning)


COMMON: Final = (
    _string("cleanroom.suite", "name of the suite"),
    _int("cleanroom.iteration", "index of the iteration, from 0"),
    _string("cleanroom.scenario", "name of the scenario, where there is one"),
)
"""Attributes that every span carries."""

_TIMEOUT = (
    _string("kind", "what ran out of time", "step", "scenario", "deadline"),
    _int("timeout_ms", "the time that was allowed"),
    _string("signal", "the signal that was sent, e.g. `SIGTERM`"),
    _int("grace_ms", "time between the two signals"),
)
_SERVICE = (_string("service", "name of the service"), _string("image", "the image as the spec names it"))

REGISTRY: Final = (
    SpanRule(
        name="cleanroom.iteration",
        parents=(ROOT,),
        meaning="one iteration of a suite: the root of the runner's trace",
        attributes=(
            _int("index", "index of the iteration, from 0"),
            _int("seed", "seed of the run"),
            _int("environments", "number of environments the iteration uses"),
        ),
        error="any error finding of the run phase",
    ),
    SpanRule(
        name="cleanroom.environment",
        parents=("cleanroom.iteration", "cleanroom.scenario"),
        meaning="from the first container to the last service ready",
        attributes=(
            _texts("services", "names of its services, in order of name"),
            _int("proof.vectors", "ways out that the network proof tried"),
            _int("proof.ways_out", "ways out that it found: 0"),
        ),
        error="not ready",
    ),
    SpanRule(
        name="cleanroom.service.start",
        parents=("cleanroom.environment",),
        meaning="one service, from the start of its container until it is ready",
        attributes=(*_SERVICE, _float("ready_ms", "time from start to ready")),
        error="not ready",
    ),
    SpanRule(
        name="cleanroom.service.stop",
        parents=("cleanroom.cleanup",),
        meaning="one service, from its stop signal to its end",
        attributes=(
            *_SERVICE,
            _int("exit_code", "exit code of the container"),
            _string("signal", "the signal that ended it, where it was one"),
            _bool("oom_killed", "the kernel killed it for its memory"),
        ),
        error="it could not be stopped",
    ),
    SpanRule(
        name="cleanroom.scenario",
        parents=("cleanroom.iteration",),
        meaning="one scenario: its environment, its steps and its faults",
        attributes=(
            _string("outcome", "how it went", "passed", "degraded", "failed", "inconclusive", "error"),
            _bool("degraded", "only optional steps or probes failed"),
            AttributeRule(
                "figure.*",
                "float",
                "figures of its workloads as `figure.<journal>.<figure>`, times in seconds; each is "
                "a metric `cleanroom.resilience.<figure>` as well",
            ),
        ),
        error="any outcome but passed and degraded",
    ),
    SpanRule(
        name="cleanroom.step:<name>",
        parents=("cleanroom.scenario", "cleanroom.step:<name>"),
        meaning="one step, with all its attempts, under the one with `parallel` that it stands in; the spans of the "
        "services it calls hang under it",
        attributes=(
            _string("type", "the action, e.g. `exec`, `http`"),
            _string("service", "the service it is aimed at"),
            _int("exit_code", "exit code of a command"),
            _string("error.type", "why it failed, an error type of spec.md section 4"),
            _int("attempts", "how often it was tried"),
            _int("workload.operations", "operations of a workload that were begun"),
            _int("workload.ok", "operations that succeeded"),
            _int("workload.allowed", "operations that failed in a way that their `allow` names"),
            _int("workload.failed", "operations that failed otherwise"),
            _int("timeout_ms", "the time it may take"),
        ),
        error="the step failed, also where that was expected",
    ),
    SpanRule(
        name="cleanroom.retry.attempt",
        parents=("cleanroom.step:<name>",),
        meaning="one attempt of a step that is retried",
        attributes=(
            _int("attempt", "from 1"),
            _int("delay_ms", "the wait before it"),
            _string("error.type", "why it failed"),
        ),
        error="the attempt failed",
    ),
    SpanRule(
        name="cleanroom.timeout.graceful",
        parents=("cleanroom.step:<name>", "cleanroom.scenario"),
        meaning="time ran out: from the terminating signal to the end of the process or of the grace",
        attributes=_TIMEOUT,
        error="always",
    ),
    SpanRule(
        name="cleanroom.timeout.hard",
        parents=("cleanroom.step:<name>", "cleanroom.scenario"),
        meaning="the grace was over as well: the whole process group was killed",
        attributes=_TIMEOUT,
        error="always",
    ),
    SpanRule(
        name="cleanroom.steady_state",
        parents=("cleanroom.scenario",),
        meaning="one check of the steady state",
        attributes=(
            _string("phase", "when it was checked", "before", "during", "after"),
            _int("probes", "number of probes"),
            _int("failed", "probes that did not hold"),
        ),
        error="the steady state was broken",
    ),
    SpanRule(
        name="cleanroom.chaos.<family>.<fault>",
        parents=("cleanroom.scenario", "cleanroom.chaos.<family>.<fault>"),
        meaning="the window of one fault, from its injection to its reversal; a part of a composite under its span",
        attributes=(
            _string("fault.id", "id of the fault in the spec"),
            _int("occurrence", "which occurrence of the fault, from 0"),
            _string("target", "the service (or services) it strikes"),
            _string("backend", "the means that was used, e.g. `netem`"),
            _bool("verified", "its effect was measured from outside"),
            AttributeRule("parameter.*", "any", "each parameter of the fault, durations in ns, sizes in bytes"),
            AttributeRule("evidence.*", "any", "what was measured"),
        ),
        events=("injected", "effect_verified", "reverted"),
        error="not verified, or not reverted",
    ),
    SpanRule(
        name="cleanroom.recovery",
        parents=("cleanroom.chaos.<family>.<fault>",),
        meaning="from the end of the fault (for a kill: from the death) until the target is ready again",
        attributes=(
            _string("strategy", "what brought it back", "policy", "start", "heal", "failover"),
            _float("duration_ms", "how long it took"),
            _bool("success", "it is ready again"),
        ),
        error="not recovered",
    ),
    SpanRule(
        name="cleanroom.cleanup",
        parents=("cleanroom.iteration", "cleanroom.scenario"),
        meaning="teardown, with inventories before and after",
        attributes=(
            _string("trigger", "why it ran", "normal", "failure", "timeout", "interrupt"),
            _int("containers", "containers removed"),
            _int("networks", "networks removed"),
            _int("volumes", "volumes removed"),
            _int("processes", "processes ended"),
            _bool("parallel", "services were stopped at the same time"),
            _bool("success", "nothing is left"),
            _int("left", "things that are left"),
        ),
        error="anything is left",
    ),
)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    # A step's name is free text; the words of a fault's kind are not, and `custom` is a family with one fault.
    parts = re.split(r"(<family>\.<fault>|<\w+>)", name)
    free = {"<name>": r".+", "<family>.<fault>": r"(?:[a-z_]+\.[a-z_]+|custom)"}
    return re.compile("".join(free.get(part) or re.escape(part) for part in parts), re.DOTALL)


def rule_for(name: str) -> SpanRule:
    """Return the rule of the span `name`; raises `ValueError` when the registry has none (a mistake of the program)."""
    for rule in REGISTRY:
        if _pattern(rule.name).fullmatch(name):
            return rule
    raise ValueError(f"span name {name!r} is not in the registry of the runner's own spans")


def check_parent(name: str, parent: str) -> None:
    """Raise `ValueError` unless a span `name` may hang under a span `parent` ("" for a root)."""
    rule = rule_for(name)
    found = rule_for(parent).name if parent else ROOT
    if found not in rule.parents:
        raise ValueError(f"span {name!r} under {found}: the registry has it under {' or '.join(rule.parents)}")


def check_attributes(name: str, attributes: Mapping[str, SpanValue]) -> None:
    """Raise `ValueError` for an attribute that the registry does not give to the span `name`, or of another type."""
    rules = (*rule_for(name).attributes, *COMMON)
    for key, value in attributes.items():
        found = next((rule for rule in rules if rule.covers(key)), None)
        if found is None:
            raise ValueError(f"attribute {key!r} of span {name!r} is not in the registry of the runner's own spans")
        if not found.accepts(value):
            wanted = " or ".join(found.one_of) or found.type
            raise ValueError(f"attribute {key!r} of span {name!r} is {value!r}; the registry says {wanted}")


def check_event(name: str, event: str) -> None:
    """Raise `ValueError` for an event that the registry does not give to the span `name`."""
    if event not in rule_for(name).events:
        raise ValueError(f"event {event!r} of span {name!r} is not in the registry of the runner's own spans")


def render_registry() -> str:
    """Return `docs/spans.md`: the registry for readers."""
    lines = [
        "# The runner's own spans",
        "",
        "Made from `cleanroom/telemetry/registry.py`; a test compares the two. To write it again:",
        "",
        "    python -c 'from cleanroom.telemetry import registry; print(registry.render_registry(), end=str())'",
        "",
        "Names that begin with `cleanroom.` are the runner's. It sends them over a path that services cannot reach; a",
        "service that uses such a name is reported as a forger. A status is unset unless its section says error.",
        "",
        "## Every span",
        "",
        *_table(COMMON),
    ]
    for rule in REGISTRY:
        lines += ["", f"## `{rule.name}`", "", f"{rule.meaning[0].upper()}{rule.meaning[1:]}.", ""]
        lines += [f"- Parent: {' or '.join('none' if p == ROOT else f'`{p}`' for p in rule.parents)}"]
        lines += [f"- Events: {', '.join(f'`{event}`' for event in rule.events)}"] if rule.events else []
        lines += [f"- Status error: {rule.error}", "", *_table(rule.attributes)]
    return "\n".join(lines) + "\n"


def _table(attributes: Iterable[AttributeRule]) -> Iterable[str]:
    yield "| attribute | type | meaning |"
    yield "|---|---|---|"
    for rule in attributes:
        choices = f": {', '.join(f'`{choice}`' for choice in rule.one_of)}" if rule.one_of else ""
        yield f"| `{rule.key}` | {rule.type} | {rule.meaning}{choices} |"
