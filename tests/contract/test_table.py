"""The table of models: figures of evaluate, one set of resamples for all, and nobody ranked on other items."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.checkpoints.heldout import load_heldout
from core.cli import main
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.metrics.bootstrap import resampled
from core.metrics.ood import detect
from core.pipeline import _atlas_collection, elsewhere
from core.pipeline._judge import judge
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.sheets import Sheet, benches, held_out_sheets
from core.pipeline.table import KEYS, Table, document, table
from core.pipeline.tabled import asked, open_benches, tabled
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("toybox-deterministic", "toybox-loss-prediction", "toybox-mc-dropout")
RESAMPLES = 40


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), checkpoints=ROOT / "checkpoints", offline=True)


@pytest.fixture(scope="module")
def sheets(settings: Settings) -> tuple[Sheet, ...]:
    return held_out_sheets((*NAMES, "soundbox-energy", "scenes-mc-dropout", "esc10-ensemble"), settings)[0]


@pytest.fixture(scope="module")
def found(sheets: tuple[Sheet, ...]) -> Table:
    return table(benches(sheets)[0], reference=NAMES[0], resamples=RESAMPLES)


def strangers(sheet: Sheet, count: int = 30) -> Elsewhere:
    draw = numpy_generator("strangers", sheet.name)
    return Elsewhere(
        domain="digits:test",
        title="Digits",
        source="digits",
        model=sheet.name,
        mark=sheet.mark,
        draws=sheet.draws,
        seed=sheet.seed,
        most=count,
        fingerprint="f",
        seconds=0.25,
        hardware="1 CPU thread",
        date="2026-11-21",
        ids=tuple(f"d{number}" for number in range(count)),
        groups=np.arange(count) // 2,
        labels=np.full(count, -1),
        learned=np.arange(count) < 4,
        knob=np.full(count, np.nan),
        lines=np.zeros(count, np.int64),
        probs=draw.dirichlet(np.ones(12), count),
        doubts={name: np.quantile(values, draw.random(count)) * 1.5 for name, values in sheet.doubts.items()},
    )


@pytest.mark.parametrize("name", ["toybox-loss-prediction", "scenes-mc-dropout"])
def test_figures_and_intervals_are_those_of_evaluate(name: str, settings: Settings, sheets: tuple[Sheet, ...]) -> None:
    kept = load_heldout(name, settings)
    groups = None if kept.groups is None else kept.groups.tolist()
    told = judge(kept.answers, kept.labels, None, groups, resamples=RESAMPLES)
    bench = next(one for one in benches(sheets) if name in one.names)
    row = table(bench, resamples=RESAMPLES).row(name)
    assert row.measure == told.measure
    for key, figure in told.figures.items():
        assert row.cells[key].figure.value == (None if figure.value is None else pytest.approx(figure.value, abs=1e-12))
        assert (row.cells[key].figure.reason is None) == (figure.reason is None)
        if figure.value is not None:
            assert row.cells[key].interval == pytest.approx(told.intervals[key], abs=1e-9), key


def test_a_difference_is_weighed_by_the_same_resamples(found: Table, sheets: tuple[Sheet, ...]) -> None:
    one, other = (next(s for s in sheets if s.name == name) for name in (NAMES[2], NAMES[0]))
    assert one.losses is not None
    assert other.losses is not None
    drawn = resampled(len(one), numpy_generator("evaluate", 0), RESAMPLES, one.groups)
    naive = np.quantile([float((one.losses[rows] - other.losses[rows]).mean()) for rows in drawn], [0.025, 0.975])
    cell = found.row(NAMES[2]).cells["nll"]
    assert cell.apart == pytest.approx(tuple(naive), abs=1e-12)
    assert cell.less == pytest.approx(float((one.losses - other.losses).mean()))
    assert cell.differs == (not naive[0] <= 0 <= naive[1])
    assert found.row(NAMES[0]).cells["nll"].apart is None


def test_models_judged_on_other_items_stand_in_another_table(sheets: tuple[Sheet, ...]) -> None:
    together = [bench.names for bench in benches(sheets)]
    assert together[0] == NAMES
    assert len(together) == 4
    first = next(sheet for sheet in sheets if sheet.name == NAMES[0])
    few = replace(first.part(np.arange(300)), card=replace(first.card, name="few"))
    most = replace(first.part(np.arange(5, 912)), card=replace(first.card, name="most"))
    other = replace(first, card=replace(first.card, name="other"), version="another set")
    found = {bench.names: len(bench.ids) for bench in benches([first, few, most, other])}
    assert found == {("most", NAMES[0]): 907, ("few",): 300, ("other",): 912}


def test_who_learned_nothing_of_a_collection_is_judged_beside_who_learned_a_part(sheets: tuple[Sheet, ...]) -> None:
    mine = replace(next(sheet for sheet in sheets if sheet.name == NAMES[0]), data="mine")
    part = mine.part(np.arange(300))
    before, other = (replace(mine, card=replace(mine.card, name=name)) for name in ("before", "other"))
    after, later = (replace(part, card=replace(part.card, name=name)) for name in ("after", "later"))
    found = {bench.names: len(bench.ids) for bench in benches([before, after, other, later])}
    assert found == {("after", "before", "later", "other"): 300, ("before", "other"): 912}
    apart = replace(mine.part(np.arange(400, 912)), card=replace(mine.card, name="apart"))
    found = {bench.names: len(bench.ids) for bench in benches([before, after, apart])}
    assert found == {("after", "before"): 300, ("apart", "before"): 512, ("before",): 912}


def test_items_come_in_one_order_for_all(sheets: tuple[Sheet, ...]) -> None:
    one, other = (next(s for s in sheets if s.name == name) for name in NAMES[:2])
    turned = other.part(np.arange(len(other))[::-1])
    bench = benches([one, turned])[0]
    assert bench.sheets[0].ids == bench.sheets[1].ids
    straight = table(benches([one, other])[0], resamples=RESAMPLES)
    again = table(bench, resamples=RESAMPLES)
    for key in KEYS:
        assert again.row(other.name).cells[key] == straight.row(other.name).cells[key]


def test_strangers_are_told_apart_without_what_was_learned(sheets: tuple[Sheet, ...]) -> None:
    bench = benches(sheets)[0]
    outside = {sheet.name: strangers(sheet) for sheet in bench.sheets if sheet.name != NAMES[2]}
    whole = table(bench, measure="total", outside=outside, resamples=RESAMPLES)
    sheet, there = bench.sheets[0], outside[bench.sheets[0].name]
    expected = detect(sheet.doubts["total"], there.doubts["total"][4:])
    cell = whole.row(sheet.name).cells["ood_auroc"]
    assert cell.figure.value == pytest.approx(expected.auroc.value)
    assert whole.row(sheet.name).cells["ood_fpr95"].figure.value == pytest.approx(expected.fpr95.value)
    assert cell.interval is not None
    assert cell.figure.value is not None
    assert cell.interval[0] < cell.figure.value < cell.interval[1]
    assert "not asked about them" in str(whole.row(NAMES[2]).cells["ood_auroc"].figure.reason)
    assert whole.row(NAMES[1]).cells["ood_auroc"].apart is not None
    assert not replace(there, knob=np.zeros(30)).outside.any()
    half = np.arange(30) % 2 == 0  # of another set, half of whose labels are classes of the models
    shared = {name: replace(one, labels=np.where(half, 3, -1)) for name, one in outside.items()}
    cell = table(bench, outside=shared, titled="Half", resamples=RESAMPLES).row(sheet.name).cells["ood_auroc"]
    strange = there.doubts["total"][~half & (np.arange(30) >= 4)]
    assert cell.figure.value == pytest.approx(detect(sheet.doubts["total"], strange).auroc.value)


def test_the_best_is_marked_and_ties_of_all_are_not(found: Table) -> None:
    assert found.best("nll") == {NAMES[0], NAMES[1]}  # one network with and without a loss that is told
    assert found.best("macs") == frozenset()  # all have the same network
    assert found.ordered("nll")[-1].name == NAMES[2]
    assert found.best("map") == frozenset()


def test_what_is_missing_has_its_reason(found: Table) -> None:
    told = document(found)
    rows = {row["model"]: row for row in told["rows"]}  # type: ignore[index,union-attr]
    assert rows[NAMES[0]]["map"] is None
    assert "one label each" in rows[NAMES[0]]["undefined"]["map"]
    assert "one draw" in rows[NAMES[0]]["undefined"].get("epistemic", "one draw")
    assert rows[NAMES[0]]["aleatoric_epistemic"] is None
    assert "choose items" in rows[NAMES[0]]["undefined"]["ood_auroc"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_measure_that_a_model_lacks_leaves_its_cells_empty(sheets: tuple[Sheet, ...]) -> None:
    whole = table(benches(sheets)[0], measure="epistemic", resamples=RESAMPLES)
    assert whole.row(NAMES[0]).cells["aurc"].figure.reason == "with one draw the epistemic part is zero by definition"
    assert whole.row(NAMES[0]).cells["nll"].figure.value is not None
    assert whole.row(NAMES[2]).cells["aurc"].figure.value is not None


def test_what_was_said_elsewhere_is_found_by_how_it_was_asked(settings: Settings, sheets: tuple[Sheet, ...]) -> None:
    sheet = benches(sheets)[0].sheets[0]
    told = strangers(sheet)
    elsewhere.save(told, settings)
    elsewhere.save(replace(told, most=10, ids=told.ids[:10]), settings)
    found = elsewhere.load(sheet.name, sheet.mark, "digits:test", settings, sheet.draws, sheet.seed)
    assert found is not None
    assert found.ids == told.ids
    assert np.array_equal(found.doubts["total"], told.doubts["total"])
    assert found.errors.shape == (30,)
    assert np.isnan(found.errors).all()
    assert elsewhere.load(sheet.name, sheet.mark, "digits:test", settings, sheet.draws + 1, sheet.seed) is None
    assert elsewhere.load(sheet.name, "another", "digits:test", settings, sheet.draws, sheet.seed) is None
    whole = tabled(open_benches(settings, names=NAMES).found[0], settings, domain="digits:test", resamples=10)
    assert whole.outside == "Digits"
    assert whole.row(sheet.name).costs["seconds_per_item"].value == 0.25
    assert whole.row(sheet.name).hardware["seconds_per_item"] == "1 CPU thread"


def test_answers_about_other_items_from_elsewhere_do_not_stand_beside_each_other(settings: Settings) -> None:
    bench = open_benches(settings, names=NAMES).found[0]
    for sheet, mark in zip(bench.sheets, ("same", "other", "same"), strict=True):
        elsewhere.save(replace(strangers(sheet), domain="toybox:train", fingerprint=mark), settings)
    assert tuple(asked(bench, "toybox:train", settings)) == (NAMES[0], NAMES[2])


def test_a_collection_of_strangers_stands_for_items_from_elsewhere(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_benches(settings, names=NAMES).found[0]

    def mine(data: str, model: str, settings: Settings, draws: int, seed: int) -> Atlas:
        atlas = open_atlas("heldout", model, settings)
        labels = np.where(np.arange(912) < 50, -1, atlas.labels)
        learned = np.arange(912) < 10
        return replace(atlas, labels=labels, learned=learned, seed=seed + (model == NAMES[1]), title="Mine")

    monkeypatch.setattr(_atlas_collection, "of_collection", mine)
    found = asked(bench, "collection:mine", settings)
    assert tuple(found) == (NAMES[0], NAMES[2])  # the other one was asked with another seed
    assert found[NAMES[0]].outside.sum() == 40
    sheet = bench.sheets[0]
    expected = detect(sheet.doubts["total"], sheet.doubts["total"][10:50]).auroc.value
    whole = tabled(bench, settings, domain="collection:mine", resamples=10)
    assert whole.outside == "Mine"
    assert whole.row(NAMES[0]).cells["ood_auroc"].figure.value == pytest.approx(expected, abs=1e-6)


def test_wrong_wishes_are_told_in_a_sentence(
    settings: Settings, sheets: tuple[Sheet, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserFacingError, match="did not answer these items"):
        table(benches(sheets)[0], reference="soundbox-energy")
    with pytest.raises(UserFacingError, match="python -m core ask --model toybox"):
        tabled(benches(sheets)[0], settings, domain="fsdd")
    with pytest.raises(UserFacingError, match="names no items"):
        elsewhere.domain_of(" ")
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    assert main(["table", "--sort", "speed"]) == 2
    assert main(["table", "--model", "toybox-vim", "--reference", "toybox-knn"]) == 2
    assert "sort by one of accuracy" in capsys.readouterr().err
    assert main(["table", "--model", *NAMES, "--resamples", "10", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in told["tables"][0]["rows"]] == list(NAMES)
