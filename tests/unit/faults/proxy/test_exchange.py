from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.faults.proxy.exchange import Exchange, spoken
from cleanroom.faults.proxy.route import parse_route
from cleanroom.faults.proxy.stream import Cut, Flow, Release, Slice, Treatment, Untouched, relay
from cleanroom.faults.proxy.strike import Choice
from cleanroom.faults.proxy.tally import Tally
from cleanroom.faults.proxy.wire import Wire

STREAM = "ab" * 32
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nok"
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
Between = Callable[[Wire, Wire], Awaitable[None]]


async def through(between: Between, sent: list[bytes], replies: list[bytes], expects: int) -> tuple[bytes, bytes]:
    """What the service and the client receive: the service answers when it has heard so many bytes."""
    ends = [socket.socketpair() for _ in range(2)]
    client, inner_client, inner_server, server = (Wire(one) for pair in ends for one in pair)

    async def say(wire: Wire, pieces: list[bytes]) -> None:
        for piece in pieces:
            await wire.write(piece)
            await asyncio.sleep(0)

    async def hear(wire: Wire, most: float) -> bytes:
        heard = b""
        while len(heard) < most and (data := await wire.read()):
            heard += data
        return heard

    async def call() -> bytes:
        await say(client, sent)
        client.finish()
        return await hear(client, float("inf"))

    async def serve() -> bytes:
        heard = await hear(server, expects)
        await say(server, replies)
        server.finish()
        return heard + await hear(server, float("inf"))

    calling, serving = asyncio.ensure_future(call()), asyncio.ensure_future(serve())
    working = asyncio.ensure_future(between(inner_client, inner_server))
    async with asyncio.timeout(10):
        await working
        for wire in (inner_client, inner_server):
            wire.close()
        found = await asyncio.gather(serving, calling)
    for wire in (client, server):
        wire.close()
    return found[0], found[1]


def http(kind: str = "status", tally: Tally | None = None, **parameters: object) -> Between:
    mine = tally if tally is not None else Tally()
    values = {"route": parse_route("/nothing"), "percent": 100, "code": 503, **parameters}
    return lambda client, server: Exchange(
        client, server, Choice(f"http.{kind}", values, STREAM, mine), mine, Release()
    ).serve()


def run(between: Between, sent: list[bytes], replies: list[bytes], expects: int | None = None) -> tuple[bytes, bytes]:
    whole = sum(len(piece) for piece in sent)
    return asyncio.run(through(between, sent, replies, whole if expects is None else expects))


def cut_up(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(marks)] or [b""]


REQUESTS = [
    GET,
    b"POST /b HTTP/1.1\r\nhost: H\r\nContent-Length:  5\r\n\r\nhello",
    b"PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    b"GET /d HTTP/1.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01" + bytes(range(200)),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00",
    b"hello, this is no request\r\n",
    b"\x00\xff\xfe",
]
RESPONSES = [
    OK,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n1;e\r\nf\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nA:  b \r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.0 200 OK\r\n\r\nto the end",
    b"no response at all",
]


@settings(max_examples=60)
@given(
    st.sampled_from(REQUESTS), st.sampled_from(RESPONSES), st.lists(st.integers(0, 400), max_size=6),
    st.lists(st.integers(0, 200), max_size=6),
)  # fmt: skip
def test_without_a_strike_every_byte_passes_as_it_was_however_it_is_cut_up(request_, response, places, others):
    heard, answered = run(http(), cut_up(request_, places), cut_up(response, others))
    assert (heard, answered) == (request_, response)


@settings(max_examples=40)
@given(st.binary(max_size=3000), st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=5))
def test_a_stream_without_a_fault_is_unchanged_for_any_chunking(up, down, places):
    tally = Tally()

    async def between(client: Wire, server: Wire) -> None:
        plain = Untouched()
        await relay((Flow(client, server, plain, egress=False), Flow(server, client, plain, egress=True)), tally)

    assert run(between, cut_up(up, places), cut_up(down, places)) == (up, down)
    assert (tally.ingress, tally.egress) == (len(up), len(down))


def streams(make: Callable[[Release, Tally], Treatment], tally: Tally) -> Between:
    async def between(client: Wire, server: Wire) -> None:
        struck = make(Release(), tally)
        await relay((Flow(client, server, Untouched(), egress=False), Flow(server, client, struck, egress=True)), tally)

    return between


@settings(max_examples=30)
@given(st.integers(1, 50), st.lists(st.integers(0, 99), max_size=5))
def test_exactly_so_many_bytes_pass_before_the_cut(limit, places):
    tally = Tally()
    _, answered = run(
        streams(lambda release, mine: Cut(limit, release, mine, abrupt=False), tally), [b"?"], cut_up(b"x" * 99, places)
    )
    assert answered == b"x" * limit
    assert (tally.struck, tally.least, tally.most) == (1, limit, limit)


