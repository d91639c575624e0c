"""Confident learning against the published rules as plain loops, and against labels that are wrong on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from core.metrics.labels import Leading, fit, suspected, thresholds


def answers(items: int, classes: int, seed: int, sharp: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels drawn from them; some items have none."""
    draw = np.random.default_rng(seed)
    raw = np.exp(sharp * draw.normal(size=(items, classes)))
    probs = raw / raw.sum(axis=1, keepdims=True)
    labels = np.array([draw.choice(classes, p=row) for row in probs])
    labels[draw.random(items) < 0.1] = -1
    return probs, labels


def naive(probs: np.ndarray, labels: np.ndarray) -> tuple[list[float], list[int], list[float]]:
    """Northcutt, Jiang and Chuang 2021, item by item: thresholds, confident classes off the diagonal, margins.

    Their own package, cleanlab 2.9.0, gave the same thresholds, items and margins to the last digits when it was tried.
    """
    count = probs.shape[1]
    bars = []
    for j in range(count):
        mine = [probs[i, j] for i in range(len(labels)) if labels[i] == j]
        bars.append(sum(mine) / len(mine) if mine else float("inf"))
    other, margins = [], []
    for i, label in enumerate(labels.tolist()):
        confident = [j for j in range(count) if probs[i, j] >= bars[j] - 1e-6]
        best = max(confident, key=lambda j: probs[i, j]) if confident else label
        other.append(best if label >= 0 and best != label else -1)
        rival = max((probs[i, j] for j in range(count) if j != label), default=0.0)
        margins.append((probs[i, label] - rival + 1) / 2 if label >= 0 else float("nan"))
    return bars, other, margins


@pytest.mark.parametrize(("items", "classes", "seed"), [(200, 5, 0), (60, 2, 1), (120, 30, 2), (80, 3, 3)])
def test_the_rules_are_those_of_the_paper(items: int, classes: int, seed: int) -> None:
    probs, labels = answers(items, classes, seed)
    leading = Leading.of(probs)
    bars, other, margins = naive(probs, labels)
    assert np.allclose(thresholds(leading, labels), bars)
    assert suspected(leading, labels).tolist() == other
    assert np.allclose(fit(leading, labels), margins, equal_nan=True)
    assert 0 < sum(place >= 0 for place in other) < items


def test_a_few_stored_classes_say_nearly_the_same_as_all() -> None:
    probs, labels = answers(400, 20, 4, sharp=4.0)
    order = np.argsort(-probs, axis=1)[:, :5]
    few = Leading(order, np.take_along_axis(probs, order, 1), 20)
    whole = Leading.of(probs)
    there = (order == labels[:, None]).any(axis=1)
    assert np.allclose(few.at(labels)[there], whole.at(labels)[there])
    left = 1 - np.take_along_axis(probs, order, 1).sum(axis=1)
    assert np.allclose(few.at(labels)[~there], left[~there] / 15)
    assert np.mean((suspected(few, labels) >= 0) == (suspected(whole, labels) >= 0)) > 0.98


def test_items_without_answer_or_label_are_left_out() -> None:
    leading = Leading(np.array([[0, 1], [-1, -1], [1, 0]]), np.array([[0.9, 0.1], [0.0, 0.0], [0.8, 0.2]]), 2)
    labels = np.array([1, 0, -1])
    assert np.isnan(fit(leading, labels)).tolist() == [False, True, True]
    assert suspected(leading, labels).tolist() == [-1, -1, -1]  # nobody is labelled 0 whom the model answered
    assert suspected(Leading(np.zeros((0, 2), np.int64), np.zeros((0, 2)), 2), np.zeros(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_labels_that_are_wrong_on_purpose_are_found(share: float) -> None:
    """A model that is right nine times in ten, and labels of which some were swapped by hand."""
    draw = np.random.default_rng(7)
    truth = draw.integers(0, 10, 2000)
    raw = draw.normal(size=(2000, 10)) + 5.0 * np.eye(10)[truth] * (draw.random(2000) < 0.9)[:, None]
    probs = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    planted = draw.random(2000) < share
    labels = np.where(planted, (truth + draw.integers(1, 10, 2000)) % 10, truth)
    leading = Leading.of(probs)
    found = suspected(leading, labels) >= 0
    assert found[planted].mean() > 0.7
    worst = np.argsort(fit(leading, labels))[: int(planted.sum())]
    assert planted[worst].mean() > 0.7
    hit = planted & found
    assert (suspected(leading, labels)[hit] == truth[hit]).mean() > 0.95
