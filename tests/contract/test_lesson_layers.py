"""The lessons on random scales, thinned members and guessed losses: what their parts say of networks."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from core.lessons import _plane, _scales, _thinned
from core.lessons._pictures import Chain
from core.lessons._plane import MOONS, World
from core.lessons.scales import LESSON, Config
from core.methods import abnn
from core.settings import Settings


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ("1 3", ["3", "1 2 3", "1"]),
        ("1 2 3", ["2 3", "1 3", "1 2"]),
        ("2", ["1 2", None, "2 3"]),  # one has to be random
    ],
)
def test_a_click_switches_one_layer_of_the_strip(layers: str, told: list[str | None], tmp_path: Path) -> None:
    chain = LESSON.before(Config(layers=layers), 0, Settings(home=tmp_path))[0]
    assert isinstance(chain, Chain)
    switches = [link for link in chain.links if link.switches]
    assert [link.told for link in switches] == told
    assert [link.name[-1] for link in switches if link.on] == layers.split(" ")
    for one in filter(None, told):
        Config(layers=one)  # is what the lesson takes


@pytest.mark.parametrize("layers", ["", "3 1", "1 1", "4", "1  2"])
def test_layers_that_cannot_be_are_refused(layers: str) -> None:
    with pytest.raises(ValueError, match="in this order"):
        Config(layers=layers)


def test_the_way_from_one_network_to_another_begins_and_ends_with_their_own_losses() -> None:
    points = _plane.seen(World(MOONS, 0.3), 40, 0.0, "", 0)
    scratch = _scales.from_scratch(points, 2, 0, 3)
    way = _scales.way(scratch.networks, points, np.array([0.0, 0.5, 1.0]), anew=True)
    inputs, labels = torch.from_numpy(points.places).float(), torch.from_numpy(points.labels)
    own = [float(nn.functional.cross_entropy(copy.deepcopy(one).train()(inputs), labels)) for one in scratch.networks]
    np.testing.assert_allclose(way[[0, 2]], own, rtol=1e-5)
    assert way[1] not in own


def test_members_without_their_noise_answer_alike_whatever_the_draw() -> None:
    points = _plane.seen(World(MOONS, 0.3), 40, 0.0, "", 0)
    network = _scales.trained(points, 0, 3).model
    state = _scales.untuned(network, points, abnn.Config(members=1, alpha=1.0), 0)  # type: ignore[arg-type]
    inputs, keys = torch.from_numpy(points.places).float(), torch.arange(len(points))
    noisy, still = (abnn.predict(one, inputs, keys, draws=5, seed=0).probs for one in (state, _scales.quiet(state)))
    assert float(noisy.std(dim=0).max()) > 0.01
    assert float(still.std(dim=0).max()) == 0.0
    assert _scales.sizes(state.members[0]) == (3 * 2 * 32, sum(part.numel() for part in network.parameters()))


def test_masks_are_those_that_the_members_compute_with() -> None:
    points = _plane.seen(World(MOONS, 0.3), 40, 0.0, "", 0)
    network = _thinned.knowing(points, 0.4, 0, 3)
    state = _thinned.thinned(network, points, points, 0.0, 2, 0)
    masks = _thinned.masks_of(state)
    assert masks.shape == (2, 3, 32)
    hidden = network.head[:2](torch.from_numpy(points.places).float())  # type: ignore[index]
    for member, kept in zip(state.members, masks, strict=True):
        thinned = member[:3](torch.from_numpy(points.places).float())  # type: ignore[index]
        np.testing.assert_allclose(thinned.detach(), np.where(kept[0], hidden.detach() / 0.6, 0.0), rtol=1e-5)
