"""The decomposition of doubt: hand-worked values, naive loops, laws for any answer, simulated error bars."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts import Predictive, Uncertainty
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.metrics.uncertainty import decompose, entropy, max_softmax, running, spearman_of_parts
from tests.maths.answers import answer, moments_of

KINDS = ("entropy", "variance", "labelwise")
TASKS = ("multiclass", "multilabel")


def parts(found: Uncertainty) -> list[np.ndarray]:
    return [found.total, found.aleatoric, found.epistemic]


def plogp(p: float) -> float:
    return -p * math.log(p) if p > 0 else 0.0


def naive(draws: np.ndarray, kind: str, task: str) -> tuple[float, float]:
    """Total and aleatoric of one item (draws, classes) by loops; multi-label per-class values averaged."""
    n, classes = draws.shape

    def f(p: float) -> float:
        return p * (1 - p) if kind == "variance" else plogp(p) + plogp(1 - p)

    if kind == "entropy" and task == "multiclass":
        total = sum(plogp(sum(draws[t][c] for t in range(n)) / n) for c in range(classes))
        return total, sum(plogp(draws[t][c]) for t in range(n) for c in range(classes)) / n
    total = sum(f(sum(draws[t][c] for t in range(n)) / n) for c in range(classes))
    aleatoric = sum(f(draws[t][c]) for t in range(n) for c in range(classes)) / n
    scale = classes if task == "multilabel" else 1
    return total / scale, aleatoric / scale


def test_two_draws_of_two_classes_give_the_values_worked_out_by_hand() -> None:
    found = decompose(Predictive(torch.tensor([[[0.9, 0.1]], [[0.5, 0.5]]], dtype=torch.float64)))
    assert np.concatenate(parts(found)) == pytest.approx([0.610864, 0.509115, 0.101749], abs=5e-7)


def test_two_draws_of_one_label_give_the_values_worked_out_by_hand() -> None:
    found = decompose(Predictive(torch.tensor([[[0.9]], [[0.1]]], dtype=torch.float64), "multilabel"))
    assert np.concatenate(parts(found)) == pytest.approx([0.693147, 0.325083, 0.368064], abs=5e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", TASKS)
def test_every_kind_equals_a_naive_loop(kind, task) -> None:
    made = answer(7, 5, 4, task=task, seed=3)
    found = decompose(made, kind=kind)
    for item in range(5):
        total, aleatoric = naive(made.probs[:, item].numpy(), kind, task)
        assert found.total[item] == pytest.approx(total, abs=1e-12)
        assert found.aleatoric[item] == pytest.approx(aleatoric, abs=1e-12)
        assert found.epistemic[item] == pytest.approx(total - aleatoric, abs=1e-12)


def test_the_epistemic_variance_is_the_variance_over_draws_and_its_total_is_the_gini_impurity() -> None:
    made = answer(9, 6, 5)
    found = decompose(made, kind="variance")
    probs = made.probs.numpy()
    assert found.epistemic == pytest.approx(probs.var(axis=0).sum(axis=1), abs=1e-12)
    assert found.total == pytest.approx(1 - (probs.mean(axis=0) ** 2).sum(axis=1), abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "task"), [(k, t) for k in KINDS for t in TASKS if (k, t) != ("labelwise", "multiclass")]
)
def test_moments_say_the_same_as_the_draws(kind, task) -> None:
    made = answer(6, 5, 4, task=task, seed=8)
    for ours, theirs in zip(
        parts(decompose(moments_of(made), kind=kind)), parts(decompose(made, kind=kind)), strict=True
    ):
        assert ours == pytest.approx(theirs, abs=1e-12)
    assert decompose(moments_of(made), kind=kind).epistemic_error is None


def test_moments_refuse_what_needs_the_draws() -> None:
    with pytest.raises(UserFacingError, match="every draw"):
        decompose(moments_of(answer(3, 2, 4)), kind="labelwise")


@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(2, 6),
    st.sampled_from(KINDS),
    st.sampled_from(TASKS),
)
@settings(max_examples=60, deadline=None)
def test_parts_add_up_and_epistemic_lies_between_zero_and_total(seed, draws, items, classes, kind, task) -> None:
    made = answer(draws, items, classes, task=task, seed=seed, spread=3.0)
    found = decompose(made, kind=kind)
    assert found.total == pytest.approx(found.aleatoric + found.epistemic, abs=1e-15)
    assert (found.epistemic >= -1e-12).all()
    assert (found.epistemic <= found.total + 1e-12).all()
    turned = decompose(replace(made, probs=made.probs.flip(0)), kind=kind)
    assert turned.epistemic == pytest.approx(found.epistemic, abs=1e-12)
    alike = decompose(replace(made, probs=made.probs[:1].expand(5, -1, -1)), kind=kind)
    assert alike.epistemic == pytest.approx(0, abs=1e-12)
    if draws == 1:
        assert (found.epistemic == 0).all()


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_certain_draws_that_all_differ_have_mutual_information_log_c(classes) -> None:
    found = decompose(Predictive(torch.eye(classes)[:, None, :]))
    assert found.epistemic == pytest.approx(math.log(classes), abs=1e-12)
    assert found.aleatoric == pytest.approx(0, abs=1e-12)


def test_sum_and_mean_rank_alike_and_none_holds_every_class() -> None:
    made = answer(5, 30, 6, task="multilabel")
    each = decompose(made, reduction="none")
    assert each.total.shape == (30, 6)
    assert decompose(made, reduction="sum").epistemic == pytest.approx(each.epistemic.sum(axis=1))
    assert decompose(made).epistemic == pytest.approx(each.epistemic.mean(axis=1))
    assert each.epistemic_error is not None
    assert each.epistemic_error.shape == (30, 6)


def test_max_takes_all_parts_from_the_most_doubtful_class_so_that_they_add_up() -> None:
    made = answer(5, 30, 6, task="multilabel", seed=2)
    each, found = decompose(made, reduction="none"), decompose(made, reduction="max")
    worst = each.total.argmax(axis=1)
    assert found.total.tolist() == each.total.max(axis=1).tolist()
    assert found.aleatoric.tolist() == each.aleatoric[np.arange(30), worst].tolist()
    assert found.total == pytest.approx(found.aleatoric + found.epistemic, abs=1e-15)


def test_a_softmax_entropy_has_no_classes_to_reduce() -> None:
    with pytest.raises(ValueError, match="labelwise"):
        decompose(answer(2, 2, 3), reduction="mean")


def test_float32_and_bfloat16_answers_are_added_up_in_float64() -> None:
    made = answer(50, 4, 527, seed=4)
    half = decompose(replace(made, probs=made.probs.to(torch.bfloat16)))
    assert half.total.dtype == np.float64
    assert half.total == pytest.approx(decompose(made).total, abs=0.02)
    single = decompose(replace(made, probs=made.probs.float()))
    assert single.epistemic == pytest.approx(decompose(made).epistemic, abs=1e-6)


def test_large_answers_are_taken_in_blocks_without_a_seam(monkeypatch) -> None:
    made = answer(4, 11, 5)
    whole = decompose(made)
    monkeypatch.setattr("core.metrics.uncertainty._BLOCK", 4 * 5 * 3)
    blocks = decompose(made)
    assert all((a == b).all() for a, b in zip(parts(whole), parts(blocks), strict=True))
    assert (whole.total_error == blocks.total_error).all()


def test_no_items_give_empty_parts_and_no_draws_are_refused() -> None:
    assert decompose(Predictive(torch.zeros(3, 0, 4))).total.shape == (0,)
    for measure in (decompose, max_softmax):
        with pytest.raises(ValueError, match="draw"):
            measure(Predictive(torch.zeros(0, 2, 4)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", TASKS)
def test_stated_errors_are_the_spread_over_repeated_sampling(kind, task) -> None:
    """3,000 answers of 12 draws each from one posterior: the mean jackknife variance is the true variance."""
    generator = numpy_generator("errors", kind, task)
    logits = np.array([0.5, -0.3, -1.0]) + generator.normal(size=(12, 3000, 3))
    powers = np.exp(logits)
    probs = powers / powers.sum(-1, keepdims=True) if task == "multiclass" else powers / (1 + powers)
    found = decompose(Predictive(torch.from_numpy(probs), task), kind=kind)
    for part in ("total", "aleatoric", "epistemic"):
        stated = math.sqrt((getattr(found, f"{part}_error") ** 2).mean())
        assert stated == pytest.approx(getattr(found, part).std(ddof=1), rel=0.15), part


def test_the_aleatoric_error_is_the_standard_error_of_a_mean() -> None:
    made = answer(8, 3, 4)
    each = -(made.probs * made.probs.log()).sum(-1).numpy()
    assert decompose(made).aleatoric_error == pytest.approx(each.std(axis=0, ddof=1) / math.sqrt(8))


def test_one_draw_has_no_error_and_equal_draws_have_none_to_speak_of() -> None:
    assert decompose(answer(1, 2, 3)).total_error is None
    assert (decompose(answer(2, 2, 3)).total_error > 0).all()
    made = answer(1, 2, 3)
    assert decompose(replace(made, probs=made.probs.expand(4, -1, -1))).total_error == pytest.approx(0, abs=1e-12)


def test_few_draws_understate_epistemic_doubt() -> None:
    """By Jensen's inequality the plug-in mutual information is biased downwards, the more the fewer draws."""
    made = answer(64, 500, 20, seed=6)
    means = [decompose(replace(made, probs=made.probs[:n])).epistemic.mean() for n in (2, 8, 64)]
    assert means[0] < means[1] < means[2]


