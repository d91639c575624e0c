"""A curator's afternoon by the functions behind the pages: find wrong labels, correct them, train again, compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.data import open_source
from core.pipeline import relabel, selected
from core.pipeline.atlas import open_atlas
from core.pipeline.keep import keep
from core.pipeline.lists import listed
from core.pipeline.relabel import Line
from core.pipeline.scored import asking_of, index_with
from core.pipeline.tabled import open_benches
from core.pipeline.train import train
from core.settings import PROJECT, Settings
from core.store import open_collection
from core.training.plan import plan_of
from core.training.recipes import pick
from tests.atlases import MODEL
from tests.curated import NAME, Planted, indexed, planted


def trained(name: str, manifest: Path, settings: Settings) -> None:
    """A head on the features of a network that never saw these pictures, in a moment."""
    knobs = ("backbone=resnet32", "start=toybox-deterministic", "fit=fixed", "schedule.epochs=20", "schedule.rate=3e-3")
    plan = plan_of(pick("own"), (f"data={manifest}", *knobs))
    keep(train(plan, name, settings), settings, command="")


def chance_of_truth(name: str, truth: Planted, settings: Settings) -> float:
    """What a model gives the class that they are of, on average over the items to be judged by."""
    atlas = open_atlas(NAME, name, settings)
    rows = [row for row, id_ in enumerate(atlas.ids) if id_.startswith("test/")]
    labels = np.array([atlas.classes.index(truth.truth[id_]) for id_ in atlas.ids])
    assert atlas.leading is not None
    return float(atlas.leading.at(labels)[rows].mean())


def test_a_model_that_learned_from_corrected_labels_stands_beside_the_one_before(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, checkpoints=PROJECT / "checkpoints", decoders=1, offline=True)
    truth: Planted = planted(tmp_path / "toys", settings, share=4)
    indexed(tmp_path / "toys", settings, truth)
    atlas = open_atlas(NAME, MODEL, settings)
    trained("before", selected.write(atlas, atlas.ids, settings), settings)
    found = [atlas.ids[row] for row in listed(atlas, "wrong").rows.tolist()]
    names = dict(zip(atlas.ids, atlas.label_names, strict=True))
    lines = [Line(at, id_, str(names[id_]), truth.truth[id_], None) for at, id_ in enumerate(found, 2)]
    relabel.apply(NAME, relabel.preview(NAME, lines, settings), settings)
    after = open_atlas(NAME, MODEL, settings)
    trained("after", selected.write(after, after.ids, settings), settings)
    with open_collection(settings.collections, NAME, write=True) as writer:
        for name in ("before", "after"):
            index_with(asking_of(name, settings, "cpu"), open_source(writer.about.source, settings), writer, workers=1)
    kept = {row["id"]: row["label"] for row in open_collection(settings.collections, NAME).items().to_pylist()}
    assert all(kept[id_] == truth.truth[id_] for id_ in found)  # read again, and still as corrected
    bench = next(one for one in open_benches(settings, "image", NAME).found if "after" in one.names)
    assert set(bench.names) == {"before", "after", MODEL}  # that learned nothing of them
    judged = {id_ for id_ in truth.truth if id_.startswith("test/")}
    assert all(set(sheet.ids) == judged for sheet in bench.sheets)  # neither learned from them
    assert len(set(found) & truth.wrong) >= 0.75 * len(truth.wrong)
    before, after = (chance_of_truth(name, truth, settings) for name in ("before", "after"))
    assert after > before + 0.01  # accuracy moves by one of 24 either way; what it gives the truth does not
