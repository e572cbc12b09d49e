"""Decisions by index, the protocol's bytes, and what of it needs no kernel."""

from __future__ import annotations

import os
import struct

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.filesystem import wire
from cleanroom.faults.filesystem.covered import open_covered
from cleanroom.faults.filesystem.files import Files
from cleanroom.faults.filesystem.held import held_locks
from cleanroom.faults.filesystem.ladders import LADDERS
from cleanroom.faults.filesystem.probe import probe
from cleanroom.faults.filesystem.strikes import Strikes
from cleanroom.faults.filesystem.tree import credentials, mounts_at
from tests.unit.faults.scenes import Engine, Time, context, event

STREAM = "ab" * 32


def strikes(percent=30.0):
    return Strikes(frozenset({"write", "read"}), percent, STREAM)


def test_the_same_index_is_always_decided_alike_whoever_looks_in_between():
    plain, watched = strikes(), strikes()
    watched.ours = 7
    alone = [plain.decide("write", 1) for _ in range(200)]
    beside = []
    for _ in range(200):
        watched.decide("write", 7)
        beside.append(watched.decide("write", 1))
    assert alone == beside
    assert 30 <= sum(alone) <= 90
    assert watched.figures()["operations"] == 200
    assert watched.figures()["struck"] == sum(alone)
    assert watched.figures()["ours"].endswith(" of 200")


def test_others_are_not_struck_nor_counted_and_nothing_is_after_the_end():
    some = strikes(100.0)
    assert not some.decide("fsync", 1)
    assert some.decide("read", 1)
    some.healed = True
    assert not some.decide("read", 1)
    assert some.figures()["by_operation"] == {"read": "1 of 1"}


def test_a_kernel_that_is_too_old_is_refused():
    asked = wire.Request(wire.INIT, 1, 0, 0, 0, 0, struct.pack("=IIII", 7, 30, 0, 0))
    with pytest.raises(OSError, match=r"speaks FUSE 7\.30"):
        wire.init_body(asked)


def test_a_new_kernel_may_map_what_is_read_directly():
    asked = wire.Request(wire.INIT, 1, 0, 0, 0, 0, struct.pack("=IIIII", 7, 45, 4096, 1 << 30 | 1 << 5, 0xFF))
    fields = struct.unpack("=IIIIHHIIHHII24x", wire.init_body(asked))
    assert fields[:4] == (7, 36, 4096, 1 << 30 | 1 << 5)
    assert fields[10] == 1 << 4
    assert len(wire.init_body(asked)) == 64


def test_entries_are_told_in_pieces_that_fit():
    entries = [(n, 8, f"name{n}".encode()) for n in range(100)]
    found, offset = [], 0
    while body := wire.directory_body(entries, offset, 200):
        assert len(body) <= 200
        at = 0
        while at < len(body):
            inode, offset, length, _ = struct.unpack_from("=QQII", body, at)
            found.append((inode, body[at + 24 : at + 24 + length]))
            at += (24 + length + 7) // 8 * 8
    assert found == [(n, name) for n, _, name in entries]


@pytest.mark.parametrize("number", [os.makedev(8, 1), os.makedev(253, 70000), 0])
def test_device_numbers_survive_the_kernels_form(number):
    assert wire.device_of(wire._device(number)) == number


def ask(opcode, node, body, user=0):
    return wire.Request(opcode, 1, node, user, user, 1, body)


@pytest.fixture
def files(tmp_path):
    root = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    return Files(root, os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY))


def node_of(body):
    return struct.unpack_from("=Q", body)[0]


