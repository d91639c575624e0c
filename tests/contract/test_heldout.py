"""What comes with a model gives the figures that the model gave, in few bytes; what is fitted on it is read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.checkpoints import calibrated, heldout
from core.checkpoints.answering import answers
from core.checkpoints.answers import Answers, Kept
from core.checkpoints.heldout import BUDGET, Heldout, held_out, of_tensors
from core.contracts import Item, Predictive, Truth
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.metrics.scoring import log_losses
from core.metrics.uncertainty import decompose, max_softmax
from core.pipeline.evaluate import Wanted, document, evaluate, evaluate_stored, judge
from core.posthoc import conformal, temperature
from core.settings import Settings
from tests.toy_models import aspects, few_digits, other_pictures, part_of, trained

FEW = Wanted(samples=6, resamples=20)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("heldout")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


def again(kept: Heldout) -> Heldout:
    return of_tensors({name: tensor.numpy().copy() for name, tensor in kept.tensors().items()})


def numbers(told: Any, path: str = "") -> dict[str, float | None]:
    """Every number of a document by its path."""
    if isinstance(told, dict):
        return {k: v for name, part in told.items() for k, v in numbers(part, f"{path}.{name}").items()}
    if isinstance(told, list):
        return {k: v for place, part in enumerate(told) for k, v in numbers(part, f"{path}.{place}").items()}
    return {path: told} if told is None or isinstance(told, (int, float)) else {}


@pytest.mark.parametrize("several", [False, True])
def test_stored_answers_are_judged_as_the_live_ones(here: Settings, several: bool) -> None:
    dataset = (aspects if several else few_digits)(here, 12)
    key = "mc_dropout" if several else "flipout"
    name = f"stored-{key.replace('_', '-')}"
    model, prepared = trained(dataset, here, key, "head", name=name, epochs=2)
    examples, items = part_of(prepared, "test")
    given = answers(model, examples, draws=FEW.samples, keep=len(examples))
    part = held_out(given, examples.labels, items=items, density=model.density)
    trained(dataset, here, key, "head", name=name, epochs=2, parts={heldout.PART: part.tensors()})
    ood = other_pictures(here)
    live = numbers(document(evaluate(model, dataset, here, ood=ood, wanted=FEW)))
    stored_document = document(evaluate_stored(name, here, ood=ood, wanted=FEW))
    stored = numbers(stored_document)
    assert set(stored) == set(live)
    for path, value in live.items():
        if path == ".seconds_per_item":
            assert stored[path] is None
            assert stored_document["undefined"]["seconds_per_item"]
            continue
        assert (value is None) == (stored[path] is None), path
        assert value is None or stored[path] == pytest.approx(value, abs=1e-3), path


def test_a_model_without_stored_answers_asks_for_data(here: Settings) -> None:
    trained(few_digits(here, 12), here, "energy", "head", epochs=1)
    with pytest.raises(UserFacingError, match="name a data set"):
        evaluate_stored("toy-energy-head", here)


def test_stored_answers_have_the_draws_they_have(here: Settings) -> None:
    given, labels, items = made(40, 3, 5, 8)
    part = held_out(given, labels, items=items)
    trained(few_digits(here, 12, classes=3), here, name="drawn", epochs=1, parts={heldout.PART: part.tensors()})
    with pytest.raises(UserFacingError, match="5 draws"):
        evaluate_stored("drawn", here, wanted=replace(FEW, samples=50))
    assert evaluate_stored("drawn", here, wanted=replace(FEW, samples=5)).draws == 5


def made(items: int, classes: int, draws: int, dim: int) -> tuple[Answers, np.ndarray, list[Item]]:
    generator = numpy_generator("held", items, classes)
    labels = generator.integers(classes, size=items)
    logits = torch.from_numpy(generator.normal(size=(draws, items, classes)) + 2 * np.eye(classes)[labels])
    said = Predictive(torch.softmax(logits, dim=-1).float())
    parts = decompose(said)
    doubts = {name: getattr(parts, name) for name in ("total", "aleatoric", "epistemic")}
    doubts["max_softmax"] = max_softmax(said)
    ids = tuple(f"folder/ä-{item:06d}.wav" for item in range(items))
    kept = Kept(np.arange(items), said)
    features = generator.normal(size=(items, dim)).astype(np.float32)
    probs = said.probs.double().mean(0).numpy()
    known = [
        Item(id_, int(label), group=f"g{place // 2}")
        for place, (id_, label) in enumerate(zip(ids, labels, strict=True))
    ]
    return Answers(ids, "multiclass", draws, probs, doubts, None, features, kept=kept), labels, known


def test_everything_comes_back() -> None:
    given, labels, items = made(50, 3, 4, 8)
    truth = Truth(probs=(0.5, 0.25, 0.25))
    items = [replace(item, truth=truth if place % 2 else None) for place, item in enumerate(items)]
    found = again(held_out(given, labels, items=items))
    assert found.answers.ids == given.ids
    assert found.answers.draws == 4
    assert found.of == 50
    np.testing.assert_array_equal(found.labels, labels)
    assert found.groups is not None
    assert found.groups.tolist() == [place // 2 for place in range(50)]
    np.testing.assert_allclose(found.answers.probs, given.probs, atol=1e-3)
    np.testing.assert_allclose(found.answers.probs.sum(1), 1)
    for name, values in given.doubts.items():
        np.testing.assert_allclose(found.answers.doubts[name], values, rtol=1e-6, atol=1e-9)
    assert found.answers.kept is not None
    assert given.kept is not None
    np.testing.assert_allclose(found.answers.kept.answer.probs, given.kept.answer.probs, atol=1e-3)
    assert given.features is not None
    assert found.features is not None
    np.testing.assert_allclose(found.features, given.features, atol=4e-3)
    assert found.truth is not None
    np.testing.assert_allclose(found.truth[1], (0.5, 0.25, 0.25))
    assert np.isnan(found.truth[0]).all()


def test_the_order_of_doubts_survives() -> None:
    """Probabilities near 1 are equal in float16; which item was more doubtful is still known."""
    given, labels, _ = made(30, 3, 1, 2)
    close = 1e-6 * (1 + numpy_generator("close").random(30))
    given = replace(given, doubts={"max_softmax": close}, kept=None)
    found = again(held_out(given, labels))
    assert np.argsort(found.answers.doubts["max_softmax"]).tolist() == np.argsort(close).tolist()


@pytest.mark.parametrize(
    ("items", "classes", "draws", "dim"),
    [(10_000, 10, 20, 64), (400, 50, 30, 2048), (3_000, 200, 16, 96), (2_500, 2, 1, 64)],
)
def test_the_part_keeps_its_budget(tmp_path: Path, items: int, classes: int, draws: int, dim: int) -> None:
    from safetensors.torch import save_file

    given, labels, known = made(items, classes, draws, dim)
    part = held_out(replace(given, features=given.features), labels, items=known)
    save_file(part.tensors(), tmp_path / "part.safetensors")
    assert (tmp_path / "part.safetensors").stat().st_size <= BUDGET
    assert len(part.answers) == items if items * classes <= 100_000 else len(part.answers) < items
    assert part.of == items
    assert part.features is not None
    assert len(part.features) <= 2_000
    assert part.features.shape[1] <= 128
    assert part.basis == ("own" if dim > 128 else "whole")
    if draws > 1:
        assert part.answers.kept is not None
        drawn, count, _ = part.answers.kept.answer.probs.shape
        assert drawn == min(16, draws)
        assert 0 < count <= 400
        at = part.answers.kept.rows[-1]
        whole = given.ids.index(part.answers.ids[at])
        torch.testing.assert_close(part.answers.kept.answer.probs[:, -1], given.kept.answer.probs[:16, whole])  # type: ignore[union-attr]
    row = part.feature_rows[-1]
    whole = given.ids.index(part.answers.ids[row])
    if part.basis == "whole":
        np.testing.assert_allclose(part.features[-1], given.features[whole])  # type: ignore[index]


def test_wide_features_lie_along_the_density_that_a_reader_has() -> None:
    from core.checkpoints import density

    given, labels, _ = made(200, 3, 1, 300)
    assert given.features is not None
    law = density.fitted(torch.from_numpy(given.features), torch.from_numpy(labels))
    found = again(held_out(replace(given, kept=None), labels, density=law))
    assert found.basis == "density"
    want = (torch.from_numpy(given.features).double() - law.centre) @ law.basis
    assert found.features is not None
    np.testing.assert_allclose(found.features, want.numpy(), atol=1e-2)
    assert found.answers.features is None  # retrieval was judged before they were shortened
    right = judge(given, labels, resamples=2).figures["r_at_1"]
    assert judge(found.answers, labels, resamples=2).figures["r_at_1"] == right


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_rounding_changes_no_answer(task: str) -> None:
    """Probabilities so close that float16 cannot tell them apart, or on the wrong side of one half."""
    given, _, _ = made(40, 3, 1, 2)
    near = 0.5 + 1e-5 * numpy_generator("near").normal(size=(40, 3))
    labels = np.zeros(40, int) if task == "multiclass" else np.zeros((40, 3), int)
    probs = near / near.sum(1, keepdims=True) if task == "multiclass" else near
    found = again(held_out(replace(given, task=task, probs=probs, kept=None), labels)).answers.probs  # type: ignore[arg-type]
    if task == "multiclass":
        assert found.argmax(1).tolist() == probs.argmax(1).tolist()
    else:
        assert ((found > 0.5) == (probs > 0.5)).all()
    np.testing.assert_allclose(found, probs, atol=1e-3)


def test_the_losses_of_sure_answers_survive_and_older_files_are_read() -> None:
    """Right and wrong at e^-1 to e^-26 from certainty: float16 probabilities end at e^-17, and near 1 at e^-8."""
    given, _, _ = made(52, 3, 1, 2)
    doubt = np.exp(-np.arange(1, 27).repeat(2) * 1.0)
    probs = np.stack([1 - doubt, 0.75 * doubt, 0.25 * doubt], axis=1)
    labels = np.arange(52) % 2
    kept = held_out(replace(given, probs=probs, kept=None), labels)
    told, stored = log_losses(probs, labels), {name: t.numpy() for name, t in kept.tensors().items()}
    np.testing.assert_allclose(log_losses(of_tensors(stored).answers.probs, labels), told, rtol=2e-3, atol=1e-7)

    del stored["log_probs"]
    old = of_tensors({**stored, "probs": probs.astype(np.float16)}).answers.probs
    np.testing.assert_allclose(old, probs, atol=5e-4)
    assert log_losses(old, labels)[-1] < 18 < 26 < told[-1]


def test_a_measure_that_is_not_finite_is_left_out() -> None:
    given, labels, _ = made(20, 3, 1, 2)
    given = replace(given, doubts={**given.doubts, "score": np.full(20, np.inf)}, score_name="x")
    found = again(held_out(given, labels))
    assert "score" not in found.answers.doubts
    assert found.answers.score_name is None


def test_calibration_facts_are_those_of_posthoc() -> None:
    given, labels, _ = made(300, 4, 5, 2)
    told = calibrated.facts(given, labels)
    assert given.kept is not None
    assert told["temperature"]["value"] == pytest.approx(temperature.fit(given.kept.answer, labels).value)
    assert told["items"] == 300
    mean = Predictive(torch.from_numpy(given.probs)[None])
    for coverage in (0.5, 0.9, 0.99):
        want = conformal.fit(mean, labels, coverage=coverage)
        found = calibrated.conformal_of(told, coverage, "multiclass")
        assert found is not None
        assert found.thresholds == pytest.approx(want.thresholds)
        assert found.counts == want.counts
        assert (conformal.predict_sets(found, mean) == conformal.predict_sets(want, mean)).all()
    between = calibrated.conformal_of(told, 0.905, "multiclass")
    assert between is not None
    assert between.coverage == 0.91
    assert calibrated.conformal_of(told, 0.999, "multiclass") is None


def test_calibration_says_what_it_could_not_fit() -> None:
    given, labels, _ = made(15, 4, 5, 2)
    told = calibrated.facts(replace(given, kept=None), labels)
    assert told["temperature"] is None
    assert "not kept" in told["undefined"]["temperature"]
    assert told["conformal"]["coverages"][-1] == 93  # 15 of 16
    assert calibrated.facts(given, labels)["temperature"] is not None
    hot = np.eye(4, dtype=int)[labels]
    several = replace(given, task="multilabel", draws=1)
    sets = calibrated.facts(several, hot)["conformal"]
    assert sets["per_class"]
    assert len(sets["thresholds"][0]) == 4


def test_percentiles_place_a_doubt_among_the_calibration_items() -> None:
    given, labels, _ = made(500, 4, 5, 2)
    told = calibrated.facts(given, labels)
    total = given.doubts["total"]
    places = calibrated.percentile(told, "total", total)
    assert places is not None
    below = np.array([(total < one).mean() * 100 for one in total])
    assert np.abs(places - below).max() < 1.0
    assert calibrated.percentile(told, "total", [-1.0, 99.0]) == pytest.approx([0, 100])  # type: ignore[arg-type]
    assert calibrated.percentile(told, "novelty", [1.0]) is None
    silent = {"percentiles": {"epistemic": [0.0] * 101}}
    assert calibrated.percentile(silent, "epistemic", [0.0, 1.0]) == pytest.approx([50, 100])  # type: ignore[arg-type]
