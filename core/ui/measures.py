"""What people read for each measure of doubt, and how it looks, on every page: pure, no streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.ui import palette


@dataclass(frozen=True, slots=True)
class Word:
    name: str  # beside a bar or a line of one file
    label: str  # on a button
    noun: str  # in a sentence
    title: str  # in a list, with the technical term
    adjective: str  # of an item that has much of it
    technical: str
    sentences: str  # two
    formula: str  # LaTeX


WORDS: Mapping[str, Word] = {
    "total": Word(
        "In all",
        "total",
        "total doubt",
        "total doubt",
        "doubtful",
        "total or predictive entropy",
        "How far the model is from being sure of one class, all draws taken together. It is 0 when one class has all "
        "the probability, and largest when all classes have the same.",
        r"H\Big(\tfrac1S\sum_s p_s\Big),\qquad H(p)=-\sum_c p_c\ln p_c",
    ),
    "aleatoric": Word(
        "Ambiguous",
        "ambiguous",
        "ambiguity",
        "ambiguous (aleatoric)",
        "ambiguous",
        "aleatoric doubt",
        "What remains when each draw is asked alone: every draw wavers, because the thing itself fits several classes. "
        "More training data would not remove it.",
        r"\tfrac1S\sum_s H(p_s)",
    ),
    "epistemic": Word(
        "Unfamiliar",
        "unfamiliar",
        "unfamiliarity",
        "unfamiliar (epistemic)",
        "unfamiliar",
        "epistemic doubt, mutual information",
        "How much the draws contradict each other: each is sure, but of something else. It shrinks where the model has "
        "seen enough that is alike.",
        r"H\Big(\tfrac1S\sum_s p_s\Big)-\tfrac1S\sum_s H(p_s)",
    ),
    "novelty": Word(
        "Novel",
        "novelty",
        "novelty",
        "novelty",
        "novel",
        "distance to the training features",
        "How far the file lies from all that the model was trained on, whatever it answers. It notices what no class "
        "fits, even where every draw is sure.",
        r"\min_c\ (z-\mu_c)^\top\Sigma^{-1}(z-\mu_c)",
    ),
    "score": Word(
        "Predicted",
        "predicted loss",
        "predicted loss",
        "predicted loss or score",
        "doubtful",
        "a loss or a score of its own",
        "Some models tell their doubt directly: a loss that they predict for themselves, an energy, a distance. What "
        "it means depends on the model; its place among held-out items can be compared.",
        r"u(x)",
    ),
    "max_softmax": Word(
        "Low confidence",
        "low confidence",
        "low confidence",
        "low confidence",
        "hesitant",
        "one less the largest probability",
        "How much probability the most probable class lacks, all draws taken together. It is the plainest doubt there "
        "is, and stays small where a model is sure of the wrong class.",
        r"1-\max_c\tfrac1S\sum_s p_{s,c}",
    ),
}
TITLES = {measure: word.title for measure, word in WORDS.items()}
LABELS = {measure: word.label for measure, word in WORDS.items()}


def noun_of(measure: str, score_name: str | None) -> str:
    """In a sentence."""
    return score_name if measure == "score" and score_name else WORDS[measure].noun


def label_of(measure: str, score_name: str | None) -> str:
    return score_name if measure == "score" and score_name else LABELS[measure]


def style_of(measure: str, dark: bool) -> tuple[str, str]:
    """Colour and dash of a line."""
    colours = palette.palette(dark)
    return {
        "total": (colours.total, "solid"),
        "aleatoric": (colours.aleatoric, "solid"),
        "epistemic": (colours.epistemic, "solid"),
        "novelty": (colours.epistemic, "dashdot"),
        "score": (colours.predicted, "dash"),
        "max_softmax": (colours.signal, "longdash"),
    }[measure]


def colour_of(measure: str, dark: bool) -> str:
    return style_of(measure, dark)[0]
