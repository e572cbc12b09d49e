from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.traffic import nft
from cleanroom.faults.traffic.decision import lost_of
from cleanroom.faults.traffic.nft import PERIOD, FilterTraffic, Flapping, condition, losses, table
from cleanroom.faults.traffic.shape import Delay, Every, Flap, Gilbert, Loss, Match, Shape
from cleanroom.quantity import Duration

STREAM = "ab" * 32
MS = 10**6
FLAP = Flap(up=Duration(30 * MS), down=Duration(20 * MS))


class Here:
    def do(self, function: Callable[[], object]) -> object:
        return function()


class Nft:
    """Tables of one namespace; refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.scripts: list[str] = []
        self.refuse = ""

    def __call__(self, argv: tuple[str, ...], stdin: str = "") -> str:
        if self.refuse and self.refuse in stdin:
            raise NetworkError("`nft -f -` ended with 1: no such thing\nlong")
        if argv[1] == "-f":
            self.scripts.append(stdin)
            words = stdin.split()
            if words[0] == "table":
                self.tables.add(words[2])
            elif words[0] == "delete":
                self.tables.remove(words[3])
        if "counters" in argv:
            listed = [
                {"counter": {"table": one, "name": f"count_{name}", "packets": value}}
                for one in (*self.tables, "theirs") for name, value in (("packets", 9), ("bitten", 3))
            ]  # fmt: skip
            return json.dumps({"nftables": [{"metainfo": {}}, *listed]})
        return "".join(f"table netdev {one}\n" for one in sorted(self.tables))


@pytest.fixture
def kernel(monkeypatch) -> Nft:
    made = Nft()
    monkeypatch.setattr(nft, "run", made)
    return made


def shape(effect: object = Every(nth=4), match: Match = Match(direction="egress")) -> Shape:  # noqa: B008 - a value
    return Shape(match=match, effect=effect, stream=STREAM)  # type: ignore[arg-type]


def test_whole_tables(snapshot):
    web = Match(direction="both", protocol="tcp", ports=(80, 81), peers=("10.0.0.1", "10.0.0.2"))
    assert {
        "every": table("t", shape()),
        "both directions": table("t", shape(match=web)),
        "flap": table("t", shape(FLAP)),
    } == snapshot
    assert condition(Match(direction="ingress", ports=(53,)), "ingress") == (
        "meta protocol ip meta l4proto { tcp, udp } th sport { 53 }",
        "meta protocol ip meta l4proto { tcp, udp } th sport != { 53 } th dport { 53 }",
    )


@pytest.mark.parametrize("effect", [Loss(percent=3.0), Gilbert(p=2.0, r=30.0)])
def test_the_kernel_loses_the_packets_that_the_queue_would_lose(effect):
    (rule,) = losses(effect, STREAM)
    assert rule.startswith(f"numgen inc mod {PERIOD} vmap")
    listed = tuple(int(word) for word in rule.replace("{", " ").replace(":", " ").split() if word.isdigit())[1:]
    assert listed == lost_of(effect, STREAM, PERIOD)


def test_what_is_not_a_loss_is_refused(kernel):
    with pytest.raises(CapabilityError, match="only be lost"):
        FilterTraffic(Here(), shape(Delay(delay=Duration(1)))).apply()
    assert kernel.scripts == []


def test_a_table_is_made_counted_and_taken_away(kernel):
    traffic = FilterTraffic(Here(), shape())
    traffic.apply()
    assert len(kernel.tables) == len(traffic.leftovers()) == 1
    assert traffic.counters() == {"packets": 9, "bitten": 3}
    traffic.remove()
    traffic.remove()
    assert (kernel.tables, traffic.leftovers(), traffic.lapses) == (set(), (), [])
    assert traffic.figures == {"packets": 9, "bitten": 3}


def test_a_kernel_that_cannot_refuses_the_rung_and_a_table_that_is_gone_is_a_lapse(kernel):
    kernel.refuse = "hook"
    with pytest.raises(CapabilityError, match=r"backend nftables: .*no such thing") as caught:
        FilterTraffic(Here(), shape()).apply()
    assert "numgen" in caught.value.remedy
    assert "long" not in str(caught.value)
    kernel.refuse = "delete"
    traffic = FilterTraffic(Here(), shape())
    traffic.apply()
    traffic.remove()
    assert "not there to be taken away" in traffic.lapses[0]
    assert len(traffic.leftovers()) == 1


def test_a_link_is_toggled_at_its_moments_until_it_is_stopped():
    seen: list[bool] = []
    enough = threading.Event()

    def toggle(*, down: bool) -> None:
        seen.append(down)
        if len(seen) >= 4:
            enough.set()

    flapping = Flapping(FLAP, toggle)
    assert [flapping.planned(n) // MS for n in range(5)] == [20, 50, 70, 100, 120]
    flapping.start()
    assert enough.wait(20)
    figures = flapping.stop()
    assert seen[:4] == [False, True, False, True]
    assert figures["toggles"] == len(seen)
    assert all(moment >= flapping.planned(number) for number, moment in enumerate(flapping.moments))


def test_a_toggle_that_fails_ends_the_flapping_and_is_told():
    def toggle(*, down: bool) -> None:
        raise EngineError(f"gone {down}")

    flapping = Flapping(FLAP, toggle)
    flapping.start()
    assert not flapping.wait(0)
    assert flapping.stop()["toggles"] == 0
    assert flapping.failures == ["the link could not be toggled: gone False"]


def test_a_flapping_table_toggles_its_one_rule(kernel):
    traffic = FilterTraffic(Here(), shape(FLAP))
    traffic.apply()
    assert traffic.flapping is not None
    assert traffic.flapping.wait(1)
    traffic.remove()
    name = kernel.scripts[0].split()[2]
    assert kernel.scripts[1:3] == [
        f"flush chain netdev {name} decide\n",
        f"flush chain netdev {name} decide\nadd rule netdev {name} decide goto gone\n",
    ]
    assert traffic.figures["toggles"] >= 2
