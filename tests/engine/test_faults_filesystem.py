"""Faults of the family filesystem: on a service's own files, and each in a spec, with a control of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import TARGET, assert_prevented, assert_proven, run_family
from images import make_images
from residue import unchanged
from runs import Ran
from stage import Stage, open_stage, strike

from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ExecSpec, Mount
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.ladder import open_fault
from cleanroom.quantity import Duration, Size

PREPARE = (
    "mkdir -p /data/in /data/box/sub; head -c 5000 /dev/urandom > /data/file; echo inner > /data/box/sub/inner; "
    "echo x > /data/in/x; exec 3>>/data/file; cp /etc/os-release /data/owned; exec sleep 600"
)
LIST = (
    "find /data /usr/share/base-files -printf '%p %y %m %u:%g %s %l\\n' | sort; "
    "find /data /usr/share/base-files -type f | sort | xargs md5sum"
)


@pytest.fixture
def stage(engine, run) -> Iterator[Stage]:
    make_images(engine, (TARGET,))
    with open_stage(engine, run) as made:
        yield made


@pytest.fixture
def service(stage) -> Container:
    found = stage.service("target", 10, image=TARGET, command=("sh", "-c", PREPARE), user="app")
    for _ in range(100):
        if "owned" in sh(stage, found, "ls /data"):
            return found
        time.sleep(0.1)
    raise AssertionError("the service did not prepare its files")


def sh(stage: Stage, container: Container, script: str, user: str = "") -> str:
    done = stage.engine.execute(container.id, ExecSpec(command=("sh", "-c", script), user=user))
    return (done.stdout + done.stderr).decode()


def files(stage: Stage, container: Container) -> Callable[[], str]:
    return lambda: sh(stage, container, LIST, user="root")


def py(stage: Stage, container: Container, code: str) -> str:
    """What a program of the service's user says, or the name of its error."""
    wrapped = f"import errno,os,time\ntry:\n  print({code})\nexcept OSError as e: print(errno.errorcode[e.errno])"
    done = stage.engine.execute(container.id, ExecSpec(command=("python3", "-c", wrapped)))
    return (done.stdout + done.stderr).decode().strip()


WRITE = "open('/data/in/y','w').close() or os.unlink('/data/in/y') or 'ok'"
CASES = {
    "read_only": ({"path": "/data/in"}, WRITE, "EROFS", "ok"),
    "permission": ({"path": "/data/owned", "mode": "0000"}, "open('/data/owned').read(3)", "EACCES", "PRE"),
    "missing": ({"path": "/data/box"}, "os.listdir('/data/box')", "ENOENT", "['sub']"),
    "symlink": ({"path": "/data/owned", "kind": "loop"}, "open('/data/owned').read(3)", "ELOOP", "PRE"),
    "unlink_open": ({"path": "/data/file"}, "os.path.getsize('/data/file')", "ENOENT", "5000"),
    "io_error": ({"path": "/data/in", "operations": ("write",), "errno": "ENOSPC", "percent": 100.0},
                 "os.write(os.open('/data/in/x', os.O_WRONLY), b'x')", "ENOSPC", "1"),
}  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("kind", CASES)
def test_what_a_service_asks_of_its_files_fails_while_the_fault_lasts_and_all_is_as_before(
    engine, stage, service, kind
):
    parameters, code, during, after = CASES[kind]
    with unchanged(engine, service.id, files=files(stage, service)):
        assert py(stage, service, "'works'") == "works"
        fault = open_fault(strike(f"filesystem.{kind}", "target", parameters=parameters), stage.context(service))
        fault.inject()
        try:
            found = fault.verify()
            assert found.holds, found
            assert py(stage, service, code) == during
        finally:
            fault.revert()
        gone = fault.verify_reversal()
        assert (gone.holds, gone.lapsed) == (True, ""), gone
        assert py(stage, service, code).startswith(after)
        fault.revert()


def strike_at(stage: Stage, service: Container, name: str, **parameters: object):
    found = open_fault(strike(f"filesystem.{name}", "target", parameters=parameters), stage.context(service))
    found.inject()
    return found


@pytest.mark.full
@pytest.mark.parametrize(
    ("parameters", "size", "same"), [({"bytes": Size(40)}, 5000, 4960), ({"truncate": Size(100)}, 100, 100)]
)
def test_a_file_is_corrupted_as_the_seed_says_and_restored_to_the_byte(engine, stage, service, parameters, size, same):
    before = sh(stage, service, "od -An -v -tu1 -w1 /data/file").split()
    seen = []
    with unchanged(engine, service.id, files=files(stage, service)):
        for _ in range(2):
            fault = strike_at(stage, service, "corrupt", path="/data/file", offset=None, **parameters)
            assert fault.verify().holds
            now = sh(stage, service, "od -An -v -tu1 -w1 /data/file").split()
            seen.append(now)
            fault.revert()
            assert fault.verify_reversal().holds
    assert seen[0] == seen[1]
    assert len(now) == size
    assert sum(a == b for a, b in zip(before, now, strict=False)) == same


