"""Knobs turn what they say they turn, doubts are read at each position, and any model of a box can be asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.checkpoints.answers import Answers
from core.checkpoints.card import Start
from core.checkpoints.saved import Model
from core.cli import main
from core.data import open_dataset
from core.errors import UserFacingError
from core.pipeline import knobs as walk
from core.pipeline._turned import MIXES, Box, box_of, mixtures, spoilt, strangers
from core.pipeline.knobs import knobs, turn_of
from core.settings import Settings
from tests.toy_models import few_digits, trained

START = Start("toy", {"kind": "image", "hidden": 16})


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("knobs")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


@pytest.fixture(scope="module")
def toys(here: Settings) -> Model:
    """Learned from two pictures of each class, which is enough to answer."""
    whole = open_dataset("toybox", here)
    clean = [item for item in whole.items if dict(item.extra)["part"] == "clean" and item.split == "train"]
    chosen = [item for label in range(12) for item in [i for i in clean if i.label == label][:2]]
    few = replace(whole, items=tuple(chosen))
    return trained(few, here, "ensemble", name="toys", epochs=1, members=3, start=START)[0]


@pytest.fixture(params=["soundbox", "toybox"])
def box(request: pytest.FixtureRequest) -> Box:
    found = box_of(request.param)
    assert found is not None
    return found


def test_every_item_is_of_a_source_of_its_own(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines share a source along the knob, and with nothing else: not between parts, nor between seeds."""
    made: list[tuple[Any, ...]] = []
    noting = replace(box, make=lambda *told: made.append(told) or (b"", None))
    sources = []
    for seed in (0, 1):
        for part in (mixtures, spoilt, strangers):
            items = list(part(noting, 7, seed))
            made.clear()
            for item in items:
                item.make()
            of = dict.fromkeys((item.part, item.line, told[4]) for item, told in zip(items, made, strict=True))
            assert len(of) == len({(item.part, item.line) for item in items})
            sources += [source for *_, source in of]
    assert len(sources) == len(set(sources))


def test_the_truth_of_an_item_is_where_its_knob_stands(box: Box) -> None:
    first, middle, last = (list(mixtures(box, 1, 0))[place] for place in (0, 3, 5))
    names = last.line.partition(":")[2].split("-")
    for item in (first, middle, last):
        truth = item.make()[1]
        told = {box.classes[place]: prob for place, prob in enumerate(truth.probs or ()) if prob}
        want = {names[0]: 1 - item.knob, names[1]: item.knob}
        assert told == pytest.approx({name: prob for name, prob in want.items() if prob})
    assert [item.knob for item in mixtures(box, 1, 0)] == list(MIXES)
    noisy = list(spoilt(box, 1, 0))
    assert [item.make()[1].noise for item in (noisy[0], noisy[-1])] == [0.0, box.levels[-1]]
    inside, outside = strangers(box, 1, 0)
    assert [item.make()[1].novelty for item in (inside, outside)] == [0.0, 1.0]
    assert outside.line.partition(":")[2] in box.strangers


def test_three_correlations_of_one_knob() -> None:
    """One line rises, one falls, one stays: the lines' mean is 0; at each position the mean rises but once."""
    knob, line = np.tile([0.0, 0.1, 0.2], 3), np.repeat(["a", "b", "c"], 3)
    doubt = np.array([1.0, 2.0, 6.0, 3.0, 2.0, 1.0, 5.0, 5.0, 5.0])
    found = turn_of(doubt, knob, line)
    from scipy.stats import spearmanr

    assert found.items.value == pytest.approx(spearmanr(doubt, knob)[0])
    assert found.lines.value == pytest.approx(0.0)
    assert found.means.value == pytest.approx(spearmanr([3.0, 3.0, 4.0], [0, 1, 2])[0])
    assert (found.first, found.last, found.rise) == (3.0, 4.0, 1.0)
    still = turn_of(np.ones(9), knob, line)
    assert still.lines.value is None
    assert still.means.value is None


def test_a_doubt_that_knows_the_truth_scores_full_marks(monkeypatch: pytest.MonkeyPatch, toys: Model) -> None:
    """Answers that read the item's own knob; a second doubt reads it backwards."""
    box = box_of("toybox")
    assert box is not None

    def answered(model: Model, asked: Any, **_: Any) -> Answers:
        told = [id_.split("/") for id_ in asked.ids]
        truth = np.array([float(knob) + 2.0 * (part == "outside") for part, _, knob in told])
        return Answers(asked.ids, "multiclass", 2, np.zeros((len(told), 12)), {"total": truth, "epistemic": -truth})

    monkeypatch.setattr(walk, "answers", answered)
    monkeypatch.setattr(walk, "_prepared", lambda model, box, chunk: type("Asked", (), {"ids": [i.id for i in chunk]}))
    found = knobs([toys], pairs=5, seeds=(0, 1))
    for figure in ("mixing", "mixing_lines", "mixing_items", "spoiling", "novelty"):
        assert found.of("total", figure) == pytest.approx((1.0, 0.0)), figure
    assert found.of("epistemic", "mixing") == pytest.approx((-1.0, 0.0))
    assert found.of("epistemic", "novelty") == pytest.approx((0.0, 0.0))
    assert found.of("total", "mixing_rise") == pytest.approx((0.5, 0.0))
    assert found.runs[0].mixtures == 5 * len(MIXES)


def test_a_trained_model_answers_what_its_network_is_given(here: Settings, toys: Model) -> None:
    """The first mixture's doubt is that of the picture put through the network by hand."""
    box = box_of("toybox")
    assert box is not None
    items = list(mixtures(box, 1, 0))[:3]
    doubts = walk._doubts(toys, box, items, None, lambda *_: None)
    from core.media import door

    inputs = torch.stack([toys.network.prepare(door.open_media(item.make()[0])).tensor for item in items])
    said = toys.method.predict(toys.state, toys.network.embed(inputs), torch.zeros(3).long(), draws=3, seed=0)
    mean = said.probs.double().mean(dim=0)
    assert doubts["total"].tolist() == pytest.approx((-(mean * mean.log()).sum(dim=1)).tolist(), abs=1e-5)


def test_the_command_prints_one_document(
    here: Settings, toys: Model, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in here.environ().items():
        monkeypatch.setenv(name, value)
    assert main(("knobs", "--model", "toys", "--pairs", "2", "--seeds", "2", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["data"], told["spoiling"]) == ("toybox", "blur")
    assert set(told["measures"]) == {"total", "aleatoric", "epistemic", "max_softmax", "novelty"}
    assert [run["seed"] for run in told["runs"]] == [0, 1]
    for measure in told["measures"].values():
        rises = [run["measures"]["total"]["mixing"]["last"] for run in told["runs"]]
        assert len(set(rises)) == 2  # another seed is another world
        assert measure["novelty"] is None or 0 <= measure["novelty"]["mean"] <= 1
    for wrong in (("--pairs", "1"), ("--seeds", "0"), ("--samples", "0")):
        assert main(("knobs", "--model", "toys", *wrong)) == 2
    assert main(("knobs", "--model", "nobody")) == 2


def test_models_of_other_data_are_refused(here: Settings, toys: Model) -> None:
    digits = trained(few_digits(here, 40), here, name="digits", epochs=1)[0]
    for models in ([digits], [toys, digits]):
        with pytest.raises(UserFacingError, match="soundbox and toybox"):
            knobs(models)
    fewer = replace(toys, card=replace(toys.card, classes=toys.card.classes[:3]))
    with pytest.raises(UserFacingError, match="3 of the 12"):
        knobs([fewer])
