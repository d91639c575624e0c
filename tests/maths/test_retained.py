"""What is kept of an atlas' answers, against counting item by item."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.fingerprint import numpy_generator
from core.metrics import selective
from core.metrics.bootstrap import bootstrap
from core.metrics.diagnosis import diagnose
from core.metrics.retention import PERCENTS as EVERY_FIFTH
from core.metrics.retention import with_band
from core.metrics.scoring import mean_average_precision
from core.pipeline import retained as walk
from core.pipeline.judged import NONE_OF_THEM, Judged, Strangers, judged, own_words, strangers_of

CLASSES = ("dog", "rain", "sea_waves")


def atlas_of(items: int = 90, **changes: Any) -> Any:
    """Items of three classes whose doubt is the chance of an error; two items a recording."""
    generator = numpy_generator("atlas", items)
    labels = generator.integers(0, 3, items)
    doubt = generator.uniform(0, 0.6, items)
    predicted = np.where(generator.uniform(size=items) < doubt, (labels + 1) % 3, labels)
    features = np.eye(3)[labels] + 0.6 * generator.normal(size=(items, 3))
    given = {
        "task": "multiclass",
        "title": "Held-out items",
        "draws": 4,
        "classes": CLASSES,
        "ids": tuple(f"item-{at}" for at in range(items)),
        "labels": labels,
        "label_names": tuple(CLASSES[label] for label in labels),
        "groups": np.arange(items) // 2,
        "predicted": predicted,
        "probs": None,
        "doubts": {
            "total": doubt,
            "aleatoric": 0.7 * doubt + 0.01 * generator.uniform(size=items),
            "epistemic": 0.3 * doubt + 0.01 * generator.uniform(size=items),
            "novelty": generator.uniform(size=items),
            "score": np.full(items, np.nan),
        },
        "features": features.astype(np.float32),
        "feature_rows": np.arange(items),
        "learned": np.zeros(items, bool),
        "columns": {"fold": tuple(str(at % 3) for at in range(items))},
    }
    return SimpleNamespace(**given | changes)


def test_without_a_mapping_an_answer_is_right_when_it_is_the_label() -> None:
    atlas = atlas_of()
    found = judged(atlas)
    assert found.goal == "accuracy"
    assert found.right.tolist() == [float(a == b) for a, b in zip(atlas.predicted, atlas.labels, strict=True)]
    assert set(found.doubts) == {"total", "aleatoric", "epistemic", "novelty"}
    assert "tells none" in found.missing["score"]
    assert "tells none" in found.missing["max_softmax"]
    assert "one draw" in judged(atlas_of(draws=1)).missing["epistemic"]


def test_own_words_are_mapped_left_out_or_wrong_by_definition() -> None:
    names = ("Dog", "rain", "Sea waves", "whale", None, "spray") * 15
    labels = np.full(90, -1)
    atlas = atlas_of(label_names=names, labels=labels, predicted=np.tile([0, 1, 1, 0, 2, 2], 15))
    assert [(word.text, word.guess) for word in own_words(atlas)] == [
        ("Dog", "dog"),
        ("Sea waves", "sea_waves"),
        ("rain", "rain"),
        ("spray", None),
        ("whale", None),
    ]
    plain = judged(atlas)
    assert plain.left_out == 45
    assert plain.right.tolist() == [1.0, 1.0, 0.0] * 15
    said = judged(atlas, {"Dog": "dog", "whale": NONE_OF_THEM, "spray": "sea_waves"})
    assert said.places.tolist() == [at for at in range(90) if at % 6 in (0, 3, 5)]
    assert said.right.tolist() == [1.0, 0.0, 1.0] * 15
    assert "wrong by definition" in said.sentence


def test_what_the_model_learned_from_is_left_out_where_something_else_is_there() -> None:
    learned = np.arange(90) < 30
    found = judged(atlas_of(learned=learned))
    assert found.places.tolist() == list(range(30, 90))
    assert "30 that the model learned from were left out" in found.sentence
    everything = judged(atlas_of(learned=np.ones(90, bool)))
    assert len(everything) == 90
    assert "expect worse" in everything.sentence
    assert "not known" in judged(atlas_of(learned=None)).sentence


def test_labels_that_are_no_classes_are_judged_by_their_nearest_item() -> None:
    atlas = atlas_of(label_names=tuple("abc"[at % 3] for at in range(90)), labels=np.full(90, -1))
    found = judged(atlas)
    assert found.goal == "r_at_1"
    rows = atlas.features / np.linalg.norm(atlas.features, axis=1, keepdims=True)
    for item in range(90):
        others = [at for at in range(90) if atlas.groups[at] != atlas.groups[item]]
        near = max(others, key=lambda at: float(rows[at] @ rows[item]))
        assert found.right[item] == (near % 3 == item % 3)


def test_without_labels_there_is_an_explanation_and_no_curve() -> None:
    found = judged(atlas_of(label_names=(None,) * 90, labels=np.full(90, -1)))
    assert found.goal == "nothing"
    assert "no labels" in found.sentence
    curves = walk.retained(found)
    assert not curves.lines
    assert walk.point_of(curves, "total", 0.5).kept == 45  # sorting still works
    assert walk.point_of(curves, "total", 0.5).quality.value is None


def test_strangers_are_wrong_by_definition_and_told_apart() -> None:
    atlas = atlas_of()
    doubts = {name: np.full(10, 9.0 if name == "total" else 0.2) for name in ("total", "aleatoric", "epistemic")}
    found = judged(atlas, None, Strangers("Whales", tuple("abcdefghij"), doubts))
    assert len(found) == 100
    assert found.right[found.outside].sum() == 0
    assert "novelty" in found.missing  # the strangers have none
    curves = walk.retained(found, resamples=20)
    assert curves.lines["total"].stranger_auroc.value == 1.0
    assert curves.lines["total"].curve.value[0] == pytest.approx(found.right.mean())
    assert len(set(found.groups.tolist())) == 45 + 10
    assert strangers_of(atlas) is None
    mixed = strangers_of(atlas_of(labels=np.where(np.arange(90) < 5, -1, 0)))
    assert mixed is not None
    assert len(mixed) == 5


def test_curves_and_areas_are_those_of_the_metrics_and_their_bootstrap() -> None:
    found = judged(atlas_of())
    line = walk.retained(found, resamples=60, seed=3).lines["total"]
    doubt, errors = found.doubts["total"], 1 - found.right
    same = with_band(
        doubt,
        found.right,
        numpy_generator("retained", 3),
        percents=walk.PERCENTS,
        resamples=60,
        groups=found.groups.tolist(),
    )
    assert same.low is not None
    for side in ("value", "low", "high"):
        np.testing.assert_allclose(getattr(line.curve, side), getattr(same, side), atol=1e-12)
    for name, statistic in (("aurc", selective.aurc), ("augrc", selective.augrc)):
        span = bootstrap(
            lambda rows, s=statistic: s(doubt[rows], errors[rows]),
            len(doubt),
            numpy_generator("retained", 3),
            resamples=60,
            groups=found.groups.tolist(),
        )
        assert line.intervals[name] == pytest.approx((span.low, span.high))
    assert line.coverage.value == selective.coverage_at_risk(doubt, errors, 0.05).value
    assert EVERY_FIFTH[0] == walk.PERCENTS[0]


def test_a_point_keeps_the_least_doubtful_and_those_as_doubtful_as_the_last() -> None:
    curves = walk.retained(judged(atlas_of()), resamples=20)
    found, doubt = curves.judged, curves.judged.doubts["total"]
    point = walk.point_of(curves, "total", 0.31)
    assert point.kept == math.ceil(0.31 * 90)
    order = sorted(range(90), key=lambda at: doubt[at])[: point.kept]
    assert sorted(order) == np.flatnonzero(point.mask).tolist()
    assert point.quality.value == pytest.approx(sum(found.right[at] for at in order) / len(order))
    assert point.wrong_kept + point.wrong_refused == int((found.right == 0).sum())
    assert point.band is not None
    assert walk.kept_mask(np.array([1.0, 2.0, 2.0, 3.0]), 0.5).tolist() == [True, True, True, False]
    assert walk.kept_mask(np.array([1.0, 2.0]), 0.0).sum() == 1


def test_slices_count_their_own_items() -> None:
    atlas = atlas_of()
    curves = walk.retained(judged(atlas), resamples=10)
    mask = walk.point_of(curves, "total", 0.5).mask
    rows = walk.slices(curves.judged, atlas.columns["fold"], mask)
    assert [row.name for row in rows] == ["0", "1", "2"]
    for row in rows:
        these = [at for at in range(90) if at % 3 == int(row.name)]
        kept = [at for at in these if mask[at]]
        assert (row.items, row.kept) == (len(these), len(kept))
        assert row.everything.value == pytest.approx(np.mean([curves.judged.right[at] for at in these]))
        assert row.quality.value == pytest.approx(np.mean([curves.judged.right[at] for at in kept]))
        assert row.low is not None
        assert row.high is not None
        assert row.low <= (row.quality.value or 0.0) <= row.high


def test_several_labels_are_judged_by_mean_average_precision() -> None:
    generator = numpy_generator("several")
    truth = generator.integers(0, 2, (40, 3))
    probs = np.clip(0.7 * truth + 0.3 * generator.uniform(size=(40, 3)) + 0.2 * generator.normal(size=(40, 3)), 0, 1)
    doubts = {"total": np.abs(probs - 0.5).mean(axis=1)}
    atlas = atlas_of(40, task="multilabel", labels=truth, probs=probs, doubts=doubts, predicted=np.zeros(40))
    curves = walk.retained(judged(atlas))
    assert curves.judged.goal == "map"
    line = curves.lines["total"].curve
    order = np.argsort(doubts["total"], kind="stable")[:20]
    half = line.value[line.kept.tolist().index(0.5)]
    assert half == pytest.approx(mean_average_precision(probs[order], truth[order]).value)
    assert walk.point_of(curves, "total", 0.5).quality.value == pytest.approx(half)
    assert judged(atlas_of(40, task="multilabel", labels=truth, probs=None)).goal == "nothing"


def test_findings_tell_a_doubt_that_points_the_wrong_way() -> None:
    atlas = atlas_of()
    atlas.doubts["total"] = -atlas.doubts["total"]
    found: Judged = judged(atlas)
    codes = {one.code for one in diagnose(walk.diagnosis_facts(walk.retained(found, resamples=5), "total", 4))}
    assert "retention_falls" in codes
    assert "parts_alike" in codes
