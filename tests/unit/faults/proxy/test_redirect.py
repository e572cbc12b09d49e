from __future__ import annotations

from collections.abc import Callable

import pytest

from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.proxy import redirect
from cleanroom.faults.proxy.redirect import Lead, Redirect, rules
from cleanroom.faults.proxy.sockets import Pair, Sockets, parse

OWN = "10.0.0.10"


class Here:
    def do(self, function: Callable[[], object]) -> object:
        return function()


def test_which_connections_are_led_to_the_proxy(snapshot):
    leads = {
        "requests": Lead(own=OWN),
        "streams": Lead(own=OWN, outgoing=True, ports=(80, 443), spared=("10.0.0.1",)),
        "a pair": Lead(own=OWN, peers=("10.0.0.11",)),
    }
    assert {name: rules(lead, 4000) for name, lead in leads.items()} == snapshot


@pytest.mark.parametrize(
    ("lead", "pair", "taken"),
    [
        (Lead(own=OWN), Pair(OWN, 80, "10.0.0.1", 5000), True),
        (Lead(own=OWN), Pair("127.0.0.1", 80, "127.0.0.1", 5000), False),
        (Lead(own=OWN), Pair(OWN, 80, OWN, 5000), False),
        (Lead(own=OWN), Pair(OWN, 40000, "10.0.0.12", 80), False),
        (Lead(own=OWN, outgoing=True), Pair(OWN, 40000, "10.0.0.12", 80), True),
        (Lead(own=OWN, outgoing=True, spared=("10.0.0.1",)), Pair(OWN, 40000, "10.0.0.1", 4318), False),
        (Lead(own=OWN, outgoing=True, ports=(5432,)), Pair(OWN, 40000, "10.0.0.12", 80), False),
        (Lead(own=OWN, ports=(81,)), Pair(OWN, 80, "10.0.0.1", 5000), False),
        (Lead(own=OWN, peers=("10.0.0.11",)), Pair(OWN, 80, "10.0.0.1", 5000), False),
    ],
)
def test_which_connections_of_before_are_reset(lead, pair, taken):
    assert lead.takes(pair, frozenset({80})) is taken


def test_the_sockets_of_a_kernel_are_read():
    lines = [
        "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1",
        "   1: 0A00000A:1F90 0100000A:C350 01 00000000:00000000 00:00000000 00000000 0 0 2",
        "   2: 0A00000A:1F90 0100000A:C351 06 00000000:00000000 00:00000000 00000000 0 0 3",
        "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4",
        "   1: 0000000000000000FFFF00000A00000A:0050 0000000000000000FFFF00000100000A:C352 08 0:0 0:0 0 0 0 5",
        "   2: 000080FE00000000FF57A6705EC3FEFE:0050 000080FE00000000FF57A6705EC3FEFF:C352 01 0:0 0:0 0 0 0 6",
    ]
    found = parse(lines)
    assert found.listening == {8080, 80}
    assert found.open == {Pair(OWN, 8080, "10.0.0.1", 50000), Pair(OWN, 80, "10.0.0.1", 50002)}


NONE = Sockets(frozenset(), frozenset())


class Nft:
    def __init__(self, *, there: bool = False, refuses: str = "") -> None:
        self.there = there
        self.refuses = refuses
        self.said: list[str] = []

    def __call__(self, argv: tuple[str, ...], stdin: str = "") -> str:
        words = " ".join(argv[1:]) + stdin
        self.said.append(words)
        if self.refuses and self.refuses in words:
            raise NetworkError("nft ended with 1: no such thing")
        return '{"nftables": [{"rule": {"chain": "arriving", "expr": [{"counter": {"packets": 3, "bytes": 1}}]}}]}'


def made(monkeypatch, nft: Nft, sockets: Sockets = NONE) -> Redirect:
    monkeypatch.setattr(redirect, "run", nft)
    monkeypatch.setattr(redirect, "succeeds", lambda _: nft.there)
    monkeypatch.setattr(redirect, "sockets_here", lambda: sockets)
    return Redirect(Here(), Lead(own=OWN))  # type: ignore[arg-type]


def test_what_was_there_before_is_reset_and_the_proxys_own_is_not(monkeypatch):
    nft = Nft()
    old = {Pair(OWN, 80, "10.0.0.1", 5000), Pair(OWN, 4000, "10.0.0.1", 5001)}
    one = made(monkeypatch, nft, Sockets(frozenset(old), frozenset({80, 4000})))
    one.put_up(4000)
    assert one.old == 1
    assert nft.said[-1] == "add element ip clr_proxy old { 10.0.0.1 . 5000 . 80 }"
    assert one.stop()
    assert one.figures == {"arriving": 3}


def test_rules_that_are_there_already_are_an_error_and_those_a_kernel_lacks_refuse_the_rung(monkeypatch):
    with pytest.raises(EngineError, match="was not taken back") as caught:
        made(monkeypatch, Nft(there=True)).put_up(4000)
    assert not isinstance(caught.value, CapabilityError)
    with pytest.raises(CapabilityError, match="backend proxy: nft ended with 1"):
        made(monkeypatch, Nft(refuses="-f -")).put_up(4000)


def test_rules_that_somebody_took_away_are_told(monkeypatch):
    nft = Nft()
    one = made(monkeypatch, nft)
    one.put_up(4000)
    nft.refuses = "list table"
    assert not one.stop()
    one.take_down()
    assert not any(words.startswith("delete") for words in nft.said)
