from __future__ import annotations

import os

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.resource.mounts import disk_of, memory_file_systems, own_file_systems, read_mounts

INSIDE = read_mounts(
    """\
74 49 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/l,upperdir=/up/diff,workdir=/up/work
91 74 0:48 / /data rw,nosuid - tmpfs tmpfs rw,size=8192k
92 74 254:0 /x/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw
93 74 0:60 / /vol rw - tmpfs tmpfs rw,size=4k
94 74 0:61 / /run/ours rw - tmpfs tmpfs rw
95 74 7:0 / /loop rw - ext4 /dev/loop0 rw
96 74 0:42 / /proc rw - proc proc rw
"""
)
OURS = read_mounts(
    """\
20 1 254:0 / / rw - ext4 /dev/vda rw
21 20 0:61 / /run rw - tmpfs tmpfs rw
22 20 0:60 / /var/lib/docker/volumes/v/_data rw - tmpfs tmpfs rw,size=4k
"""
)


def test_only_what_is_the_containers_own_may_be_filled():
    own, others = own_file_systems(INSIDE, OURS)
    assert own == ("0:48", "0:60", "7:0")
    assert {device: text.partition(",")[0] for device, text in others.items()} == {
        "0:39": "overlay", "254:0": "ext4", "0:61": "tmpfs", "0:42": "proc",
    }  # fmt: skip


def test_file_systems_in_memory():
    assert memory_file_systems(INSIDE) == {"0:48", "0:60", "0:61"}


def process(tmp_path, options):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/mountinfo").write_text(f"74 49 0:39 / / rw - overlay overlay {options}\n")


def test_the_disk_of_a_containers_own_layer(tmp_path):
    (tmp_path / "up/diff").mkdir(parents=True)
    process(tmp_path, f"rw,upperdir={tmp_path}/up/diff")
    device = os.stat(tmp_path).st_dev  # noqa: PTH116 - one call
    name = f"{os.major(device)}:{os.minor(device)}"
    block = tmp_path / "sys/dev/block"
    block.mkdir(parents=True)
    if not os.major(device):
        with pytest.raises(CapabilityError, match="on no disk"):
            disk_of(7, tmp_path, tmp_path / "sys")
        return
    assert disk_of(7, tmp_path, tmp_path / "sys") == (name, f"{tmp_path}/up")
    # Of a partition it is the disk that can be limited.
    part = tmp_path / "sys/devices/sda/sda1"
    part.mkdir(parents=True)
    (part / "partition").write_text("1\n")
    (part.parent / "dev").write_text("8:0\n")
    (block / name).symlink_to(part)
    assert disk_of(7, tmp_path, tmp_path / "sys") == ("8:0", f"{tmp_path}/up")


@pytest.mark.parametrize("options", ["rw,upperdir=/not/there/diff", "rw,lowerdir=/l"])
def test_a_layer_that_cannot_be_seen_is_refused(tmp_path, options):
    process(tmp_path, options)
    with pytest.raises(CapabilityError, match="on no disk that can be seen from here"):
        disk_of(7, tmp_path)
