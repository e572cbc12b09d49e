"""Rules about scenarios and their steps."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.quantity import Duration
from cleanroom.spec.document import Scalar
from cleanroom.spec.lint.rule import Remark
from cleanroom.spec.lint.subject import Subject, child, duration, entry_of, tables, value, walk, word, words_in

_LONG = Duration(10**9)
_SCENARIO_TIMEOUT = Duration(60 * 10**9)


def scenario_without_expect(subject: Subject) -> Iterator[Remark]:
    """Yield scenarios of which nothing is expected."""
    if subject.document.get("expect") is not None:
        return
    for scenario in subject.scenarios():
        if scenario.get("expect") is None:
            yield scenario.at, f"nothing is expected of the spans of the scenario {word(scenario.get('name'))}"


def long_sleep(subject: Subject) -> Iterator[Remark]:
    """Yield sleeps of a second or more."""
    for scenario in subject.scenarios():
        for entry in walk(scenario.get("steps") or scenario):
            if entry.key == "sleep" and (length := duration(entry.value)) and length >= _LONG:
                yield entry.at, f"the step sleeps for {length}, whatever happens meanwhile"


def duplicate_step(subject: Subject) -> Iterator[Remark]:
    """Yield steps that do and expect the same as the one before them."""
    for scenario in subject.scenarios():
        rest = (scenario.get("chaos"), scenario.get("expect"), subject.document.get("expect"))
        # Doing the same before and after a fault begins is the point of many scenarios.
        named = {text.removeprefix("cleanroom.step:") for node in rest if node is not None for text in words_in(node)}
        before: tuple[str, object] = ("", None)
        for step in tables(scenario.get("steps")):
            name = word(step.get("name"))
            same = {key: part for key, part in value(step).items() if key != "name"}
            if same == before[1] and not {name, before[0]} & named and "sleep" not in same:
                yield step.at, f"the step {name} is the same as the one before it"
            before = (name, same)


def step_outlives_scenario(subject: Subject) -> Iterator[Remark]:
    """Yield steps whose timeout the scenario's own cuts."""
    for scenario in subject.scenarios():
        whole = duration(scenario.get("timeout")) or _SCENARIO_TIMEOUT
        for step in tables(scenario.get("steps")):
            own = entry_of(step, "timeout")
            limit = duration(own.value) if own else None
            if own and limit and limit >= whole:
                yield own.at, f"the scenario ends after {whole}, before this step's timeout of {limit} can"


def everything_optional(subject: Subject) -> Iterator[Remark]:
    """Yield scenarios all of whose steps may fail."""
    for scenario in subject.scenarios():
        steps = tables(scenario.get("steps"))
        outcome = word(child(scenario.get("expect"), "outcome"))
        if steps and all(value(step.get("optional")) is True for step in steps) and outcome != "passed":
            yield steps[0].key_at("optional"), "every step of the scenario may fail, and it still passes (degraded)"


def unspecific_failure(subject: Subject) -> Iterator[Remark]:
    """Yield scenarios that expect a failure and do not say which."""
    for scenario in subject.scenarios():
        found = entry_of(scenario, "expect_failure")
        if found is None or (isinstance(found.value, Scalar) and found.value.value is False):
            continue
        steps = [child(step, "expect") for step in tables(scenario.get("steps"))]
        said = ("error_type", "exit_code", "status", "stderr")
        if not any(child(expect, key) is not None for expect in steps for key in said):
            yield found.at, "any failure will do: no step says with which error it has to fail"


def unverified_tls(subject: Subject) -> Iterator[Remark]:
    """Yield requests that accept any certificate."""
    for entry in walk(subject.document):
        if entry.key == "tls_verify" and value(entry.value) is False:
            yield entry.at, "the request accepts any certificate"
