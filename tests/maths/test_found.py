"""Retrieval among an atlas' items against a plain sort, with what is held back counted by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.pipeline.found import Query, Shelf, Wish, ask, quality_of, shelf_of, stored, trial_of, twins
from core.retrieval import chosen, safe_rows, tried


def shelf(items: int = 240, spread: float = 0.5, most: float = 0.8) -> Shelf:
    """Every second item of the atlas has features; three items a recording; doubt is the chance of a wrong place."""
    generator = numpy_generator("shelf", items)
    labels = generator.integers(0, 3, items)
    doubt = generator.uniform(0, most, items)
    side = np.where(generator.uniform(size=items) < doubt, (labels + 1) % 3, labels)
    rows = np.arange(0, items, 2)
    features = (np.eye(5)[side] + spread * generator.normal(size=(items, 5)))[rows]
    atlas: Any = SimpleNamespace(
        title="Items",
        model="a model",
        features=features.astype(np.float32),
        feature_rows=rows,
        label_names=tuple("abc"[label] if at % 10 else None for at, label in enumerate(labels)),
        groups=np.arange(items) // 6,
        learned=None,
        shas=None,
        doubts={"total": np.where(np.arange(items) == 8, np.nan, doubt), "score": np.full(items, np.nan)},
    )
    return shelf_of(atlas)


def cosines(one: Shelf, vector: np.ndarray) -> list[float]:
    return [float(row @ vector / np.linalg.norm(row) / np.linalg.norm(vector)) for row in one.features]


def test_a_stored_item_finds_others_and_never_its_recording() -> None:
    one = shelf()
    outcome = ask(one, stored(one, 7), Wish(k=5))
    near = cosines(one, one.features[7])
    allowed = [at for at in range(120) if one.groups[at] != one.groups[7]]
    assert [result.place for result in outcome.results] == sorted(allowed, key=lambda at: -near[at])[:5]
    assert outcome.own == 3
    assert outcome.results[0].row == 2 * outcome.results[0].place
    wider = ask(one, stored(one, 7), Wish(k=119, same_recording=True))
    assert {result.place for result in wider.results} == set(range(120)) - {7}


def test_one_file_under_two_names_finds_neither_nor_their_recordings() -> None:
    shas = np.array([f"{at:064x}" for at in range(120)])
    shas[50] = shas[7]
    one = replace(shelf(), shas=shas)
    outcome = ask(one, stored(one, 7), Wish(k=120))
    left = {result.place for result in outcome.results}
    assert left == {at for at in range(120) if one.groups[at] not in (one.groups[7], one.groups[50])}
    assert outcome.own == 6
    wider = ask(one, stored(one, 7), Wish(k=120, same_recording=True))
    assert {result.place for result in wider.results} == set(range(120)) - {7, 50}


def test_keeping_the_surest_holds_the_others_back_and_counts_them() -> None:
    one = shelf()
    most = sorted(one.doubts["total"])[29]
    outcome = ask(one, Query(np.ones(5), {"total": 0.1}), Wish(k=200, most=most))
    assert len(outcome.results) == 30
    assert outcome.held_back == 90
    assert all(result.doubt is not None and result.doubt <= most for result in outcome.results)
    assert len(ask(one, Query(np.ones(5), {}), Wish(k=200)).results) == 120  # one without a doubt among them
    with pytest.raises(UserFacingError, match="no doubt called"):
        ask(one, Query(np.ones(5), {}), Wish(measure="score"))
    with pytest.raises(UserFacingError, match="cannot be compared"):
        ask(one, Query(np.ones(4), {}), Wish())


def test_an_unsafe_query_is_refused_with_the_least_unsafe_alternatives() -> None:
    one = shelf(2000, spread=0.1, most=0.4)
    trial = trial_of(one, "total")
    safety = chosen(trial, risk=0.4)
    assert safety.threshold is not None
    safe = ask(one, Query(np.ones(5), {"total": safety.threshold}), Wish(safety=safety))
    assert safe.results
    assert not safe.refused
    assert all(result.label is not None for result in safe.results)
    unsafe = ask(one, Query(np.ones(5), {"total": safety.threshold + 0.1}), Wish(safety=safety))
    assert not unsafe.results
    assert "allows at most" in unsafe.refused
    alike = cosines(one, np.ones(5))
    near = sorted(range(len(one)), key=lambda at: -alike[at])
    pool = np.zeros(len(one), bool)
    labelled = [at for at, label in enumerate(one.labels) if label is not None]
    codes = ["abc".index(one.labels[at] or "") for at in labelled]
    pool[labelled] = safe_rows(codes, one.doubts["total"][labelled], safety.database_percent)
    considered = [at for at in near if pool[at]][:50]
    least = sorted(considered, key=lambda at: one.doubts["total"][at])[:10]
    assert [result.place for result in unsafe.alternatives] == least
    assert "not known" in ask(one, Query(np.ones(5), {}), Wish(safety=safety)).refused
    hopeless = chosen(trial, risk=0.001)
    assert "No query" in ask(one, stored(one, 3), Wish(safety=hopeless)).refused


def test_thresholds_are_those_of_the_labelled_items() -> None:
    one = shelf()
    there = [at for at, label in enumerate(one.labels) if label is not None]
    unknown = ~np.isfinite(one.doubts["total"][there])
    assert unknown.sum() == 1  # has no doubt: never a query
    labels = np.array(["abc".index(one.labels[at] or "") for at in there])
    groups = [str(one.groups[at]) for at in there]
    expected = chosen(tried(one.features[there], labels, one.doubts["total"][there], groups, seen=unknown), risk=0.6)
    assert chosen(trial_of(one, "total"), risk=0.6) == expected
    learned = np.zeros(120, bool)
    learned[: len(learned) // 2] = True
    found = chosen(trial_of(replace(one, learned=learned), "total"), risk=0.6)
    assert found.n_calibration < expected.n_calibration


def test_the_quality_is_that_of_a_loop_over_labelled_items() -> None:
    one = shelf()
    one.features[1::3] = one.features[::3] + 0.01  # the second of each recording is nearly the first
    for same_recording in (False, True):
        found = quality_of(one, "total", same_recording=same_recording)
        there = [
            at for at, label in enumerate(one.labels) if label is not None and np.isfinite(one.doubts["total"][at])
        ]
        right = []
        for at in there:
            near = cosines(one, one.features[at])
            others = [o for o in there if (o != at if same_recording else one.groups[o] != one.groups[at])]
            right.append(one.labels[max(others, key=near.__getitem__)] == one.labels[at])
        assert found.recall.value == pytest.approx(np.mean(right))
        assert found.asked == len(there)
        assert found.curves is not None
        assert found.curves.everything[0] == pytest.approx(np.mean(right))


def test_a_file_that_is_stored_is_told_by_its_features() -> None:
    one = shelf()
    assert twins(one, one.features[11] * 2) == (11,)
    assert twins(one, one.features[11] + 0.05) == ()
    assert twins(one, np.ones(3)) == ()


def test_items_without_features_are_refused_with_what_to_do() -> None:
    atlas: Any = SimpleNamespace(title="Held-out items", model="esc10-x", features=None)
    with pytest.raises(UserFacingError, match="side bar"):
        shelf_of(atlas)
