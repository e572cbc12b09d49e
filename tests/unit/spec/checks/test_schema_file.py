from __future__ import annotations

import pytest

from cleanroom.spec.attribute_schema import AttributeSchema
from cleanroom.spec.load import load_suite

SPEC = """\
cleanroom: 1
services: {api: {image: "api:1"}}
scenarios:
  - name: s
    steps: [{name: a, sleep: 1s}]
    expect: {spans: [{name: x, schema: FILE}]}
"""


@pytest.fixture
def loaded(tmp_path):
    def load(content, file="schema.yaml"):
        folder = tmp_path / "specs"
        folder.mkdir()
        if content is not None:
            (folder / "schema.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        spec = folder / "x.cleanroom.yaml"
        spec.write_text(SPEC.replace("FILE", file))
        return load_suite(spec, root=tmp_path, variables={}, environment={})

    return load


@pytest.mark.parametrize(
    "content",
    [
        "http.route: {type: string, required: true}\nretries: {maximum: 3}\n",
        '{"http.route": {"type": "string", "required": true}, "retries": {"maximum": 3}}',
    ],
)
def test_a_schema_in_a_file_is_the_schema_of_the_spec(loaded, content):
    (span,) = loaded(content).scenarios[0].expect.spans

    assert span.schema == {
        "http.route": AttributeSchema(types=("string",), required=True),
        "retries": AttributeSchema(maximum=3),
    }
    assert span.schema_file == "specs/schema.yaml"


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("a: {tpye: string}\n", "unknown-key", 1),
        ("a: {type: string}\nb: {type: text}\n", "wrong-value", 2),
        ("a: {}\n", "empty-expect", 1),
        ("{}\n", "empty-list", 1),
        ("type: object\nproperties: {a: {type: string}}\n", "wrong-type", 1),
        ("\n\na: {minimum: 3, maximum: 2}\n", "impossible", 3),
        ("- a\n", "wrong-type", 1),
        ("", "empty-file", 1),
        ("a: [", "yaml-syntax", 1),
        (b"a: \xff", "not-utf8", 1),
    ],
)
def test_what_is_wrong_in_the_file_is_told_where_it_stands_there(loaded, content, code, line):
    problem = loaded(content)[0]

    assert (problem.code, problem.at.file, problem.at.line) == (code, "specs/schema.yaml", line)


def test_a_file_that_is_not_there_is_told_once(loaded):
    assert [(problem.code, problem.at.line) for problem in loaded(None)] == [("missing-path", 6)]
