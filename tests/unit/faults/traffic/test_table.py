from __future__ import annotations

import json

import pytest

from cleanroom.errors import CapabilityError, NetworkError
from cleanroom.faults.traffic import table
from cleanroom.faults.traffic.table import Rule, Table, render


class Kernel:
    """What nft is asked, and which tables there are."""

    def __init__(self) -> None:
        self.tables: set[tuple[str, str]] = set()
        self.packets = 0
        self.refuses = ""
        self.flushed = False
        self.scripts: list[str] = []

    def do(self, function):
        return function()

    def run(self, argv: tuple[str, ...], *, stdin: str = "") -> str:
        if argv[1:] == ("-f", "-"):
            if self.refuses:
                raise NetworkError(self.refuses)
            self.scripts.append(stdin)
            for line in stdin.splitlines():
                words = line.split()
                if words[0] == "table":
                    self.tables.add((words[1], words[2]))
                elif words[:2] == ["delete", "table"]:
                    self.tables.remove((words[2], words[3]))
            return ""
        if argv[2:] == ("list", "tables"):
            found = [{"table": {"family": family, "name": name}} for family, name in sorted(self.tables)]
            return json.dumps({"nftables": [{"metainfo": {}}, *found]})
        if argv[2:4] == ("list", "table"):
            return json.dumps({"nftables": [{"table": {}}, *([] if self.flushed else [{"rule": {}}])]})
        counters = [{"counter": {"name": "c", "table": argv[-1], "packets": self.packets}}]
        return json.dumps({"nftables": counters})


@pytest.fixture
def kernel(monkeypatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(table, "run", made.run)
    return made


RULES = (
    Rule(hook="input", match="tcp dport 1", counter="c", verdict="drop"),
    Rule(hook="egress", match="tcp sport 1", counter="c", verdict="drop"),
    Rule(hook="input", match="ip saddr 10.0.0.1", verdict="accept"),
)


def test_a_table_is_put_up_counted_and_taken_down(kernel):
    made = Table(kernel, "clr_t", render("clr_t", RULES))
    made.apply()
    assert kernel.tables == {("inet", "clr_t"), ("netdev", "clr_t")}
    assert made.leftovers() == ("table inet clr_t", "table netdev clr_t")
    kernel.packets = 7
    assert made.counts() == {"c": 7}
    made.remove()
    made.remove()
    assert (kernel.tables, made.leftovers(), made.lapses) == (set(), (), [])
    kernel.packets = 9
    assert made.counts() == {"c": 7}


def test_a_table_of_somebody_else_stays(kernel):
    kernel.tables.add(("inet", "other"))
    made = Table(kernel, "clr_t", render("clr_t", RULES[:1]))
    made.apply()
    made.remove()
    assert kernel.tables == {("inet", "other")}


def test_rules_that_are_gone_before_their_time_are_told(kernel):
    made = Table(kernel, "clr_t", render("clr_t", RULES))
    made.apply()
    kernel.tables.clear()
    made.remove()
    assert made.lapses == ["its rules were not there any more to be taken away"]


def test_rules_that_are_gone_although_their_table_stays_are_told(kernel):
    made = Table(kernel, "clr_t", render("clr_t", RULES))
    made.apply()
    kernel.flushed = True
    made.remove()
    assert made.lapses == ["some of its rules were not there any more to be taken away"]
    assert kernel.tables == set()


@pytest.mark.parametrize(("rules", "told"), [(RULES, [table.INTERFACE_GONE]), (RULES[:1], [])])
def test_rules_at_an_interface_that_was_replaced_are_told(kernel, monkeypatch, rules, told):
    numbers = iter((7, 8))
    monkeypatch.setattr(table, "interface", lambda _: next(numbers))
    made = Table(kernel, "clr_t", render("clr_t", rules))
    made.apply()
    made.remove()
    assert made.lapses == told


def test_a_kernel_that_cannot_is_told_with_its_words(kernel):
    kernel.refuses = "Operation not supported"
    made = Table(kernel, "clr_t", render("clr_t", RULES))
    with pytest.raises(CapabilityError, match="backend nftables: Operation not supported"):
        made.apply()
    made.remove()
    assert made.lapses == []


def test_the_text_of_a_table(snapshot):
    assert render("clr_t", RULES, ("set s { type inet_proto; size 4; flags dynamic; }",)) == snapshot
