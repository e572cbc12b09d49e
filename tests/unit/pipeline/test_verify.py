from __future__ import annotations

import hashlib
import json

import pytest

from cleanroom.errors import UsageError
from cleanroom.pipeline.verify import files_of, verify
from cleanroom.report.verification import check_sums
from cleanroom.report.write import write_report
from tests.unit.pipeline.journals import contents, recorded
from tests.unit.report.workloads import working
from tests.unit.run.worlds import behaving


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    recorded(folder)
    return contents(folder)


@pytest.fixture
def folder(original, tmp_path):
    for name, data in original.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def sum_again(folder):
    """What somebody does who knows of the sums."""
    files = {name: data for name, data in contents(folder).items() if name != "SHA256SUMS"}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    (folder / "SHA256SUMS").write_text("".join(lines))


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def test_a_report_that_nobody_touched_is_verified(folder):
    for place in (folder, folder / "journal"):
        found = verify(str(place))
        assert (found.discrepancies, found.unknown) == ((), ())
        assert {"SHA256SUMS", "digests", "verdicts"} <= set(found.looked_at)


@pytest.mark.parametrize("world", [{"shape": {"holds": False}}, {"shape": {"stays": True}}])
def test_a_report_of_a_bad_run_is_verified_too(world, tmp_path):
    recorded(tmp_path, behaving(**world))
    assert verify(str(tmp_path)).discrepancies == ()


def test_any_byte_of_any_file_counts(folder, original):
    for name, data in original.items():
        if not data or name == "SHA256SUMS":
            continue
        (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert verify(str(folder)).discrepancies, name
        (folder / name).write_bytes(data)
    assert verify(str(folder)).discrepancies == ()


@pytest.mark.parametrize(
    ("file", "change", "where"),
    [
        ("report.json", lambda d: d.update(verdict="fail"), "verdict"),
        ("report.json", lambda d: d["suites"][0].update(digest="sha256:00"), "suites[0].digest"),
        ("report.json", lambda d: d["counts"].update(passed=99), "counts.passed"),
        ("digests.json", lambda d: d.update(digest="sha256:00"), "digest"),
        ("digests.json", lambda d: d["suites"][0]["iterations"].pop(), "suites[0].iterations"),
        ("cleanup.json", lambda d: d.update(more=1), "more"),
    ],
)
def test_a_report_that_was_changed_with_its_sums_is_found_out(folder, file, change, where):
    edit(folder / file, change)
    sum_again(folder)
    assert [(d.file, d.where) for d in verify(str(folder)).discrepancies] == [(file, where)]


def rename_spans(folder):
    for path in folder.glob("journal/suite-shop/iteration-*/scenario-*.otlp"):
        path.write_bytes(path.read_bytes().replace(b"INSERT orders", b"DELETE orders"))


def fail_a_step(folder):
    def change(document):
        document["iteration"]["scenarios"][0]["steps"][0]["outcome"] = "failed"

    edit(folder / "journal/suite-shop/iteration-1/record.json", change)


def move_the_schedule(folder):
    edit(folder / "journal/suite-shop/plan.json", lambda d: d["plan"].update(schedule_digest="sha256:" + "0" * 64))


def forget_an_iteration(folder):
    edit(folder / "journal/session.json", lambda d: d["suites"][0]["iterations"].pop())


@pytest.mark.parametrize("tamper", [rename_spans, fail_a_step, move_the_schedule, forget_an_iteration])
def test_a_journal_that_was_changed_with_its_sums_is_found_out(folder, tamper):
    tamper(folder)
    sum_again(folder)
    assert verify(str(folder)).discrepancies


@pytest.mark.parametrize("name", ["traces/added.jsonl", "logs/shop/iteration-1/x.log"])
def test_a_file_that_the_journal_does_not_make_is_found_out(folder, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")
    sum_again(folder)
    assert [d.file for d in verify(str(folder)).discrepancies] == [name]


def test_a_link_in_a_file_s_place_is_a_missing_file(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "junit.xml"
    (folder / "junit.xml").rename(elsewhere)
    (folder / "junit.xml").symlink_to(elsewhere)
    assert {d.file for d in verify(str(folder)).discrepancies} == {"junit.xml"}


def test_a_journal_that_was_broken_is_a_difference_where_the_sums_say_so(folder):
    (folder / "journal/suite-shop/plan.json").write_text("{")
    assert [d.file for d in verify(str(folder)).discrepancies] == ["journal/suite-shop/plan.json", "journal"]
    sum_again(folder)
    with pytest.raises(UsageError, match=r"plan\.json"):
        verify(str(folder))


@pytest.mark.parametrize("name", ["report.json", "SHA256SUMS"])
def test_a_journal_alone_has_nothing_to_be_compared_with(folder, name):
    (folder / name).unlink()
    with pytest.raises(UsageError, match=f"there is no {name}"):
        verify(str(folder))


def test_a_journal_outside_of_a_report_is_refused(folder):
    (folder / "journal").rename(folder / "other")
    with pytest.raises(UsageError, match="lies in no report folder"):
        verify(str(folder / "other"))


def test_a_masked_secret_is_no_tampering_and_no_pass(tmp_path):
    # The name of a span is part of the digest: with it masked, nobody can recompute that.
    recorded(tmp_path, secrets=("INSERT orders",))
    found = verify(str(tmp_path))
    assert found.discrepancies == ()
    assert "secrets were masked" in found.unknown[0]
    (tmp_path / "summary.md").write_text("all is well")
    assert verify(str(tmp_path)).discrepancies


def test_another_version_is_named_as_a_possible_cause(folder):
    edit(folder / "journal/run.json", lambda d: d.update(version="0.0.0-other"))
    sum_again(folder)
    found = verify(str(folder))
    assert found.discrepancies
    assert "version 0.0.0-other wrote the report" in found.unknown[0]


def test_every_file_of_a_report_with_workloads_is_looked_at(tmp_path):
    write_report(working(), tmp_path)
    files = files_of(tmp_path)
    assert files == contents(tmp_path)
    assert any(name.startswith("timelines/") for name in files)
    assert check_sums(files["SHA256SUMS"].decode(), files) == ()


def test_a_time_line_that_the_journal_does_not_make_is_found(folder):
    (folder / "timelines").mkdir()
    (folder / "timelines" / "more.svg").write_text("<svg/>")
    sum_again(folder)
    assert [(d.file, d.says) for d in verify(str(folder)).discrepancies] == [("timelines/more.svg", "a file")]
