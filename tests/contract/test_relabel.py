"""New labels: the list goes out and comes back, what is wrong with it is refused, and every change has a way back."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.cli import main
from core.errors import StoreError, UserFacingError
from core.pipeline import marks, relabel, relabel_sheet
from core.pipeline.atlas import open_atlas
from core.pipeline.index import index
from core.pipeline.relabel import Line
from core.settings import Settings
from core.store import open_collection
from tests.atlases import MODEL, WORDS, filled

FIVE = [f"{number}.png" for number in range(5)]


@pytest.fixture
def five(tmp_path: Path) -> Settings:
    """The collection "five": labels Ball, boat, cup, zebra and none."""
    settings = Settings(home=tmp_path / "home", decoders=1, offline=True)
    filled(settings, tmp_path / "pictures")
    return settings


def labels(settings: Settings) -> dict[str, str | None]:
    table = open_collection(settings.collections, "five").items(("id", "label"))
    return dict(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))


def sheet(settings: Settings, fill: Callable[[dict[str, str]], None] = lambda line: None) -> bytes:
    """The list as it is taken along, with some cells changed as a spreadsheet would."""
    atlas = open_atlas("five", MODEL, settings)
    raw = relabel_sheet.csv_of(relabel_sheet.columns(atlas, np.arange(len(atlas)), marks.marks_of("five", settings)))
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, list(rows[0]))
    writer.writeheader()
    for row in rows:
        fill(row)
        writer.writerow(row)
    return target.getvalue().encode()


def brought(settings: Settings, raw: bytes, name: str = "labels.csv") -> relabel.Preview:
    path = settings.home / name
    path.write_bytes(raw)
    atlas = open_atlas("five", MODEL, settings)
    return relabel.preview("five", relabel_sheet.read(path), settings, classes=atlas.classes)


def to(**new: str) -> Callable[[dict[str, str]], None]:
    """Fill in new labels by the number of the item."""

    def fill(line: dict[str, str]) -> None:
        line["new_label"] = new.get(f"n{line['id'][0]}", "")

    return fill


# ---- the round trip ----


def test_a_list_that_comes_back_changes_what_was_filled_in_and_nothing_else(five: Settings) -> None:
    def fill(line: dict[str, str]) -> None:
        to(n0="boat", n4="Cup")(line)
        if line["id"] == "2.png":
            line["note"] = "looks odd"

    planned = brought(five, sheet(five, fill))
    assert planned.problems == ()
    assert planned.moves() == {("Ball", "boat"): 1, ("no label", "cup"): 1}  # as the collection writes it
    assert (planned.untouched, planned.already, planned.notes) == (3, 0, (("2.png", "looks odd"),))
    assert labels(five) == dict(zip(FIVE, WORDS, strict=True))  # a preview changes nothing
    relabel.apply("five", planned, five)
    assert labels(five) == dict(zip(FIVE, ("boat", "boat", "cup", "zebra", "cup"), strict=True))
    assert marks.marks_of("five", five).notes == {"2.png": "looks odd"}
    old = sheet(five, lambda line: line.update(note=""))  # as it went out before anybody wrote
    assert brought(five, old).notes == ()
    again = brought(five, sheet(five, to(n0="boat")))
    assert (again.changes, again.already) == ((), 1)


def test_what_hangs_on_labels_follows_and_what_does_not_stays(five: Settings) -> None:
    before = open_atlas("five", MODEL, five)
    relabel.apply("five", brought(five, sheet(five, to(n0="boat", n3="boat"))), five)
    after = open_atlas("five", MODEL, five)
    place = {id_: row for row, id_ in enumerate(after.ids)}
    rows = [place[id_] for id_ in before.ids]
    assert np.array_equal(after.right[rows], [1, 1, 0, 1, np.nan], equal_nan=True)
    assert after.fingerprint != before.fingerprint
    for name, values in before.doubts.items():
        assert np.array_equal(after.doubts[name][rows], values, equal_nan=True)
    assert {after.ids[row] for row in after.feature_rows} == {before.ids[row] for row in before.feature_rows}
    assert after.groups[rows[0]] == after.groups[rows[1]] != after.groups[rows[2]]
    assert [after.columns["first label"][row] for row in rows] == ["Ball", None, None, "zebra", None]
    assert after.columns["room"][rows[1]] == "r1"
    assert "label history" not in after.columns


def test_indexing_the_source_again_keeps_corrected_labels(five: Settings) -> None:
    from core.data import open_source

    relabel.apply("five", brought(five, sheet(five, to(n0="boat"))), five)
    with open_collection(five.collections, "five", write=True) as writer:
        index(open_source(writer.about.source, five), writer, workers=1)
    assert labels(five)["0.png"] == "boat"


def test_changes_are_taken_back_one_after_the_other(five: Settings) -> None:
    first = relabel.apply("five", brought(five, sheet(five, to(n0="boat", n4="cup"))), five)
    second = relabel.apply("five", brought(five, sheet(five, to(n0="cup"))), five)
    assert [batch.key for batch in relabel.history("five", five)] == [second.key, first.key]
    assert relabel.undo("five", five).key == second.key
    assert labels(five)["0.png"] == "boat"
    assert set(relabel.undo("five", five).changes) == set(first.changes)
    assert labels(five) == dict(zip(FIVE, WORDS, strict=True))
    with pytest.raises(UserFacingError, match="nothing to take back"):
        relabel.undo("five", five)
    assert open_collection(five.collections, "five").fetch(["0.png"])[0].extra == (("room", "r0"),)


def test_names_that_a_spreadsheet_would_run_go_out_harmless_and_come_back_as_they_were(five: Settings) -> None:
    with open_collection(five.collections, "five", write=True) as writer:
        row = writer.fetch(["3.png"])[0]
        writer.add([replace(row, id="=cmd()", label="@sum"), replace(row, id="-9.png", label="+1")])
    marks.note("five", ["=cmd()"], "=1+1", five)
    raw = sheet(five, lambda line: line.update(new_label="boat" if "cmd" in line["id"] else ""))
    cells = [cell for row in csv.reader(io.StringIO(raw.decode())) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    planned = brought(five, raw)
    assert planned.problems == ()
    assert planned.notes == ()
    assert [(one.id, one.old, one.new) for one in planned.changes] == [("=cmd()", "@sum", "boat")]
    relabel.apply("five", planned, five)
    assert labels(five)["=cmd()"] == "boat"


def test_the_ways_in_which_spreadsheets_save_are_read(five: Settings) -> None:
    rows = list(csv.reader(io.StringIO(sheet(five, to(n1="cup")).decode())))
    for encoding, delimiter in itertools.product(("utf-8", "utf-8-sig", "utf-16"), ",;\t"):
        target = io.StringIO(newline="")
        csv.writer(target, delimiter=delimiter).writerows(rows)
        planned = brought(five, target.getvalue().encode(encoding))
        assert [(one.id, one.new) for one in planned.changes] == [("1.png", "cup")], (encoding, delimiter)


# ---- what is refused ----


def test_every_slip_is_told_by_its_row_and_nothing_changes(five: Settings) -> None:
    def fill(line: dict[str, str]) -> None:
        to(n0="bout", n1="cup", n2="boat", n3="boat")(line)
        line["label"] = "cat" if line["id"] == "1.png" else line["label"]
        line["id"] = "gone.png" if line["id"] == "2.png" else line["id"]

    planned = brought(five, sheet(five, fill))
    told = "\n".join(planned.problems)
    assert "Row 2: 'bout' is no class of the collection or of the model; did you mean boat?" in told
    assert "Row 3: the label of '1.png' is boat now and was cat in the list" in told
    assert "Row 4: the collection has no item 'gone.png'" in told
    assert len(planned.problems) == 3
    with pytest.raises(UserFacingError):
        relabel.apply("five", planned, five)
    assert labels(five) == dict(zip(FIVE, WORDS, strict=True))


def test_two_answers_for_one_item_and_a_list_without_an_end_are_refused(five: Settings) -> None:
    lines = [Line(2, "0.png", "Ball", "boat", None), Line(3, "0.png", "Ball", "cup", None)]
    assert "two different new labels" in relabel.preview("five", lines, five).problems[0]
    many = [Line(row, f"{row}.gif", "", "boat", None) for row in range(2, 900)]
    told = relabel.preview("five", many, five).problems
    assert len(told) == 21
    assert told[-1] == "And 878 more rows like these."


def test_a_file_that_is_no_such_list_is_one_sentence(five: Settings) -> None:
    for raw, says in (
        (b"", "empty"),
        (b"id,label,new_label\n", "no rows"),
        (b"name,label\n0.png,Ball\n", "no column id"),
        ("id,label,new_label\n0.png,Ball,Geb\xe4ude\n".encode("latin-1"), "UTF-8"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "."),
        (b"id,label,new_label\n0.png,Ball\n", "columns|cells|fields"),
    ):
        with pytest.raises(UserFacingError, match=says):
            brought(five, raw)


def test_new_classes_come_only_when_they_are_asked_for(five: Settings) -> None:
    lines = [Line(2, "0.png", "Ball", "lighthouse", None)]
    assert relabel.preview("five", lines, five).problems
    planned = relabel.preview("five", lines, five, new_classes=True)
    assert (planned.problems, planned.fresh) == ((), ("lighthouse",))
    relabel.apply("five", planned, five)
    assert "lighthouse" in open_collection(five.collections, "five").about.classes
    odd = [Line(2, "1.png", "boat", "a\x07b", None)]
    assert relabel.preview("five", odd, five, new_classes=True).problems


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(five: Settings) -> None:
    planned = brought(five, sheet(five, to(n0="boat", n1="cup")))
    relabel.apply("five", relabel.one("five", "1.png", "lighthouse", five), five)
    with pytest.raises(UserFacingError, match="somebody else"):
        relabel.apply("five", planned, five)
    assert (labels(five)["0.png"], labels(five)["1.png"]) == ("Ball", "lighthouse")


def test_items_with_several_labels_are_left_to_their_source(five: Settings) -> None:
    with open_collection(five.collections, "five", write=True) as writer:
        writer.add([replace(writer.fetch(["0.png"])[0], extra=(("labels", "boat|cup"),))])
    with pytest.raises(UserFacingError, match="several labels each"):
        relabel.preview("five", [Line(2, "0.png", "Ball", "boat", None)], five)


# ---- tags and notes ----


def test_tags_and_notes_are_seen_by_all_and_survive(five: Settings) -> None:
    marks.tag("five", FIVE[:3], "  check   again ", five)
    marks.mark("five", "0.png", ["loud", "check again"], "a\nb", five)
    marks.mark("five", "1.png", [], "", five)
    found = marks.marks_of("five", five)
    assert found.tags == {"0.png": ("check again", "loud"), "2.png": ("check again",)}
    assert found.counts() == {"check again": 2, "loud": 1}
    assert found.tagged("check again") == ("0.png", "2.png")
    marks.untag("five", FIVE, "check again", five)
    assert marks.marks_of("five", five).counts() == {"loud": 1}
    for bad in ("", "  ", "x" * 41, "a\x00b"):
        with pytest.raises(UserFacingError, match="tag"):
            marks.tag("five", FIVE[:1], bad, five)
    with pytest.raises(UserFacingError, match="no item"):
        marks.tag("five", ["0.png", "gone.png"], "loud", five)
    with pytest.raises(UserFacingError, match="shorten"):
        marks.note("five", ["0.png"], "x" * 2001, five)
    assert marks.marks_of("five", five).counts() == {"loud": 1}


def test_a_writer_who_finds_another_waits_a_moment_and_then_says_who(
    five: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: float(len(waits)), sleep=waits.append)
    monkeypatch.setattr(marks, "time", clock)
    with (
        open_collection(five.collections, "five", write=True),
        pytest.raises(StoreError, match="being written by process"),
    ):
        marks.tag("five", FIVE[:1], "loud", five)
    assert len(waits) == 7
    with open_collection(five.collections, "five", write=True) as other:
        clock.sleep = lambda _: other.close()
        marks.tag("five", FIVE[:1], "loud", five)
    assert marks.marks_of("five", five).counts() == {"loud": 1}


# ---- commands ----


def test_the_commands_do_what_the_page_does(
    five: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENUMBRA_HOME", str(five.home))

    def asked(*words: str) -> tuple[int, dict[str, object]]:
        code = main([*words, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else {}

    target = tmp_path / "out.csv"
    assert asked("tags", "add", "five", "check", "0.png", "1.png")[1]["counts"] == {"check": 2}
    words = ("relabel", "export", "five", "--model", MODEL, "--tag", "check", "--to", str(target))
    assert asked(*words)[1]["items"] == 2
    target.write_text(target.read_text(encoding="utf-8").replace("0.9,,", "0.9,cup,"), encoding="utf-8")
    code, told = asked("relabel", "apply", "five", str(target), "--check")
    assert (code, told["applied"], len(told["changes"])) == (0, False, 2)  # type: ignore[arg-type]
    assert labels(five)["0.png"] == "Ball"
    code, told = asked("relabel", "apply", "five", str(target))
    assert (code, told["applied"], labels(five)["1.png"]) == (0, True, "cup")
    assert len(asked("relabel", "history", "five")[1]["changes"]) == 1  # type: ignore[arg-type]
    assert asked("relabel", "apply", "five", str(target)) == (2, {})  # nothing is left to change
    assert asked("relabel", "undo", "five")[0] == 0
    assert labels(five) == dict(zip(FIVE, WORDS, strict=True))
    assert asked("relabel", "undo", "five") == (2, {})
    assert asked("tags", "note", "five", "0.png", "odd")[1]["notes"] == {"0.png": "odd"}
    assert asked("tags", "remove", "five", "check", *FIVE)[1]["counts"] == {}
    assert asked("tags", "add", "five", "check", "gone.png") == (2, {})