@pytest.mark.parametrize(("size", "struck"), [(3, 1), (99, 0)])
def test_pieces_are_never_larger_and_what_was_small_by_itself_was_not_struck(size, struck):
    tally = Tally()
    _, answered = run(streams(lambda release, mine: Slice(size, 0, release, mine), tally), [b"?"], [b"x" * 9, b"y" * 9])
    assert answered == b"x" * 9 + b"y" * 9
    assert tally.struck == struck
    assert (tally.most or 0) <= size


ALL = {"route": parse_route("*")}


@pytest.mark.parametrize(
    ("kind", "parameters", "answered"),
    [
        ("body", {"replace": "{}"}, b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n{}"),
        ("body", {"truncate": 1}, OK[:-1]),
        ("body", {"truncate": 2}, OK),
        ("abort", {"after": 0}, OK[:-2]),
        ("abort", {"after": 1}, OK[:-1]),
        (
            "headers",
            {"set": {"X-B": "2"}, "remove": ["x-a"]},
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-B: 2\r\n\r\nok",
        ),
        ("delay", {"delay_ns": 1, "jitter_ns": 0}, OK),
    ],
)
def test_a_response_is_struck(kind, parameters, answered):
    tally = Tally()
    heard, found = run(http(kind, tally, **ALL, **parameters), [GET], [OK])
    assert (heard, found) == (GET, answered)
    assert (tally.matched, tally.struck) == (1, 0 if parameters == {"truncate": 2} else 1)


def test_chunks_are_cut_to_a_whole_chunk_and_have_no_end():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n"
    _, found = run(http("body", **ALL, truncate=6), [GET], [chunked[:50], chunked[50:]])
    assert found.startswith(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert found.endswith(b"6\r\nabcdef\r\n")
    assert b"g" not in found.partition(b"\r\n\r\n")[2]


def test_struck_requests_do_not_reach_the_service_and_pipelined_ones_keep_their_order():
    tally = Tally()
    post = b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    heard, found = run(http("status", tally, route=parse_route("POST /b"), code=503), [post + GET], [OK], len(GET))
    assert heard == GET
    assert found.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert found.endswith(OK)
    assert (tally.matched, tally.struck, tally.decisions) == (1, 1, "1")


def test_who_waits_for_leave_to_send_is_answered_and_the_connection_ends():
    waiting = b"PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    tally = Tally()

    async def between(client: Wire, server: Wire) -> None:
        await http("status", tally, **ALL, code=413, retry_after=3)(client, server)

    async def meet() -> bytes:
        ends = [socket.socketpair() for _ in range(2)]
        client, inner, onward, server = (Wire(one) for pair in ends for one in pair)
        await client.write(waiting)
        work = asyncio.ensure_future(between(inner, onward))
        found = b""
        while data := await client.read():
            found += data
        client.close()
        await work
        assert await server.read() == b""
        for wire in (inner, onward, server):
            wire.close()
        return found

    found = asyncio.run(meet())
    assert b"HTTP/1.1 413 " in found
    assert b"Connection: close\r\n" in found
    assert b"Retry-After: 3\r\n" in found


def test_an_upgrade_passes_as_a_stream():
    ask = b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    yes = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"
    tally = Tally()
    heard, found = run(http("status", tally), [ask, b"\x81\x82...."], [yes, b"\x88"], len(ask))
    assert (heard, found) == (ask + b"\x81\x82....", yes + b"\x88")
    assert tally.passed == {"upgraded": 1}


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"", None), (b"GE", None), (b"GET /", None), (b"GET / HTTP/1.1\r", None), (b"GET / HTTP/1.1\r\n", "http"),
        (b"PRI * HTTP/2.0\r\n", "http2"), (b"\x16\x03\x01", "tls"), (b"\x16", None), (b"\x00", "other"),
        (b"HELO me\r\n", "other"), (b"a" * 41, "other"), (b"GET / HTTP/2.0\r\n", "other"),
        (b"GET " + b"a" * (1 << 16), "other"),
    ],
)  # fmt: skip
def test_what_a_client_speaks_is_told_by_how_it_begins(start, what):
    assert spoken(start) == what


def test_who_speaks_first_is_no_server_of_http_and_nothing_is_lost():
    tally = Tally()

    async def meet() -> tuple[bytes, bytes]:
        ends = [socket.socketpair() for _ in range(2)]
        client, inner, onward, server = (Wire(one) for pair in ends for one in pair)
        work = asyncio.ensure_future(http("status", tally, **ALL)(inner, onward))
        await server.write(b"220 ready\r\n")
        greeting = await client.read()
        await client.write(b"GET / HTTP/1.1\r\n\r\n")
        said = await server.read()
        for wire in (client, server):
            wire.close()
        await work
        return greeting, said

    assert asyncio.run(meet()) == (b"220 ready\r\n", b"GET / HTTP/1.1\r\n\r\n")
    assert (tally.passed, tally.struck) == ({"other": 1}, 0)
