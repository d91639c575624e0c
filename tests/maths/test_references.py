"""Our measures against torchmetrics and torch-uncertainty, where those are right; their traps are avoided by name.

One group, imported late, so that one process of the test run pays for their imports.
"""

from __future__ import annotations

import importlib
import math
import warnings
from types import ModuleType

import numpy as np
import pytest
import torch

from core.contracts import Predictive
from core.fingerprint import numpy_generator
from core.metrics.diversity import disagreement
from core.metrics.ranks import auroc, average_precision, fpr_at_tpr, spearman
from core.metrics.reliability import ece, ece_equal_mass, judged
from core.metrics.scoring import accuracy, brier, confusion, macro_f1, mean_average_precision, nll
from core.metrics.selective import augrc, aurc, coverage_at_risk, risk_at_coverage, selective_risk
from core.metrics.uncertainty import decompose, max_softmax
from tests.maths.answers import answer

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # "will save all targets in buffer"
]

SEEDS = range(4)


def imported(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they deprecate is not ours to mend
        return importlib.import_module(name)


@pytest.fixture(scope="module")
def tm() -> ModuleType:
    return imported("torchmetrics.functional.classification")


@pytest.fixture(scope="module")
def tu() -> ModuleType:
    return imported("torch_uncertainty.metrics.classification")


def made(seed: int, items: int = 150, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities exact in float32, without ties, and labels that they partly know."""
    generator = numpy_generator("references", seed)
    logits = 1.5 * generator.normal(size=(items, classes))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(-1)
    powers = np.exp(1.7 * logits)
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32).astype(float), labels


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]


def value_of(metric, *inputs: np.ndarray) -> float:
    metric.update(*tensors(*inputs))
    return float(metric.compute())


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_agree(tm, tu, seed) -> None:
    probs, labels = made(seed)
    p, y = tensors(probs, labels)
    for ours, theirs in (
        (accuracy(probs, labels), tm.multiclass_accuracy(p, y, 5, average="micro")),
        (macro_f1(probs, labels), tm.multiclass_f1_score(p, y, 5, average="macro")),
        (mean_average_precision(probs, labels), tm.multiclass_average_precision(p, y, 5)),
        (nll(probs, labels), value_of(tu.CategoricalNLL(), probs, labels)),
        (brier(probs, labels), value_of(tu.BrierScore(num_classes=5), probs, labels)),
    ):
        assert ours.value == pytest.approx(float(theirs), abs=2e-6)
    assert (confusion(probs, labels) == tm.multiclass_confusion_matrix(p, y, 5).numpy()).all()


@pytest.mark.parametrize("bins", [7, 10, 15])
@pytest.mark.parametrize("seed", SEEDS)
def test_calibration_errors_agree(tm, tu, seed, bins) -> None:
    probs, labels = made(seed)
    probs[:3] = np.eye(5)[:3]  # a confidence of exactly 1 has a bin of its own there
    p, y = tensors(probs, labels)
    theirs = float(tm.multiclass_calibration_error(p.float(), y, 5, n_bins=bins, norm="l1"))
    assert ece(*judged(probs, labels), bins, closed="left").value == pytest.approx(theirs, abs=2e-6)
    equal_mass = tu.AdaptiveCalibrationError(task="multiclass", num_classes=5, num_bins=bins)
    ours = ece_equal_mass(*judged(probs[3:], labels[3:]), bins).value
    assert ours == pytest.approx(value_of(equal_mass, probs[3:], labels[3:]), abs=2e-6)


@pytest.mark.parametrize(("confidence", "right"), [((0.60, 0.55), (1, 0)), ((1.00, 0.95), (0, 1))])
def test_the_left_closed_rule_is_that_of_torchmetrics_on_the_worked_examples(tm, confidence, right) -> None:
    probs = np.array([[c, 1 - c] for c in confidence])
    labels = 1 - np.array(right)
    p, y = tensors(probs, labels)
    theirs = float(tm.multiclass_calibration_error(p.float(), y, 2, n_bins=10, norm="l1"))
    assert ece(*judged(probs, labels), 10, closed="left").value == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_order_measures_agree_on_scores_inside_zero_and_one(tm, tu, seed) -> None:
    generator = numpy_generator("order", seed)
    score = generator.integers(60, size=200) / 64  # ties, exact in float32
    positive = (generator.uniform(size=200) < score).astype(int)
    s, y = tensors(score, positive)
    assert auroc(score, positive).value == pytest.approx(float(tm.binary_auroc(s, y)), abs=1e-6)
    assert average_precision(score, positive).value == pytest.approx(float(tm.binary_average_precision(s, y)), abs=1e-6)
    assert fpr_at_tpr(score, positive).value == pytest.approx(value_of(tu.FPR95(pos_label=1), score, positive))
    other = generator.normal(size=200)
    theirs = imported("torchmetrics.functional.regression").spearman_corrcoef(s, torch.from_numpy(other))
    assert spearman(score, other).value == pytest.approx(float(theirs), abs=1e-5)


def test_the_sigmoid_that_torchmetrics_applies_to_large_scores_is_not_ours(tm) -> None:
    score, positive = np.arange(20.0, 26.0), np.array([0, 0, 0, 1, 1, 1])
    s, y = tensors(score.astype(np.float32), positive)
    assert float(tm.binary_auroc(s, y)) < 0.99
    assert auroc(score, positive).value == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_areas_and_operating_points_agree_without_ties(tu, seed) -> None:
    probs, labels = made(seed)
    doubt, wrong = 1 - probs.max(axis=1), (probs.argmax(axis=1) != labels).astype(float)
    assert len(set(doubt)) == len(doubt)
    assert aurc(doubt, wrong, "trapezoid").value == pytest.approx(value_of(tu.AURC(), probs, labels), abs=1e-6)
    first = selective_risk(doubt, wrong)[0] / 150  # theirs starts at coverage 1/N and divides by the width
    theirs = value_of(tu.AUGRC(), probs, labels) * 149 / 150 + first / 2 / 150
    assert augrc(doubt, wrong).value == pytest.approx(theirs, abs=1e-6)
    theirs = value_of(tu.RiskAtxCov(0.8), probs, labels)
    assert risk_at_coverage(doubt, wrong, 0.8).value == pytest.approx(theirs, abs=1e-6)
    for risk in (0.1, 0.2, 0.3):
        theirs, ours = value_of(tu.CovAtxRisk(risk), probs, labels), coverage_at_risk(doubt, wrong, risk).value
        assert (ours is None) if math.isnan(theirs) else ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_decomposition_agrees(tu, seed) -> None:
    draws = answer(6, 40, 5, seed=seed)
    theirs = tu.MutualInformation(reduction="none")
    theirs.update(draws.probs.transpose(0, 1))
    found = decompose(draws)
    assert found.epistemic == pytest.approx(theirs.compute().numpy(), abs=1e-6)
    whole = tu.Entropy(reduction="none")
    whole.update(draws.probs.mean(dim=0))
    assert found.total == pytest.approx(whole.compute().numpy(), abs=1e-6)
    each = tu.Entropy(reduction="none")
    each.update(draws.probs.transpose(0, 1))
    assert found.aleatoric == pytest.approx(each.compute().numpy(), abs=1e-6)


def test_members_disagree_as_torch_uncertainty_counts(tu) -> None:
    draws = answer(5, 60, 4, seed=9)
    theirs = tu.Disagreement(reduction="mean")
    theirs.update(draws.probs.transpose(0, 1))
    assert disagreement(draws).mean.value == pytest.approx(float(theirs.compute()), abs=1e-6)


def test_the_doubt_of_a_point_estimate_is_their_confidence_turned_round(tu) -> None:
    probs, labels = made(1)
    doubt = max_softmax(Predictive(torch.from_numpy(probs)[None]))
    wrong = (probs.argmax(axis=1) != labels).astype(float)
    assert aurc(doubt, wrong, "trapezoid").value == pytest.approx(value_of(tu.AURC(), probs, labels), abs=1e-6)
