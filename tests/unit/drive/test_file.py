from __future__ import annotations

import hashlib
import os

import pytest

from cleanroom.drive.file import file_fact
from cleanroom.quantity import Duration, Size
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.probe import FileProbe

ANY = Comparator(tests=(("exists", True),))


@pytest.fixture
def root(tmp_path):
    inside = tmp_path / "root"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc" / "state").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    (inside / "absolute").symlink_to("/etc/state")
    (inside / "escape").symlink_to("../../secret")
    (inside / "loop").symlink_to("loop")
    os.mkfifo(inside / "pipe")
    handle = os.open(inside, os.O_PATH | os.O_DIRECTORY)
    yield handle
    os.close(handle)


def look(root, path, what):
    return file_fact(root, FileProbe(service="db", path=path, what=what, wanted=ANY), Duration(10**10))


@pytest.mark.parametrize("path", ["/etc/state", "/absolute", "/../etc/state"])
def test_a_file_is_looked_at_inside_whatever_leads_to_it(root, path):
    assert look(root, path, "exists").value is True
    assert look(root, path, "size").value == Size(6)
    assert look(root, path, "sha256").value == hashlib.sha256(b"inside").hexdigest()


def test_no_link_leads_out(root):
    assert look(root, "/escape", "exists").value is False
    assert look(root, "/../../secret", "exists").value is False


def test_what_is_not_there_has_no_size(root):
    found = look(root, "/none", "size")
    assert (found.present, found.error_type) == (False, "not_found")
    assert look(root, "/etc/state/below", "exists").value is False


def test_a_pipe_is_not_waited_for(root):
    assert look(root, "/pipe", "exists").value is True
    assert look(root, "/pipe", "sha256").why == "/pipe is no regular file"


def test_a_loop_of_links_is_an_error(root):
    with pytest.raises(OSError, match="symbolic links"):
        look(root, "/loop", "exists")
