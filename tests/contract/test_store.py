"""Collections: what goes in comes out, shared vectors, one writer, whole commits, migrations, exports."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.contracts import Problem
from core.errors import StoreError
from core.store import (
    About,
    Backbone,
    ModelRow,
    PositionRow,
    UncertaintyRow,
    Where,
    Writer,
    delete,
    open_collection,
    trace,
)
from core.store._sql import one_of
from tests.stored import TOY, item, sha, vector

AUDIO = About("audio", title="Test", classes=("b", "a"))
AWKWARD = ["it's", "x' OR '1'='1", "back\\slash", "line\nbreak", "nul\x00", "日本", "a;drop", "`id`", "%_", "\u202eabc"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "collections"


def written(root: Path, name: str = "one") -> Writer:
    return open_collection(root, name, create=AUDIO, write=True)


def filled(root: Path, count: int = 6) -> Path:
    with written(root) as writer:
        writer.add_vectors(TOY, [sha(n) for n in range(count)], np.stack([vector(n) for n in range(count)]))
        writer.add([item(n, label="ab"[n % 2]) for n in range(count)])
    return root


def test_an_item_comes_back_as_it_went_in(root: Path) -> None:
    with written(root) as writer:
        writer.add([item(3, label="a"), item(4)])
    rows = open_collection(root, "one").fetch(["clip-4", "nobody", "clip-3"])
    assert rows == (item(4), item(3, label="a"))


def test_labels_get_the_index_of_their_class_and_new_classes_come_last(root: Path) -> None:
    with written(root) as writer:
        writer.add([item(0, label="a"), item(1, label="z"), item(2, label="b")])
    reader = open_collection(root, "one")
    assert reader.about.classes == ("b", "a", "z")
    assert reader.items(["label_index"])["label_index"].to_pylist() == [1, 2, 0]


@pytest.mark.parametrize("text", AWKWARD)
def test_no_text_is_ever_a_piece_of_a_query(root: Path, text: str) -> None:
    with written(root) as writer:
        writer.add([item(1, name=text, label=text), item(2, name="other", label="other")])
        writer.tag([text], text)
        writer.note(text, text)
        writer.add_uncertainties([UncertaintyRow(text, text, 0.5)])
    reader = open_collection(root, "one")
    for where in (Where(ids=[text]), Where(labels=[text]), Where(tags=[text])):
        assert reader.items(["id"], where)["id"].to_pylist() == [text]
    assert [row.id for row in reader.uncertainties(text)] == [text]
    with written(root) as writer:
        writer.untag([text], text)
        writer.note(text, "")
    assert (reader.counts().tags, reader.counts().notes, reader.counts().items) == (0, 0, 2)


def test_text_that_is_no_unicode_is_refused_in_a_sentence(root: Path) -> None:
    with written(root) as writer, pytest.raises(StoreError, match="not valid Unicode"):
        writer.add([item(1, name="bad\udcff")])
    assert one_of("id", []) == "false"


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "A", "a b", "a\n", ".hidden", "x" * 65, "é", "a'b", "-a", "bad\udcff"]
)
def test_a_name_that_could_be_a_path_names_no_collection(root: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot name a collection"):
        open_collection(root, name, create=AUDIO, write=True)
    with pytest.raises(StoreError, match="cannot name a collection"):
        delete(root, name)
    assert not root.exists()


def test_conditions_are_all_met_and_items_come_in_order_of_arrival(root: Path) -> None:
    with written(root) as writer:
        writer.add([item(n, label="ab"[n % 2]) for n in (9, 3, 7, 1, 8, 4)])
        writer.flush()
        writer.add([replace(item(7, label="a"), fold=0)])  # replaced: arrives again
        writer.tag(["clip-3", "clip-1", "clip-4"], "loud")
    reader = open_collection(root, "one")
    assert reader.items(["id"])["id"].to_pylist() == ["clip-9", "clip-3", "clip-1", "clip-8", "clip-4", "clip-7"]
    found = reader.items(["id"], Where(labels=["b"], folds=[1, 3, 4], tags=["loud"]))
    assert found["id"].to_pylist() == ["clip-3", "clip-1"]
    assert reader.items(["id"], Where(groups=["source-4"], splits=["train"]))["id"].to_pylist() == ["clip-9", "clip-8"]
    assert reader.items(["id"], Where(ids=[])).num_rows == 0
    with pytest.raises(StoreError, match="no column"):
        reader.items(["id; drop"])


def test_two_ids_share_one_vector(root: Path) -> None:
    with written(root) as writer:
        writer.add_vectors(TOY, [sha(1), sha(2)], np.stack([vector(1), vector(2)]))
        writer.add([item(1), item(5, bytes_of=1), item(2), item(3)])
        assert writer.missing_vectors([sha(3), sha(1), sha(3)], TOY) == (sha(3),)
        writer.flush()
        assert writer.missing_vectors([sha(3), sha(1), sha(2)], TOY) == (sha(3),)
        assert writer.missing_vectors([sha(1)], replace(TOY, version="2")) == (sha(1),)
    reader = open_collection(root, "one")
    found = reader.vectors(TOY)
    assert found.ids == ("clip-1", "clip-5", "clip-2")
    assert np.array_equal(found.matrix, np.stack([vector(1), vector(1), vector(2)]))
    assert (reader.counts().vectors, reader.counts().media) == (2, 3)
    assert reader.backbones == (TOY,)
    with pytest.raises(StoreError, match="no vectors of 'toy'"):
        reader.vectors(replace(TOY, version="2"))


def test_backbones_of_different_widths_live_side_by_side(root: Path) -> None:
    wide = Backbone("it's ../wide", "1", 16)
    with written(filled(root)) as writer:
        writer.add_vectors(wide, [sha(0)], np.ones((1, 16), np.float32))
        with pytest.raises(ValueError, match="not finite"):
            writer.add_vectors(wide, [sha(1)], np.full((1, 16), np.nan, np.float32))
        with pytest.raises(ValueError, match="dimension 16"):
            writer.add_vectors(wide, [sha(1)], np.ones((1, 8), np.float32))
    reader = open_collection(root, "one")
    assert reader.vectors(wide).matrix.shape == (1, 16)
    assert reader.vectors(TOY).matrix.shape == (6, 8)


def test_new_bytes_under_an_id_take_its_measures_along_but_not_its_tags(root: Path) -> None:
    with written(filled(root)) as writer:
        for number in (1, 2):
            writer.add_uncertainties([UncertaintyRow(f"clip-{number}", "m", 1.0, 0.6, 0.4, label="a")])
            writer.add_positions([PositionRow(f"clip-{number}", "map", 0.5, -0.5)])
            writer.tag([f"clip-{number}"], "kept")
        writer.flush()
        writer.add([item(1, bytes_of=77), item(2)])
    reader = open_collection(root, "one")
    assert [row.id for row in reader.uncertainties("m")] == ["clip-2"]
    assert reader.uncertainties("m")[0] == UncertaintyRow("clip-2", "m", 1.0, 0.6, 0.4, label="a")
    assert reader.positions("map") == (PositionRow("clip-2", "map", 0.5, -0.5),)
    assert {row.id for row in reader.tags()} == {"clip-1", "clip-2"}


def test_an_id_is_an_item_or_a_problem(root: Path) -> None:
    with written(filled(root)) as writer:
        writer.add_problems(
            [Problem("clip-1", "decode", "damaged", "Damaged."), Problem("clip-2", "read", "gone", "G")]
        )
        writer.flush()
        assert writer.stored(["clip-1", "clip-2"]) == {"clip-2": sha(2)}  # unreadable now is not refused
        assert {problem.id for problem in writer.problems()} == {"clip-1", "clip-2"}
        writer.add([item(1)])
        writer.clear_problems(["clip-2"])
    reader = open_collection(root, "one")
    assert (reader.counts().items, reader.problems()) == (6, ())


def test_an_export_can_be_opened_in_a_spreadsheet_without_running_anything(root: Path, tmp_path: Path) -> None:
    formulas = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]
    with written(root) as writer:
        writer.add([replace(item(n, name=text, label=text), extra=(("=h", text),)) for n, text in enumerate(formulas)])
        writer.tag([formulas[0]], "=tag")
        writer.note(formulas[1], "=note")
        writer.add_uncertainties([UncertaintyRow(formulas[2], "=model", -1.5, label="=l", top=(("=l", 0.5),))])
    reader = open_collection(root, "one")
    assert reader.export(tmp_path / "out.csv") == reader.export(tmp_path / "out.parquet") == len(formulas)
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    table = pq.read_table(tmp_path / "out.parquet")
    assert header == table.column_names
    exact = table.to_pylist()
    for row, whole in zip(rows, exact, strict=True):
        for name, cell in zip(header, row, strict=True):
            value = whole[name]
            if isinstance(value, str):
                assert cell[:1] not in "=+-@\t\r" or not cell
                assert cell.removeprefix("'") == value
            else:
                assert cell == ("" if value is None else str(value))
    assert [row["id"] for row in exact] == formulas
    assert exact[2]["model =model: total"] == -1.5
    assert json.loads(exact[2]["model =model: top"]) == [["=l", 0.5]]
    with pytest.raises(StoreError, match=r"ends in \.csv or \.parquet"):
        reader.export(tmp_path / "out.xlsx")


def test_a_model_and_the_classes_it_finds_likely_come_back(root: Path) -> None:
    early, late = (
        ModelRow(key, "m", "mark", TOY.key, TOY.version, TOY.dim, 5, 0, datetime(2026, 1, day, tzinfo=UTC))
        for day, key in enumerate(("early", "late"), 1)
    )
    row = UncertaintyRow("clip-1", "late", 0.5, label="a", confidence=0.75, top=(("a", 0.75), ('b, "c"', 0.25)))
    with open_collection(filled(root), "one", write=True) as writer:
        writer.add_model(late)
        writer.add_model(early)
        writer.add_uncertainties([row])
    reader = open_collection(root, "one")
    assert reader.models() == (late, early)
    assert reader.models()[0].vectors == TOY
    assert reader.uncertainties("late") == (row,)


def test_a_look_at_a_folder_tells_every_change(root: Path) -> None:
    assert trace(root, "one") is None
    filled(root)
    seen = [trace(root, "one")]
    assert seen[0] is not None
    open_collection(root, "one").counts()
    assert trace(root, "one") == seen[0]  # reading is no change
    with open_collection(root, "one", write=True) as writer:
        for change in (lambda: writer.tag(["clip-1"], "odd"), lambda: writer.note("clip-1", "n"), writer.compact):
            before = open_collection(root, "one").version
            change()
            changed = open_collection(root, "one").version != before
            assert changed <= (trace(root, "one") != seen[-1])
            seen.append(trace(root, "one"))
    assert len(set(seen)) >= 3
    delete(root, "one")
    assert trace(root, "one") is None
    filled(root)
    assert trace(root, "one") not in seen
    assert trace("s3://bucket/folder", "one") is None
