"""What the records of the whole language say of themselves."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from cleanroom.spec.document import plain
from cleanroom.spec.error_type import ERROR_TYPES
from cleanroom.spec.language import prose
from cleanroom.spec.language.codes import CODES
from cleanroom.spec.language.example import example_of
from cleanroom.spec.language.literal import node_of
from cleanroom.spec.language.reading import problems_of
from cleanroom.spec.language.reference import render_reference
from cleanroom.spec.language.schema import slug
from cleanroom.spec.language.vocabulary import outline, variants_in, words
from cleanroom.spec.load import load_suite
from cleanroom.spec.problem import ProblemLog, render_problems
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.shapes.record import Record
from cleanroom.spec.shapes.shape import Shape
from cleanroom.spec.shapes.suite import SUITE
from cleanroom.spec.suite import Suite
from tests.unit.spec.language.corpus import SCHEMA, VALIDATOR

DOCS = Path(__file__).parents[4] / "docs"
RUN_TIME = frozenset({"captured", "worker", "operation", "example", "replica", "peers", "iteration"})
WORDS = words(SUITE)
_JUNK = ("null", "-7", "3.5", "true", '"?? \\t"', "[]", "{}")
_OF_MAPPINGS = {"missing-key", "one-of", "empty-expect", "empty-comparator"}


def for_each(chosen):
    """Make one test of a check of keys, which names all that fail: a test for each would take longer than they do."""

    def decorate(check):
        def test():
            failed = []
            for word in chosen:
                try:
                    check(word)
                except AssertionError as err:
                    failed.append(f"{word.path}: {err}")
            assert not failed, "\n".join(failed)

        test.__name__ = check.__name__
        return test

    return decorate


def read(word, written):
    """What a key's shape makes of a value; fails with the problems that it reports."""
    log = ProblemLog("example.cleanroom.yaml", [f"value: {written}"])
    place = Place(log, word.path, {}, RUN_TIME)
    try:
        value = word.key.shape(node_of(written), place)
    except RefusedError:
        value = None
    assert not log.found, f"{word.path}: {written}\n{render_problems(log.sorted())}"
    return value


@for_each(WORDS)
def test_a_key_says_in_sentences_what_it_promises(word):
    assert re.fullmatch(r"[A-Z`{/].*[.)]", word.key.doc, re.DOTALL), word.key.doc
    assert word.key.shape.words


@pytest.mark.parametrize("record", [pytest.param(record, id=record.place or "the top") for record in outline(SUITE)])
def test_a_mapping_names_only_keys_that_it_has(record):
    named = {*record.required, *record.exactly_one, *record.at_least_one, *record.needs, *record.needs.values()}
    named = named.union(*record.at_most_one, record.names_with)
    assert named <= record.keys.keys()


@for_each(WORDS)
def test_the_example_of_a_key_reads_without_a_problem(word):
    read(word, example_of(word.key))


@for_each([word for word in WORDS if word.key.default])
def test_the_default_of_a_key_reads_without_a_problem(word):
    read(word, word.key.default)


@for_each([word for word in WORDS if word.key.errors])
def test_the_codes_that_a_key_names_are_registered(word):
    assert set(problems_of(word)) <= CODES.keys()


@for_each(WORDS)
def test_a_value_of_the_wrong_kind_is_refused_with_a_code_that_the_documentation_names(word):
    listed = set(problems_of(word))
    for written in _JUNK:
        node = node_of(written)
        log = ProblemLog("example.cleanroom.yaml")
        try:
            word.key.shape(node, Place(log, word.path, {}, RUN_TIME))
        except RefusedError:
            assert log.found, f"{written} is refused and nothing says so"
        reported = {problem.code for problem in log.sorted() if problem.at == node.at}
        # A mapping tells of its own keys in its own section.
        unsaid = reported - listed - (_OF_MAPPINGS if written == "{}" else set())
        assert not unsaid, f"{written}: {unsaid}"


