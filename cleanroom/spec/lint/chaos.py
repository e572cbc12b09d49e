"""Rules about faults, and about what repetition proves."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.lint.rule import Remark
from cleanroom.spec.lint.subject import Subject, child, entries, entry_of, members, tables, value, walk, word

_DEFAULT_ITERATIONS = 5


def unverified_fault(subject: Subject) -> Iterator[Remark]:
    """Yield faults whose effect is not verified."""
    for _scenario, fault in subject.faults():
        verify = entry_of(fault, "verify")
        if verify and value(verify.value) is False:
            yield verify.at, f"nothing proves that the fault {word(fault.get('id')) or '(without id)'} had any effect"


def fault_never_looked_at(subject: Subject) -> Iterator[Remark]:
    """Yield faults to whose window no expectation refers."""
    suite = child(subject.document, "expect")
    for scenario, fault in subject.faults():
        referred = {name for table in (suite, scenario.get("expect")) for name in _references(table)}
        name = word(fault.get("id"))
        if "*" not in referred and name not in referred:
            at = fault.key_at("id")
            yield at, f"no expectation says what must hold during, before or after the fault {name or '(without id)'}"


def _references(expect: object) -> Iterator[str]:
    """Yield the ids of faults that an `expect` refers to; `*` for the runner's own spans of faults."""
    if not isinstance(expect, Table):
        return
    for entry in walk(expect):
        if entry.key in ("during", "before", "after"):
            yield word(entry.value)
            yield from (word(item) for item in members(entry.value))
        if entry.key == "name" and word(entry.value).startswith(("cleanroom.chaos", "cleanroom.recovery")):
            yield "*"
        if entry.key in ("recovery_time", "detection_time", "rto", "unavailability", "rpo"):
            yield "*"
    yield from (entry.key for entry in entries(expect.get("faults")))


def rare_fault(subject: Subject) -> Iterator[Remark]:
    """Yield faults that are expected less than once in a run."""
    written = subject.determinism("iterations")
    iterations = value(written.value) if written else None
    runs = iterations if isinstance(iterations, int) else _DEFAULT_ITERATIONS
    for _scenario, fault in subject.faults():
        node = fault.get("probability")
        chance = node.value if isinstance(node, Scalar) else None
        times = value(child(fault.get("repeat"), "times"))
        tries = runs * (times if isinstance(times, int) else 1)
        if isinstance(chance, (int, float)) and not isinstance(chance, bool) and chance * tries < 1:
            message = f"with probability {chance:g} and {tries} occurrences a run is more likely to see none than one"
            yield fault.key_at("probability"), message


def everything_may_be_inconclusive(subject: Subject) -> Iterator[Remark]:
    """Yield the first allowance when no fault of the spec has to be proven."""
    allowances = []
    faults = list(subject.faults())
    for scenario, fault in faults:
        found = entry_of(fault, "allow_inconclusive") or entry_of(scenario, "allow_inconclusive")
        if found is None:
            return
        allowances.append(found.at)
    if allowances:
        yield min(allowances), "every fault of this spec may stay without evidence, and the run still passes"


def random_seed(subject: Subject) -> Iterator[Remark]:
    """Yield `seed: random`."""
    seed = subject.determinism("seed")
    if seed and word(seed.value) == "random":
        yield seed.value.at, "each run draws another seed, so that two runs of one commit can differ"


def single_iteration(subject: Subject) -> Iterator[Remark]:
    """Yield `iterations: 1`."""
    iterations = subject.determinism("iterations")
    if iterations and value(iterations.value) == 1:
        yield iterations.value.at, "one iteration shows that it can work, not that it does so again"


def not_identical(subject: Subject) -> Iterator[Remark]:
    """Yield `identical: false`."""
    identical = subject.determinism("identical")
    if identical and value(identical.value) is False:
        yield identical.value.at, "iterations that differ pass, so nondeterminism is not found"


def drops_everything(subject: Subject) -> Iterator[Remark]:
    """Yield globs of `normalize.drop` that drop every attribute."""
    normalize = subject.determinism("normalize")
    for item in members(child(normalize.value, "drop") if normalize else None):
        if word(item) in ("*", "**"):
            yield item.at, "no attribute is compared between iterations"


def retry_on_anything(subject: Subject) -> Iterator[Remark]:
    """Yield retries that do not say after which errors."""
    for scenario in subject.scenarios():
        for step in tables(scenario.get("steps")):
            retry = entry_of(step, "retry")
            if retry and isinstance(retry.value, Table) and retry.value.get("on") is None:
                yield retry.at, f"the step {word(step.get('name'))} is tried again after any error, defects too"
