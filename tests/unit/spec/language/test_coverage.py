"""Every key and every word of a closed choice stands in a spec under tests/specs/valid."""

from __future__ import annotations

from cleanroom.spec.comparator import COMPARISONS
from cleanroom.spec.language.schema import json_schema, slug
from cleanroom.spec.language.vocabulary import words
from cleanroom.spec.shapes.suite import SUITE
from tests.unit.spec.language.corpus import SCHEMA, SPECS, VALIDATOR, data_of, specs
from tests.unit.spec.language.walker import Walker


def shared():
    """For each definition and key the first place that has the very same key: in many places it is still one key."""
    first, found = {}, {}
    for word in words(SUITE):
        place = first.setdefault((word.name, word.key), slug(word.record.place))
        found[slug(word.record.place), word.name] = place
    return found


def walker():
    known = shared()

    def canonical(definition, key):
        # One table of comparators, whatever they judge; figures are comparators with more keys.
        judging = next((name for name in ("approx", "comparator", "figure") if name in definition), "")
        if judging and "-of-" in definition:
            return ("comparator" if key in COMPARISONS else judging, key)
        return (known.get((definition, key), definition), key)

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
    assert {definition for definition, _ in walk.keys} > {"suite", "comparator", "approx", "fault-container-kill"}
    assert len(walk.keys) > 300
    assert json_schema(SUITE) == SCHEMA
