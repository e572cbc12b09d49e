from __future__ import annotations

import json

import pytest
from dnslib import DNSRecord

from cleanroom.errors import NetworkError
from cleanroom.network.bridge import make_slots
from cleanroom.network.ports import Drop, Proof, Vector
from cleanroom.network.proof import (
    UNKNOWN_NAME,
    Outcome,
    _check_controls,
    _checked,
    attempts,
    controls,
    judge,
    parse_outcomes,
    render_script,
    unseen,
)
from cleanroom.network.resolver import Zone, answer

SLOTS = make_slots("ab12", 213, 2)
TRIED = attempts(SLOTS[0], SLOTS[1:], 40000, "fe80::1")


def outcome(what: str, *, protocol: str = "tcp", to: str = "203.0.113.1", detail: str = "") -> Outcome:
    return Outcome(protocol=protocol, destination=to, port=53, outcome=what, detail=detail)


def vector(*, is_open: bool = False, protocol: str = "tcp", to: str = "203.0.113.1", port: int = 443) -> Vector:
    return Vector(protocol=protocol, destination=to, port=port, open=is_open, detail="silent")


def drop(protocol: str = "tcp", port: int = 443) -> Drop:
    return Drop(source="10.213.0.250", destination="203.0.113.1", protocol=protocol, port=port, count=2)


DENIED = Drop(
    source="10.213.0.250", destination="10.213.0.1", protocol="dns", port=53, count=1, via="resolver", name=UNKNOWN_NAME
)


def test_every_kind_of_way_out_is_tried():
    tried = {(a["protocol"], a["destination"]) for a in TRIED}
    assert {p for p, _ in tried} == {"tcp", "udp", "icmp", "icmpv6", "dns"}
    for destination in ("169.254.169.254", "10.213.0.1", "10.213.1.1", "203.0.113.1", "2001:db8::1", "fe80::1"):
        assert any(d == destination for _, d in tried), destination


def test_addresses_outside_are_documentation_addresses():
    outside = {str(a["destination"]) for a in TRIED}
    outside -= {"127.0.0.11", "169.254.169.254", "fe80::1", "10.213.0.1", "10.213.1.1"}
    assert all(a.startswith(("203.0.113.", "198.51.100.", "2001:db8:")) for a in outside)


@pytest.mark.parametrize("what", ["connected", "answered", "refused"])
def test_whoever_answers_is_a_way_out(what):
    assert judge(outcome(what)).open


@pytest.mark.parametrize("what", ["silent", "unreachable", "not sent"])
def test_no_answer_is_none(what):
    assert not judge(outcome(what)).open


def dns_reply(name: str, *, ours: bool) -> str:
    question = DNSRecord.question(name)
    if ours:
        return (answer(question.pack(), Zone(names={"db": "10.213.0.10"})).reply or b"").hex()
    reply = question.reply()
    reply.header.rcode = 3
    return str(reply.pack().hex())


def test_our_resolvers_denial_is_no_way_out_but_anybody_elses_is():
    assert not judge(outcome("answered", protocol="dns", detail=dns_reply(UNKNOWN_NAME, ours=True))).open
    assert judge(outcome("answered", protocol="dns", detail=dns_reply(UNKNOWN_NAME, ours=False))).open
    assert judge(outcome("answered", protocol="dns", detail=dns_reply("db", ours=True))).open
    assert judge(outcome("answered", protocol="dns", detail="00")).open


def test_no_resolver_inside_the_container_is_no_way_out():
    assert not judge(outcome("refused", protocol="dns", to="127.0.0.11")).open
    assert judge(outcome("refused", protocol="dns", to="203.0.113.53")).open


def test_a_vector_that_the_wall_did_not_drop_is_unseen():
    both = (vector(), vector(protocol="icmp", port=0))
    assert unseen(both, (drop(),)) == (both[1],)
    assert unseen(both, (drop(), drop("icmp", 0))) == ()


def test_ipv6_need_not_meet_the_wall():
    assert unseen((vector(to="2001:db8::1"),), ()) == ()


def test_a_proof_holds_when_the_wall_saw_everything():
    assert _checked((vector(),), (drop(), DENIED)) == Proof(vectors=(vector(),), dropped=2)


@pytest.mark.parametrize("drops", [(), (DENIED,), (drop(),), (drop("udp"), DENIED)])
def test_a_proof_with_nothing_to_show_is_an_error(drops):
    with pytest.raises(NetworkError, match="nothing to show"):
        _checked((vector(),), drops)


def test_a_way_out_is_reported_and_not_hidden_by_what_is_missing():
    assert _checked((vector(is_open=True),), ()).ways_out == 1


def test_results_are_those_of_the_attempts_or_an_error():
    expected = controls(SLOTS[0])
    rows = [{k: a[k] for k in ("protocol", "destination", "port")} | {"outcome": "x", "detail": ""} for a in expected]
    assert len(parse_outcomes(json.dumps(rows), expected)) == 2
    for wrong in ("", "{}", "[1]", json.dumps(rows[:1]), json.dumps(rows[::-1]), '[{"protocol": "tcp"}]'):
        with pytest.raises(NetworkError):
            parse_outcomes(wrong, expected)


def test_controls_that_fail_end_the_proof():
    good = outcome("connected")
    known = answer(DNSRecord.question("x").pack(), Zone(names={"x": "10.213.0.1"})).reply or b""
    _check_controls((outcome("answered", detail=known.hex()), good), SLOTS[0])
    for question, otlp in (
        (outcome("silent", detail="timed out"), good),
        (outcome("answered", detail=dns_reply("y", ours=True)), good),
        (outcome("answered", detail=known.hex()), outcome("refused")),
    ):
        with pytest.raises(NetworkError):
            _check_controls((question, otlp), SLOTS[0])


def test_the_script_is_python_that_carries_its_plan():
    script = render_script(TRIED, controls(SLOTS[0]))
    compile(script, "probe", "exec")
    assert "203.0.113.1" in script
