"""The Map page: what its sentences and colours say is so, and what it offers where there is nothing to draw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.cli import main
from core.errors import UserFacingError
from core.maps.saved import of_collection, saved_maps
from core.pipeline import uploads
from core.pipeline.atlas import Atlas, open_atlas
from core.settings import PROJECT, Settings
from core.ui import _map_cards, _map_cut, _map_paint, _map_words, cached, plot, running
from core.verdict import spoken
from tests.atlases import MODEL, filled, picture


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """With the collection "five", which no map is drawn of and which only MODEL has answered."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENUMBRA_HOME", str(home))
        patch.setenv("PENUMBRA_OFFLINE", "1")
        cached.settings.clear()
        filled(cached.settings(), home / "pictures")
        yield cached.settings()
        running.runner().close()
        cached.settings.clear()


@pytest.fixture(scope="module")
def toys(settings: Settings) -> Atlas:
    return open_atlas("heldout", MODEL, settings)


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=60)
    app.run()
    for key, value in parameters.items():
        app.query_params[key] = value
    app.switch_page("pages/2_Map.py").run()
    assert not app.exception, app.exception
    return app


def said(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.subheader, app.error, app.info, app.warning)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


# ---- sentences ----


def test_the_page_begins_with_how_much_there_is_and_how_often_it_is_right(toys: Atlas) -> None:
    codes = tuple(toys.code(row) for row in range(len(toys)))
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


def test_nothing_stays_at_nought(toys: Atlas) -> None:
    assert not _map_cut.cut(toys, "total", 0.0).kept.any()


def test_what_was_never_asked_does_not_stay(settings: Settings) -> None:
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
    from core.ui._map_own import marked

    mark = marked("<a href='x'>y</a>", 1.0, 2.0)
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


# ---- the page where there is less ----


def test_an_undrawn_collection_says_so_and_offers_to_draw(settings: Settings) -> None:
    app = opened(data="five", model=MODEL)
    assert "No map of these items is drawn yet" in said(app)
    assert "Draw the map" in [button.label for button in app.button]
    assert "5 pictures in five" in said(app)


def test_a_model_that_never_saw_the_collection_offers_the_one_that_did(settings: Settings) -> None:
    app = opened(data="five", model="toybox-vim")
    assert "index it with toybox\\-vim" in said(app)
    labels = [button.label for button in app.button]
    assert "Index it with this model" in labels
    next(button for button in app.button if button.label.startswith("See it through")).click().run()
    assert not app.exception
    assert app.query_params["model"] in (MODEL, [MODEL])


def test_a_model_of_the_other_kind_is_not_offered_to_index_pictures(settings: Settings) -> None:
    app = opened(data="five", model="soundbox-ensemble")
    assert "Index it with this model" not in [button.label for button in app.button]


def test_a_folder_that_is_not_there_is_one_sentence(settings: Settings) -> None:
    app = opened(model=MODEL)
    app.segmented_control(key="map-way").set_value("Folder").run()
    app.text_input(key="map-folder").set_value("/nowhere/at/all").run()
    assert "There is no such folder or file" in said(app)
    assert next(button for button in app.button if button.label == "Index and draw").disabled


def test_items_whose_files_are_elsewhere_have_a_map_all_the_same(settings: Settings) -> None:
    app = opened(model="esc10-mc-dropout")
    assert "80 sounds of ESC" in said(app)
    next(button for button in app.button if button.label == "Play").click().run()
    assert not app.exception
    assert "not on this machine" in said(app)


def test_colours_of_a_link_that_this_map_has_not_are_told(settings: Settings) -> None:
    app = opened(model="toybox-deterministic", colour="epistemic")
    assert "730 of 912 stay" in said(app)


# ---- uploads and the job ----


def test_the_same_upload_is_kept_once_and_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = uploads.kept(b"id,label\n", "../../a b.CSV", settings)
    assert first == uploads.kept(b"id,label\n", "c.csv", settings)
    assert first.is_relative_to(tmp_path / "uploads")
    assert [path.name for path in first.parent.iterdir()] == ["data.csv"]
    assert uploads.kept(b"id,name\n", "c.csv", settings).parent != first.parent
    with pytest.raises(UserFacingError, match=r"\.zip"):
        uploads.kept(b"MZ", "run.exe", settings)


def test_one_command_takes_a_folder_to_a_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ball", "cup"):
        (tmp_path / "source" / name).mkdir(parents=True)
        for number in range(5):
            (tmp_path / "source" / name / f"{number}.png").write_bytes(picture(number + 5 * (name == "cup")))
    monkeypatch.setenv("PENUMBRA_HOME", str(tmp_path / "home"))
    words = ["index", str(tmp_path / "source"), "--collection", "new", "--model", "toybox-knn", "--map", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["stored"], told["problems"]) == (10, 0)
    here = replace(cached.environment.load(), home=tmp_path / "home")
    (drawn,) = saved_maps(of_collection("new", here))
    atlas = open_atlas("new", "toybox-knn", here)
    assert atlas.points is not None
    assert np.isfinite(atlas.points).all()
    assert set(drawn.ids) == set(atlas.ids)
    assert sorted(name or "" for name in atlas.label_names) == ["ball"] * 5 + ["cup"] * 5