def test_a_file_is_made_written_read_renamed_and_removed_while_it_is_open(files, tmp_path):
    made = files.answer(ask(wire.CREATE, 1, struct.pack("=IIII", os.O_RDWR, 0o640, 0, 0) + b"f\0"))
    node, handle = node_of(made), struct.unpack_from("=Q", made, 128)[0]
    assert files.answer(ask(wire.WRITE, node, struct.pack("=QQIIQII", handle, 0, 5, 0, 0, 0, 0) + b"hello"))[:4] == (
        b"\5\0\0\0"
    )
    assert (tmp_path / "f").read_bytes() == b"hello"
    files.answer(ask(wire.RENAME, 1, struct.pack("=Q", 1) + b"f\0g\0"))
    assert node_of(files.answer(ask(wire.LOOKUP, 1, b"g\0"))) == node
    files.answer(ask(wire.UNLINK, 1, b"g\0"))
    assert files.answer(ask(wire.READ, node, struct.pack("=QQIIQII", handle, 1, 3, 0, 0, 0, 0))) == b"ell"
    files.answer(ask(wire.RELEASE, node, struct.pack("=QIIQ", handle, 0, 0, 0)))
    files.answer(ask(wire.FORGET, node, struct.pack("=Q", 2)))
    with pytest.raises(KeyError):
        files.answer(ask(wire.GETATTR, node, b""))
    with pytest.raises(FileNotFoundError):
        files.answer(ask(wire.LOOKUP, 1, b"g\0"))


def test_what_is_not_known_is_said_so(files):
    with pytest.raises(OSError, match="not known"):
        files.answer(ask(22, 1, b""))


def test_our_own_operations_are_tried_and_timed(tmp_path):
    found = probe({"real": str(tmp_path), "token": "t", "errno": "EIO", "delay_ns": 0, "rounds": 2})
    assert found["errors"] == []
    assert {name: one["struck"] for name, one in found["operations"].items()} == dict.fromkeys(found["operations"], 0)
    assert len(found["operations"]) == 11
    assert found["operations"]["unlink"]["tried"] == 4
    late = probe({"real": str(tmp_path), "token": "t", "errno": "", "delay_ns": 1, "rounds": 5})
    assert all(one["struck"] == 1 for name, one in late["operations"].items() if name != "unlink")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "why"), [("ENOSYS", "never asks again"), ("EWHATEVER", "there is no error")])
def test_errors_that_cannot_be_had_are_refused(name, why):
    made = event("filesystem.io_error", "db", parameters={"path": "/data", "errno": name, "percent": 100.0})
    with pytest.raises(CapabilityError, match=why):
        open_covered(made, context(Engine(Time(), "db")))


@pytest.mark.parametrize("ladder", LADDERS, ids=lambda one: one.kind)
def test_a_rung_that_a_fault_has_not_is_refused(ladder):
    made = event(ladder.kind, "db", parameters={"path": "/data", "errno": "EIO"}, backend="rocket")
    with pytest.raises(CapabilityError, match="no backend 'rocket'"):
        ladder.open(made, context(Engine(Time(), "db")))


def test_who_a_process_is_stands_in_its_status():
    text = "Name:\tx\nUid:\t0\t1000\t0\t0\nGid:\t0\t33\t0\t0\nGroups:\t4 33 \nCapEff:\t0000000000000002\n"
    assert credentials(text) == {"name": "1000:33", "uid": 1000, "gid": 33, "groups": [4, 33], "capabilities": 2}


def test_what_is_mounted_where_is_read_with_the_topmost_last():
    table = "10 1 0:1 / / rw - ext4 x rw\n11 10 0:2 / /a\\040b rw - tmpfs x rw\n12 11 0:3 / /a\\040b ro - fuse x rw\n"
    assert mounts_at(table, "/a b") == (11, 12)
    assert mounts_at(table, "/a") == ()


def test_only_locks_that_the_process_has_count():
    table = "1: FLOCK  ADVISORY  WRITE 77 00:2a:9 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 78 00:2a:9 0 EOF\n"
    assert held_locks(table, 77, 9) == 1
    assert held_locks(table, 78, 9) == 0
    assert held_locks(table, 77, 10) == 0
