"""What the pictures of Compare stand on: each against a naive loop or a closed form."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from core.fingerprint import numpy_generator
from core.pipeline import contrasts
from core.pipeline.contrasts import HELD_OUT, boxes_of, front, story_of, sweep_of, zero_shots
from core.pipeline.diagnosed import answer_facts, diagnosed, joined, training_facts
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.sheets import Sheet, held_out_sheet
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
DRAW = numpy_generator("contrasts", 0)
KNOB, LINES = np.tile([0.0, 0.5, 1.0], 8), np.repeat(np.arange(8), 3)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), checkpoints=ROOT / "checkpoints", offline=True)


@pytest.fixture(scope="module")
def sheet(settings: Settings) -> Sheet:
    return held_out_sheet("toybox-ensemble", settings)


def turned(**changes: object) -> Elsewhere:
    probs = DRAW.dirichlet(np.ones(12), len(KNOB))
    one = Elsewhere(
        domain="spoiling",
        title="Blur",
        source="toybox",
        model="m",
        mark="k",
        draws=10,
        seed=0,
        most=24,
        fingerprint="f",
        seconds=None,
        hardware="",
        date="",
        ids=tuple(map(str, range(len(KNOB)))),
        groups=LINES,
        labels=DRAW.integers(12, size=len(KNOB)),
        learned=np.zeros(len(KNOB), bool),
        knob=KNOB,
        lines=LINES,
        probs=probs,
        doubts={"total": KNOB + DRAW.random(len(KNOB)) / 4},
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def test_a_sweep_is_the_mean_at_each_place_with_whole_lines_drawn() -> None:
    one = turned()
    found = sweep_of(one, "total")
    assert found is not None
    for place, value, low, high in zip(found.knob, found.value, found.low, found.high, strict=True):
        assert value == pytest.approx(one.doubts["total"][place == KNOB].mean())
        assert low < value < high
    assert found.rank.value == pytest.approx(1.0)
    constant = np.repeat(DRAW.random(8), 3)  # a line's own level: all places move together
    alike = sweep_of(replace(one, doubts={"total": constant}), "total")
    assert alike is not None
    np.testing.assert_allclose(alike.high - alike.low, (alike.high - alike.low)[0])
    right = sweep_of(one, "accuracy")
    assert right is not None
    wrong = one.probs.argmax(axis=1) != one.labels
    assert right.value[0] == pytest.approx(1 - wrong[KNOB == 0].mean())
    assert sweep_of(replace(one, labels=np.full(24, -1)), "accuracy") is None
    assert sweep_of(one, "score") is None


def test_a_box_holds_its_percentiles_and_a_knob_stands_at_its_end(sheet: Sheet) -> None:
    strange = turned(title="Digits", source="digits", knob=np.full(24, np.nan), labels=np.full(24, -1))
    found = boxes_of(sheet, "total", (strange, turned()))
    assert [box.domain for box in found] == [HELD_OUT, "Digits", "Blur, at 1"]
    assert [box.outside for box in found] == [False, True, False]
    values = np.sort(sheet.doubts["total"])
    assert found[0].median == pytest.approx(float(np.median(values)))
    assert (values < found[0].low).mean() == pytest.approx(0.05, abs=0.002)
    assert found[0].auroc is None
    pairs = [(a > b) + 0.5 * (a == b) for a in strange.doubts["total"] for b in sheet.doubts["total"]]
    assert found[1].auroc == pytest.approx(float(np.mean(pairs)))
    assert found[2].items == 8
    assert boxes_of(sheet, "score", (strange,)) == ()


def test_the_rank_correlation_is_scipys_and_lies_in_its_interval(sheet: Sheet) -> None:
    found = story_of(sheet)
    told: Any = spearmanr(sheet.doubts["aleatoric"], sheet.doubts["epistemic"])
    expected = float(told.statistic)
    assert found.figure.value == pytest.approx(expected)
    assert found.interval is not None
    assert found.interval[0] < expected < found.interval[1]
    alone = replace(sheet, doubts={"total": sheet.doubts["total"]}, why={"epistemic": "one draw"})
    assert story_of(alone).figure.reason == "one draw"


def test_the_front_is_everybody_whom_nobody_beats() -> None:
    cost, loss = DRAW.random(30).round(1), DRAW.random(30).round(1)
    naive = {
        a
        for a in range(30)
        if not any(
            cost[b] <= cost[a] and loss[b] <= loss[a] and (cost[b] < cost[a] or loss[b] < loss[a]) for b in range(30)
        )
    }
    found = front(cost.tolist(), loss.tolist())
    assert set(found) == naive
    assert [cost[place] for place in found] == sorted(cost[place] for place in found)


def test_reliability_bins_add_up_to_the_items(sheet: Sheet) -> None:
    bins = contrasts.bins_of(sheet)
    assert bins is not None
    assert sheet.confidence is not None
    assert sheet.correct is not None
    assert bins.count.sum() == len(sheet)
    assert bins.count @ bins.accuracy / len(sheet) == pytest.approx(float(sheet.correct.mean()))
    gap = float(bins.count @ (bins.confidence - bins.accuracy)) / len(sheet)
    assert contrasts.overconfidence(sheet) == pytest.approx(gap)


def test_zero_shots_are_read_where_they_are_and_damaged_ones_skipped(tmp_path: Path) -> None:
    folder = tmp_path / "evaluations"
    folder.mkdir()
    document = {
        "n": 9,
        "measures": {"score": {"r_auroc": 0.7}, "total": {"r_auroc": 0.6}, "novelty": {"r_auroc": None}},
    }
    (folder / "zero-shot-toybox-2.json").write_text(json.dumps({"document": document}))
    (folder / "zero-shot-toybox-1.json").write_text("{")
    (folder / "zero-shot-toybox.json").write_text(json.dumps({"document": document}))
    (folder / "zero-shot-digits-0.json").write_text(json.dumps({"document": {"n": 3}}))
    found = zero_shots(Settings(home=tmp_path, checkpoints=tmp_path))
    assert [(one.data, one.seed, one.items) for one in found] == [("toybox", 2, 9)]
    assert found[0].values == {"score": 0.7, "total": 0.6}
    assert zero_shots(Settings(home=tmp_path, checkpoints=tmp_path / "none")) == ()


def test_the_diagnosis_reads_answers_and_the_record_of_the_training(settings: Settings, sheet: Sheet) -> None:
    assert sheet.errors is not None
    strange = turned(source="digits", knob=np.full(24, np.nan), labels=np.full(24, -1))
    facts = answer_facts(sheet, "total", strange)
    order = np.argsort(sheet.doubts["total"])[: len(sheet) // 2]
    assert facts.accuracy_half_kept == pytest.approx(1 - sheet.errors[order].mean())
    assert facts.ood_auroc == boxes_of(sheet, "total", (strange,))[1].auroc
    folder = settings.runs / "toybox-ensemble"
    folder.mkdir(parents=True)
    lines = [
        {"validation loss": 0.2, "validation accuracy": 0.9},
        {"loss": 1.0},
        {"validation loss": 0.9, "validation accuracy": 0.8},
    ]
    (folder / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + '\n{"validat')
    told = training_facts("toybox-ensemble", settings)
    assert told.validation_losses == (0.2, 0.9)
    assert told.validation_accuracy == 0.8
    assert told.members == 10
    whole = diagnosed("toybox-ensemble", settings)
    codes = [finding.code for finding in whole.findings]
    assert "unstable_fine_tuning" in codes
    assert "parts_alike" in codes
    assert "fine-tuning that undoes what was learned" in whole.looked
    assert "no more doubt about data from elsewhere" in whole.looked, "answers about strangers came with the model"
    assert "no more doubt about data from elsewhere" in diagnosed("esc10-ensemble", settings).not_looked
    both = joined(facts, told)
    assert both.validation_losses == (0.2, 0.9)
    assert both.accuracy == facts.accuracy
