"""A folder with labels that are wrong on purpose: found, corrected, and in everything that hangs on labels."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from core.data import open_source
from core.errors import UserFacingError
from core.pipeline import relabel, relabel_sheet, selected
from core.pipeline.atlas import open_atlas
from core.pipeline.lists import listed
from core.pipeline.marks import Marks
from core.pipeline.tabled import open_benches
from core.settings import Settings
from tests.atlases import MODEL
from tests.curated import NAME, Planted, indexed, planted


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), decoders=1, offline=True)


@pytest.fixture(scope="module")
def truth(settings: Settings) -> Planted:
    found = planted(settings.home / "toys", settings)
    indexed(settings.home / "toys", settings, found)
    return found


def judged_right(settings: Settings) -> float:
    """As Compare says."""
    (bench,) = open_benches(settings, "image", NAME).found
    errors = bench.sheets[0].errors
    assert errors is not None
    return 1.0 - float(errors.mean())


def test_planted_labels_are_found_corrected_and_followed_by_figures_and_trainings(
    settings: Settings, truth: Planted
) -> None:
    before = open_atlas(NAME, MODEL, settings)
    rows = listed(before, "wrong").rows
    found = {before.ids[row] for row in rows}
    assert len(found & truth.wrong) >= 9  # of 10
    assert len(found - truth.wrong) <= 2
    first = judged_right(settings)
    sheet = relabel_sheet.columns(before, rows, Marks({}, {}))
    lines = [replace(line, new_label=truth.truth[line.id]) for line in relabel_sheet.lines_of(sheet)]
    relabel.apply(NAME, relabel.preview(NAME, lines, settings), settings)
    after = open_atlas(NAME, MODEL, settings)
    assert not {after.ids[row] for row in listed(after, "wrong").rows} & found
    fixed = len(found & truth.wrong) / len(after)
    assert judged_right(settings) == pytest.approx(first + fixed, abs=1e-9)
    manifest = selected.write(after, after.ids, settings)
    with manifest.open() as stream:
        written = {row["id"]: row for row in csv.DictReader(stream)}
    assert set(written) == set(truth.truth)
    left = truth.wrong - found
    assert {id_ for id_, row in written.items() if row["label"] != truth.truth[id_]} == left
    assert all(row["split"] == id_.partition("/")[0] for id_, row in written.items())
    data = open_source(str(manifest), settings)
    assert {item.split for item in data.items} == {"train", "test"}
    assert sum(item.split == "train" for item in data.items) == sum(id_.startswith("train") for id_ in truth.truth)


def test_a_collection_of_copies_has_every_item_labelled_or_none(settings: Settings, truth: Planted) -> None:
    atlas = open_atlas(NAME, MODEL, settings)
    ids = atlas.ids[:8]
    for names in (atlas.label_names, (None,) * len(atlas)):
        told = replace(atlas, label_names=names, fingerprint=str(names[0]))
        data = open_source(str(selected.write_all(told, ids, settings)), settings)
        assert [None if item.label is None else data.classes[item.label] for item in data.items] == list(names[:8])
        assert [data.read(item) for item in data.items] == [(settings.home / "toys" / id_).read_bytes() for id_ in ids]
    some = replace(atlas, label_names=(None, None, *atlas.label_names[2:]), fingerprint="some")
    with pytest.raises(UserFacingError, match="2 of these items have no label"):
        selected.write_all(some, ids, settings)
    assert len(open_source(str(selected.write(some, atlas.ids, settings)), settings).items) == len(atlas) - 2
    several = replace(atlas, labels=np.zeros((len(atlas), 12), np.int64))
    with pytest.raises(UserFacingError, match="several labels each"):
        selected.write_all(several, ids, settings)