@pytest.mark.full
def test_what_a_service_wrote_over_corrupted_bytes_is_not_overwritten(stage, service):
    fault = strike_at(stage, service, "corrupt", path="/data/owned", bytes=Size(20), offset=Size(0))
    sh(stage, service, "echo mine > /data/owned")
    fault.revert()
    gone = fault.verify_reversal()
    assert (gone.holds, gone.facts["target.rewritten"]) == (True, "written")
    assert sh(stage, service, "cat /data/owned") == "mine\n"


@pytest.mark.full
def test_what_was_cut_off_and_cannot_be_put_back_is_told(stage, service):
    fault = strike_at(stage, service, "corrupt", path="/data/file", truncate=Size(100))
    sh(stage, service, "echo more >> /data/file")
    fault.revert()
    gone = fault.verify_reversal()
    assert not gone.holds
    assert "4900 bytes that were cut off are not put back" in gone.reason
    assert sh(stage, service, "tail -n 1 /data/file | tail -c 5") == "more\n"


@pytest.mark.full
def test_a_directory_of_the_image_goes_missing_and_comes_back(engine, stage, service):
    with unchanged(engine, service.id, files=files(stage, service)):
        fault = strike_at(stage, service, "missing", path="/usr/share/base-files")
        assert fault.verify().holds
        assert py(stage, service, "os.stat('/usr/share/base-files')") == "ENOENT"
        fault.revert()
        assert fault.verify_reversal().holds


@pytest.mark.full
def test_what_a_service_made_in_place_of_what_was_missing_is_kept(stage, service):
    fault = strike_at(stage, service, "missing", path="/data/owned")
    sh(stage, service, "echo mine > /data/owned")
    assert not fault.verify().holds
    fault.revert()
    gone = fault.verify_reversal()
    assert gone.holds
    assert sh(stage, service, "head -c 3 /data/owned") == "PRE"
    assert sh(stage, service, f"cat {gone.facts['target.made_meanwhile']}") == "mine\n"


@pytest.mark.full
def test_root_is_not_bound_by_modes_and_that_is_no_evidence(stage):
    service = stage.service("target", 10, image=TARGET, command=("sh", "-c", "touch /data/owned; exec sleep 600"))
    fault = None
    for _ in range(50):
        if "owned" in sh(stage, service, "ls /data"):
            break
        time.sleep(0.1)
    fault = strike_at(stage, service, "permission", path="/data/owned", mode="0000", owner="app")
    found = fault.verify()
    assert not found.holds
    assert "0:0 with CAP_DAC_OVERRIDE" in found.reason
    assert sh(stage, service, "stat -c '%a %U' /data/owned") == "0 app\n"
    fault.revert()
    assert fault.verify_reversal().holds
    assert sh(stage, service, "stat -c '%a %U' /data/owned") == "644 root\n"


@pytest.mark.full
@pytest.mark.parametrize("kind", ["flock", "fcntl"])
def test_a_lock_is_held_against_everybody(engine, stage, service, kind):
    code = f"__import__('fcntl').{'flock' if kind == 'flock' else 'lockf'}(open('/data/owned','r+'), 6)"
    with unchanged(engine, service.id, files=files(stage, service)):
        assert py(stage, service, code) == "None"
        fault = strike_at(stage, service, "lock", path="/data/owned", kind=kind)
        found = fault.verify()
        assert found.holds, found
        assert (found.facts["target.second_attempt"], found.facts["target.proc_locks"]) == ("EWOULDBLOCK", 1)
        assert py(stage, service, code) == "EAGAIN"
        with pytest.raises(CapabilityError, match="another fault is at work on /data/owned"):
            strike_at(stage, service, "missing", path="/data")
        fault.revert()
        assert fault.verify_reversal().holds
        assert py(stage, service, code) == "None"


@pytest.mark.full
def test_files_come_and_go_and_the_counts_add_up(engine, stage, service):
    with unchanged(engine, service.id, files=files(stage, service)):
        fault = strike_at(stage, service, "churn", path="/data/in", workers=2, files=20)
        found = fault.verify()
        assert found.holds, found
        assert ".cleanroom" in sh(stage, service, "ls -A /data/in")
        fault.revert()
        gone = fault.verify_reversal()
        assert (gone.holds, gone.lapsed, gone.facts["target.reconciled"]) == (True, "", True), gone
        assert gone.facts["target.made"] == gone.facts["target.removed"] > 20


