"""Exports for FiftyOne, Spotlight and Embedding Atlas: each is opened again and is what their readers take."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from core.cli import main
from core.errors import UserFacingError
from core.pipeline import _exchange_media, exchange
from core.pipeline.atlas import Atlas, open_atlas, read_item
from core.settings import Settings
from core.store import open_collection
from core.store.export import octets
from tests.atlases import MODEL, filled, picture

SOUNDS = np.arange(0, 90, 30)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"), decoders=1, offline=True)
    filled(settings, settings.home / "pictures")
    with open_collection(settings.collections, "five", write=True) as writer:
        for tag in ("odd", "look again"):
            writer.tag(["1.png"], tag)
        writer.flush()
    return settings


@pytest.fixture(scope="module")
def five(settings: Settings) -> Atlas:
    """Pictures on disk, four of them with features; with a map drawn by hand that leaves out the last."""
    atlas = open_atlas("five", MODEL, settings)
    points = np.array([(0, 0), (1, 0), (0, 1), (1, 1), (np.nan, np.nan)], np.float32)
    names = ("=1+1", "@boat", "cup", "zebra", None)
    return replace(atlas, points=points, label_names=names, columns={**atlas.columns, "tags": ("x",) * 5})


@pytest.fixture(scope="module")
def sounds(settings: Settings) -> Atlas:
    return open_atlas("heldout", "soundbox-ensemble", settings)


def table(atlas: Atlas, tool: exchange.Tool, settings: Settings, rows: np.ndarray | None = None) -> pa.Table:
    """Through a file, as a reader gets it."""
    rows = np.arange(len(atlas)) if rows is None else rows
    raw = octets(exchange.made(atlas, rows, tool, ".parquet", settings).table, ".parquet")
    return parquet.read_table(io.BytesIO(raw))


def lines(atlas: Atlas, tool: exchange.Tool, settings: Settings) -> list[dict[str, str]]:
    made = exchange.made(atlas, np.arange(len(atlas)), tool, ".csv", settings)
    return list(csv.DictReader(io.StringIO(octets(made.table, ".csv").decode())))


# ---- pictures ----


def test_fiftyone_gets_absolute_paths_tags_and_fields_it_can_name(five: Atlas, settings: Settings) -> None:
    found = table(five, "fiftyone", settings)
    rows = found.to_pylist()
    assert [Path(row["filepath"]).read_bytes() for row in rows] == [picture(number) for number in range(5)]
    assert all(Path(row["filepath"]).is_absolute() for row in rows)
    assert [row["tags"] for row in rows] == [[], ["look again", "odd"], [], [], []]
    assert [row["ground_truth"] for row in rows] == list(five.label_names)
    assert [row["prediction"] for row in rows] == ["boat"] * 4 + [None]
    assert all(re.fullmatch("[a-z][a-zA-Z0-9_]*", name) for name in found.column_names)
    assert not {"id", "metadata", "media_type"} & set(found.column_names)
    assert rows[0]["tags_of_item"] == "x", "a column of one's own that is called as one of theirs"
    assert [None if row["embedding"] is None else len(row["embedding"]) for row in rows] == [4, 4, 4, 4, None]
    assert found.schema.field("embedding").type == pa.list_(pa.float32())
    assert {row["model"] for row in rows} == {MODEL}


def test_spotlight_gets_paths_of_pictures_and_embeddings_as_lists(five: Atlas, settings: Settings) -> None:
    rows = table(five, "spotlight", settings).to_pylist()
    assert [Path(row["image"]).read_bytes() for row in rows] == [picture(number) for number in range(5)]
    assert np.array_equal([row["embedding"] for row in rows[:4]], np.eye(5, 4)[:4])
    assert rows[1]["tags"] == "look again, odd"
    (first, *_) = lines(five, "spotlight", settings)
    assert ast.literal_eval(first["embedding"]) == [1, 0, 0, 0], "as Spotlight reads the cells of a CSV"


def test_embedding_atlas_gets_places_neighbours_by_row_number_and_pictures_inside(
    five: Atlas, settings: Settings
) -> None:
    made = exchange.made(five, np.arange(5), "embedding-atlas", ".parquet", settings)
    rows = made.table.to_pylist()
    assert made.notes == ("1 item without a place on the map is left out.",)
    assert [row["id"] for row in rows] == ["0.png", "1.png", "2.png", "3.png"]
    assert [(row["x"], row["y"]) for row in rows] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    for place, row in enumerate(rows):
        assert sorted([place, *row["neighbors"]["ids"]]) == [0, 1, 2, 3]
        assert row["neighbors"]["distances"] == [1, 1, 1], "of axes at right angles"
        shown = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert (shown.format, shown.size) == ("JPEG", (8, 8)), "a format that its viewer tells by the first bytes"
    assert [row["text"] for row in rows] == ["=1+1", "@boat", "cup", "zebra"]


def test_neighbours_are_those_of_a_naive_loop_among_the_selected_alone(settings: Settings) -> None:
    toys = open_atlas("heldout", "toybox-ensemble", settings)
    assert toys.features is not None
    rows = np.arange(3, 100, 4)
    cells = table(replace(toys, shas=None), "embedding-atlas", settings, rows)["neighbors"].to_pylist()
    where = {row: place for place, row in enumerate(toys.feature_rows.tolist())}
    vectors = np.array([toys.features[where[row]] for row in rows.tolist()], np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for place, cell in enumerate(cells):
        far = 1 - vectors @ vectors[place]
        far[place] = np.inf
        assert np.allclose(cell["distances"], np.sort(far)[:15], atol=1e-5)
        assert np.allclose(far[cell["ids"]], cell["distances"], atol=1e-5)


def test_a_csv_runs_nothing_in_a_spreadsheet_and_says_what_it_cannot_hold(five: Atlas, settings: Settings) -> None:
    for tool in exchange.TOOLS:
        rows = lines(five, tool, settings)
        cells = [cell for row in rows for cell in row.values()]
        assert not [cell for cell in cells if cell[:1] in "=+@\t\r" and cell]
        assert not [cell for cell in cells if cell[:1] == "-" and not re.fullmatch(r"-[\d.e-]+", cell)]
        assert "'=1+1" in cells
    assert json.loads(lines(five, "fiftyone", settings)[1]["tags"]) == ["look again", "odd"]
    made = exchange.made(five, np.arange(5), "embedding-atlas", ".csv", settings)
    assert "A CSV does not hold image, neighbors; take Parquet for them." in made.notes


# ---- sounds, and items that have no file ----


def test_sounds_that_are_made_on_the_spot_are_written_once_and_lead_to_what_was_heard(
    sounds: Atlas, settings: Settings
) -> None:
    rows = table(sounds, "spotlight", settings, SOUNDS).to_pylist()
    for row, found in zip(SOUNDS.tolist(), rows, strict=True):
        assert Path(found["audio"]).read_bytes() == read_item(sounds, sounds.ids[row], settings)
        assert Path(found["audio"]).suffix == ".flac"
        assert Image.open(io.BytesIO(found["image"])).width > 50, "its spectrogram"
    before = sorted((settings.home / "exports").rglob("*.*"))
    again = table(sounds, "fiftyone", settings, SOUNDS).to_pylist()
    assert [row["sound_path"] for row in again] == [row["audio"] for row in rows]
    for row in again:
        with Image.open(row["filepath"]) as shown:
            assert (shown.format, shown.width > 50) == ("JPEG", True)
    heard = [path for path in sorted((settings.home / "exports").rglob("*.*")) if path.suffix == ".flac"]
    assert heard == [path for path in before if path.suffix == ".flac"]


def test_sounds_are_inside_a_file_for_embedding_atlas_unless_they_are_many(
    sounds: Atlas, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table(sounds, "embedding-atlas", settings, SOUNDS).to_pylist()
    for row, found in zip(SOUNDS.tolist(), rows, strict=True):
        assert found["audio"]["bytes"] == read_item(sounds, sounds.ids[row], settings)
        assert found["audio"]["path"].endswith(".flac")
    monkeypatch.setattr(_exchange_media, "SOUNDS", 2)
    made = exchange.made(sounds, SOUNDS, "embedding-atlas", ".parquet", settings)
    assert made.table["audio"].null_count == 3
    assert any(note.startswith("Sounds are left out beyond 2 items") for note in made.notes)


def test_items_whose_files_are_elsewhere_say_so(settings: Settings) -> None:
    esc = open_atlas("heldout", "esc10-mc-dropout", settings)
    made = exchange.made(esc, np.arange(6), "fiftyone", ".parquet", settings)
    assert len(made) == 0
    assert any("are not on this machine" in note for note in made.notes)
    assert "6 items without a file that FiftyOne could show are left out." in made.notes
    placed = exchange.made(esc, np.arange(6), "embedding-atlas", ".csv", settings)
    assert len(placed) == 6


def test_a_full_disk_is_one_sentence(sounds: Atlas, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("no folder")
    with pytest.raises(UserFacingError, match="free some space"):
        exchange.made(sounds, SOUNDS[:1], "spotlight", ".csv", replace(settings, home=tmp_path))


# ---- the lines that open it, and the command ----


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("tool", list(exchange.TOOLS))
def test_the_lines_that_open_a_file_name_columns_that_it_has(
    five: Atlas, settings: Settings, tool: exchange.Tool, suffix: str
) -> None:
    made = exchange.made(five, np.arange(5), tool, suffix, settings)  # type: ignore[arg-type]
    language, text = exchange.recipe(tool, f"mine{suffix}", made)
    assert f"mine{suffix}" in text
    if language == "python":
        named = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
        assert named - {f"mine{suffix}", 0} <= set(made.table.column_names) | {None}
    else:
        options = re.findall(r"--(\w+) (\w+)", text)
        assert {column for _, column in options} <= set(made.table.column_names)
        assert ("x", "x") in options


def test_the_command_writes_for_a_tool(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    target = tmp_path / "five.parquet"
    assert main(("export", "five", "--to", str(target), "--for", "spotlight", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["for"], told["model"]) == (5, "spotlight", MODEL)
    assert told["recipe"].startswith("# pip install renumics-spotlight\nimport pandas")
    assert parquet.read_table(target).num_rows == 5
    for words, sentence in (
        (("--for", "excel"), "There is no export for 'excel'; known: fiftyone, spotlight, embedding-atlas."),
        (("--model", MODEL), "--model goes with --for"),
        (("--for", "spotlight", "--model", "toybox-vim"), "index it with toybox-vim"),
    ):
        assert main(("export", "five", "--to", str(target), *words)) == 2
        assert sentence in capsys.readouterr().err
    with pytest.raises(UserFacingError, match="ends in"):
        open_collection(settings.collections, "five").export(tmp_path / "five.xlsx")
