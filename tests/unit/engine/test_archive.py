from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from cleanroom.engine.archive import context_entries, context_hash, files_archive, write_context


def make(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM a\n")
    (root / "sub" / "app.py").write_text("print()\n")
    (root / "noise.log").write_text("x")
    (root / "link").symlink_to("sub/app.py")
    (root / ".dockerignore").write_text("# comment\n*.log\nDockerfile\n")
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    return root


def hash_of(root: Path) -> str:
    return context_hash(root, context_entries(root, "Dockerfile"))


def test_files_are_roots_and_bring_no_directories() -> None:
    with tarfile.open(fileobj=io.BytesIO(files_archive({"/etc/b": b"2", "/a": b"1"}))) as archive:
        members = archive.getmembers()
    assert [(m.name, m.mode, m.uid, m.mtime) for m in members] == [("a", 0o644, 0, 0), ("etc/b", 0o644, 0, 0)]


def test_ignored_files_are_neither_sent_nor_hashed_but_the_dockerfile_is(tmp_path: Path) -> None:
    root = make(tmp_path / "c")
    before = hash_of(root)
    (root / "noise.log").write_text("changed")
    assert hash_of(root) == before
    assert [e.path for e in context_entries(root, "Dockerfile")] == [
        ".dockerignore",
        "Dockerfile",
        "link",
        "sub",
        "sub/app.py",
    ]


def test_two_checkouts_hash_the_same_whatever_their_times(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one"), make(tmp_path / "two")
    os.utime(two / "sub" / "app.py", (1, 1))
    assert hash_of(one) == hash_of(two)


def test_content_mode_name_and_link_each_change_the_hash(tmp_path: Path) -> None:
    root = make(tmp_path / "c")
    seen = {hash_of(root)}
    (root / "sub" / "app.py").write_text("print(1)\n")
    seen.add(hash_of(root))
    (root / "sub" / "app.py").chmod(0o755)
    seen.add(hash_of(root))
    (root / "sub" / "app.py").rename(root / "sub" / "main.py")
    seen.add(hash_of(root))
    (root / "link").unlink()
    (root / "link").symlink_to("sub/main.py")
    seen.add(hash_of(root))
    assert len(seen) == 5


def test_the_tar_is_the_same_bytes_for_the_same_context(tmp_path: Path) -> None:
    tars = []
    for name in ("one", "two"):
        root = make(tmp_path / name)
        target = io.BytesIO()
        write_context(root, context_entries(root, "Dockerfile"), target)
        tars.append(target.getvalue())
    assert tars[0] == tars[1]
    with tarfile.open(fileobj=io.BytesIO(tars[0])) as archive:
        assert archive.getmember("link").linkname == "sub/app.py"
        assert archive.extractfile("sub/app.py").read() == b"print()\n"
