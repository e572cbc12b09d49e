from __future__ import annotations

import pytest

from cleanroom.errors import UsageError
from cleanroom.pipeline.retelling import find_journal, retell, write_again
from cleanroom.report.write import RENDERERS
from tests.unit.pipeline.journals import contents, recorded
from tests.unit.run.worlds import behaving, order, shop

WORLDS = {
    "well": behaving,
    "shared": lambda: behaving(shop(order("a"), order("b"), environment="suite")),
    "no effect": lambda: behaving(shape={"holds": False}),
    "not reverted": lambda: behaving(shape={"stays": True}),
}


@pytest.mark.parametrize("name", WORLDS)
def test_every_output_is_made_again_byte_for_byte(name, tmp_path):
    report = recorded(tmp_path / "out", WORLDS[name]())
    told = retell(find_journal(str(tmp_path / "out")))
    assert told.report == report
    for file, render in RENDERERS.items():
        assert render(told.report).encode() == (tmp_path / "out" / file).read_bytes()


def test_the_whole_folder_is_written_again_byte_for_byte(tmp_path):
    recorded(tmp_path / "out")
    journal = find_journal(str(tmp_path / "out" / "journal"))
    write_again(retell(journal), journal, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "out")
    assert "SHA256SUMS" in contents(tmp_path / "again")


def test_the_folder_that_is_read_is_never_written_to(tmp_path):
    recorded(tmp_path / "out")
    journal = find_journal(str(tmp_path / "out"))
    before = contents(tmp_path)
    for out in (tmp_path / "out", tmp_path, journal, journal / "deeper"):
        with pytest.raises(UsageError, match="is the one that is read"):
            write_again(retell(journal), journal, out)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["nowhere", ".", "a\x1b[31mb"])
def test_a_place_without_a_journal_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no journal of a finished run") as caught:
        find_journal(name)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "file", ["run.json", "session.json", "suite-shop/plan.json", "suite-shop/iteration-1/record.json"]
)
@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[1]"])
def test_a_broken_journal_is_named_by_file(file, data, tmp_path):
    recorded(tmp_path)
    (tmp_path / "journal" / file).write_bytes(data)
    with pytest.raises(UsageError, match=file.rpartition("/")[2]):
        retell(tmp_path / "journal")


def test_a_journal_without_the_facts_of_its_report_is_refused(tmp_path):
    recorded(tmp_path)
    (tmp_path / "journal" / "run.json").unlink()
    with pytest.raises(UsageError, match=r"run\.json: not part of a complete journal: No such file"):
        retell(tmp_path / "journal")
