"""Saved models answer as they did, from as few numbers as they differ in; what is damaged is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from core.checkpoints.card import Start
from core.checkpoints.folders import find
from core.checkpoints.rounding import Numbers, decoded, encoded
from core.checkpoints.saved import as_stored, load_model, network_of, plain_network, save_model
from core.contracts import Predictive, Scope, Task
from core.errors import StoreError, UserFacingError
from core.layers.bayesnorm import BayesNorm
from core.methods._contract import modules_of, parameters_of
from core.methods._held import held_by
from core.settings import Settings
from core.store import artifacts
from tests.fits import METHODS
from tests.saving import ITEMS, RESNET, TOY, Made, inputs_for, made, renamed

CASES: list[tuple[str, Scope, Task]] = [
    (key, scope, "multiclass") for key, method in METHODS.items() for scope in method.scopes
]
CASES += [(key, "head", "multilabel") for key in ("laplace", "vim", "mahalanobis", "det_flip", "loss_prediction")]


def saved(found: Made, settings: Settings, *, numbers: Numbers = "float32") -> Path:
    folder = settings.models / found.model.name
    save_model(folder, found.model, {}, numbers=numbers)
    return folder


def assert_same_bits(one: Predictive, other: Predictive) -> None:
    assert torch.equal(one.probs, other.probs)
    assert (one.score is None) == (other.score is None)
    assert one.score is None or other.score is None or torch.equal(one.score, other.score)
    assert (one.score_name, one.task) == (other.score_name, other.task)


@pytest.mark.parametrize(("key", "scope", "task"), CASES)
def test_a_loaded_model_answers_bit_for_bit(settings: Settings, key: str, scope: Scope, task: Task) -> None:
    found = made(settings, key, scope, task=task)
    saved(found, settings)
    before = found.answer(found.model)
    loaded = load_model("made", settings)
    assert_same_bits(before, found.answer(loaded))
    assert loaded.card.method == key
    assert not parameters_of(loaded.state)
    assert not any(module.training for module in modules_of(loaded.state))
    again = replace(found, model=loaded)
    save_model(settings.models / "again", replace(loaded, card=replace(loaded.card, name="again")), {})
    assert_same_bits(before, again.answer(load_model("again", settings)))


@pytest.mark.parametrize("key", [key for key, method in METHODS.items() if "head" in method.scopes])
def test_a_head_on_standardised_features_keeps_what_it_learned_of_them(settings: Settings, key: str) -> None:
    found = made(settings, key, "head", start=replace(TOY, head="standard"))
    before = found.answer(found.model)
    saved(found, settings)
    assert_same_bits(before, found.answer(load_model("made", settings)))


@pytest.mark.parametrize(("key", "scope"), [(key, scope) for key, scope, task in CASES if task == "multiclass"])
def test_half_the_digits_move_no_verdict(settings: Settings, key: str, scope: Scope) -> None:
    found = made(settings, key, scope, epochs=12)
    saved(found, settings, numbers="float16")
    loaded = load_model("made", settings)
    assert_same_bits(found.answer(as_stored(found.model, "float16")), found.answer(loaded))
    mine, theirs = (found.answer(model).probs.mean(dim=0) for model in (found.model, loaded))
    assert float((mine - theirs).abs().max()) < 5e-3
    assert torch.equal(mine.argmax(dim=1), theirs.argmax(dim=1))


def test_numbers_too_large_for_half_the_digits_keep_all_of_them(settings: Settings) -> None:
    found = made(settings, "deterministic", "head", epochs=1)
    with torch.no_grad():
        found.model.state.model.fc1.weight[0, 0] = 1e6
    saved(found, settings, numbers="float16")
    assert float(load_model("made", settings).state.model.fc1.weight[0, 0]) == 1e6


def test_eight_bits_are_judged_as_they_are_kept_and_take_a_quarter(settings: Settings) -> None:
    found = made(settings, "flipout", "network", epochs=12)
    whole = (saved(found, settings) / "model.safetensors").stat().st_size
    coarse = (saved(found, settings, numbers="int8") / "model.safetensors").stat().st_size
    assert coarse < 0.55 * whole, "of a small network, whose rows have a beginning and a step each"
    loaded = load_model("made", settings)
    assert_same_bits(found.answer(as_stored(found.model, "int8")), found.answer(loaded))
    mine, theirs = (found.answer(model).probs.mean(dim=0) for model in (found.model, loaded))
    assert float((mine - theirs).abs().max()) < 5e-2


def test_eight_bits_are_off_by_half_a_step_of_their_row_at_most() -> None:
    sizes = torch.tensor([1e-3, 1, 1, 0, 1e4]).reshape(5, 1, 1)
    rows = sizes * torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(3))
    found = decoded(encoded({"weight": rows, "bias": rows[:, 0, 0]}, "int8"))
    flat, off = rows.flatten(1), (found["weight"] - rows).flatten(1).abs().amax(1)
    assert bool((off <= (flat.amax(1) - flat.amin(1)) / 510 + 1e-6 * flat.abs().amax(1)).all())
    assert torch.equal(found["bias"], rows[:, 0, 0]), "there are few of them, and much hangs on them"


def test_only_what_differs_is_stored(settings: Settings) -> None:
    """ABNN: a scale and a shift for every channel of every normalisation, once a member."""
    found = made(settings, "abnn", "network", epochs=1)
    card = save_model(settings.models / "made", found.model, {})
    affine = [
        parameter.numel()
        for part in found.model.state.members[0].modules()
        if isinstance(part, (BayesNorm, nn.BatchNorm2d))
        for parameter in part.parameters(recurse=False)
    ]
    assert card.cost.stored == 2 * sum(affine) > 0
    assert card.cost.stored < 0.1 * sum(tensor.numel() for tensor in held_by(found.model.state).tensors.values())
    plain = save_model(settings.models / "plain", made(settings, "deterministic", "head", epochs=1).model, {})
    assert plain.cost.stored == 96 * 8 + 8 + 8 * 3 + 3
    nothing = save_model(settings.models / "nothing", made(settings, "energy", "head").model, {})
    assert nothing.cost.stored == 0


def test_a_stored_number_is_one_that_differs(settings: Settings) -> None:
    found = made(settings, "deterministic", "network", epochs=1)
    with torch.no_grad():
        name, parameter = next(iter(found.model.state.model.named_parameters()))
        parameter.copy_(dict(found.model.network.named_parameters())[name])
    saved(found, settings)
    stored = artifacts.load(settings.models / "made").tensors()
    assert f"model.{name}" not in stored
    assert len(stored) > 5
    assert_same_bits(found.answer(found.model), found.answer(load_model("made", settings)))


def test_a_model_may_begin_with_a_model(settings: Settings) -> None:
    """Its features are those of the other's trained network; classes of its own are learned anew."""
    first = made(settings, "deterministic", "network", name="first")
    saved(first, settings)
    start = Start("resnet32", RESNET.config, "model", model="first", seed=9)
    second = made(settings, "det_flip", "head", start=start, name="second")
    before = second.answer(second.model)
    with torch.no_grad():
        mine = second.model.network.embed(second.inputs)
        assert torch.equal(mine, first.model.state.model.embed(second.inputs))
    saved(second, settings)
    assert_same_bits(before, second.answer(load_model("second", settings)))
    same, other = network_of(start, 3, settings), network_of(start, 5, settings)
    assert torch.equal(same.head.classifier.weight, first.model.state.model.head.classifier.weight)  # type: ignore[arg-type, union-attr]
    assert other.head.classifier.weight.shape[0] == 5  # type: ignore[union-attr]
    with torch.no_grad():
        assert torch.equal(other.embed(second.inputs), mine)


