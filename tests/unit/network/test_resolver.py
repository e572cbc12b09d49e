from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from dnslib import QTYPE, DNSHeader, DNSQuestion, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import NetworkError
from cleanroom.network.ports import Drop
from cleanroom.network.resolver import AUTHORITY, Resolver, Zone, answer, resolv_conf

ZONE = Zone(names={"db": "10.213.0.10", "api": "10.213.0.11"}, subnet="10.213.0.0/24")
NOERROR, NXDOMAIN, NOTIMP = 0, 3, 4


def ask(name: str, kind: str = "A", zone: Zone = ZONE) -> tuple[DNSRecord, str]:
    found = answer(DNSRecord.question(name, kind).pack(), zone)
    assert found.reply is not None
    return DNSRecord.parse(found.reply), found.denied


@pytest.mark.parametrize("name", ["db", "DB", "dB."])
def test_a_service_is_found_whatever_its_case_and_final_dot(name):
    reply, denied = ask(name)
    assert [str(r.rdata) for r in reply.rr] == ["10.213.0.10"]
    assert reply.rr[0].ttl == 0
    assert denied == ""


@pytest.mark.parametrize("kind", ["AAAA", "MX", "TXT", "HTTPS"])
def test_a_service_has_no_records_but_its_address(kind):
    reply, denied = ask("db", kind)
    assert (reply.header.rcode, reply.rr, denied) == (NOERROR, [], "")


@pytest.mark.parametrize("name", ["example.com", "db.example.com", "db.local", "d", "dbx", "."])
def test_any_other_name_does_not_exist_by_our_authority_and_is_reported(name):
    reply, denied = ask(name)
    assert reply.header.rcode == NXDOMAIN
    assert [str(r.rname) for r in reply.auth] == [AUTHORITY]
    assert denied == name.rstrip(".")


def test_a_services_address_has_its_name():
    reply, denied = ask("11.0.213.10.IN-ADDR.arpa.", "PTR")
    assert [str(r.rdata) for r in reply.rr] == ["api."]
    assert denied == ""


def test_asking_whose_an_address_of_the_slot_is_is_no_attempt_to_leave():
    reply, denied = ask("1.0.213.10.in-addr.arpa", "PTR")
    assert (reply.rr, denied) == ([], "")
    assert ask("1.113.0.203.in-addr.arpa", "PTR")[1] == "1.113.0.203.in-addr.arpa"


def test_what_is_no_question_is_not_answered():
    assert answer(DNSRecord.question("db").reply().pack(), ZONE).reply is None
    assert answer(b"", ZONE).reply is None


def test_an_update_is_not_implemented():
    update = DNSRecord(DNSHeader(opcode=5), q=DNSQuestion("db", QTYPE.A))
    found = answer(update.pack(), ZONE)
    assert found.reply is not None
    assert DNSRecord.parse(found.reply).header.rcode == NOTIMP


@given(st.binary(max_size=64))
def test_no_bytes_break_it(data):
    reply = answer(data, ZONE).reply
    assert reply is None or DNSRecord.parse(reply).header.qr == 1


@given(st.binary(max_size=40))
def test_no_bytes_after_a_good_header_break_it(data):
    reply = answer(bytes.fromhex("000101000001000000000000") + data, ZONE).reply
    assert reply is None or DNSRecord.parse(reply).header.qr == 1


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    server = Resolver("127.0.0.1", subnet="127.0.0.0/8", port=0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def question(resolver: Resolver, name: str, *, tcp: bool = False) -> DNSRecord:
    return DNSRecord.parse(DNSRecord.question(name).send("127.0.0.1", resolver.port, tcp=tcp, timeout=5))


@pytest.mark.parametrize("tcp", [False, True])
def test_it_serves_over_udp_and_tcp(resolver, tcp):
    resolver.set_names({"db": "127.0.0.9"})
    assert [str(r.rdata) for r in question(resolver, "db", tcp=tcp).rr] == ["127.0.0.9"]


def test_it_remembers_who_asked_for_what_and_how_often_until_new_names_come(resolver):
    resolver.set_names({})
    for name in ("example.com", "Example.COM", "example.org"):
        question(resolver, name)
    shared = {"source": "127.0.0.1", "destination": "127.0.0.1", "protocol": "dns", "port": 53, "via": "resolver"}
    assert resolver.refusals() == (
        Drop(**shared, count=2, name="example.com"),
        Drop(**shared, count=1, name="example.org"),
    )
    resolver.set_names({"db": "127.0.0.9"})
    assert resolver.refusals() == ()


def test_a_client_that_stops_talking_does_not_keep_others_from_an_answer(resolver):
    resolver.set_names({"db": "127.0.0.9"})
    with socket.create_connection(("127.0.0.1", resolver.port)) as silent:
        silent.sendall(b"\0")
        assert question(resolver, "db", tcp=True).rr


def test_the_memory_of_refusals_is_bounded(resolver):
    resolver.set_names({})
    for i in range(1010):
        resolver._respond(DNSRecord.question(f"n{i}.example.com").pack(), "127.0.0.1")
    drops = resolver.refusals()
    assert sum(drop.count for drop in drops) == 1010
    assert {d.name: d.count for d in drops}["(more names)"] == 10


def test_a_taken_port_is_an_error_that_names_the_address(resolver):
    with pytest.raises(NetworkError, match=rf"127\.0\.0\.1:{resolver.port}"):
        Resolver("127.0.0.1", subnet="127.0.0.0/8", port=resolver.port)


def test_resolv_conf_asks_the_gateway_only():
    lines = resolv_conf("10.213.0.1").splitlines()
    assert [line for line in lines if line.startswith(("nameserver", "search", "domain"))] == ["nameserver 10.213.0.1"]
    assert "ndots:0" in lines[1]
