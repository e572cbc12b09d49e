from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.engine.daemon import DaemonOptions, command, log_tail, start_dockerd, version_warnings
from cleanroom.errors import CapabilityError

OPTIONS = DaemonOptions(data_root="/d", exec_root="/e", socket="/e/s", pidfile="/e/p", log="/e/l")


def test_only_a_unix_socket_listens_and_the_packet_filter_is_not_touched():
    argv = command(OPTIONS, "overlay2", "none")
    assert [word for word in argv if word.startswith("--host")] == ["--host=unix:///e/s"]
    for flag in (
        "--iptables=false",
        "--ip6tables=false",
        "--ip-masq=false",
        "--ip-forward=false",
        "--userland-proxy=false",
    ):
        assert flag in argv
    assert not any("tcp" in word for word in argv)


def test_the_machines_own_configuration_is_not_read():
    assert "--config-file=/e/daemon.json" in command(OPTIONS, "overlay2", "none")


def test_a_cgroup_of_its_own_where_the_tree_is_shared():
    assert "--cgroup-parent=/x" in command(replace(OPTIONS, cgroup_parent="/x"), "overlay2", "none")
    assert not any(word.startswith("--cgroup-parent") for word in command(OPTIONS, "overlay2", "none"))


@pytest.mark.parametrize(("version", "warned"), [("20.10.24+dfsg1", 1), ("25.0.5", 1), ("26.1.5", 0), ("29.0.0", 0)])
def test_an_old_engine_is_told_of(version: str, warned: int):
    assert len(version_warnings(version)) == warned


def test_without_dockerd_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CapabilityError, match="no dockerd"), start_dockerd(OPTIONS):
        pass


def test_the_end_of_the_log_is_shown(tmp_path: Path):
    (tmp_path / "log").write_text("old\n" * 5000 + "the reason")
    assert log_tail(str(tmp_path / "log")).endswith("the reason")
    assert "no log" in log_tail(str(tmp_path / "none"))