def own_readers():
    """The keys whose shapes read their values: texts that chose a variant, and parts of `approx`, are read before."""
    variants = {id(record): found.discriminator for found in variants_in(SUITE) for record in found.records.values()}
    return [
        word
        for word in WORDS
        if variants.get(id(word.record)) != word.name and not word.record.place.endswith(".approx")
    ]


@for_each(own_readers())
def test_the_schema_accepts_every_value_that_the_key_takes(word):
    schema = SCHEMA["$defs"][slug(word.record.place)]["properties"][word.name]
    validator = VALIDATOR.evolve(schema=schema)
    for written in (
        example_of(word.key),
        word.key.default or "0",
        *_JUNK,
        "500",
        "'7'",
        "1h",
        "GET",
        "{a: 1}",
        "[a, b]",
    ):
        node = node_of(written)
        log = ProblemLog("example.cleanroom.yaml")
        try:
            word.key.shape(node, Place(log, word.path, {}, RUN_TIME))
        except RefusedError:
            continue
        assert log.found or validator.is_valid(plain(node)), f"{written} is read, and the schema refuses it"


def shapes_by_record():
    """Every shape that reads a record, with it."""
    found = {}
    pending, seen = [SUITE], {}
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        if isinstance(part, Record):
            pending += [key.shape for key in part.keys.values()]
        elif isinstance(part, Shape):
            if isinstance(part.schema, Record):
                found.setdefault(part.schema.place, (part, part.schema))
            pending.append(part.schema)
        elif isinstance(part, dict):
            pending += part.values()
        elif isinstance(part, (list, tuple)):
            pending += part
        elif callable(part):
            pending.append(part())
    return found


def fields_of(shape, record, written):
    """The model that a shape makes of a mapping, as its fields by name; nothing for what is no model."""
    log = ProblemLog("example.cleanroom.yaml")
    try:
        value = shape(node_of(written), Place(log, record.place, {}, RUN_TIME))
    except RefusedError:
        return {}
    return (
        {f.name: getattr(value, f.name) for f in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else {}
    )


@pytest.mark.parametrize("place", sorted(shapes_by_record()))
def test_a_default_that_is_written_makes_the_same_model_as_one_that_is_left_out(place):
    shape, record = shapes_by_record()[place]
    written = example_of_record(record)
    bare = fields_of(shape, record, "{" + written + "}")
    for name, key in record.keys.items():
        if key.default and name in bare and f"{name}:" not in written:
            full = fields_of(
                shape, record, "{" + ", ".join(part for part in (written, f"{name}: {key.default}") if part) + "}"
            )
            # A model may have None for a default that only the stage that uses it can name.
            if full and bare[name] is not None:
                assert full[name] == bare[name], f"{place}.{name}"


def example_of_record(record):
    names = list(record.required)
    names += [] if set(names) & {*record.exactly_one} else list(record.exactly_one[:1])
    names += [] if set(names) & {*record.at_least_one} else list(record.at_least_one[:1])
    return ", ".join(f"{name}: {example_of(record.keys[name])}" for name in dict.fromkeys(names))


def test_every_place_has_a_definition_of_its_own():
    assert len(SCHEMA["$defs"]) > len(outline(SUITE))


def test_every_error_type_is_documented():
    assert {*prose.ERROR_TYPES} == {*ERROR_TYPES, "sql:<code>"}


def test_the_document_is_what_the_records_say():
    written = (DOCS / "spec.md").read_text(encoding="utf-8")
    assert written == render_reference(SUITE), "make docs writes docs/spec.md again"


def test_the_example_of_the_document_is_a_valid_spec(tmp_path):
    document = render_reference(SUITE)
    (example,) = re.findall(r"```yaml\n(.*?)```", document, re.DOTALL)
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "Dockerfile").write_text("FROM scratch\n")
    path = tmp_path / "example.cleanroom.yaml"
    path.write_text(example)
    suite = load_suite(path, root=tmp_path, variables={}, environment={})
    assert isinstance(suite, Suite), render_problems(suite)
