"""Soft limits of real processes of this test's own."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator

import pytest

from cleanroom.engine.processes import Process
from cleanroom.errors import CapabilityError
from cleanroom.faults.resource import processes
from cleanroom.faults.resource.processes import Ceiling, limits_of, number_for, opened
from cleanroom.faults.resource.stress.ceiling import started_at
from tests.unit.faults.resource.trees import target, tree


@pytest.fixture
def sleepers(monkeypatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes of the container: those that the test starts."""
    found: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(
        processes, "members", lambda _: frozenset(Process(p.pid, started_at(p.pid) or 0) for p in found)
    )
    yield found
    for one in found:
        one.kill()
        one.communicate()


def sleeper(soft: int | None = None) -> subprocess.Popen[bytes]:
    found = subprocess.Popen(["sh", "-c", "echo; read _"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    # It has loaded all that it needs when it speaks.
    assert found.stdout is not None
    found.stdout.readline()
    _, hard = resource.prlimit(found.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(found.pid, resource.RLIMIT_NOFILE, (900 if soft is None else soft, hard))
    return found


def soft(process, limit=resource.RLIMIT_NOFILE):
    return resource.prlimit(process.pid, limit)[0]


@pytest.mark.parametrize(
    ("taken", "leave", "number"),
    [({0, 1, 2}, 0, 3), ({0, 1, 2}, 2, 5), ({0, 2, 9}, 0, 1), ({0, 2, 9}, 3, 5), ((), 1, 1)],
)
def test_below_the_limit_so_many_numbers_are_free(taken, leave, number):
    assert number_for(frozenset(taken), leave) == number


def test_each_process_can_open_so_many_more_and_has_its_own_limit_again(tmp_path, sleepers):
    sleepers += [sleeper(), sleeper(800)]
    hard = resource.prlimit(sleepers[0].pid, resource.RLIMIT_NOFILE)[1]
    ceiling = Ceiling(target(tree(tmp_path, 1)), resource.RLIMIT_NOFILE, leave=4)
    ceiling.apply()
    proof = ceiling.proof()
    assert proof.holds
    assert [soft(one) for one in sleepers] == [7, 7]
    assert proof.facts[f"{sleepers[1].pid}.limit_before"] == 800
    ceiling.take_back()
    assert [soft(one) for one in sleepers] == [900, 800]
    assert resource.prlimit(sleepers[0].pid, resource.RLIMIT_NOFILE)[1] == hard
    assert ceiling.residue().holds


def test_one_that_was_born_with_the_faults_limit_loses_it_too(tmp_path, sleepers):
    sleepers.append(sleeper())
    ceiling = Ceiling(target(tree(tmp_path, 1)), resource.RLIMIT_NOFILE, leave=0)
    ceiling.apply()
    sleepers.append(sleeper(3))
    assert ceiling.proof().holds
    assert not ceiling.residue().holds
    ceiling.take_back()
    assert [soft(one) for one in sleepers] == [900, 900]
    assert ceiling.residue().holds


def test_one_that_can_do_more_again_is_bounded_again(tmp_path, sleepers):
    sleepers.append(sleeper())
    ceiling = Ceiling(target(tree(tmp_path, 1)), resource.RLIMIT_NOFILE, leave=1)
    ceiling.apply()
    sleepers.append(sleeper())
    assert ceiling.proof().holds
    assert [soft(one) for one in sleepers] == [4, 4]
    ceiling.take_back()
    assert [soft(one) for one in sleepers] == [900, 900]


def test_one_that_sets_a_limit_of_its_own_keeps_it_and_the_fault_did_not_last(tmp_path, sleepers):
    sleepers.append(sleeper())
    ceiling = Ceiling(target(tree(tmp_path, 1)), resource.RLIMIT_NOFILE)
    ceiling.apply()
    resource.prlimit(sleepers[0].pid, resource.RLIMIT_NOFILE, (50, 900))
    ceiling.take_back()
    assert soft(sleepers[0]) == 50
    assert "set a limit of their own" in ceiling.residue().lapsed


def test_what_is_no_restriction_is_refused(tmp_path, sleepers):
    sleepers.append(sleeper(5))
    with pytest.raises(CapabilityError, match=r"soft limit of 5 \(max open files\) already"):
        Ceiling(target(tree(tmp_path, 1)), resource.RLIMIT_NOFILE, leave=10).apply()


def test_a_limit_that_cannot_be_seen_is_no_proof(tmp_path, sleepers):
    assert sleepers == []
    ceiling = Ceiling(target(tree(tmp_path, 1)), resource.RLIMIT_NOFILE)
    ceiling.apply()
    assert not ceiling.proof().holds


def test_files_are_bounded_and_whoever_would_die_of_it_is_named(tmp_path, sleepers):
    sleepers.append(sleeper())
    ceiling = Ceiling(target(tree(tmp_path, 1)), resource.RLIMIT_FSIZE, most=4096)
    ceiling.apply()
    proof = ceiling.proof()
    assert proof.holds
    assert soft(sleepers[0], resource.RLIMIT_FSIZE) == 4096
    assert proof.facts[f"{sleepers[0].pid}.dies_of_it"] is True
    ceiling.take_back()
    assert soft(sleepers[0], resource.RLIMIT_FSIZE) == resource.RLIM_INFINITY


def test_of_a_process_that_has_ended_nothing_is_known(tmp_path):
    assert opened(4194305, tmp_path) == frozenset()
    assert limits_of(4194305, "Max open files", tmp_path) is None
    assert started_at(4194305, tmp_path) is None
