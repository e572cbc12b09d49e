from __future__ import annotations

from jsonschema import Draft202012Validator

from cleanroom.spec.language.schema import json_schema
from tests.unit.spec.language.walker import Walker


def walk(language, *documents):
    schema = json_schema(language)
    walker = Walker(schema, Draft202012Validator(schema), lambda definition, key: (definition, key))
    for document in documents:
        walker.mark(document)
    return walker


def test_keys_that_no_document_uses_are_left(language):
    walker = walk(language, {"services": {"db": {"image": "x", "ready": [{"tcp": 1}]}}})
    left = walker.keys - walker.used_keys
    assert ("services-name-ready", "log") in left
    assert ("services-name", "stop_grace") in left
    assert ("services-name-ready", "tcp") not in left
    assert ("services-name", "image") not in left


def test_the_keys_of_a_variant_are_used_only_with_its_text(language):
    walker = walk(language, {"scenarios": [{"chaos": [{"fault": "container.kill", "signal": "KILL"}]}]})
    left = walker.keys - walker.used_keys
    assert ("fault-network-loss", "percent") in left
    assert ("fault-container-kill", "signal") not in left


def test_words_of_a_choice_are_used_one_by_one(language):
    document = {"expect": {"spans": [{"kind": "server"}]}}
    assert ("expect-spans: kind", "client") in walk(language, document).missing_words()
    both = {"expect": {"spans": [{"kind": "server"}, {"kind": "client"}]}}
    assert not [place for place, _ in walk(language, both).missing_words() if place == "expect-spans: kind"]


def test_a_template_uses_no_word(language):
    missing = walk(language, {"expect": {"spans": [{"kind": "{{ vars.kind }}"}]}}).missing_words()
    assert [word for place, word in missing if place == "expect-spans: kind"] == ["client", "server"]
