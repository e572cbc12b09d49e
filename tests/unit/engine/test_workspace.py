from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from cleanroom.engine.workspace import Selection, pack, unpack
from cleanroom.errors import EngineError, UsageError


def read(root: Path, **selection) -> dict[str, tarfile.TarInfo]:
    data = b"".join(pack(str(root), "workspace", Selection(**selection)))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def archive_of(*members: tuple[tarfile.TarInfo, bytes]):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return iter([buffer.getvalue()])


def test_a_workspace_travels_whole_and_belongs_to_root(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.txt").write_text("hello")
    (tmp_path / "big").write_bytes(os.urandom(700_001))
    (tmp_path / ("long" * 40)).write_text("n")
    (tmp_path / "link").symlink_to("/etc/passwd")
    found = read(tmp_path)
    assert found["workspace/a/b/x.txt"].size == 5
    assert found["workspace/link"].issym()
    assert all((member.uid, member.gid) == (0, 0) for member in found.values())
    unpack(pack(str(tmp_path), "p", Selection()), str(tmp_path / "out"), 1)
    assert (tmp_path / "out" / "big").read_bytes() == (tmp_path / "big").read_bytes()
    assert not (tmp_path / "out" / "link").exists()


def test_excluded_paths_sockets_and_pipes_stay_at_home(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("token")
    (tmp_path / "sub" / ".git").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe")
    found = read(tmp_path, exclude=(".git",))
    assert "workspace/.git/config" not in found
    assert "workspace/sub/.git" in found
    assert "workspace/pipe" not in found


def test_a_workspace_beyond_the_limit_is_refused_before_anything_is_sent(tmp_path: Path):
    (tmp_path / "big").write_bytes(bytes(100))
    with pytest.raises(UsageError, match="has more than"):
        pack(str(tmp_path), "w", Selection(limit=99))
    pack(str(tmp_path), "w", Selection(limit=100))


def test_a_missing_workspace_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match="not a folder"):
        pack(str(tmp_path / "none"), "w", Selection())


@pytest.mark.parametrize("name", ["report/../../evil", "report/a/../../../evil"])
def test_a_report_cannot_leave_its_folder(tmp_path: Path, name: str):
    with pytest.raises(EngineError, match="leads outside"):
        unpack(archive_of((tarfile.TarInfo(name), b"x")), str(tmp_path / "out"), 1)
    assert not (tmp_path / "evil").exists()


def test_links_in_a_report_are_left_out_and_nothing_is_written_through_them(tmp_path: Path):
    link = tarfile.TarInfo("report/l")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    out = tmp_path / "out"
    unpack(archive_of((link, b""), (tarfile.TarInfo("report/l/evil"), b"x")), str(out), 1)
    assert not (tmp_path / "evil").exists()
    assert (out / "l" / "evil").read_bytes() == b"x"


def test_an_existing_link_in_the_target_is_replaced_and_not_followed(tmp_path: Path):
    victim = tmp_path / "victim"
    victim.write_text("keep")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "f").symlink_to(victim)
    unpack(archive_of((tarfile.TarInfo("report/f"), b"new")), str(tmp_path / "out"), 1)
    assert victim.read_text() == "keep"
    assert (tmp_path / "out" / "f").read_text() == "new"


def test_a_broken_archive_is_an_engine_error(tmp_path: Path):
    with pytest.raises(EngineError, match="could not be read"):
        unpack(iter([b"no tar at all" * 100]), str(tmp_path / "out"), 1)
