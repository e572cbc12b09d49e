from __future__ import annotations

from cleanroom.trace import rules
from cleanroom.trace.rules import RULE_SET_ID, RULES, NormaliseOptions, matches, rule_set_id


def test_rules_have_unique_ids_and_say_what_they_do():
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.version >= 1 and rule.description.endswith(".") for rule in RULES)
    assert set(rules.DROPPED) <= {rule.id for rule in RULES}


def test_every_rule_of_the_spec_is_part_of_the_rule_set_and_facts_of_the_run_are_not():
    own = [
        NormaliseOptions(drop=("a",)),
        NormaliseOptions(keep=("a",)),
        NormaliseOptions(replace=(("a", "b"),)),
        NormaliseOptions(replace=(("b", "a"),)),
        NormaliseOptions(siblings="by_start"),
        NormaliseOptions(bucket_ns=10),
        NormaliseOptions(bucket_ns=100),
    ]
    assert len({rule_set_id(options) for options in own} | {RULE_SET_ID}) == 8
    assert rule_set_id(NormaliseOptions(roles={"x": "<y>"}, excluded_traces=frozenset("z"))) == RULE_SET_ID
    assert rule_set_id(NormaliseOptions(drop=("a", "b"))) == rule_set_id(NormaliseOptions(drop=("b", "a", "a")))


def test_a_changed_table_or_version_is_another_rule_set(monkeypatch):
    monkeypatch.setattr(rules, "USER_AGENTS", ("x",))
    tables = rule_set_id(NormaliseOptions())
    monkeypatch.setattr(rules, "RULES", RULES[1:])
    assert len({RULE_SET_ID, tables, rule_set_id(NormaliseOptions())}) == 3


def test_globs_match_whole_names_by_case():
    assert matches("order.id", ("x", "order.*"))
    assert not matches("Order.id", ("order.*",))
    assert not matches("my.order.id", ("order.*",))
