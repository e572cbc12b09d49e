from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from dnslib import DNSRecord

from cleanroom.network.name_fault import _OURS, NameRule, NameStrike, ask_name, own_index
from cleanroom.network.resolver import Resolver
from cleanroom.quantity import Duration

HERE = "127.0.0.1"
PATIENCE = Duration(5 * 10**9)
SOON = Duration(3 * 10**8)


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    made = Resolver(HERE, subnet="10.213.0.0/24", port=0)
    made.set_names({"db": "10.213.0.10", "api": "10.213.0.11"})
    made.start()
    yield made
    made.stop()


def rule(kind: str, *, client: str = HERE, share: int = 1, **options: object) -> NameRule:
    return NameRule(
        client=client, kind=kind, matches=lambda name: name == "db", struck=lambda index: index % share == 0, **options
    )  # type: ignore[arg-type]


def over_tcp(resolver: Resolver, name: str) -> DNSRecord:
    return DNSRecord.parse(DNSRecord.question(name).send(HERE, resolver.port, tcp=True, timeout=5))


def words(resolver: Resolver, name: str = "db", patience: Duration = PATIENCE, index: int = 0) -> str:
    return ask_name(HERE, name, patience, index=index, port=resolver.port).words


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("nxdomain", {}, "NXDOMAIN"),
        ("servfail", {}, "SERVFAIL"),
        ("spoof", {"address": "192.0.2.7"}, "NOERROR 192.0.2.7"),
        ("spoof", {"address": "2001:db8::1"}, "NOERROR 2001:db8::1"),
    ],
)
def test_a_name_is_answered_otherwise_until_the_rule_is_gone(resolver, kind, options, told):
    strike = resolver.strike(rule(kind, **options))
    assert words(resolver) == told
    assert words(resolver, "api") == "NOERROR 10.213.0.11"
    assert resolver.strikes == (strike,)
    resolver.calm(strike)
    resolver.calm(strike)
    assert (words(resolver), resolver.strikes) == ("NOERROR 10.213.0.10", ())


def test_no_answer_is_nothing_and_the_next_name_has_one(resolver):
    resolver.strike(rule("timeout"))
    assert words(resolver, patience=SOON) == "nothing"
    assert words(resolver, "api") == "NOERROR 10.213.0.11"


def test_a_late_answer_keeps_nobody_else_waiting(resolver):
    resolver.strike(rule("delay", delay=SOON))
    found = []
    waiting = threading.Thread(target=lambda: found.append(ask_name(HERE, "db", PATIENCE, port=resolver.port)))
    waiting.start()
    assert words(resolver, "api") == "NOERROR 10.213.0.11"
    waiting.join()
    assert (found[0].words, found[0].elapsed_ns >= SOON.ns) == ("NOERROR 10.213.0.10", True)


def test_answers_over_tcp_are_struck_too(resolver):
    strike = resolver.strike(rule("delay", delay=SOON))
    began = time.monotonic()
    over_tcp(resolver, "db")
    assert time.monotonic() - began >= SOON.seconds
    resolver.calm(strike)
    resolver.strike(rule("nxdomain"))
    assert over_tcp(resolver, "db").header.rcode == 3


def test_other_clients_are_not_struck(resolver):
    resolver.strike(rule("nxdomain", client="10.213.0.11"))
    assert words(resolver) == "NOERROR 10.213.0.10"


def test_every_question_of_a_service_has_its_index_and_ours_take_none(resolver):
    strike = resolver.strike(rule("nxdomain", share=3))
    asked = [over_tcp(resolver, "db").header.rcode for _ in range(4)]
    assert asked == [3, 0, 0, 3]
    assert (strike.matched, strike.struck) == (4, 2)
    hit, missed = strike.example(struck=True), strike.example(struck=False)
    assert (words(resolver, index=hit), words(resolver, index=missed)) == ("NXDOMAIN", "NOERROR 10.213.0.10")
    assert (strike.matched, strike.struck) == (4, 2)
    assert (_OURS + hit) % 3 == 0


def test_where_the_seed_strikes_nothing_there_is_no_example():
    strike = NameStrike(rule("nxdomain", share=1 << 80))
    assert (strike.example(struck=True), strike.example(struck=False)) == (None, 0)


def test_questions_of_ours_are_nobody_s_attempt_and_those_of_others_stay_one(resolver):
    resolver.strike(rule("nxdomain"))
    assert words(resolver, "far.example") == "NXDOMAIN"
    assert resolver.refusals() == ()
    over_tcp(resolver, "far.example")
    assert [drop.name for drop in resolver.refusals()] == ["far.example"]


def test_a_question_without_our_mark_is_a_service_s():
    assert own_index(DNSRecord.question("db")) is None


def test_a_new_environment_begins_without_rules(resolver):
    resolver.strike(rule("nxdomain"))
    resolver.set_names({"db": "10.213.0.12"})
    assert words(resolver) == "NOERROR 10.213.0.12"
