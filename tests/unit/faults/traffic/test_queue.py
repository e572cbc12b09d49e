from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.traffic import queue
from cleanroom.faults.traffic.queue import Post, QueueTraffic, rules, script
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.quantity import Duration

SHAPE = Shape(match=Match(direction="both"), effect=Delay(delay=Duration(10**6)), stream="ab" * 32)
WEB = Shape(match=Match(direction="egress", ports=(80,)), effect=Delay(delay=Duration(1)), stream="cd" * 32)


class Here:
    descriptor = 5

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.post = Post()

    def do(self, function: Callable[[], object]) -> object:
        return function()

    def shared(self, _: object) -> Post:
        return self.post


class Iptables:
    """The mangle table of one namespace, as iptables-restore and iptables-save know it."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self.chains: set[str] = set()
        self.refuse = ""

    def __call__(self, argv: tuple[str, ...], stdin: str = "") -> str:
        if self.refuse and self.refuse in (argv[0], *stdin.split()):
            raise NetworkError(f"{argv[0]} ended with 4: no such target")
        rules, chains = list(self.rules), set(self.chains)
        for line in stdin.splitlines():
            verb, _, rest = line.partition(" ")
            if line.startswith(":"):
                chains.add(line[1:].split()[0])
                rules = [rule for rule in rules if not rule.startswith(line[1:].split()[0])]
            elif verb == "-A":
                rules.append(rest)
            elif verb == "-D":
                if rest not in rules:
                    raise NetworkError("Bad rule")
                rules.remove(rest)
            elif verb == "-X":
                chains.remove(rest)
        self.rules, self.chains = rules, chains
        return "\n".join([*(f":{one} - [0:0]" for one in self.chains), *(f"-A {rule}" for rule in self.rules)])


class Hand:
    """A worker that remembers what it was told."""

    pid = 77

    def __init__(self) -> None:
        self.told: list[tuple[int, ...]] = []
        self.lost = 0
        self.dead = False
        self.closed = False

    def reshape(self, shapes: Sequence[tuple[int, Shape]]) -> tuple[dict[int, dict[str, int]], int]:
        if self.dead:
            raise EngineError("the worker that held packets ended early")
        before = self.told[-1] if self.told else ()
        self.told.append(tuple(number for number, _ in shapes))
        return {number: {"packets": 5} for number in before if number not in self.told[-1]}, self.lost

    def ask(self, word: str) -> tuple[dict[int, dict[str, int]], int]:
        return self.reshape(()) if word == "end" else ({n: {"packets": 4} for n in self.told[-1]}, self.lost)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def table(monkeypatch) -> Iptables:
    made = Iptables()
    monkeypatch.setattr(queue, "run", made)
    monkeypatch.setattr(queue, "succeeds", lambda argv: argv[0] == "iptables")
    return made


@pytest.fixture
def hands(monkeypatch) -> list[Hand]:
    hired: list[Hand] = []

    def hire(_: int) -> Hand:
        hired.append(Hand())
        return hired[-1]

    monkeypatch.setattr(queue, "hire", hire)
    return hired


def test_which_packets_are_handed_over(snapshot):
    matches = {
        "all": Match(direction="both"),
        "tcp": Match(direction="both", protocol="tcp"),
        "ports of any": Match(direction="both", ports=(53, 80)),
        "peers": Match(direction="both", protocol="tcp", ports=(80,), peers=("10.213.0.10", "10.213.0.11")),
        "many ports": Match(direction="egress", protocol="tcp", ports=tuple(range(1, 32))),
    }
    assert {f"{name}, {way}": rules(one, way) for name, one in matches.items() for way in one.ways} == snapshot
    assert rules(matches["many ports"], "ingress") == ()


def test_the_scripts_of_the_first_of_the_next_and_of_the_end(snapshot):
    assert {
        "first": script([SHAPE.match], enter=True),
        "next": script([SHAPE.match, WEB.match]),
        "the same twice": script([WEB.match, WEB.match]),
        "end": script([]),
    } == snapshot


def test_figures_are_kept_and_nothing_is_left(table, hands):
    traffic = QueueTraffic(Here(), SHAPE)
    traffic.apply()
    assert len(table.rules) == 4
    assert traffic.counters() == {"packets": 4}
    assert (traffic.worker, traffic.leftovers()) == (77, ())
    traffic.remove()
    traffic.remove()
    assert (table.rules, table.chains, traffic.leftovers(), traffic.lapses) == ([], set(), (), [])
    assert traffic.figures == {"packets": 5}
    assert hands[0].closed


def test_two_shapes_share_a_worker_which_goes_with_the_last(table, hands):
    here = Here()
    one, other = QueueTraffic(here, SHAPE), QueueTraffic(here, WEB)
    one.apply()
    other.apply()
    assert [hand.told for hand in hands] == [[(0,), (0, 1)]]
    one.remove()
    assert (hands[0].told[-1], hands[0].closed) == ((1,), False)
    assert "--ports 80 " in " ".join(table.rules)
    other.remove()
    assert (len(hands), hands[0].closed, table.rules) == (1, True, [])


@pytest.mark.usefixtures("table")
def test_packets_that_a_full_queue_lost_are_a_lapse_of_all_that_were_there(hands):
    here = Here()
    one, other = QueueTraffic(here, SHAPE), QueueTraffic(here, WEB)
    one.apply()
    other.apply()
    hands[0].lost = 2
    one.remove()
    other.remove()
    assert one.lapses == other.lapses == ["the queue was full and lost 2 packets"]


def test_a_dead_worker_is_a_lapse_and_a_later_fault_gets_another(table, hands):
    here = Here()
    one, other = QueueTraffic(here, SHAPE), QueueTraffic(here, WEB)
    one.apply()
    hands[0].dead = True
    other.apply()
    assert [hand.told for hand in hands] == [[(0,)], [(0, 1)]]
    one.remove()
    other.remove()
    assert one.lapses == ["the worker that held packets ended early"]
    assert other.lapses == []
    assert table.rules == []


def test_rules_that_the_kernel_refuses_refuse_the_rung_and_end_the_worker(table, hands):
    table.refuse = "iptables-restore"
    traffic = QueueTraffic(Here(), SHAPE)
    with pytest.raises(CapabilityError, match="backend nfqueue: iptables-restore ended") as caught:
        traffic.apply()
    assert "nfnetlink_queue" in caught.value.remedy
    assert hands[0].closed
    traffic.remove()
    assert traffic.lapses == []


def test_a_missing_iptables_refuses_the_rung(table, hands):
    table.refuse = "iptables-save"
    with pytest.raises(CapabilityError, match="backend nfqueue: iptables-save ended"):
        QueueTraffic(Here(), SHAPE).apply()
    assert hands == []


def test_rules_of_ours_that_are_there_already_are_an_error_and_no_rung_to_go_past(table, hands):
    table.rules.append("INPUT -j NFQUEUE --queue-num 78 --queue-bypass")
    with pytest.raises(EngineError, match="queue of ours already") as caught:
        QueueTraffic(Here(), SHAPE).apply()
    assert not isinstance(caught.value, CapabilityError)
    assert hands == []


def test_rules_that_somebody_took_away_are_a_lapse(table, hands):
    traffic = QueueTraffic(Here(), SHAPE)
    traffic.apply()
    table.rules.clear()
    traffic.remove()
    assert "were not there to be taken away" in traffic.lapses[0]
    assert hands[0].closed


def test_the_services_own_queues_are_not_ours(table):
    table.rules.append("INPUT -j NFQUEUE --queue-num 7")
    table.rules.append("INPUT -j NFQUEUE --queue-num 770")
    assert QueueTraffic(Here(), SHAPE).leftovers() == ()
