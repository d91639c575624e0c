"""What is known of a model for its Diagnosis: held-out answers, what it said elsewhere, and the record of its training.

Needs no torch. A sign whose facts were never measured stays silent and is told as not looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from core.checkpoints.card import Card
from core.checkpoints.folders import find, mark_of, read_card
from core.checkpoints.heldout import load_heldout
from core.errors import UserFacingError
from core.metrics.diagnosis import Facts, Finding, diagnose, facts_of
from core.metrics.diversity import disagreement
from core.metrics.ood import detect
from core.pipeline import elsewhere
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.retained import kept_mask
from core.pipeline.sheets import Sheet, held_out_sheet
from core.settings import Settings
from core.training.run_files import measured

_MEMBERS = ("ensemble", "dropsembles")  # methods whose draws are members, one each


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that is looked for, and the facts that it takes."""

    name: str
    known: Callable[[Facts], bool]


SIGNS = (
    Sign("a flat or falling curve", lambda f: f.accuracy_half_kept is not None),
    Sign(
        "training items learned by heart", lambda f: f.train_accuracy is not None and f.validation_accuracy is not None
    ),
    Sign("no more doubt about data from elsewhere", lambda f: f.ood_auroc is not None),
    Sign("an epistemic part of zero", lambda f: f.mean_epistemic is not None),
    Sign("two kinds of doubt that tell one story", lambda f: f.parts_correlation is not None),
    Sign("members that make the same mistakes", lambda f: f.member_disagreement is not None),
    Sign("weights held where they were (EWC)", lambda f: bool(f.ewc_weight) and f.adaptation_loss_after is not None),
    Sign("fine-tuning that undoes what was learned", lambda f: len(f.validation_losses) > 1),
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    facts: Facts
    findings: tuple[Finding, ...]
    looked: tuple[str, ...]
    not_looked: tuple[str, ...]
    outside: str = ""  # title of the items from elsewhere behind it


def diagnosis_of(facts: Facts, outside: str = "") -> Diagnosis:
    return Diagnosis(
        facts,
        diagnose(facts),
        tuple(sign.name for sign in SIGNS if sign.known(facts)),
        tuple(sign.name for sign in SIGNS if not sign.known(facts)),
        outside,
    )


def diagnosed(name: str, settings: Settings, measure: str | None = None) -> Diagnosis:
    """Of a model by its name. ``measure`` None: its own score, or else the total. Raises UserFacingError."""
    facts = training_facts(name, settings)
    try:
        sheet = held_out_sheet(name, settings)
    except UserFacingError as error:
        if error.code != "no-heldout":
            raise
        return diagnosis_of(facts)
    strangers = strangers_of(sheet, settings)
    found = answer_facts(sheet, measure, strangers)
    return diagnosis_of(joined(found, facts), "" if strangers is None else strangers.title)


def answer_facts(sheet: Sheet, measure: str | None, strangers: Elsewhere | None) -> Facts:
    """From held-out answers, and answers to items from elsewhere where there are such."""
    name, doubts = sheet.measure(measure), sheet.doubts
    doubt, right = doubts.get(name), None if sheet.errors is None else 1.0 - sheet.errors
    half = ood = None
    if doubt is not None and right is not None and sheet.task == "multiclass":
        half = float(right[kept_mask(doubt, 0.5)].mean())
    if strangers is not None and doubt is not None and name in strangers.doubts:
        outside = strangers.outside
        ood = detect(doubt, strangers.doubts[name][outside]).auroc.value if outside.any() else None
    return replace(
        facts_of(doubts, sheet.draws),
        accuracy=None if right is None or sheet.task != "multiclass" else float(right.mean()),
        accuracy_half_kept=half,
        ood_auroc=ood,
    )


def training_facts(name: str, settings: Settings) -> Facts:
    """From the card, the stored draws of its members, and what was measured while it was trained."""
    card = read_card(name, settings)
    records = measured(settings.runs / name)
    losses = tuple(float(one["validation loss"]) for one in records if one.get("validation loss") is not None)
    accuracies = [one["validation accuracy"] for one in records if one.get("validation accuracy") is not None]
    tasks = [one["task"] for one in records if one.get("task") is not None]
    weight = card.method_config.get("ewc")
    members = card.method_config.get("members") if card.method in _MEMBERS else None
    return Facts(
        train_accuracy=_train_accuracy(name, card, settings),
        validation_accuracy=float(accuracies[-1]) if accuracies else None,
        members=members,
        member_disagreement=_disagreement(name, settings) if members else None,
        ewc_weight=float(weight) if weight else None,
        adaptation_loss_before=float(tasks[0]) if weight and len(tasks) > 1 else None,
        adaptation_loss_after=float(tasks[-1]) if weight and len(tasks) > 1 else None,
        validation_losses=losses,
    )


def joined(first: Facts, second: Facts) -> Facts:
    """What the first knows, and of the rest what the second does."""
    missing = {f.name: getattr(second, f.name) for f in fields(Facts) if getattr(first, f.name) in (None, ())}
    return replace(first, **missing)


def strangers_of(sheet: Sheet, settings: Settings) -> Elsewhere | None:
    """Items from elsewhere that the model was asked about: the hardest first, those of its own kind of data."""
    known = elsewhere.known(sheet.name, sheet.mark, settings, sheet.draws, sheet.seed)
    own = sheet.card.data.key
    ranked = sorted(known, key=lambda key: (not key.startswith(f"{own}:"), key))
    for key in ranked:
        found = elsewhere.load(sheet.name, sheet.mark, key, settings, sheet.draws, sheet.seed)
        if found is not None and found.outside.any():
            return found
    return None


def _disagreement(name: str, settings: Settings) -> float | None:
    """Of the members, as far as their single answers are stored."""
    try:
        kept = load_heldout(name, settings).answers.kept
    except UserFacingError:
        return None
    return None if kept is None else disagreement(kept.answer).mean.value


def _train_accuracy(name: str, card: Card, settings: Settings) -> float | None:
    """On training items that it was asked about, see ``core.pipeline.ask``."""
    mark = mark_of(find(name, settings))
    for draws, seed in elsewhere.ways(name, mark, settings):
        found = elsewhere.load(name, mark, f"{card.data.key}:train", settings, draws, seed)
        if found is not None and found.learned.any():
            wrong = found.errors[found.learned & (found.labels >= 0)]
            return float(1.0 - wrong.mean()) if len(wrong) else None
    return None
