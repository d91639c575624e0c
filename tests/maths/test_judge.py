"""Each figure of an evaluation is the one that its name says, by scikit-learn, SciPy or plain formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from core.checkpoints.answers import Answers
from core.contracts import Predictive, Task
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.metrics.uncertainty import decompose, max_softmax
from core.pipeline._judge import FIGURES, Evaluation, judge
from core.pipeline.evaluate import document

ITEMS, CLASSES, DRAWS = 60, 4, 5


def made(task: Task = "multiclass", draws: int = DRAWS, *, score: bool = True) -> tuple[Answers, np.ndarray]:
    """Answers that know something, with labels, features that know something too, and a score of their own."""
    generator = numpy_generator("judge", task)
    labels = generator.integers(CLASSES, size=ITEMS)
    hot = np.eye(CLASSES)[labels]
    if task == "multilabel":
        hot = np.maximum(hot, generator.random((ITEMS, CLASSES)) < 0.3)
    logits = 2.0 * hot + generator.normal(size=(DRAWS, ITEMS, CLASSES)) + generator.normal(size=(ITEMS, CLASSES))
    logits = torch.from_numpy(logits[:draws])
    probs = torch.sigmoid(logits - 1) if task == "multilabel" else torch.softmax(logits, dim=-1)
    said = Predictive(probs, task)
    parts = decompose(said)
    doubts = {name: getattr(parts, name) for name in ("total", "aleatoric", "epistemic")}
    doubts["max_softmax"] = max_softmax(said)
    if score:
        doubts["score"] = generator.random(ITEMS)
    features = (hot + 0.6 * generator.normal(size=(ITEMS, CLASSES))).astype(np.float32)
    mean = probs.mean(0).numpy()
    ids = tuple(str(item) for item in range(ITEMS))
    given = Answers(ids, task, draws, mean, doubts, "noise" if score else None, features, seconds=0.5)
    return given, hot.astype(np.int64) if task == "multilabel" else labels


def value(found: Evaluation, key: str) -> float:
    figure = found.figures[key].value
    assert figure is not None
    return figure


def test_figures_of_one_label_are_those_of_plain_formulas() -> None:
    given, labels = made()
    found = judge(given, labels, "total", resamples=10)
    wrong = given.probs.argmax(1) != labels
    rows = np.arange(ITEMS)
    order = np.argsort(given.doubts["total"], kind="stable")
    risks = np.cumsum(wrong[order]) / np.arange(1, ITEMS + 1)
    error_auroc = roc_auc_score(wrong, given.doubts["total"])
    accuracy = 1 - wrong.mean()
    assert value(found, "accuracy") == pytest.approx(accuracy)
    assert value(found, "nll") == pytest.approx(-np.log(given.probs[rows, labels]).mean())
    assert value(found, "brier") == pytest.approx(((given.probs - np.eye(CLASSES)[labels]) ** 2).sum(1).mean())
    assert value(found, "aurc") == pytest.approx(risks.mean())
    closed = (1 - error_auroc) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert value(found, "augrc") == pytest.approx(closed)
    assert value(found, "error_auroc") == pytest.approx(error_auroc)
    confidence = given.probs.max(1)
    bins = np.ceil(confidence * 15).astype(int)
    gaps = [abs((~wrong)[bins == b].sum() - confidence[bins == b].sum()) for b in np.unique(bins)]
    assert value(found, "ece") == pytest.approx(sum(gaps) / ITEMS)
    assert found.figures["map"].value is None


def test_retrieval_leaves_out_items_of_the_same_recording() -> None:
    given, labels = made()
    groups = [f"tape {item // 4}" for item in range(ITEMS)]
    found = judge(given, labels, "score", groups, resamples=5)
    assert given.features is not None
    unit = given.features / np.linalg.norm(given.features, axis=1, keepdims=True)
    cosine = unit @ unit.T
    cosine[np.array(groups)[:, None] == np.array(groups)] = -2
    right = labels[cosine.argmax(1)] == labels
    assert value(found, "r_at_1") == pytest.approx(right.mean())
    assert value(found, "r_auroc") == pytest.approx(roc_auc_score(right, -given.doubts["score"]))
    assert value(judge(given, labels, "score", resamples=5), "r_at_1") != value(found, "r_at_1")


def test_figures_of_several_labels_are_those_of_plain_formulas() -> None:
    given, labels = made("multilabel")
    found = judge(given, labels, "epistemic", resamples=10)
    wrong = (given.probs > 0.5) != labels
    picked = np.where(labels, given.probs, 1 - given.probs)
    assert value(found, "accuracy") == pytest.approx(1 - wrong.mean())
    assert value(found, "map") == pytest.approx(average_precision_score(labels, given.probs, average="macro"))
    assert value(found, "nll") == pytest.approx(-np.log(picked).mean())
    assert value(found, "brier") == pytest.approx(((given.probs - labels) ** 2).mean())
    order = np.argsort(given.doubts["epistemic"])
    assert value(found, "aurc") == pytest.approx((np.cumsum(wrong.mean(1)[order]) / np.arange(1, ITEMS + 1)).mean())
    assert value(found, "error_auroc") == pytest.approx(roc_auc_score(wrong.any(1), given.doubts["epistemic"]))
    for key in ("r_at_1", "r_auroc"):
        assert found.figures[key].value is None
        assert found.figures[key].reason


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_keeping_everything_is_the_plain_figure(task: Task) -> None:
    given, labels = made(task)
    found = judge(given, labels, resamples=5)
    plain = value(found, "accuracy" if task == "multiclass" else "map")
    assert set(found.retention) == {
        "total", "aleatoric", "epistemic", "score", "max_softmax", "novelty", "random", "oracle",
    }  # fmt: skip
    for name, curve in found.retention.items():
        if name == "novelty":
            assert curve.reason
            continue
        assert curve.kept[0] == 1.0
        assert curve.value[0] == pytest.approx(plain), name
        assert curve.kept.tolist() == [percent / 100 for percent in range(100, 0, -5)]


def test_the_oracle_is_above_and_chance_is_flat() -> None:
    given, labels = made()
    curves = judge(given, labels, resamples=5).retention
    for name in ("total", "aleatoric", "epistemic", "score", "max_softmax"):
        assert np.all(curves["oracle"].value >= curves[name].value - 1e-12)
    np.testing.assert_allclose(curves["random"].value, curves["random"].value[0])


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_intervals_hold_their_figure_and_are_the_same_again(task: Task) -> None:
    given, labels = made(task)
    groups = [item // 2 for item in range(ITEMS)]
    found = judge(given, labels, groups=groups, resamples=200)
    known = {key for key in FIGURES if found.figures[key].value is not None}
    assert set(found.intervals) == known
    for key, (low, high) in found.intervals.items():
        assert low < value(found, key) < high, key
    assert judge(given, labels, groups=groups, resamples=200).intervals == found.intervals
    assert judge(given, labels, groups=groups, seed=1, resamples=200).intervals != found.intervals


def test_items_of_one_recording_widen_the_intervals() -> None:
    """Ten copies of six items are six items."""
    given, labels = made()
    few = np.repeat(np.arange(0, ITEMS, 10), 10)
    copies = Answers(
        given.ids, given.task, given.draws, given.probs[few], {"total": given.doubts["total"][few]}, features=None
    )
    alone = judge(copies, labels[few], resamples=300).intervals["nll"]
    together = judge(copies, labels[few], groups=few.tolist(), resamples=300).intervals["nll"]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_the_usual_measure_is_the_methods_own_score() -> None:
    assert judge(*made(), resamples=2).measure == "score"
    found = judge(*made(score=False), resamples=2)
    assert found.measure == "total"
    assert found.figures["aurc"] == found.measures["total"]["aurc"]
    with pytest.raises(UserFacingError, match=r"novelty.*total, aleatoric, epistemic, max_softmax"):
        judge(*made(score=False), "novelty", resamples=2)


def test_one_draw_has_no_epistemic_part_to_judge() -> None:
    found = judge(*made(draws=1, score=False), resamples=2)
    told = document(found)
    assert "epistemic" not in found.measures
    assert told["retention"]["epistemic"] == []
    assert "zero by definition" in told["undefined"]["measures.epistemic"]
    assert told["undefined"]["retention.score"]
    with pytest.raises(UserFacingError, match="epistemic"):
        judge(*made(draws=1), "epistemic", resamples=2)


def test_what_is_undefined_is_null_and_never_zero() -> None:
    """A model that is always right has no errors to find; an item alone has no neighbour and no interval."""
    given, _ = made()
    told = document(judge(given, given.probs.argmax(1), resamples=20))
    assert told["accuracy"] == 1.0
    assert told["error_auroc"] is None
    assert "no positives" in told["undefined"]["error_auroc"]
    assert told["undefined"]["measures.total.error_auroc"]
    assert "error_auroc" not in told["intervals"]
    one = Answers(("a",), "multiclass", 1, np.array([[0.7, 0.3]]), {"total": np.array([0.6])}, features=np.ones((1, 2)))
    alone = document(judge(one, np.array([0]), resamples=5))
    assert alone["accuracy"] == 1.0
    assert alone["r_at_1"] is None
    assert alone["undefined"]["r_at_1"]
    assert alone["undefined"]["intervals.accuracy"]


def test_labels_of_other_classes_serve_retrieval_only() -> None:
    given, labels = made()
    found = judge(given, labels + 100, "total", foreign="its classes are others", resamples=10)
    for key in set(FIGURES) - {"r_at_1", "r_auroc"}:
        assert found.figures[key].reason == "its classes are others"
    assert found.figures["r_at_1"] == judge(given, labels, resamples=2).figures["r_at_1"]
    told = document(found)
    assert set(told["intervals"]) == {"r_at_1", "r_auroc"}
    assert all(points == [] for points in told["retention"].values())
    nobody = judge(given, np.zeros(0), foreign="no item has a label", resamples=2)
    assert {figure.reason for figure in nobody.figures.values()} == {"no item has a label"}


def test_agreement_is_a_rank_correlation_with_the_entropy_of_what_people_said() -> None:
    from scipy.stats import spearmanr

    given, labels = made()
    votes = numpy_generator("votes").dirichlet(np.ones(CLASSES), size=ITEMS)
    votes[:10] = np.nan
    found = judge(given, labels, resamples=2, truth=votes)
    entropy = -(votes[10:] * np.log(votes[10:])).sum(1)
    want, _ = spearmanr(given.doubts["total"][10:], entropy)
    assert found.agreement["total"].value == pytest.approx(want)
    assert document(judge(given, labels, resamples=2))["undefined"]["agreement"]


def test_answers_that_are_not_numbers_have_no_figures() -> None:
    given, labels = made(score=False)
    probs = given.probs.copy()
    probs[3] = np.nan
    broken = Answers(given.ids, given.task, 5, probs, {**given.doubts, "total": np.full(ITEMS, np.nan)}, features=None)
    told = document(judge(broken, labels, resamples=5))
    assert told["nll"] is None
    assert told["aurc"] is None
    assert not any(isinstance(found, float) and math.isnan(found) for found in told.values())
