"""The promise of the language: every key is carried out, or `run` refuses it by name; nothing is read and ignored."""

from __future__ import annotations

import ast
import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path

import pytest

from cleanroom.errors import ExitCode
from cleanroom.pipeline.options import RunOptions
from cleanroom.pipeline.suites import InvalidSpecsError, load_runnable, load_some
from cleanroom.spec.comparator import COMPARISONS
from cleanroom.spec.language.example import example_of
from cleanroom.spec.language.literal import node_of
from cleanroom.spec.language.vocabulary import COMPARATOR, FIGURE, Variants, parts_of
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.chaos import FAULTS
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.shapes.record import Record
from cleanroom.spec.shapes.shape import Shape
from cleanroom.spec.shapes.suite import SUITE, belongs
from tests.unit.spec.evidence import READERS, WITHOUT_READER

ROOT = Path(__file__).parents[3]
CARRIED_OUT = frozenset(kind for kind, fault in FAULTS.items() if fault.available)
"""The faults that this version injects."""


def text_of(record, chosen, value):
    """A mapping with one key of a record, and what must stand beside it, as YAML flow text."""
    names = [name for name in record.required if name != chosen]
    if record.exactly_one and chosen not in record.exactly_one:
        names.append(next((n for n in record.exactly_one if not record.keys[n].later), record.exactly_one[0]))
    names += [record.needs[chosen]] if chosen in record.needs and record.needs[chosen] not in names else []
    kind = record.place.removeprefix("the fault ")
    values = {name: kind if name == "fault" else example_of(record.keys[name]) for name in names}
    return "{" + ", ".join(f"{name}: {text}" for name, text in {**values, chosen: value}.items()) + "}"


def wrapped(part, record, text):
    """`text`, a value of `record`, in the lists and mappings that a value of `part` has around it; None: none."""
    if isinstance(part, Record):
        return text if part is record else None
    if isinstance(part, Shape):
        return wrapped(part.schema, record, text)
    if isinstance(part, (list, tuple)):
        return next((found for found in (wrapped(one, record, text) for one in part) if found is not None), None)
    if isinstance(part, Mapping):
        return wrapped_by(part, record, text)
    return wrapped(part(), record, text) if callable(part) else None


def wrapped_by(schema, record, text):
    for keyword, around in (("items", "[{}]"), ("additionalProperties", "{{web: {}}}")):
        inner = wrapped(schema[keyword], record, text) if keyword in schema else None
        if inner is not None:
            return around.format(inner)
    parts = [schema[keyword] for keyword in ("anyOf", "oneOf", "allOf") if keyword in schema]
    return wrapped([*parts, *schema.get("variants", {}).values()], record, text)


@functools.cache
def available():
    """Every record that a spec reaches by keys that `run` carries out, with the keys on the way to it."""
    found = {SUITE: ()}
    pending = [SUITE]
    while pending:
        record = pending.pop(0)
        for name, key in record.keys.items():
            if key.later:
                continue
            for part in parts_of(key.shape):
                inner = (
                    [one for kind, one in part.records.items() if kind in CARRIED_OUT or kind not in FAULTS]
                    if isinstance(part, Variants)
                    else [part]
                )
                for one in inner:
                    if one not in found and wrapped(key.shape, one, "x") is not None:
                        found[one] = (*found[record], (record, name))
                        pending.append(one)
    return found


def spec_with(record, name, value):
    """A whole spec, as its one mapping, that uses a key of a record."""
    text = text_of(record, name, value)
    current = record
    for outer, key in reversed(available()[record]):
        text = text_of(outer, key, wrapped(outer.keys[key].shape, current, text))
        current = outer
    return text


def deferred(text):
    """What `run` would refuse of a spec, as messages; problems of other kinds are passed over."""
    log = ProblemLog("a.cleanroom.yaml")
    with contextlib.suppress(RefusedError):
        SUITE(node_of(text), Place(log, "", belongs()))
    return [problem.message for problem in log.unavailable()]


def used():
    """Every key of an available record, with the record."""
    return [(record, name, key) for record in available() for name, key in record.keys.items()]


def named(record, name):
    return f"{name} of {record.place or 'the top level'}"


def test_the_walk_reaches_what_the_language_has():
    places = {record.place for record in available()}
    assert {"services.<name>.ready[]", "the fault container.kill", "expect.spans[]", "expect.graph"} <= places
    assert not {f"the fault {kind}" for kind in FAULTS.keys() - CARRIED_OUT} & places


