from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cleanroom.engine.identity import (
    Owner,
    decode_owner,
    new_run_id,
    own_container_id,
    own_layer,
    provably_dead,
    runner_labels,
    same_layer,
    same_mounts,
    start_time,
    this_process,
)

ID = "4f" * 32
MOUNTINFO = (
    f"83 82 0:46 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    f"90 80 254:0 /data/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
    f"91 80 254:0 /data/containers/{ID}/hosts /etc/hosts rw - ext4 /dev/vda rw\n"
    "92 80 254:0 /w /github/workspace rw - ext4 /dev/vda rw\n"
    "93 80 0:5 / /run/docker.sock rw - tmpfs tmpfs rw\n"
)


@given(
    st.builds(Owner, pid=st.integers(1), start=st.integers(0), boot=st.text(), namespace=st.text(), container=st.text())
)
def test_an_owner_survives_its_label(owner: Owner):
    assert decode_owner(owner.encode()) == owner


def test_a_label_of_somebody_else_names_no_owner():
    for text in ("", "x", "[]", "{}", '{"pid": "many"}', "null"):
        assert decode_owner(text) is None


def test_this_process_is_alive_and_its_pid_with_another_start_time_is_not():
    me = this_process()
    assert provably_dead(me, me) is False
    assert provably_dead(replace(me, start=me.start + 1), me) is True


def test_an_ended_process_is_dead_even_while_it_is_a_zombie():
    me = this_process()
    child = subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE)
    owner = replace(me, pid=child.pid, start=start_time(child.pid) or 0)
    assert provably_dead(owner, me) is False
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert provably_dead(owner, me) is True
    child.wait()
    assert provably_dead(owner, me) is True


def test_nothing_is_said_of_another_boot_or_another_pid_namespace():
    me = this_process()
    assert provably_dead(replace(me, boot="other", start=1), me) is None
    assert provably_dead(replace(me, namespace="pid:[1]", start=1), me) is None


def test_the_container_id_is_read_from_the_mounts_of_the_engine():
    assert own_container_id(MOUNTINFO) == ID


def test_no_id_is_read_outside_of_a_container_or_from_two_containers():
    assert own_container_id("90 80 254:0 / / rw - ext4 /dev/vda rw\n") == ""
    assert own_container_id(MOUNTINFO + MOUNTINFO.replace(ID, "5a" * 32)) == ""
    assert own_container_id("broken") == ""


def test_a_container_is_ours_only_with_all_its_mounts():
    mounts = [{"Destination": "/github/workspace"}, {"Destination": "/var/run/docker.sock"}]
    assert same_mounts({"Mounts": mounts}, MOUNTINFO)
    assert not same_mounts({"Mounts": [*mounts, {"Destination": "/github/home"}]}, MOUNTINFO)
    assert not same_mounts({}, MOUNTINFO)


def test_only_the_runners_label_is_copied():
    assert runner_labels({"a1b2c3": "", "org.x": "y", "a1b2c3d": "", "A1B2C3": ""}) == {"a1b2c3": ""}


def test_run_ids_are_eight_hex_digits_and_differ():
    ids = {new_run_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(len(text) == 8 and int(text, 16) >= 0 for text in ids)


def test_the_writable_layer_tells_containers_apart_that_share_names_and_mounts():
    options = "rw,lowerdir=/d/l/A:/d/l/B,upperdir=/d/overlay2/4f/diff,workdir=/w"
    root = f"61 50 0:50 / / rw,relatime - overlay overlay {options}\n"
    layer = own_layer(MOUNTINFO + root)
    assert layer == "4f/diff"
    assert same_layer({"GraphDriver": {"Data": {"UpperDir": "/elsewhere/overlay2/4f/diff"}}}, layer) is True
    assert same_layer({"GraphDriver": {"Data": {"UpperDir": "/d/overlay2/5a/diff"}}}, layer) is False


def test_nothing_is_said_of_a_layer_that_is_not_told():
    assert own_layer(MOUNTINFO) == ""
    for told in ({}, {"GraphDriver": None}, {"GraphDriver": {"Data": None}}, {"GraphDriver": {"Data": {}}}):
        assert same_layer(told, "4f/diff") is None
    assert same_layer({"GraphDriver": {"Data": {"UpperDir": "/d/overlay2/4f/diff"}}}, "") is None
