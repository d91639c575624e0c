"""Signs that a model's doubt cannot be used, in one sentence each, with the one knob to try first.

The signs are those that the sources name; the thresholds are ours and stand beside each rule. A rule whose facts
were not measured stays silent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from core.metrics.ranks import spearman


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a model; None means not measured."""

    accuracy: float | None = None  # on held-out items
    accuracy_half_kept: float | None = None  # of the less doubtful half
    train_accuracy: float | None = None
    validation_accuracy: float | None = None
    ood_auroc: float | None = None  # of the doubt, other data being positive
    draws: int | None = None
    mean_total: float | None = None
    mean_epistemic: float | None = None
    parts_correlation: float | None = None  # Spearman of aleatoric and epistemic
    members: int | None = None  # networks that answer together; None: it has none
    member_disagreement: float | None = None  # mean share of items on which two members differ
    ewc_weight: float | None = None
    adaptation_loss_before: float | None = None  # on the new data, without the penalty
    adaptation_loss_after: float | None = None
    validation_losses: tuple[float, ...] = ()  # one an epoch


@dataclass(frozen=True, slots=True)
class Finding:
    code: str  # stable, for programs
    sentence: str
    knob: str


def facts_of(doubts: Mapping[str, np.ndarray], draws: int) -> Facts:
    """What the doubts of some items show by themselves."""
    both = "aleatoric" in doubts and "epistemic" in doubts
    epistemic = float(doubts["epistemic"].mean()) if "epistemic" in doubts else None
    return Facts(
        draws=draws,
        mean_total=float(doubts["total"].mean()) if "total" in doubts else None,
        mean_epistemic=0.0 if epistemic is None and draws == 1 else epistemic,
        parts_correlation=spearman(doubts["aleatoric"], doubts["epistemic"]).value if both else None,
    )


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Every sign that these facts show, in a fixed order."""
    found = (rule(facts) for rule in RULES)
    return tuple(finding for finding in found if finding is not None)


FLAT_GAIN = 0.1  # of the gain in accuracy that an oracle has when half is set aside
GAP = 0.15  # accuracy in training above validation
BLIND, INVERTED = 0.55, 0.45  # AUROC against other data
NO_EPISTEMIC = 1e-3  # of the total
SAME_STORY = 0.9  # rank correlation
COLLAPSED = 0.1  # disagreements for each error
STUCK = 0.05  # least relative fall of the loss on the new data
RISEN = 1.25  # last validation loss in units of the best


def _flat_retention(facts: Facts) -> Finding | None:
    if facts.accuracy is None or facts.accuracy_half_kept is None:
        return None
    gain, possible = facts.accuracy_half_kept - facts.accuracy, min(1.0, 2 * facts.accuracy) - facts.accuracy
    change = f"from {facts.accuracy:.1%} to {facts.accuracy_half_kept:.1%}"
    if gain < -FLAT_GAIN * possible:
        return Finding(
            "retention_falls",
            f"Setting the more doubtful half aside lowers accuracy {change}: this doubt points the wrong way.",
            "Order by another measure (max-softmax first); then check that the noise is on and the model calibrated.",
        )
    if possible > 0 and gain < FLAT_GAIN * possible:
        return Finding(
            "retention_flat",
            f"Setting the more doubtful half aside moves accuracy only {change}: this doubt hardly knows the errors.",
            "Keep the features fixed instead of fine-tuning, or order by max-softmax or the predicted loss.",
        )
    return None


def _train_validation_gap(facts: Facts) -> Finding | None:
    if facts.train_accuracy is None or facts.validation_accuracy is None:
        return None
    if facts.train_accuracy - facts.validation_accuracy <= GAP:
        return None
    return Finding(
        "train_validation_gap",
        f"Accuracy is {facts.train_accuracy:.1%} in training and {facts.validation_accuracy:.1%} in validation: "
        "the model has learned its training items by heart.",
        "Augment the training items; with few of them, train the head on fixed pretrained features only.",
    )


def _flat_across_domains(facts: Facts) -> Finding | None:
    if facts.ood_auroc is None or facts.ood_auroc >= BLIND:
        return None
    if facts.ood_auroc < INVERTED:
        sentence = "Data from elsewhere get less doubt than the model's own"
    else:
        sentence = "Data from elsewhere get the same doubt as the model's own"
    return Finding(
        "flat_across_domains",
        f"{sentence} (AUROC {facts.ood_auroc:.2f}): this doubt does not notice the unfamiliar.",
        "Use novelty (k-NN, Mahalanobis or ViM on the features) to spot unfamiliar data.",
    )


def _zero_epistemic(facts: Facts) -> Finding | None:
    if facts.mean_epistemic is None:
        return None
    if facts.draws == 1:
        return Finding(
            "one_draw",
            "With one draw the epistemic part is zero by definition, not because the model knows.",
            "Ask a sampling method for 20 draws or more.",
        )
    if not facts.mean_total or facts.mean_epistemic > NO_EPISTEMIC * facts.mean_total:
        return None
    return Finding(
        "zero_epistemic",
        f"The epistemic part is {facts.mean_epistemic / facts.mean_total:.2%} of all doubt: "
        "the draws are nearly one and the same network.",
        "Widen the posterior: a larger initial rho (Flipout), delta (MOPED), alpha (ABNN) or dropout rate.",
    )


def _parts_alike(facts: Facts) -> Finding | None:
    if facts.parts_correlation is None or facts.parts_correlation <= SAME_STORY:
        return None
    return Finding(
        "parts_alike",
        f"Aleatoric and epistemic rank the items alike (correlation {facts.parts_correlation:.2f}): "
        "the split carries little information here.",
        "Read the total alone, or let the members differ more: sparser masks, other seeds."
        if facts.members
        else "Read the total alone, or compare an ensemble, which separates the two best.",
    )


def _members_collapsed(facts: Facts) -> Finding | None:
    if facts.members is None or facts.members < 2 or facts.member_disagreement is None or facts.accuracy is None:
        return None
    if facts.accuracy >= 1 or facts.member_disagreement >= COLLAPSED * (1 - facts.accuracy):
        return None
    return Finding(
        "members_collapsed",
        f"The {facts.members} members differ on {facts.member_disagreement:.2%} of the items "
        f"but err on {1 - facts.accuracy:.1%}: they make the same mistakes.",
        "Make members differ more: stronger random class weights (ABNN), sparser masks (Dropsembles), other seeds.",
    )


def _ewc_too_strong(facts: Facts) -> Finding | None:
    before, after = facts.adaptation_loss_before, facts.adaptation_loss_after
    if not facts.ewc_weight or before is None or after is None or before <= 0:
        return None
    if (before - after) / before >= STUCK:
        return None
    return Finding(
        "ewc_too_strong",
        f"With an EWC weight of {facts.ewc_weight:g} the loss on the new data went from {before:.3g} to {after:.3g}: "
        "the weights are held where they were.",
        "Lower the EWC weight tenfold.",
    )


def _unstable_fine_tuning(facts: Facts) -> Finding | None:
    losses = facts.validation_losses
    if len(losses) < 2:
        return None
    best = min((loss for loss in losses if math.isfinite(loss)), default=math.nan)
    if all(math.isfinite(loss) for loss in losses) and losses[-1] <= RISEN * best:
        return None
    last = f"{losses[-1]:.3g}" if math.isfinite(losses[-1]) else "no number"
    return Finding(
        "unstable_fine_tuning",
        f"The validation loss was {best:.3g} at best and is {last} at the end: fine-tuning undoes what was learned.",
        "Lower the learning rate tenfold, or stop the gradient before the backbone.",
    )


RULES: tuple[Callable[[Facts], Finding | None], ...] = (
    _flat_retention,
    _train_validation_gap,
    _flat_across_domains,
    _zero_epistemic,
    _parts_alike,
    _members_collapsed,
    _ewc_too_strong,
    _unstable_fine_tuning,
)
