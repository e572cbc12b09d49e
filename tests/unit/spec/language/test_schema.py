from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from cleanroom.spec.language.schema import json_schema, render_schema, slug
from cleanroom.spec.shapes.record import Key, Record, variants
from cleanroom.spec.shapes.shape import Shape, boolean, choice, either, integer, items, lazy, scalar_text, table, text


def record(place="", **keys):
    rules = {name: keys.pop(name) for name in list(keys) if not isinstance(keys[name], Key)}
    return Record(place=place, keys=keys, **rules)


def key(shape, **more):
    return Key(shape, "Says something.", **more)


def shape_of(read):
    return read.into(lambda fields: fields)


def accepts(root, value):
    schema = json_schema(root)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema).is_valid(value)


def test_unknown_keys_and_missing_ones_are_refused():
    root = record(image=key(text), init=key(boolean), required=("image",))
    assert accepts(root, {"image": "x", "init": True})
    assert not accepts(root, {"image": "x", "inti": True})
    assert not accepts(root, {"init": True})
    assert not accepts(root, {"image": "", "init": True})


def test_exactly_one_of_a_group_must_be_there():
    root = record(a=key(text), b=key(text), c=key(text), exactly_one=("a", "b"))
    assert accepts(root, {"a": "x", "c": "x"})
    assert not accepts(root, {"c": "x"})
    assert not accepts(root, {"a": "x", "b": "x"})


def test_at_least_one_of_a_group_must_be_there():
    root = record(a=key(text), b=key(text), c=key(text), at_least_one=("a", "b"))
    assert accepts(root, {"a": "x", "b": "x"})
    assert not accepts(root, {"c": "x"})


def test_at_most_one_of_each_group_may_be_there():
    root = record(a=key(text), b=key(text), c=key(text), at_most_one=(("a", "b", "c"),))
    assert accepts(root, {})
    assert accepts(root, {"c": "x"})
    assert not accepts(root, {"a": "x", "c": "x"})
    assert not accepts(root, {"b": "x", "c": "x"})


def test_a_key_may_need_another():
    root = record(a=key(text), b=key(text), needs={"a": "b"})
    assert accepts(root, {"b": "x"})
    assert not accepts(root, {"a": "x"})


@pytest.mark.parametrize("empty", [{}, {"a": []}, {"a": [], "b": {}}])
def test_a_mapping_that_must_say_something_is_refused_when_all_of_it_is_empty(empty):
    root = record(a=key(items(text)), b=key(table(text)), not_empty=True)
    assert accepts(root, {"a": ["x"], "b": {}})
    assert not accepts(root, empty)


def test_an_operand_may_be_empty():
    root = record(a=key(Shape(lambda node, _place: node, "a value", {}, example="1")), not_empty=True)
    assert accepts(root, {"a": []})
    assert not accepts(root, {})


def test_a_template_may_stand_for_every_value_that_is_not_plain_text():
    inner = record("inner", port=key(integer(1)))
    root = record(ports=key(items(integer(1))), kind=key(choice("a", "b")), by=key(table(shape_of(inner))))
    for written in ("{{ vars.x }}", ["{{ vars.x }}", 3]):
        assert accepts(root, {"ports": written})
    assert accepts(root, {"kind": "{{ vars.x }}", "by": {"x": {"port": "{{ vars.x }}"}, "y": "{{ vars.y }}"}})
    assert not accepts(root, {"ports": ["x"]})
    assert not accepts(root, {"kind": "c"})


def test_plain_text_needs_no_template_beside_it():
    schema = json_schema(record(a=key(text), b=key(scalar_text)))
    properties = schema["$defs"]["suite"]["properties"]
    assert properties["a"]["type"] == "string"
    assert properties["b"]["type"] == ["string", "number", "boolean"]


def test_the_keys_of_a_variant_depend_on_its_text():
    kill = record("the fault container.kill", fault=key(text), signal=key(text))
    delay = record("the fault network.latency", fault=key(text), delay=key(text), required=("delay",))
    fault = variants("fault", {"container.kill": kill, "network.latency": delay}, lambda node, _place: node)
    root = record(chaos=key(items(fault)))
    assert accepts(root, {"chaos": [{"fault": "container.kill", "signal": "KILL"}]})
    assert accepts(root, {"chaos": [{"fault": "{{ vars.fault }}", "anything": 1}]})
    assert not accepts(root, {"chaos": [{"fault": "container.kill", "delay": "1s"}]})
    assert not accepts(root, {"chaos": [{"fault": "network.latency"}]})
    assert not accepts(root, {"chaos": [{"fault": "network.latncy", "delay": "1s"}]})
    assert not accepts(root, {"chaos": [{"delay": "1s"}]})


def test_records_that_contain_themselves_end():
    steps = items(lazy(lambda: shape_of(step), "a mapping"))
    step = record("step", name=key(text), parallel=key(steps, example="[]"), required=("name",))
    root = record(steps=key(items(shape_of(step))))
    assert accepts(root, {"steps": [{"name": "a", "parallel": [{"name": "b", "parallel": [{"name": "c"}]}]}]})
    assert not accepts(root, {"steps": [{"name": "a", "parallel": [{"name": "b", "parallel": [{}]}]}]})


def test_shapes_that_contain_themselves_end_too():
    nested = either("a number or a list of such", scalar=integer(0), sequence=items(lazy(lambda: nested, "such")))
    root = record(a=key(nested, example="[1, [2]]"))
    assert accepts(root, {"a": [1, [2, [3]]]})
    assert not accepts(root, {"a": [1, [2, ["x"]]]})


def test_a_shape_that_makes_itself_anew_each_time_is_refused():
    def endless():
        return items(lazy(endless, "such"))

    with pytest.raises(ValueError, match="makes itself anew"):
        json_schema(record(a=key(endless(), example="[]")))


def test_two_records_with_one_place_are_refused():
    one, other = record("a reason", why=key(text)), record("a reason", because=key(text))
    with pytest.raises(ValueError, match="a reason"):
        json_schema(record(a=key(shape_of(one)), b=key(shape_of(other))))


def test_a_key_tells_its_default_its_example_and_what_run_cannot_do():
    schema = json_schema(record(wait=key(text, default="2s", example="3s", later=True)))
    wait = schema["$defs"]["suite"]["properties"]["wait"]
    assert wait["default"] == "2s"
    assert wait["examples"] == ["3s"]
    assert wait["description"] == (
        "Says something.\n\nDefault: `2s`.\n\nRead and checked; run cannot carry it out in this version."
    )


def test_a_default_that_is_no_yaml_is_refused():
    with pytest.raises(ValueError, match="no YAML value"):
        json_schema(record(wait=key(text, default="{")))


def test_the_same_records_give_the_same_bytes():
    root = record(b=key(text), a=key(choice("x", "y")))
    assert render_schema(root) == render_schema(root)
    assert list(json.loads(render_schema(root))["$defs"]["suite"]["properties"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("", "suite"),
        ("services.<name>.ready[].http", "services-name-ready-http"),
        ("the fault network.latency", "fault-network-latency"),
        ("a pattern", "pattern"),
        ("scenarios[].steady_state", "scenarios-steady_state"),
    ],
)
def test_a_definition_is_named_after_its_place(place, name):
    assert slug(place) == name