def test_a_model_that_is_several_networks_is_no_beginning(settings: Settings) -> None:
    with pytest.raises(UserFacingError, match="several networks at once"):
        plain_network(made(settings, "ensemble", "network", epochs=1).model)
    head = made(settings, "deterministic", "head", epochs=1)
    with torch.no_grad():
        mine = head.model.state.model(head.model.network.embed(head.inputs))
        assert torch.equal(plain_network(head.model)(head.inputs), mine)


def test_models_that_begin_with_each_other_are_refused(settings: Settings) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        found = renamed(made(settings, "deterministic", "head", epochs=1, name=name))
        saved(found, settings)
        path = settings.models / name / artifacts.CARD
        card = json.loads(path.read_text())
        card["start"] |= {"weights": "model", "model": other}
        path.write_text(json.dumps(card))
    with pytest.raises(StoreError, match="begins with itself"):
        load_model("one", settings)


def test_the_users_own_model_comes_before_the_shipped_one(settings: Settings) -> None:
    own, shipped = (made(settings, "deterministic", "head", epochs=count) for count in (1, 2))
    save_model(settings.checkpoints / "made", shipped.model, {})
    assert_same_bits(own.answer(shipped.model), own.answer(load_model("made", settings)))
    saved(own, settings)
    assert_same_bits(own.answer(own.model), own.answer(load_model("made", settings)))
    with pytest.raises(UserFacingError, match="no model called 'mode'; known: made"):
        find("mode", settings)


