"""A card says where a method's own score finds errors worse than the largest probability does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.checkpoints.answers import Answers
from core.fingerprint import numpy_generator
from core.pipeline.keep import _of_score

ITEMS = 60


def said(doubts: dict[str, Any], task: Any = "multiclass") -> tuple[Answers, np.ndarray]:
    """Answers of which the least sure are wrong, mostly."""
    drawn = numpy_generator("note")
    sure = drawn.uniform(0.5, 1.0, ITEMS)
    probs = np.stack([sure, 1 - sure], axis=1)
    labels = (sure + drawn.normal(0, 0.05, ITEMS) < 0.65).astype(int)
    return Answers(tuple(map(str, range(ITEMS))), task, 1, probs, doubts, "predicted loss"), labels


def test_a_score_that_says_less_is_noted_with_both_figures() -> None:
    score = numpy_generator("score").normal(size=ITEMS)
    answers, labels = said({"score": score})
    (note,) = _of_score(answers, labels)
    assert f"{ITEMS} calibration items it got {labels.sum()} wrong" in note
    assert f"predicted loss finds them with an AUROC of {roc_auc_score(labels, score):.2f}" in note
    assert f"largest probability with {roc_auc_score(labels, -answers.probs[:, 0]):.2f}" in note


def test_one_that_says_more_is_not() -> None:
    _, labels = said({})
    assert _of_score(said({"score": labels.astype(float)})[0], labels) == ()


@pytest.mark.parametrize("wrong", [0, 1])
def test_without_a_score_or_an_error_there_is_nothing_to_note(wrong: int) -> None:
    answers, labels = said({})
    assert _of_score(answers, labels) == ()
    answers, _ = said({"score": np.zeros(ITEMS)})
    assert _of_score(answers, np.full(ITEMS, wrong)) == ()
