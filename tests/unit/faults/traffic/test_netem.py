from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cleanroom.errors import CapabilityError, NetworkError
from cleanroom.faults.traffic import netem
from cleanroom.faults.traffic.netem import NetemTraffic, discipline, filters
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.quantity import Duration

EGRESS = Match(direction="egress")
PLAIN = Delay(delay=Duration(50 * 10**6))


class Here:
    def do(self, function: Callable[[], object]) -> object:
        return function()


class Tc:
    """Answers as tc does on one device; refuses what it is told to refuse."""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.calls: list[str] = []
        self.tree: list[dict[str, object]] = []
        self.drops = 0

    def __call__(self, argv: tuple[str, ...]) -> str:
        words = " ".join(argv)
        if "show" in argv:
            return json.dumps([{"kind": "noqueue", "handle": "0:"}, *({**e, "drops": self.drops} for e in self.tree)])
        self.calls.append(words)
        if self.refuse and self.refuse in words:
            raise NetworkError(f"`{words}` ended with 2: Error: Specified qdisc kind is unknown.\nUsage: long")
        if "del" in argv:
            self.tree.clear()
        elif argv[1] == "qdisc":
            kind = "netem" if "netem" in argv else "prio"
            self.tree.append({"kind": kind, "handle": argv[argv.index("handle") + 1], "packets": 3})
        return ""


def traffic(monkeypatch, tc: Tc, match: Match = EGRESS, delay: Delay = PLAIN) -> NetemTraffic:
    monkeypatch.setattr(netem, "run", tc)
    return NetemTraffic(Here(), Shape(match=match, delay=delay, stream="00" * 7 + "2a" + "11" * 24))


def test_what_the_emulator_is_told(snapshot):
    millisecond = 10**6
    delays = {
        "plain": PLAIN,
        "odd": Delay(delay=Duration(1_234_567)),
        "uniform": Delay(delay=Duration(50 * millisecond), jitter=Duration(10 * millisecond)),
        "pareto": Delay(
            delay=Duration(50 * millisecond), jitter=Duration(millisecond), distribution="pareto", correlation=25.5
        ),
    }
    assert {name: " ".join(discipline(delay, 42)) for name, delay in delays.items()} == snapshot


def test_what_leads_packets_to_the_emulator(snapshot):
    matches = {
        "all": EGRESS,
        "udp": Match(direction="egress", protocol="udp"),
        "port": Match(direction="egress", protocol="tcp", ports=(5432,)),
        "ports of any": Match(direction="egress", ports=(53, 80)),
        "peers": Match(direction="egress", peers=("10.213.0.10", "10.213.0.11")),
        "peer and port": Match(direction="egress", protocol="tcp", ports=(80,), peers=("10.213.0.10",)),
    }
    assert {name: [" ".join(f) for f in filters(match)] for name, match in matches.items()} == snapshot


def test_a_filtered_tree_is_applied_and_removed_as_a_whole(monkeypatch, snapshot):
    tc = Tc()
    made = traffic(monkeypatch, tc, Match(direction="egress", protocol="tcp", ports=(5432,)))
    made.apply()
    assert made.leftovers() == ("prio", "netem")
    made.remove()
    made.remove()
    assert made.leftovers() == ()
    assert tc.calls == snapshot
    assert (made.figures, made.lapses) == ({"egress.packets": 3, "egress.drops": 0}, [])


@pytest.mark.parametrize("part", ["netem", "filter add", "prio"])
def test_a_refusal_leaves_nothing_and_says_why_in_one_line(monkeypatch, part):
    tc = Tc(refuse=part)
    made = traffic(monkeypatch, tc, Match(direction="egress", ports=(80,)))
    with pytest.raises(CapabilityError, match="kind is unknown") as caught:
        made.apply()
    assert "Usage" not in caught.value.message
    assert "sch_netem" in caught.value.remedy
    assert tc.tree == []
    assert made.lapses == []


def test_somebody_elses_discipline_is_neither_stacked_on_nor_removed(monkeypatch):
    tc = Tc()
    tc.tree.append({"kind": "tbf", "handle": "8001:"})
    made = traffic(monkeypatch, tc)
    with pytest.raises(CapabilityError, match="already"):
        made.apply()
    made.remove()
    assert tc.calls == []


@pytest.mark.parametrize("direction", ["ingress", "both"])
def test_only_egress_can_be_emulated_from_inside(monkeypatch, direction):
    tc = Tc()
    with pytest.raises(CapabilityError, match="egress"):
        traffic(monkeypatch, tc, Match(direction=direction)).apply()
    assert tc.calls == []


def test_a_jitter_that_the_kernel_would_cut_is_refused(monkeypatch):
    delay = Delay(delay=Duration(10**10), jitter=Duration(1 << 31))
    with pytest.raises(CapabilityError, match="cuts a jitter"):
        traffic(monkeypatch, Tc(), delay=delay).apply()


def test_lost_packets_and_a_lost_emulator_are_lapses(monkeypatch):
    tc = Tc()
    made = traffic(monkeypatch, tc)
    made.apply()
    tc.drops = 4
    made.remove()
    assert made.lapses == ["the emulator was full and lost 4 packets"]
    made.apply()
    tc.tree.clear()
    made.remove()
    assert made.lapses[1:] == ["the emulator was not there any more"]