def test_a_distance_comes_back_within_half_its_digits(settings: Settings) -> None:
    from core.checkpoints.density import distance

    found = made(settings, "energy", "head")
    saved(found, settings)
    features = found.model.network.embed(found.inputs)
    assert found.model.density is not None
    back = load_model("made", settings).density
    assert back is not None
    torch.testing.assert_close(distance(back, features), distance(found.model.density, features), rtol=2e-2, atol=1e-6)


HARMS = {
    "a byte of the weights": "damaged",
    "the end of the weights": "damaged",
    "the weights gone": "damaged",
    "half a card": "damaged",
    "a card of numbers": "damaged",
    "an unknown field": "damaged",
    "a missing field": "damaged",
    "another format": "format",
    "a tensor of another shape": "damaged",
    "a tensor of nobody": "damaged",
    "an unknown method": "unknown-key",
    "an unknown setting": "setting",
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_model_is_refused_in_one_sentence(settings: Settings, harm: str) -> None:
    found = made(settings, "deterministic", "head", epochs=1)
    folder = saved(found, settings)
    _do(harm, folder)
    with pytest.raises(UserFacingError) as caught:
        load_model("made", settings)
    assert caught.value.code == HARMS[harm]
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert str(settings.models) not in text


def _do(harm: str, folder: Path) -> None:
    weights, path = folder / "model.safetensors", folder / artifacts.CARD
    card = json.loads(path.read_text())
    raw = bytearray(weights.read_bytes())
    changes = {
        "a card of numbers": [1, 2],
        "an unknown field": {**card, "colour": "red"},
        "a missing field": {key: value for key, value in card.items() if key != "classes"},
        "another format": {**card, "format": 99},
        "an unknown method": {**card, "method": "magic"},
        "an unknown setting": {**card, "method_config": {"scope": "head", "colour": 1}},
    }
    if harm in changes:
        path.write_text(json.dumps(changes[harm]))
    elif harm == "half a card":
        path.write_text(path.read_text()[:300])
    elif harm == "the weights gone":
        weights.unlink()
    elif harm.startswith("a tensor"):
        name, shape = ("model.fc1.weight", (2, 2)) if harm.endswith("shape") else ("model.nobody", (3,))
        tensors = {**artifacts.load(folder).tensors(), name: np.ones(shape, np.float32)}
        artifacts.save(folder, {"model": tensors}, {key: value for key, value in card.items() if key != "files"})
    else:
        raw[-9] ^= 4
        weights.write_bytes(raw if harm.startswith("a byte") else raw[:-40])


def test_made_up_inputs_are_learnable(settings: Settings) -> None:
    """Or equal verdicts above would mean little."""
    found = made(settings, "deterministic", "network", epochs=12)
    said = found.answer(found.model).probs[0].argmax(dim=1)
    assert float((said == found.labels).float().mean()) > 0.9
    assert len(inputs_for(found.model.network)[0]) == ITEMS
