"""Nearest neighbours and what doubt knows of them: loops, duplicates, groups, safe retrieval."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from core.fingerprint import numpy_generator
from core.metrics import retrieval
from core.metrics.retrieval import (
    Hits,
    crop_size_agreement,
    cropped_has_bigger,
    hits,
    human_agreement,
    mixed_hits,
    nearest,
    r_auroc,
    recall_at_1,
    safe_retrieval,
)


def made(items: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features around class centres, their labels, and a doubt that grows with the distance from the centre."""
    generator = numpy_generator("retrieval", seed)
    labels = generator.integers(4, size=items)
    spread = generator.uniform(0.2, 2.5, size=items)
    features = np.eye(6)[labels] * 2 + spread[:, None] * generator.normal(size=(items, 6))
    return features, labels, spread


def naive_neighbour(features: np.ndarray, allowed: np.ndarray, query: int) -> int:
    best, place = -2.0, -1
    for other in range(len(features)):
        cosine = features[query] @ features[other]
        cosine /= math.sqrt(features[query] @ features[query]) * math.sqrt(features[other] @ features[other])
        if allowed[other] and other != query and cosine > best + 1e-12:
            best, place = cosine, other
    return place


@given(st.integers(0, 10**6), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_neighbours_and_recall_equal_a_loop(seed, items) -> None:
    features, labels, doubt = made(items, seed)
    found = hits(features, labels)
    expected = [naive_neighbour(features, np.ones(items, bool), query) for query in range(items)]
    assert found.neighbour.tolist() == expected
    if items == 1:
        assert recall_at_1(found).value is None
        return
    right = np.array([labels[i] == labels[n] for i, n in enumerate(expected)], float)
    assert recall_at_1(found).value == pytest.approx(right.mean())
    if 0 < right.mean() < 1:
        assert r_auroc(doubt, found).value == pytest.approx(roc_auc_score(right, -doubt))
    else:
        assert r_auroc(doubt, found).value is None


def test_a_duplicate_with_another_label_is_a_wrong_hit_and_never_the_query_itself() -> None:
    """Taking the second of two hits would return the query for one of two equal rows, and call it right."""
    features = np.array([[1.0, 2.0], [1.0, 2.0], [-1.0, 0.5], [-1.0, 0.6]])
    found = hits(features, [0, 1, 2, 2])
    assert found.neighbour.tolist() == [1, 0, 3, 2]
    assert found.correct.tolist() == [0, 0, 1, 1]


def test_the_first_of_equally_near_items_counts_whatever_the_last_bit_says() -> None:
    generator = numpy_generator("bits")
    row = generator.normal(size=257)
    features = np.stack([row * scale for scale in generator.uniform(0.1, 9.0, size=40)])
    assert nearest(features).tolist() == [1, *[0] * 39]


def test_items_of_the_same_recording_can_be_kept_out() -> None:
    features = np.array([[1, 0.0], [1, 0.01], [1, 0.2], [0, 1.0]])
    assert nearest(features)[0] == 1
    assert nearest(features, groups=["a", "a", "b", "c"]).tolist() == [2, 2, 1, 2]
    alone = hits(features, [0, 0, 0, 1], groups=["a", "a", "a", "b"])
    assert alone.neighbour.tolist() == [3, 3, 3, 2]
    nobody = hits(features, [0, 0, 0, 1], groups=["a"] * 4)
    assert nobody.left_out == 4
    assert recall_at_1(nobody).reason == "no item has a neighbour to compare with"
    with pytest.raises(ValueError, match="groups"):
        nearest(features, groups=["a"])


def test_blocks_of_queries_meet_without_a_seam(monkeypatch) -> None:
    features, _, _ = made(37)
    whole = nearest(features)
    monkeypatch.setattr(retrieval, "_BLOCK", 37 * 5)
    assert (nearest(features) == whole).all()


def test_lengths_of_features_do_not_matter_and_broken_ones_are_refused() -> None:
    features, _, _ = made(30)
    lengths = numpy_generator("lengths").uniform(0.01, 100, size=(30, 1))
    assert (nearest(features * lengths) == nearest(features)).all()
    assert nearest(np.zeros((3, 2))).tolist() == [1, 0, 0]
    with pytest.raises(ValueError, match="finite"):
        nearest([[np.nan, 1.0]])
    assert nearest(np.zeros((0, 4))).tolist() == []


def test_recall_counts_only_queries_with_a_neighbour() -> None:
    found = Hits(np.array([1, 0, -1]), np.array([1.0, 0.0, np.nan]))
    assert (recall_at_1(found).value, found.left_out) == (0.5, 1)
    assert r_auroc([0.1, 0.9, 0.5], found).value == 1.0
    assert r_auroc([0.3, 0.3, 0.5], found).value == 0.5


def test_agreement_with_people_drops_items_that_nobody_labelled() -> None:
    human, doubt = np.array([0.1, np.nan, 0.7, 0.3, 0.3]), np.array([1.0, 9.0, 3.0, 2.0, 2.5])
    known = [0, 2, 3, 4]
    assert human_agreement(doubt, human).value == pytest.approx(scipy.stats.spearmanr(doubt[known], human[known])[0])
    assert human_agreement(doubt, np.full(5, np.nan)).value is None


def test_crops_count_only_when_strictly_more_doubtful() -> None:
    assert cropped_has_bigger([0.1, 0.2, 0.3, 0.4], [0.2, 0.2, 0.1, 0.9]).value == 0.5
    assert cropped_has_bigger([], []).value is None
    assert crop_size_agreement([0.9, 0.5, 0.4], [0.1, 0.4, 0.7]).value == 1.0


@pytest.mark.parametrize("copies", [1, 4])
@pytest.mark.parametrize("per_class", [True, False])
def test_safe_retrieval_equals_a_loop(per_class, copies) -> None:
    features, labels, doubt = made(40, 5)
    features = np.tile(features[: 40 // copies], (copies, 1))  # equal rows with other labels and other doubts
    percents = (100, 90, 55, 20)
    found = safe_retrieval(features, labels, doubt, percents=percents, per_class=per_class)
    for place, percent in enumerate(percents):
        order = sorted(range(40), key=lambda i: doubt[i])
        queries = order[: math.ceil(percent * 40 / 100)]
        database = np.zeros(40, bool)
        for label in set(labels.tolist()) if per_class else [None]:
            members = [i for i in order if label is None or labels[i] == label]
            database[members[: math.ceil(percent * len(members) / 100)]] = True

        def recall(allowed, asked) -> float:
            return float(np.mean([labels[naive_neighbour(features, allowed, q)] == labels[q] for q in asked]))

        everyone = np.ones(40, bool)
        assert found.kept[place] == percent / 100
        assert found.everything[place] == pytest.approx(recall(everyone, range(40)))
        assert found.safe_database[place] == pytest.approx(recall(database, range(40)))
        assert found.safe_queries[place] == pytest.approx(recall(everyone, queries))
        assert found.both[place] == pytest.approx(recall(database, queries))


def test_refusing_doubtful_queries_and_entries_raises_recall() -> None:
    features, labels, doubt = made(800, 9)
    found = safe_retrieval(features, labels, doubt, percents=(100, 50))
    assert found.everything[0] == found.safe_database[0] == found.safe_queries[0] == found.both[0]
    assert found.everything[1] + 0.05 < found.safe_queries[1] < found.both[1]
    assert found.safe_database[1] > found.everything[1]


def test_safe_retrieval_respects_recordings_and_says_nan_where_nobody_is_left() -> None:
    features, labels, doubt = made(12, 2)
    alone = safe_retrieval(features, labels, doubt, groups=[0] * 12, percents=(50,))
    assert np.isnan([alone.everything[0], alone.both[0]]).all()
    groups = [i // 2 for i in range(12)]
    grouped = safe_retrieval(features, labels, doubt, groups=groups, percents=(100,))
    assert grouped.everything[0] == recall_at_1(hits(features, labels, groups)).value


def test_classes_of_two_sets_never_meet() -> None:
    features = np.array([[1.0, 0], [0.9, 0.1]])
    found = mixed_hits((features, [0, 3]), (features[::-1] + 1e-3, [3, 1]))
    assert len(found.correct) == 4
    assert found.correct.tolist() == [0, 0, 0, 0]
    for first in range(5):
        for second in range(5):
            assert not mixed_hits((features, [0, 3]), (features + 1e-3, [first, second])).correct.any()
    assert mixed_hits((features, [0, 0]), (-features, [0, 0])).correct.tolist() == [1, 1, 1, 1]