def test_a_key_of_a_later_version_is_refused_by_name_wherever_a_spec_can_have_it():
    silent = []
    for record, name, key in used():
        if key.later:
            text = spec_with(record, name, example_of(key))
            if not any(message.startswith((f'"{name}" in ', f'"{name}" is part')) for message in deferred(text)):
                silent.append(f"{named(record, name)}: {text}")
    assert not silent, "\n".join(silent)


@pytest.mark.parametrize("kind", sorted(FAULTS.keys() - CARRIED_OUT))
def test_a_fault_of_a_later_version_is_refused_by_name(kind):
    fault = f"[{{id: x, fault: {kind}, target: web}}]"
    text = text_of(SUITE, "scenarios", f"[{{name: s, steps: [{{name: a, sleep: 1s}}], chaos: {fault}}}]")
    assert any(f"the fault {kind} " in message for message in deferred(text))


def record_at(place):
    return next(record for record in available() if record.place == place)


@pytest.mark.parametrize(
    ("place", "name", "value", "what"),
    [
        ("expect.hermeticity", "egress", "declared", '"declared"'),
    ],
)
def test_a_word_of_a_later_version_is_refused_by_name(place, name, value, what):
    messages = deferred(spec_with(record_at(place), name, value))
    assert any(message.startswith(what) for message in messages), messages


def test_every_key_that_is_carried_out_has_a_reader_or_a_reason_and_no_other_has():
    keys = {
        (record.place, name)
        for record, name, key in used()
        if not key.later
        and not record.place.startswith(COMPARATOR)
        and not (record.place.startswith(FIGURE) and name in COMPARISONS)
    }
    rows = {(place, name) for place, row in READERS.items() for name in row}
    assert not rows & WITHOUT_READER.keys()
    assert sorted(keys - rows - WITHOUT_READER.keys()) == [], "nobody is known to carry these out"
    assert sorted((rows | WITHOUT_READER.keys()) - keys) == [], "these are no keys, or run refuses them"


def test_every_word_of_a_comparator_is_judged():
    for record in available():
        if record.place.startswith(COMPARATOR) and not record.place.endswith(".approx"):
            assert record.keys.keys() <= COMPARISONS.keys()


@functools.cache
def reads(module):
    """The attributes that each function of a module reads, as source text."""
    found = {}

    def visit(node, name):
        for child in ast.iter_child_nodes(node):
            inside = name
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                inside = f"{name}.{child.name}" if name else child.name
            if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Load):
                found.setdefault(inside, set()).add(ast.unparse(child))
            visit(child, inside)

    visit(ast.parse((ROOT / "cleanroom" / f"{module}.py").read_text(encoding="utf-8")), "")
    return found


def test_each_reader_reads_what_the_table_says():
    wrong = []
    for place, row in READERS.items():
        for name, evidence in row.items():
            where, _, expression = evidence.partition(" ")
            module, _, function = where.partition(":")
            if expression not in reads(module).get(function, ()):
                wrong.append(f"{name} of {place or 'the top level'}: {evidence}")
    assert not wrong, "\n".join(wrong)


def corpus():
    folders = (ROOT / "tests/specs/valid", ROOT / "examples")
    found = [path for folder in folders for path in folder.rglob("*.cleanroom.yaml")]
    valid = [path for path in sorted(found) if path.name != "unknown-key.cleanroom.yaml"]
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in valid]


def options_for(path):
    return RunOptions(specs=(path.relative_to(ROOT).as_posix(),), root=str(ROOT), out="", seed=7)


@pytest.mark.parametrize("path", corpus())
def test_a_run_refuses_exactly_the_specs_that_use_what_it_cannot_carry_out_and_names_all_of_it(path):
    loaded = load_some(options_for(path))
    missing = {problem.message for suite in loaded.suites for problem in suite.unavailable}
    if not missing:
        load_runnable(options_for(path))
        return
    with pytest.raises(InvalidSpecsError) as refused:
        load_runnable(options_for(path))
    assert refused.value.exit_code is ExitCode.INVALID_SPEC
    assert {problem.message for problem in refused.value.problems} == missing
    assert {problem.code for problem in refused.value.problems} == {"not-available"}
    assert all(message in str(refused.value) for message in missing)