@pytest.mark.full
def test_operations_of_a_kind_are_late_and_others_are_not(stage, service):
    fault = strike_at(stage, service, "io_delay", path="/data/in", operations=("fsync",), delay=Duration(300 * 10**6))
    found = fault.verify()
    assert found.holds, found
    late = "[time.monotonic(), os.fsync(os.open('/data/in/x', os.O_RDWR)) or 0, time.monotonic()]"
    began, _, ended = json.loads(py(stage, service, late))
    assert ended - began >= 0.3
    began, _, ended = json.loads(
        py(stage, service, late.replace("os.fsync(", "os.fstat(").replace("RDWR)) or 0", "RDWR)).st_nlink"))
    )
    assert ended - began < 0.3
    fault.revert()
    gone = fault.verify_reversal()
    assert gone.holds, gone
    assert gone.facts["target.struck"] == 1
    began, _, ended = json.loads(py(stage, service, late))
    assert ended - began < 0.3


@pytest.mark.full
def test_the_share_that_fails_is_decided_by_the_index_of_an_operation_whoever_looked(stage, service):
    outcomes = []
    script = (
        "import os\nf=os.open('/data/in/x', os.O_RDWR)\nr=''\n"
        "for _ in range(60):\n  try:\n    os.pwrite(f,b'x',0); r+='.'\n  except OSError: r+='E'\nprint(r)"
    )
    for _ in range(2):
        fault = strike_at(stage, service, "io_error", path="/data/in", operations=("write",), errno="EIO", percent=30.0)
        assert fault.verify().holds
        done = stage.engine.execute(service.id, ExecSpec(command=("python3", "-c", script)))
        outcomes.append(done.stdout.decode().strip())
        fault.revert()
        gone = fault.verify_reversal()
        assert gone.facts["target.struck"] == outcomes[-1].count("E")
        assert gone.facts["target.operations"] == 60
    assert outcomes[0] == outcomes[1]
    assert 5 <= outcomes[0].count("E") <= 35


PASSED_THROUGH = """
import os, mmap
os.chdir('/data/in')
os.makedirs('a/b'); open('a/b/f', 'w').write('hello'); os.rename('a/b/f', 'a/g'); os.symlink('g', 'a/s')
os.link('a/g', 'a/h'); os.chmod('a/g', 0o640); os.utime('a/g', (1, 2)); os.truncate('a/g', 3)
with open('a/g', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 3, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE); assert m[:] == b'hel'
    os.unlink('a/g'); f.seek(0); assert f.read() == b'hel'; f.write(b'p'); f.flush()
assert os.readlink('a/s') == 'g'
s = os.stat('a/h'); assert (s.st_size, s.st_nlink, s.st_mode & 0o777, s.st_uid) == (4, 1, 0o640, 1000), s
with open('a/log', 'a') as f:
    for n in range(3): f.write(str(n)); f.flush()
assert open('a/log').read() == '012'
open('a/big', 'wb').write(os.urandom(3 << 20)); assert os.path.getsize('a/big') == 3 << 20
assert sorted(os.listdir('a')) == ['b', 'big', 'h', 'log', 's'], os.listdir('a')
for n in range(300): open(f'a/b/{n}', 'w').close()
assert len(os.listdir('a/b')) == 300
import shutil; shutil.rmtree('a'); print(sorted(os.listdir('.')), os.statvfs('.').f_bsize > 0)
"""


@pytest.mark.full
def test_what_is_not_struck_passes_through_unchanged(engine, stage, service):
    with unchanged(engine, service.id, files=files(stage, service)):
        fault = strike_at(
            stage, service, "io_error", path="/data/in", operations=("fsync",), errno="EIO", percent=100.0
        )
        done = stage.engine.execute(service.id, ExecSpec(command=("python3", "-c", PASSED_THROUGH)))
        assert done.stdout.decode().strip().startswith("['x'"), (done.stdout, done.stderr)
        assert fault.verify().holds
        fault.revert()
        assert fault.verify_reversal().holds


