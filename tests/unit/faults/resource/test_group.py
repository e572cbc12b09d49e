from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.resource.group import Change, Group, Setting, device_limits, group_of
from tests.unit.faults.resource.trees import ID, MIB, state, texts, tree


@pytest.fixture(params=[1, 2])
def group(request, tmp_path) -> Group:
    return tree(tmp_path, request.param)


def test_both_versions_tell_the_same(group: Group):
    assert group.cpus() is None
    assert group.cpu_ns() == 7_000_000
    assert group.throttled() == (4, 5000)
    assert group.memory_limit() == 64 * MIB
    assert group.memory_used() == 16 * MIB
    assert group.memory_charged() == 20 * MIB
    assert group.memory_room() == 48 * MIB
    assert group.oom_kills() == 2
    assert (group.pids(), group.pids_refusals()) == (5, 3)


def test_a_quota_is_so_many_processors(group: Group):
    if group.version == 1:
        group.file("cpu", "cpu.cfs_quota_us", "").write_text("25000\n")
    else:
        group.file("cpu", "", "cpu.max").write_text("25000 100000\n")
    assert group.cpus() == 0.25


def test_without_a_limit_there_is_no_end_of_room(group: Group):
    file = group.file("memory", "memory.limit_in_bytes", "memory.max")
    file.write_text("9223372036854771712\n" if group.version == 1 else "max\n")
    assert group.memory_limit() is None
    assert group.memory_room() is None


def test_a_limit_of_a_group_above_counts_as_well(group: Group):
    above = group.place("memory").parent
    first = group.version == 1
    (above / ("memory.limit_in_bytes" if first else "memory.max")).write_text(f"{30 * MIB}\n")
    (above / ("memory.usage_in_bytes" if first else "memory.current")).write_text(f"{25 * MIB}\n")
    (above / "memory.stat").write_text(f"{'total_inactive_file' if first else 'inactive_file'} {MIB}\n")
    assert group.memory_room() == 6 * MIB


def test_what_a_process_must_join(group: Group):
    places = group.places("cpu", "cpuacct")
    assert [Path(place).name for place in places] == [ID] * (2 if group.version == 1 else 1)


def test_a_group_that_cannot_be_seen_is_refused_with_a_reason(tmp_path):
    with pytest.raises(CapabilityError, match=r"\(cpu\) of the service is not visible"):
        group_of(state(), tmp_path / "proc", tmp_path / "cgroup").place("cpu")


def test_a_controller_that_is_not_in_use_is_refused_by_name(group: Group):
    group.file("pids", "pids.max", "pids.max").unlink()
    with pytest.raises(CapabilityError, match=r"no pids.max: the controller pids is not in use"):
        group.file("pids", "pids.max", "pids.max")


def change(group: Group, value: str = "20") -> Change:
    return Change(file=group.file("pids", "pids.max", "pids.max"), value=value, back="max")


def test_a_setting_is_put_back_exactly(group: Group):
    before = texts(group)
    setting = Setting(group, (change(group),))
    setting.apply()
    assert change(group).file.read_text() == "20"
    assert [left.startswith("pids.max is '20'") for left in setting.leftovers()] == [True]
    setting.restore()
    setting.restore()
    assert texts(group) == before
    assert setting.lapsed == ""


def test_a_value_that_is_not_put_back_is_named(group: Group):
    setting = Setting(group, (change(group),))
    setting.apply()
    setting.restore()
    change(group).file.write_text("20")
    assert setting.leftovers() == ("pids.max is '20', was 'max'",)


def test_a_value_that_somebody_else_changed_did_not_last(group: Group):
    setting = Setting(group, (change(group),))
    setting.apply()
    change(group).file.write_text("99\n")
    setting.restore()
    assert setting.lapsed == "pids.max was changed by somebody else meanwhile"
    assert change(group).file.read_text() == "max"


def test_what_was_changed_before_a_refusal_is_put_back(group: Group, monkeypatch):
    other = Change(file=group.file("memory", "memory.limit_in_bytes", "memory.max"), value="1", back="2")
    write = Path.write_text

    def refuse(file, text, **options):
        if file == other.file:
            raise OSError(16, "Device or resource busy")
        return write(file, text, **options)

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(CapabilityError, match="= 1 was refused: Device or resource busy"):
        Setting(group, (change(group), other)).apply()
    assert change(group).file.read_text() == "max"


def test_the_group_of_another_start_is_left_alone(group: Group):
    setting = Setting(group, (change(group),))
    setting.apply()
    place = group.place("pids")
    place.rename(place.with_name("old"))
    place.mkdir()
    (place / "pids.max").write_text("77\n")
    assert not group.same()
    setting.restore()
    assert (place / "pids.max").read_text() == "77\n"
    assert setting.leftovers() == ()


def test_limits_of_disks_by_device():
    assert device_limits("8:0 rbps=1 wbps=max\n254:0 wbps=5\n") == {
        "8:0": {"rbps": "1", "wbps": "max"}, "254:0": {"wbps": "5"},
    }  # fmt: skip