def test_running_gives_the_decomposition_of_the_first_draws() -> None:
    made = answer(20, 4, 3)
    found = running(made)
    assert found.draws == (1, 2, 3, 5, 8, 11, 17, 20)
    for count, part in zip(found.draws, found.parts, strict=True):
        assert (part.epistemic == decompose(replace(made, probs=made.probs[:count])).epistemic).all()
    assert running(made, at=(4, 6), kind="variance").parts[1].kind == "variance"
    with pytest.raises(ValueError, match="between 1 and 20"):
        running(made, at=(21,))


def test_plain_doubts_follow_their_definitions() -> None:
    made = Predictive(torch.tensor([[[0.9, 0.1]], [[0.5, 0.5]]], dtype=torch.float64))
    assert max_softmax(made) == pytest.approx([0.3])
    assert entropy(made) == pytest.approx([0.610864], abs=5e-7)
    assert max_softmax(Predictive(torch.tensor([[[0.5, 0.3, 0.2]]]))) == pytest.approx([0.5])
    assert max_softmax(Predictive(torch.tensor([[[0.9, 0.3, 0.5]]]), "multilabel")) == pytest.approx([0.9 / 3])
    labels = replace(made, task="multilabel")
    assert entropy(labels, "sum") == pytest.approx([2 * 0.610864], abs=1e-6)
    assert entropy(moments_of(made)) == pytest.approx(entropy(made))


def test_the_correlation_of_the_parts_is_one_where_they_rank_alike_and_undefined_where_one_is_flat() -> None:
    doubt = np.array([0.1, 0.4, 0.2, 0.9])
    assert spearman_of_parts(Uncertainty(doubt * 3, doubt * 2, doubt**3)).value == 1.0
    flat = spearman_of_parts(decompose(answer(1, 5, 3)))
    assert flat.value is None
    assert flat.reason is not None
    assert "same for every item" in flat.reason
