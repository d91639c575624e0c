"""What the words for doubt mean: two plain sentences and the formula each, one click away on every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True, slots=True)
class Word:
    name: str
    technical: str
    sentences: str
    formula: str  # LaTeX


WORDS = {
    "total": Word(
        "In all",
        "total or predictive entropy",
        "How far the model is from being sure of one class, all draws taken together. It is 0 when one class has all "
        "the probability, and largest when all classes have the same.",
        r"H\Big(\tfrac1S\sum_s p_s\Big),\qquad H(p)=-\sum_c p_c\ln p_c",
    ),
    "aleatoric": Word(
        "Ambiguous",
        "aleatoric doubt",
        "What remains when each draw is asked alone: every draw wavers, because the thing itself fits several classes. "
        "More training data would not remove it.",
        r"\tfrac1S\sum_s H(p_s)",
    ),
    "epistemic": Word(
        "Unfamiliar",
        "epistemic doubt, mutual information",
        "How much the draws contradict each other: each is sure, but of something else. It shrinks where the model has "
        "seen enough that is alike.",
        r"H\Big(\tfrac1S\sum_s p_s\Big)-\tfrac1S\sum_s H(p_s)",
    ),
    "novelty": Word(
        "Novel",
        "distance to the training features",
        "How far the file lies from all that the model was trained on, whatever it answers. It notices what no class "
        "fits, even where every draw is sure.",
        r"\min_c\ (z-\mu_c)^\top\Sigma^{-1}(z-\mu_c)",
    ),
    "score": Word(
        "Predicted",
        "a loss or a score of its own",
        "Some models tell their doubt directly: a loss that they predict for themselves, an energy, a distance. What "
        "it means depends on the model; its place among held-out items can be compared.",
        r"u(x)",
    ),
}


def show(measures: Sequence[str] = tuple(WORDS)) -> None:
    """A button that opens the words on the spot."""
    with st.popover("What these words mean", icon=":material/info:", type="tertiary"):
        for name in measures:
            word = WORDS[name]
            st.markdown(f"**{word.name}** ({word.technical}). {word.sentences}")
            st.latex(word.formula)
        st.caption(
            "Entropies are in nats. The two parts are estimates that can be correlated; the places are among items "
            "that the model never trained on."
        )
