from __future__ import annotations

import hashlib
import json
import subprocess

import pytest

from cleanroom.errors import UsageError
from cleanroom.report.write import write_report
from tests.unit.report import runs


def tree(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_run_leaves_all_its_files(tmp_path):
    written = write_report(runs.passing(), tmp_path, {"events.jsonl": b"{}\n"})
    assert tree(tmp_path) == sorted(str(path.relative_to(tmp_path)) for path in written)
    assert tree(tmp_path) == [
        "SHA256SUMS",
        "cleanup.json",
        "digests.json",
        "journal/events.jsonl",
        "junit.xml",
        "logs/checkout/iteration-1/happy/api.log",
        "logs/checkout/iteration-1/happy/db.log",
        "logs/checkout/iteration-2/happy/api.log",
        "logs/checkout/iteration-2/happy/db.log",
        "report.json",
        "summary.md",
        "traces/checkout-happy-1.jsonl",
        "traces/checkout-happy-2.jsonl",
    ]


@pytest.mark.parametrize("kind", runs.ALL)
def test_every_kind_of_run_is_written(kind, tmp_path):
    write_report(runs.ALL[kind](), tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["schema"] == "cleanroom.report/1"
    assert not [name for name in tree(tmp_path) if ":" in name or "/." in f"/{name}"]


def test_the_checksums_are_those_of_the_files(tmp_path):
    write_report(runs.hostile(), tmp_path)
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    listed = [line[66:] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()]
    assert sorted([*listed, "SHA256SUMS"]) == tree(tmp_path)


def test_a_journal_that_the_run_wrote_itself_stays_and_is_listed(tmp_path):
    (tmp_path / "journal" / "deep").mkdir(parents=True)
    (tmp_path / "journal" / "deep" / "record.json").write_text("{}")
    write_report(runs.passing(), tmp_path)
    write_report(runs.passing(), tmp_path)
    assert "  journal/deep/record.json\n" in (tmp_path / "SHA256SUMS").read_text()
    assert (tmp_path / "journal" / "deep" / "record.json").read_text() == "{}"


def test_a_new_report_replaces_the_old_one_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    write_report(runs.passing(), tmp_path)
    write_report(runs.crashed(), tmp_path)
    assert tree(tmp_path) == [
        "SHA256SUMS",
        "cleanup.json",
        "digests.json",
        "junit.xml",
        "mine.txt",
        "report.json",
        "summary.md",
    ]


def test_a_link_out_of_the_directory_is_neither_followed_nor_cleaned(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("theirs")
    report = tmp_path / "report"
    report.mkdir()
    (report / "logs").symlink_to(outside)
    (report / "SHA256SUMS").write_text(f"{'0' * 64}  logs/passwd\n{'0' * 64}  ../outside/passwd\n")
    with pytest.raises(UsageError, match="leads out of the report directory"):
        write_report(runs.passing(), report)
    assert (outside / "passwd").read_text() == "theirs"
    assert len(list(outside.iterdir())) == 1


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written to"):
        write_report(runs.passing(), tmp_path / "file" / "report")


def test_no_part_of_a_file_stays_when_writing_fails(tmp_path):
    (tmp_path / "summary.md").mkdir()
    with pytest.raises(UsageError):
        write_report(runs.passing(), tmp_path)
    assert not list(tmp_path.rglob("*.part"))
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "pass"


@pytest.mark.parametrize("name", ["../escape", ".hidden", "a:b", "/etc/passwd", "a//b"])
def test_a_journal_file_cannot_have_a_name_that_artifacts_refuse(name, tmp_path):
    with pytest.raises(ValueError, match="report file"):
        write_report(runs.passing(), tmp_path / "r", {name: b""})


def test_secrets_are_overwritten_in_a_journal_that_the_run_wrote_itself(tmp_path):
    secret = 'hünter2-"secret"'
    spelled = [secret.encode(), json.dumps(secret).encode(), json.dumps(secret, ensure_ascii=False).encode()]
    (tmp_path / "journal").mkdir()
    file = tmp_path / "journal" / "record.json"
    before = b"[" + b",".join(spelled) + b"] hunter"
    file.write_bytes(before)
    write_report(runs.passing(secrets=(secret,)), tmp_path)
    data = file.read_bytes()
    assert data.endswith(b"] hunter")
    assert b"secret" not in data
    assert len(data) == len(before)
    assert hashlib.sha256(data).hexdigest() in (tmp_path / "SHA256SUMS").read_text()


def test_secrets_are_in_no_file(tmp_path):
    report = runs.failing(secrets=("hunter2-secret",), repro="cleanroom run --var p=hunter2-secret")
    write_report(report, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()] == []
    write_report(runs.failing(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()] != []
