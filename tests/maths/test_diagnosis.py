"""Each sign is given on the data that shows it, and only there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.contracts import Predictive
from core.fingerprint import numpy_generator
from core.metrics.diagnosis import RULES, Facts, Finding, diagnose
from core.metrics.diversity import disagreement
from core.metrics.ood import detect
from core.metrics.retention import retention
from core.metrics.uncertainty import decompose, spearman_of_parts
from tests.maths.answers import answer

HEALTHY = Facts(
    accuracy=0.8,
    accuracy_half_kept=0.95,
    train_accuracy=0.9,
    validation_accuracy=0.82,
    ood_auroc=0.9,
    draws=20,
    mean_total=1.0,
    mean_epistemic=0.2,
    parts_correlation=0.4,
    members=3,
    member_disagreement=0.1,
    ewc_weight=10.0,
    adaptation_loss_before=1.0,
    adaptation_loss_after=0.5,
    validation_losses=(1.0, 0.6, 0.62),
)

SICK = {
    "retention_falls": {"accuracy_half_kept": 0.75},
    "retention_flat": {"accuracy_half_kept": 0.81},
    "train_validation_gap": {"train_accuracy": 1.0},
    "flat_across_domains": {"ood_auroc": 0.5},
    "one_draw": {"draws": 1, "mean_epistemic": 0.0},
    "zero_epistemic": {"mean_epistemic": 1e-4},
    "parts_alike": {"parts_correlation": 0.95},
    "members_collapsed": {"member_disagreement": 0.01},
    "ewc_too_strong": {"adaptation_loss_after": 0.99},
    "unstable_fine_tuning": {"validation_losses": (1.0, 0.5, 0.9)},
}


def codes(facts: Facts) -> list[str]:
    return [finding.code for finding in diagnose(facts)]


def test_a_healthy_model_and_an_unmeasured_one_have_no_findings() -> None:
    assert diagnose(HEALTHY) == ()
    assert diagnose(Facts()) == ()


def test_an_ensemble_is_not_told_to_compare_an_ensemble() -> None:
    alike = replace(HEALTHY, parts_correlation=0.95)
    assert "ensemble" not in diagnose(alike)[0].knob
    assert "compare an ensemble" in diagnose(replace(alike, members=None, member_disagreement=None))[0].knob


@pytest.mark.parametrize("code", SICK)
def test_one_sick_fact_gives_its_own_finding_alone(code) -> None:
    found = diagnose(replace(HEALTHY, **SICK[code]))
    assert [finding.code for finding in found] == [code]
    assert found[0].sentence.endswith(".")
    assert found[0].knob.endswith(".")
    assert found[0].sentence.count(". ") == 0  # one sentence


@pytest.mark.parametrize("code", SICK)
def test_a_rule_is_silent_when_one_of_its_facts_was_not_measured(code) -> None:
    for name in SICK[code]:
        empty = () if name == "validation_losses" else None
        assert code not in codes(replace(HEALTHY, **{**SICK[code], name: empty}))


def test_every_rule_can_speak() -> None:
    for rule in RULES:
        assert any(isinstance(rule(replace(HEALTHY, **change)), Finding) for change in SICK.values())


def test_a_doubt_made_of_noise_is_called_flat_and_a_reversed_one_falling() -> None:
    generator = numpy_generator("diagnosis")
    knowing = generator.uniform(size=4000)
    right = (generator.uniform(size=4000) > 0.5 * knowing).astype(float)

    def found(doubt: np.ndarray) -> list[str]:
        curve = retention(doubt, right).value
        return codes(Facts(accuracy=float(curve[-1]), accuracy_half_kept=float(curve[1999])))

    assert found(knowing) == []
    assert found(generator.uniform(size=4000)) == ["retention_flat"]
    assert found(-knowing) == ["retention_falls"]


def test_a_perfect_model_is_not_blamed_for_a_flat_curve() -> None:
    assert codes(Facts(accuracy=1.0, accuracy_half_kept=1.0)) == []
    assert codes(Facts(accuracy=1.0, members=3, member_disagreement=0.0)) == []


def test_doubt_that_does_not_see_another_domain_is_named_flat_or_inverted() -> None:
    generator = numpy_generator("domains")
    inside, same, lower = generator.normal(size=500), generator.normal(size=500), generator.normal(-1, 1, size=500)
    for outside, words in ((same, "the same doubt"), (lower, "less doubt")):
        (finding,) = diagnose(Facts(ood_auroc=detect(inside, outside).auroc.value))
        assert words in finding.sentence
    assert codes(Facts(ood_auroc=detect(inside, inside + 2).auroc.value)) == []


def test_a_collapsed_posterior_shows_as_zero_epistemic_and_members_that_agree() -> None:
    one = answer(1, 300, 4, seed=1).probs
    nearly = Predictive((one.expand(5, -1, -1) + 1e-4 * torch.linspace(0, 1, 5)[:, None, None]) / (1 + 4e-4))
    parts = decompose(nearly)
    facts = Facts(
        accuracy=0.7,
        draws=5,
        members=5,
        mean_total=float(parts.total.mean()),
        mean_epistemic=float(parts.epistemic.mean()),
        member_disagreement=disagreement(nearly).mean.value,
    )
    assert codes(facts) == ["zero_epistemic", "members_collapsed"]
    lively = decompose(answer(5, 300, 4, seed=1))
    assert codes(Facts(draws=5, mean_total=1.0, mean_epistemic=float(lively.epistemic.mean()))) == []
    assert codes(Facts(parts_correlation=spearman_of_parts(lively).value)) == []


@pytest.mark.parametrize(("weight", "stuck"), [(0.0, False), (1.0, False), (100.0, True)])
def test_ewc_that_holds_the_weights_is_found_on_its_closed_form(weight, stuck) -> None:
    """With unit Fisher and loss |t - b|^2 / 2 the optimum is (b + weight a) / (1 + weight)."""
    anchor, best = np.array([0.0, 1.0]), np.array([2.0, -1.0])
    reached = (best + weight * anchor) / (1 + weight)
    before, after = (float(((point - best) ** 2).sum() / 2) for point in (anchor, reached))
    facts = Facts(ewc_weight=weight, adaptation_loss_before=before, adaptation_loss_after=after)
    assert codes(facts) == (["ewc_too_strong"] if stuck else [])


@pytest.mark.parametrize(
    ("losses", "unstable"),
    [
        ((1.0, 0.5, 0.55), False),
        ((1.0, 0.5, 0.8), True),
        ((1.0, math.nan), True),
        ((0.5,), False),
        ((math.inf,) * 2, True),
    ],
)
def test_a_loss_that_rises_again_or_breaks_is_unstable(losses, unstable) -> None:
    assert codes(Facts(validation_losses=losses)) == (["unstable_fine_tuning"] if unstable else [])
