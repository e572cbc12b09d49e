"""Every key and every word of a closed choice stands in a spec under tests/specs/valid."""

from __future__ import annotations

from cleanroom.spec.language.schema import json_schema, slug
from cleanroom.spec.language.vocabulary import COMPARATOR, variants_in
from cleanroom.spec.shapes.suite import SUITE
from tests.unit.spec.language.corpus import SCHEMA, SPECS, VALIDATOR, data_of, specs
from tests.unit.spec.language.walker import Walker

_COMPARATOR = slug(COMPARATOR)


def common():
    """The keys that all variants of one place have are one key each: definition to the name they go by, and they."""
    found = {}
    for variants in variants_in(SUITE):
        records = list(variants.records.values())
        shared = set.intersection(*(set(record.keys) for record in records))
        found.update({slug(record.place): (f"any {variants.discriminator}", shared) for record in records})
    return found


def walker():
    shared = common()

    def canonical(definition, key):
        if definition.startswith(_COMPARATOR):
            # One table of comparators, whatever they judge.
            return ("approx" if definition.endswith("-approx") else "comparator", key)
        alias, keys = shared.get(definition, ("", ()))
        return (alias if key in keys else definition, key)

    return Walker(SCHEMA, VALIDATOR, canonical)


def test_every_key_and_word_stands_in_a_valid_spec():
    walk = walker()
    for path in specs(SPECS / "valid"):
        walk.mark(data_of(path))
    missing = [f"key {definition}: {key}" for definition, key in sorted(walk.keys - walk.used_keys)]
    missing += [f"word {word} of {place}" for place, word in walk.missing_words()]
    assert not missing, f"{len(missing)} in no valid spec:\n" + "\n".join(missing)


def test_the_walk_knows_every_definition():
    walk = walker()
    assert {definition for definition, _ in walk.keys} > {"suite", "comparator", "any fault"}
    assert len(walk.keys) > 300
    assert json_schema(SUITE) == SCHEMA
