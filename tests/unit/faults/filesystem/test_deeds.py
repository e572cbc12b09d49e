"""What is done to a path and undone, on files of a test's own: the namespace that it happens in is another's matter."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cleanroom.faults.filesystem import permission, shadow
from cleanroom.faults.filesystem.corrupt import Corrupt
from cleanroom.faults.filesystem.deeds import DEEDS, Missing, Swept, Symlink, UnlinkOpen
from cleanroom.faults.filesystem.refusal import RefusedError

STREAM = "ab" * 32


@pytest.fixture
def keep(tmp_path):
    found = os.open(tmp_path / "keep", os.O_RDWR | os.O_CREAT, 0o600)
    yield found
    os.close(found)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4)
    return path


def job(path, **more):
    return {"path": str(path), "token": "t", "stream": STREAM, "users": [], **more}


def corrupt(file, keep, **more):
    asked = job(file, keep=keep, **more)
    asked["state"] = Corrupt().apply(asked)
    return asked


@pytest.mark.parametrize("more", [{"bytes": 30}, {"bytes": 30, "offset": 7}, {"bytes": 1024}, {"truncate": 10}])
def test_a_corrupted_file_is_restored_to_the_byte_and_the_time(file, keep, more):
    before, times = file.read_bytes(), file.stat().st_mtime_ns
    asked = corrupt(file, keep, **more)
    now = file.read_bytes()
    if "bytes" in more:
        assert len(now) == len(before)
        changed = [at for at in range(1024) if now[at] != before[at]]
        begin = asked["state"]["begin"]
        assert changed == list(range(begin, begin + more["bytes"]))
        assert begin == more.get("offset", begin)
    else:
        assert now == before[:10]
    assert Corrupt().look(asked)["holds"]
    assert Corrupt().gone(asked)["holds"] is False
    assert Corrupt().undo(asked) == {}
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (before, times)
    assert Corrupt().gone(asked)["holds"]


def test_the_seed_says_which_bytes_and_where(file, keep, tmp_path):
    corrupt(file, keep, bytes=16)
    once = file.read_bytes()
    other = tmp_path / "other"
    other.write_bytes(bytes(range(256)) * 4)
    corrupt(other, keep, bytes=16)
    assert other.read_bytes() == once
    other.write_bytes(bytes(range(256)) * 4)
    corrupt(other, keep, bytes=16, stream="cd" * 32)
    assert other.read_bytes() != once


@pytest.mark.parametrize(("write", "said"), [("written", "written"), ("replaced", "replaced"), ("removed", "removed")])
def test_what_somebody_wrote_since_is_theirs(file, keep, write, said):
    asked = corrupt(file, keep, bytes=500, offset=0)
    if write == "written":
        file.write_bytes(b"x" * 1000)
    elif write == "removed":
        file.unlink()
    else:
        file.with_name("new").write_bytes(b"n")
        file.with_name("new").rename(file)
    content = file.read_bytes() if file.exists() else b""
    assert Corrupt().undo(asked) == {"rewritten": said}
    assert Corrupt().gone(asked)["holds"]
    assert (file.read_bytes() if file.exists() else b"") == content


def test_bytes_that_are_still_ours_beside_some_that_are_not_are_told(file, keep):
    asked = corrupt(file, keep, bytes=500, offset=0)
    with file.open("r+b") as opened:
        opened.write(b"mine")
    Corrupt().undo(asked)
    found = Corrupt().gone(asked)
    assert not found["holds"]
    assert "of the 500 bytes that we changed are still so" in found["reason"]


def test_a_tail_that_cannot_be_put_back_is_told(file, keep):
    asked = corrupt(file, keep, truncate=10)
    with file.open("ab") as opened:
        opened.write(b"mine")
    assert Corrupt().undo(asked) == {"rewritten": "written"}
    assert "1014 bytes that were cut off" in Corrupt().gone(asked)["reason"]
    assert file.read_bytes().endswith(b"mine")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"bytes": 2000}, "there are no 2000"),
        ({"bytes": 10, "offset": 1020}, "at 1020"),
        ({"truncate": 1024}, "nothing"),
    ],
)
def test_what_the_file_is_too_short_for_is_refused(file, keep, more, why):
    with pytest.raises(RefusedError, match=why):
        corrupt(file, keep, **more)


def test_a_directory_cannot_be_corrupted(tmp_path, keep):
    with pytest.raises((RefusedError, IsADirectoryError)):
        corrupt(tmp_path, keep, bytes=1)


@pytest.mark.parametrize("deed", [Missing(), Symlink(), UnlinkOpen()])
@pytest.mark.parametrize("kind", ["dangling", "loop"])
def test_a_path_goes_and_comes_back(file, deed, kind):
    asked = job(file, kind=kind)
    before = file.stat()
    asked["state"] = deed.apply(asked)
    assert deed.look(asked)["holds"]
    with pytest.raises(OSError, match=r"No such file|levels of symbolic links"):
        file.read_bytes()
    deed.undo(asked)
    assert deed.gone(asked)["holds"]
    assert (file.stat().st_ino, file.stat().st_mode) == (before.st_ino, before.st_mode)
    deed.undo(asked)
    assert [one.name for one in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("deed", [Missing(), Symlink(), UnlinkOpen()])
def test_what_was_made_meanwhile_is_kept(file, deed):
    asked = job(file, kind="loop")
    asked["state"] = deed.apply(asked)
    file.unlink(missing_ok=True)
    file.write_text("mine")
    assert not deed.look(asked)["holds"]
    facts = deed.undo(asked)
    assert len(file.read_bytes()) == 1024
    with open(facts["made_meanwhile"]) as kept:  # noqa: PTH123
        assert kept.read() == "mine"


@pytest.mark.parametrize("deed", [Missing(), Symlink()])
def test_what_is_not_there_is_refused(tmp_path, deed):
    with pytest.raises(RefusedError, match="there is no"):
        deed.apply(job(tmp_path / "none", kind="loop"))


def test_a_directory_that_cannot_be_renamed_is_moved_entry_by_entry(tmp_path, monkeypatch):
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True, mode=0o750)
    (tree / "sub" / "file").write_text("x")
    (tree / "link").symlink_to("sub")
    real = shadow.rename_anew

    def no_directories(source, target):
        if Path(source).is_dir() and not Path(source).is_symlink():
            raise OSError(18, "cross-device")
        real(source, target)

    monkeypatch.setattr(shadow, "rename_anew", no_directories)
    before = sorted((p.name, p.lstat().st_mode) for p in tree.rglob("*"))
    asked = job(tree)
    asked["state"] = Missing().apply(asked)
    assert Missing().look(asked)["holds"]
    Missing().undo(asked)
    assert sorted((p.name, p.lstat().st_mode) for p in tree.rglob("*")) == before
    assert [one.name for one in tmp_path.iterdir()] == ["tree"]


def test_modes_are_restored_unless_somebody_changed_them(file):
    file.chmod(0o644)
    asked = job(file, mode="0400")
    asked["state"] = permission.Permission().apply(asked)
    assert stat.S_IMODE(file.stat().st_mode) == 0o400
    assert not permission.Permission().gone(asked)["holds"]
    assert permission.Permission().undo(asked) == {}
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert permission.Permission().gone(asked)["holds"]
    asked["state"] = permission.Permission().apply(asked)
    file.chmod(0o600)
    assert permission.Permission().undo(asked) == {"changed_meanwhile": "mode 0600"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("access", "capabilities", "holds", "why"),
    [("---", 0, True, ""), ("rw-", 0, False, "could before"), ("rw-", 2, False, "CAP_DAC_OVERRIDE")],
)
def test_the_effect_is_what_the_services_users_may_do(monkeypatch, access, capabilities, holds, why):
    monkeypatch.setattr(permission, "access_of", lambda _path, _user: access)
    users = [{"name": "1000:1000", "uid": 1000, "gid": 1000, "groups": [], "capabilities": capabilities}]
    found = permission.Permission().look({"path": "/x", "users": users, "state": {"access": {"1000:1000": "rw-"}}})
    assert found["holds"] is holds
    assert why in found["reason"]


def test_owners_are_named_as_the_container_names_them(tmp_path, monkeypatch):
    (tmp_path / "passwd").write_text("app:x:1000:1000::/:/bin/sh\n")
    (tmp_path / "group").write_text("web:x:33:\n")
    monkeypatch.setattr(permission, "_PASSWD", str(tmp_path / "passwd"))
    monkeypatch.setattr(permission, "_GROUP", str(tmp_path / "group"))
    assert permission.owner_of("app") == (1000, -1)
    assert permission.owner_of("app:web") == (1000, 33)
    assert permission.owner_of("root:7") == (0, 7)
    with pytest.raises(RefusedError, match="knows no other"):
        permission.owner_of("other")


def test_what_operations_of_ours_left_is_swept(tmp_path):
    (tmp_path / ".cleanroom-t-0").write_text("x")
    (tmp_path / ".cleanroom-t-0.directory").mkdir()
    (tmp_path / "theirs").write_text("x")
    asked = {**job(tmp_path), "covered": False}
    asked["state"] = Swept().apply(asked)
    assert not Swept().look(asked)["holds"]
    Swept().undo(asked)
    assert Swept().look(asked)["holds"]
    assert [one.name for one in tmp_path.iterdir()] == ["theirs"]


def test_the_root_is_never_covered():
    for deed in ("read_only", "swept"):
        with pytest.raises(RefusedError, match="root of a container"):
            DEEDS[deed].apply(job("/"))
