"""Every measure of doubt that a page can show is explained, and called the same everywhere."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from core.checkpoints.answers import MEASURES
from core.ui import _map_paint, palette
from core.ui.measures import WORDS, label_of, noun_of, style_of


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_has_two_plain_sentences_and_a_formula(measure: str) -> None:
    word = WORDS[measure]
    assert len(re.findall(r"[.](?: |$)", word.sentences)) == 2
    assert all((word.name, word.label, word.noun, word.title, word.adjective, word.technical))
    assert word.formula.count("{") == word.formula.count("}")
    from matplotlib.mathtext import MathTextParser

    plain = word.formula.replace(r"\tfrac1S", r"\frac{1}{S}").replace(r"\Big", "").replace(r"\top", "T")
    MathTextParser("path").parse(f"${plain.replace(chr(92) + 'qquad', ' ')}$")


def test_measures_are_explained_in_the_order_in_which_models_tell_them() -> None:
    assert tuple(WORDS) == MEASURES


@pytest.mark.parametrize("dark", [False, True])
def test_no_two_measures_look_the_same(dark: bool) -> None:
    looks = {measure: style_of(measure, dark) for measure in MEASURES}
    assert len(set(looks.values())) == len(MEASURES)
    colours = palette.palette(dark)
    assert looks["aleatoric"][0] == colours.aleatoric
    assert looks["epistemic"][0] == looks["novelty"][0] == colours.epistemic


def test_a_score_is_called_by_what_the_model_calls_it() -> None:
    assert noun_of("score", "energy") == label_of("score", "energy") == "energy"
    assert noun_of("score", None) == label_of("score", None) == "predicted loss"
    assert noun_of("total", "energy") == "total doubt"
    assert _map_paint.TITLES["aleatoric"] == "ambiguous (aleatoric)"


def test_each_button_of_a_page_is_explained_beside_it() -> None:
    def page() -> None:
        from core.ui import glossary

        glossary.show(["total", "max_softmax"])

    shown = AppTest.from_function(page).run()
    assert not shown.exception
    said = "\n".join(element.value for element in shown.markdown)
    assert "**In all**" in said
    assert "**Low confidence**" in said
    assert [element.value for element in shown.latex] == [
        f"$$\n{WORDS[name].formula}\n$$" for name in ("total", "max_softmax")
    ]