@pytest.mark.full
def test_a_file_that_was_opened_under_the_fault_works_on_after_it(stage, service):
    holder = (
        "import os,time; f=os.open('/data/in/x',os.O_RDWR); print('open',flush=True)\n"
        "while not os.path.exists('/data/go'): time.sleep(0.05)\n"
        "os.pwrite(f,b'new',0); os.fsync(f); print('written',flush=True)"
    )
    fault = strike_at(stage, service, "io_error", path="/data/in", operations=("fsync",), errno="EIO", percent=100.0)
    sh(
        stage,
        service,
        f'nohup python3 -c "{holder}" > /data/said 2>&1 & until grep -q open /data/said; do sleep 0.1; done',
    )
    fault.revert()
    gone = fault.verify_reversal()
    assert gone.holds, gone
    assert gone.facts["target.still_serving_open_files"] is True
    assert sh(stage, service, "touch /data/go; until grep -q t /data/said; do sleep 0.1; done; cat /data/said") == (
        "open\nwritten\n"
    )
    assert sh(stage, service, "cat /data/in/x") == "new"


@pytest.mark.full
def test_a_server_of_files_that_dies_under_the_fault_is_told_and_nothing_of_it_stays(engine, stage, service):
    with unchanged(engine, service.id, files=files(stage, service)):
        fault = strike_at(
            stage, service, "io_error", path="/data/in", operations=("fsync",), errno="EIO", percent=100.0
        )
        assert fault.verify().holds
        fault._hits[0].worker.process.kill()
        fault._hits[0].worker.process.wait(20)
        assert py(stage, service, "os.listdir('/data/in')") in ("ENOTCONN", "ECONNABORTED")
        fault.revert()
        gone = fault.verify_reversal()
        assert gone.holds, gone
        assert "ended early" in gone.lapsed
        assert py(stage, service, "os.listdir('/data/in')") == "['x']"


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "parameters", "why"),
    [
        ("read_only", {"path": "/data/none"}, "No such file"),
        ("missing", {"path": "/data/none"}, "there is no /data/none"),
        ("missing", {"path": "/etc/hosts"}, "something is mounted"),
        ("corrupt", {"path": "/data/owned", "bytes": Size(10**6)}, "there are no 1000000 to change"),
        ("permission", {"path": "/data/owned", "owner": "nobody-knows"}, "knows no nobody-knows"),
        ("churn", {"path": "/data", "workers": 1000, "files": 10000}, "more than 1000000"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name_and_leaves_nothing(engine, stage, service, kind, parameters, why):
    with unchanged(engine, service.id, files=files(stage, service)):
        fault = open_fault(strike(f"filesystem.{kind}", "target", parameters=parameters), stage.context(service))
        with pytest.raises(EngineError, match=why):
            fault.inject()
        fault.revert()
        assert fault.verify_reversal().holds


@pytest.mark.full
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", ["missing", "symlink", "corrupt"])
def test_who_takes_its_place_is_given_back_what_passed_on_to_it_and_else_ran_without(stage, tmp_path, kind, shared):
    kept = Mount(source=str(tmp_path), target="/kept", read_only=False)
    other = tmp_path / "other"
    other.mkdir()
    for folder in (tmp_path, other):
        (folder / "file").write_text("hello" * 20)
    old = stage.service("target", 10, image=TARGET, mounts=(kept,))
    context = stage.context(old)
    more = {"bytes": Size(40), "offset": Size(0)} if kind == "corrupt" else {}
    fault = open_fault(strike(f"filesystem.{kind}", "target", parameters={"path": "/kept/file", **more}), context)
    fault.inject()
    assert fault.verify().holds
    stage.engine.remove(old.id)
    place = kept if shared else replace(kept, source=str(other))
    context.containers["target"] = stage.service("target", 11, image=TARGET, mounts=(place,))
    fault.revert()
    found = fault.verify_reversal()
    assert found.holds, found
    assert ("took its place" in found.lapsed) is not shared
    assert ((tmp_path if shared else other) / "file").read_text() == "hello" * 20
    assert not [one for one in (tmp_path if shared else other).iterdir() if "cleanroom" in one.name]


CONTROLS = {
    "control-read_only": "No such file",
    "control-permission": "CAP_DAC_OVERRIDE",
    "control-missing": "is there",
    "control-symlink": "opens with success",
    "control-unlink_open": "no process of the service has the file open",
    "control-corrupt": "not there any more",
    "control-io_error": "none of fsync was struck",
    "control-io_delay": "struck before the fault",
    "control-lock": "somebody else has a lock",
    "control-churn": "more than 1000000",
    "control-replaced": "another container took its place",
}
"""Control → why the fault must not be taken for proven."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    return run_family(engine, "filesystem", tmp_path_factory.mktemp("filesystem"))


@pytest.mark.parametrize("suite", [name.removeprefix("control-") for name in CONTROLS if "replaced" not in name])
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize("suite", CONTROLS)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str):
    assert_prevented(ran, suite, "bad", CONTROLS[suite])
