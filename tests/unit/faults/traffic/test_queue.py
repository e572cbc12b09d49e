from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.traffic import queue
from cleanroom.faults.traffic.queue import QueueTraffic, rules
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.quantity import Duration

SHAPE = Shape(match=Match(direction="both"), delay=Delay(delay=Duration(10**6)), stream="ab" * 32)
READY = "print('{\"ready\": true}', flush=True); import sys; sys.stdin.read(); "


class Here:
    def do(self, function: Callable[[], object]) -> object:
        return function()


class Iptables:
    """The mangle table of one namespace."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self.broken = False

    def __call__(self, argv: tuple[str, ...], stdin: str = "") -> str:
        if self.broken:
            raise NetworkError("iptables ended with 4: no such target")
        if argv[0] == "iptables-restore":
            self.rules += [line.removeprefix("-A ") for line in stdin.splitlines() if line.startswith("-A ")]
        elif "-D" in argv:
            rule = " ".join(argv[argv.index("-D") + 1 :])
            if rule not in self.rules:
                raise NetworkError("Bad rule")
            self.rules.remove(rule)
        return "\n".join(f"-A {rule}" for rule in self.rules)


@pytest.fixture
def table(monkeypatch) -> Iptables:
    made = Iptables()
    monkeypatch.setattr(queue, "run", made)
    return made


def worker_does(monkeypatch, script: str) -> None:
    """Let the worker be a process that runs `script`: real pipes, a real end."""
    monkeypatch.setattr(queue, "child_python", lambda: (sys.executable, "-S", "-c", script))


def test_which_packets_are_handed_over(snapshot):
    matches = {
        "all": Match(direction="egress"),
        "tcp": Match(direction="egress", protocol="tcp"),
        "ports of any": Match(direction="egress", ports=(53, 80)),
        "peers": Match(direction="egress", protocol="tcp", ports=(80,), peers=("10.213.0.10", "10.213.0.11")),
        "many ports": Match(direction="egress", protocol="tcp", ports=tuple(range(1, 32))),
    }
    found = {
        f"{name}, {direction}": [" ".join(rule) for rule in rules(match, direction, number)]
        for name, match in matches.items()
        for direction, number in (("egress", 77), ("ingress", 78))
    }
    assert found == snapshot


def test_figures_of_each_direction_are_kept_and_nothing_is_left(monkeypatch, table):
    worker_does(monkeypatch, READY + 'print(\'{"packets": 5, "dropped": 0}\')')
    traffic = QueueTraffic(Here(), SHAPE)
    traffic.apply()
    assert len(table.rules) == 2
    assert len(traffic.leftovers()) == 4
    traffic.remove()
    traffic.remove()
    assert (table.rules, traffic.leftovers(), traffic.lapses) == ([], (), [])
    assert traffic.figures["egress.packets"] == traffic.figures["ingress.packets"] == 5


def test_packets_that_a_full_queue_lost_are_a_lapse(monkeypatch, table):
    worker_does(monkeypatch, READY + 'print(\'{"packets": 5, "dropped": 2}\')')
    traffic = QueueTraffic(Here(), SHAPE)
    traffic.apply()
    traffic.remove()
    assert traffic.lapses == ["the queue was full and lost 2 packets"] * 2
    assert table.rules == []


def test_a_worker_that_does_not_end_is_killed_and_is_a_lapse(monkeypatch, table):
    monkeypatch.setattr(queue, "_END_TIMEOUT", 0.2)
    worker_does(monkeypatch, "import time; print('{\"ready\": true}', flush=True); time.sleep(600)")
    traffic = QueueTraffic(Here(), SHAPE)
    traffic.apply()
    processes = [w.process for w in traffic._workers]
    traffic.remove()
    assert [p.returncode for p in processes] == [-9, -9]
    assert "ended early (-9)" in traffic.lapses[0]
    assert table.rules == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('print(\'{"ready": false, "error": "no such queue"}\')', "no such queue"),
        ("raise SystemExit('no module')", "the worker died: no module"),
        ("pass", "the worker died: without a word"),
        ("import time; time.sleep(600)", "the worker said nothing within 0.2s"),
    ],
)
def test_a_worker_that_does_not_start_refuses_the_rung_before_any_rule(monkeypatch, table, script, words):
    if "sleep" in script:
        monkeypatch.setattr(queue, "_START_TIMEOUT", 0.2)
    worker_does(monkeypatch, script)
    traffic = QueueTraffic(Here(), SHAPE)
    with pytest.raises(CapabilityError, match=f"backend nfqueue: {words}"):
        traffic.apply()
    traffic.remove()
    assert (table.rules, traffic.leftovers(), traffic.lapses) == ([], (), [])


def test_rules_that_the_kernel_refuses_refuse_the_rung_and_end_the_worker(monkeypatch, table):
    worker_does(monkeypatch, READY + "print('{\"packets\": 0}')")
    traffic = QueueTraffic(Here(), SHAPE)
    refusing = table.__call__

    def refuse(argv: tuple[str, ...], stdin: str = "") -> str:
        if stdin:
            raise NetworkError("iptables-restore ended with 2: no NFQUEUE")
        return refusing(argv)

    monkeypatch.setattr(queue, "run", refuse)
    with pytest.raises(CapabilityError, match="no NFQUEUE") as caught:
        traffic.apply()
    assert "nfnetlink_queue" in caught.value.remedy
    workers = [w.process for w in traffic._workers]
    traffic.remove()
    assert [w.poll() for w in workers] == [0, 0]


def test_a_missing_iptables_refuses_the_rung(table):
    table.broken = True
    with pytest.raises(CapabilityError, match="backend nfqueue: iptables ended"):
        QueueTraffic(Here(), SHAPE).apply()


def test_rules_of_ours_that_are_there_already_are_an_error_and_no_rung_to_go_past(table):
    table.rules.append("INPUT -j NFQUEUE --queue-num 78 --queue-bypass")
    with pytest.raises(EngineError, match="not taken back") as caught:
        QueueTraffic(Here(), SHAPE).apply()
    assert not isinstance(caught.value, CapabilityError)


def test_the_services_own_queues_are_not_ours(table):
    table.rules.append("INPUT -j NFQUEUE --queue-num 7")
    table.rules.append("INPUT -j NFQUEUE --queue-num 770")
    assert QueueTraffic(Here(), SHAPE).leftovers() == ()
