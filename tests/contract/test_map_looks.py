"""What the Map page says and shows of the items is so: sentences, operating point, colours, lists."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.pipeline.atlas import Atlas, open_atlas
from core.settings import Settings
from core.ui import _map_cards, _map_cut, _map_own, _map_paint, _map_words, plot
from core.verdict import Code, spoken
from tests.atlases import MODEL, filled


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return open_atlas("heldout", MODEL, Settings(home=tmp_path_factory.mktemp("home")))


# ---- sentences ----


def test_the_page_begins_with_how_much_there_is_and_how_often_it_is_right(toys: Atlas) -> None:
    codes: list[Code] = [toys.code(row) for row in range(len(toys))]
    told = _map_words.about(toys, "this model", codes)
    assert f"**{len(toys)} pictures of Toybox" in told
    assert f"{100 * toys.right.mean():.0f} % are answered right" in told
    assert f"{codes.count('ambiguous')} are ambiguous" in told


def test_the_finding_on_errors_names_the_most_frequent_mistake(toys: Atlas) -> None:
    counts: dict[tuple[int, int], int] = {}
    for truth, answer in zip(toys.labels.tolist(), toys.predicted.tolist(), strict=True):
        if truth != answer:
            counts[truth, answer] = counts.get((truth, answer), 0) + 1
    (truth, answer), often = max(counts.items(), key=lambda pair: pair[1])
    told = _map_words.finding(toys, np.arange(len(toys)), "error")
    assert f"{sum(counts.values())} of {len(toys)} answers are wrong" in told
    assert f"{toys.classes[truth]} taken for {toys.classes[answer]} is the most frequent, {often} times" in told


def test_the_finding_on_doubt_compares_the_most_doubtful_tenth_with_all(toys: Atlas) -> None:
    top = np.argsort(-toys.doubts["novelty"], kind="stable")[: len(toys) // 10]
    told = _map_words.finding(toys, np.arange(len(toys)), "novelty")
    assert (
        f"{100 * toys.right[top].mean():.0f} % of it is right, against {100 * toys.right.mean():.0f} % in all" in told
    )


def test_the_finding_on_a_column_names_where_the_model_fails(toys: Atlas) -> None:
    parts = np.array(toys.columns["part"])
    worst = min(set(parts.tolist()), key=lambda part: toys.right[parts == part].mean())
    told = _map_words.finding(toys, np.arange(len(toys)), "column part")
    assert f"least often on {worst} ({100 * toys.right[parts == worst].mean():.0f} % of" in told


def test_answers_to_items_that_the_model_learned_from_prove_nothing(toys: Atlas) -> None:
    learned = np.arange(len(toys)) % 4 > 0
    some = replace(toys, learned=learned)
    fair = 100 * toys.right[~learned].mean()
    told = _map_words.about(some, "this model", tuple(toys.code(row) for row in range(len(toys))))
    assert f"{fair:.0f} % of the {(~learned).sum()} with a label it knows that it did not learn from" in told
    wrong = int((toys.right[~learned] == 0).sum())
    assert f"{wrong} of {(~learned).sum()} answers to items" in _map_words.finding(some, np.arange(len(toys)), "error")
    every = replace(toys, learned=np.ones(len(toys), bool))
    assert "prove nothing" in _map_words.about(every, "this model", ("trust",) * len(toys))
    assert "No answer can be judged" in _map_words.finding(every, np.arange(len(toys)), "error")


def test_few_items_are_no_finding(toys: Atlas) -> None:
    assert "too few" in _map_words.finding(toys, np.arange(3), "total")


def test_an_item_is_told_with_its_mistake(toys: Atlas) -> None:
    wrong, right = int(np.flatnonzero(toys.right == 0)[0]), int(np.flatnonzero(toys.right == 1)[0])
    assert f"taken for {spoken(toys.classes[toys.predicted[wrong]])}" in _map_words.item(toys, wrong)
    assert "recognised" in _map_words.item(toys, right)


# ---- the operating point ----


@pytest.mark.parametrize(("measure", "share"), [("total", 0.8), ("novelty", 0.35), ("epistemic", 1.0)])
def test_what_stays_is_the_surest_share_and_its_accuracy_is_told(toys: Atlas, measure: str, share: float) -> None:
    cut = _map_cut.cut(toys, measure, share)
    count = int(np.ceil(share * len(toys)))
    order = np.argsort(toys.doubts[measure], kind="stable")
    assert abs(int(cut.kept.sum()) - count) <= 1
    assert set(np.flatnonzero(cut.kept).tolist()) <= set(order[: count + 1].tolist())
    assert f"**{100 * toys.right[cut.kept].mean():.1f} %**" in cut.sentence
    assert f"{cut.kept.sum()} of {len(toys)} stay" in cut.sentence


def test_very_many_items_are_cut_at_the_same_place_without_a_band(toys: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    few = _map_cut.cut(toys, "total", 0.7)
    monkeypatch.setattr(_map_cut, "_BANDED", 10)
    many = _map_cut.cut(toys, "total", 0.7)
    assert (many.threshold, many.kept.tolist()) == (few.threshold, few.kept.tolist())
    assert many.sentence == re.sub(r" \[[\d., ]+\]", "", few.sentence) != few.sentence


def test_nothing_stays_at_nought(toys: Atlas) -> None:
    assert not _map_cut.cut(toys, "total", 0.0).kept.any()


def test_what_was_never_asked_does_not_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    filled(settings, tmp_path / "pictures")
    atlas = open_atlas("five", MODEL, settings)
    assert _map_cut.cut(atlas, "total", 1.0).kept.tolist() == [True, True, True, True, False]


# ---- looks ----


def test_every_way_to_colour_has_one_colour_an_item(toys: Atlas) -> None:
    rows = np.arange(len(toys))
    ways = _map_paint.ways(toys)
    assert {"total", "aleatoric", "epistemic", "novelty", "confidence", "error", "label", "predicted"} <= set(ways)
    assert "column part" in ways
    assert "column split" not in ways  # all of one
    for by in ways:
        colour = _map_paint.coloured(toys, rows, by, dark=False)
        values = colour.values if isinstance(colour, plot.Measure) else colour.codes
        assert len(values) == len(rows)
        assert np.isfinite(values).all(), by


def test_classes_beyond_ten_share_a_colour_and_the_chosen_ones_do_not(toys: Atlas) -> None:
    rows = np.arange(len(toys))
    plain = _map_paint.coloured(toys, rows, "label", dark=False)
    assert isinstance(plain, plot.Classes)
    assert plain.names[-1] == "3 others"
    assert len(set(plain.colours)) == len(plain.names) == 10
    chosen = _map_paint.coloured(toys, rows, "label", dark=False, named=("star", "tree"))
    assert isinstance(chosen, plot.Classes)
    assert chosen.names == ("star", "tree", "10 others")
    assert (chosen.codes == 0).sum() == sum(name == "star" for name in toys.label_names)


def test_darker_is_more_certain_for_confidence_too(toys: Atlas) -> None:
    colour = _map_paint.coloured(toys, np.arange(len(toys)), "confidence", dark=False)
    assert isinstance(colour, plot.Measure)
    assert colour.values[toys.confidence.argmax()] == colour.values.min()


def test_the_doubtful_fade_and_the_selected_stand_out() -> None:
    kept, picked = np.array([True, False, True]), np.array([False, False, True])
    faint = _map_paint.opacities(None, kept, None)
    assert faint[1] < 0.2 < faint[0] == faint[2]
    chosen = _map_paint.opacities(None, kept, picked)
    assert chosen[2] == 1 > chosen[0] > chosen[1]
    sizes = _map_paint.sizes(np.array([0.0, 1.0, 0.5]), 3, picked)
    assert isinstance(sizes, np.ndarray)
    assert sizes[1] == _map_paint.LARGE > sizes[0] == _map_paint.SMALL
    assert sizes[2] > (_map_paint.LARGE + _map_paint.SMALL) / 2


def test_a_file_name_is_no_markup_on_the_map(toys: Atlas) -> None:
    points = toys.points
    assert points is not None
    dots = plot.Points(points[:, 0], points[:, 1], toys.ids, _map_paint.doubt(toys, np.arange(len(toys)), "total"))
    mark = _map_own.marked("<a href='x'>y</a>", 1.0, 2.0)
    figure = _map_paint.with_marks(plot.points_figure(dots, dark=True), [(mark.name, mark.x, mark.y)], dark=True)
    (note,) = figure.layout.annotations  # pyright: ignore[reportAttributeAccessIssue]
    assert "<a" not in note.text
    assert (note.x, note.y) == (1.0, 2.0)


# ---- cards ----


def test_each_class_has_its_clearest_and_its_most_ambiguous_item(toys: Atlas) -> None:
    rows = np.arange(len(toys))
    cards = _map_cards.ordered(toys, rows, "classes")
    names = [toys.label_names[card.row] for card in cards]
    assert sorted(set(names), key=str) == sorted(toys.classes)
    assert all(names.count(name) == 2 for name in toys.classes)
    balls = [card.row for card in cards if toys.label_names[card.row] == "ball"]
    mine = np.flatnonzero((toys.labels == toys.classes.index("ball")) & (toys.right == 1))
    assert balls[0] == mine[toys.doubts["total"][mine].argmin()]
    every = np.flatnonzero(toys.labels == toys.classes.index("ball"))
    assert balls[1] == every[toys.doubts["aleatoric"][every].argmax()]


def test_lists_are_in_their_order(toys: Atlas) -> None:
    rows = np.arange(0, len(toys), 3)
    total = toys.doubts["total"]
    for order, sign in (("doubtful", -1), ("surest", 1)):
        found = [card.row for card in _map_cards.ordered(toys, rows, order)]
        assert sorted(found) == rows.tolist()
        assert (np.diff(sign * total[found]) >= 0).all()
    wrong = [card.row for card in _map_cards.ordered(toys, rows, "wrong")]
    assert set(wrong) == set(rows[toys.right[rows] == 0].tolist())
    assert (np.diff(total[wrong]) >= 0).all()
