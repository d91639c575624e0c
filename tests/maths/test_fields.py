"""Occupancy networks against naive reads and sums; answers that depend on neither chunks nor company."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from core.backbones._size import describe
from core.errors import UserFacingError
from core.fingerprint import numpy_generator, torch_generator
from core.methods import deterministic, dropsembles, mc_dropout
from core.methods._contract import Batch, FitContext, frozen, parameters_of
from core.methods._ewc import anchor_of
from core.shapes.fields import Field, Part, ask, distance_of, doubt_of, features_of, target_of
from core.shapes.networks import FieldNetwork, UNet, build
from core.shapes.plan import FieldConfig
from core.shapes.solids import Box

SPACE = FieldConfig(shape=(9, 6, 8), channels=8, levels=2, width=16, blocks=2)
PLANE = FieldConfig(shape=(7, 10), channels=8, levels=2, width=16, blocks=2)
ALL = [
    SPACE,
    replace(SPACE, encoder="planes"),
    replace(SPACE, encoder="latent"),
    PLANE,
    replace(PLANE, encoder="latent"),
]
CONTEXT = FitContext("multilabel", 1, 100, 0)


@dataclass(frozen=True)
class Disc:
    radius: float

    def level(self, places: np.ndarray) -> np.ndarray:
        return np.linalg.norm(places, axis=1) - self.radius


def awake(config: FieldConfig) -> FieldNetwork:
    """With the blocks' last layers drawn too: fresh ones are 0, and the dropout before them changes nothing."""
    network = build(config, "test")
    for block in network.head.blocks:  # type: ignore[union-attr]
        torch.nn.init.normal_(block.second.weight, std=0.5, generator=torch_generator("second"))
    return network


def inputs(config: FieldConfig, places: int = 30) -> tuple[np.ndarray, np.ndarray]:
    generator = numpy_generator("inputs", list(config.shape))
    grid = generator.random(config.shape)
    return grid, generator.uniform(-0.5, 0.5, (places, config.dim))


def single(network: FieldNetwork) -> Field:
    state = deterministic.State(deterministic.Config(), CONTEXT, network.head)
    return Field((Part(network, deterministic.METHOD, state),))


def dropping(network: FieldNetwork, draws: int) -> Field:
    state = mc_dropout.State(mc_dropout.Config(scope="head"), CONTEXT, network.head, ())
    return Field((Part(network, mc_dropout.METHOD, state),), draws)


@pytest.mark.parametrize("config", ALL)
def test_training_and_asking_see_the_same_field(config: FieldConfig) -> None:
    network = awake(config)
    grid, places = inputs(config)
    packed = torch.from_numpy(np.concatenate([grid.ravel(), places.ravel()])).float()[None]
    logits = network(packed)
    assert logits.shape == (1, 30)
    probs = ask(single(network), grid, places)
    np.testing.assert_allclose(probs, torch.sigmoid(logits).numpy(), atol=1e-6)
    assert np.ptp(probs) > 1e-3


@pytest.mark.parametrize("config", ALL)
def test_answers_do_not_depend_on_chunks_and_no_more_than_a_chunk_is_decoded_at_once(config: FieldConfig) -> None:
    network = awake(config)
    grid, places = inputs(config, 50)
    rows: list[int] = []
    network.head.register_forward_hook(lambda module, given, out: rows.append(len(given[0])))
    few, all_at_once = (ask(single(network), grid, places, chunk=chunk) for chunk in (7, 1000))
    assert max(rows[:-1]) == 7
    np.testing.assert_allclose(few, all_at_once, atol=1e-6)


def test_a_grids_code_at_a_node_is_the_maps_value_there() -> None:
    for config in (SPACE, PLANE):
        encoder = build(config, "nodes").encoder
        maps = encoder.maps(torch.from_numpy(inputs(config)[0]).float()[None])
        nodes = Box((0.0,) * config.dim, (1.0,) * config.dim).nodes(config.shape)
        read = encoder.at(maps, torch.from_numpy(nodes).float()[None])[0]
        np.testing.assert_allclose(read[:, : config.dim], nodes, atol=1e-6)
        np.testing.assert_allclose(read[:, config.dim :], maps[0][0].flatten(1).T, atol=1e-5)


def test_three_planes_are_read_with_the_coordinates_that_they_keep_and_summed() -> None:
    config = replace(SPACE, encoder="planes")
    encoder = build(config, "planes").encoder
    grid, places = inputs(config)
    maps = encoder.maps(torch.from_numpy(grid).float()[None])
    naive = 0.0
    for axis, part in enumerate(maps):
        assert part.shape[2:] == tuple(n for number, n in enumerate(config.shape) if number != axis)
        kept = np.delete(places, axis, axis=1)
        indices = ((kept + 0.5) * (np.array(part.shape[2:]) - 1)).T
        naive = naive + np.stack([map_coordinates(layer, indices, order=1) for layer in part[0].numpy()], axis=1)
    found = encoder.at(maps, torch.from_numpy(places).float()[None])[0, :, 3:]
    np.testing.assert_allclose(found, naive, atol=1e-5)


def test_one_code_for_the_whole_shape_is_the_same_everywhere() -> None:
    config = replace(SPACE, encoder="latent")
    features = features_of(build(config, "latent"), *inputs(config))
    assert float(features[:, 3:].std(dim=0).max()) < 1e-6


def test_the_border_goes_on_beyond_the_cube() -> None:
    network = awake(SPACE)
    maps = network.encoder.maps(torch.from_numpy(inputs(SPACE)[0]).float()[None])
    edge, beyond = (network.encoder.at(maps, torch.tensor([[[x, 0.1, 0.2]]]))[..., 3:] for x in (0.5, 0.9))
    torch.testing.assert_close(edge, beyond)


def test_the_decoder_is_its_formula() -> None:
    network = awake(SPACE)
    head = network.head
    features = features_of(network, *inputs(SPACE))
    w = {name: value.double().numpy() for name, value in head.state_dict().items()}

    def line(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    place, code = features[:, :3].double().numpy(), features[:, 3:].double().numpy()
    net = line("place", place)
    for b in range(2):
        net = net + line(f"codes.{b}", code)
        inner = np.maximum(line(f"blocks.{b}.first", np.maximum(net, 0)), 0)
        net = net + line(f"blocks.{b}.second", inner)
    np.testing.assert_allclose(head(features), line("out", np.maximum(net, 0)), atol=1e-5)


def test_a_fresh_network_follows_from_its_seed_and_its_blocks_begin_as_the_identity() -> None:
    before = torch.random.get_rng_state()
    one, two, other = build(SPACE, "a"), build(SPACE, "a"), build(SPACE, "b")
    assert torch.equal(before, torch.random.get_rng_state())
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name])
        assert torch.isfinite(value).all()
    assert not torch.equal(one.head.place.weight, other.head.place.weight)  # type: ignore[union-attr]
    assert all(float(block.second.weight.abs().sum()) == 0 for block in one.head.blocks)  # type: ignore[union-attr]


def test_a_u_net_keeps_odd_sizes() -> None:
    net = UNet(3, 4, 3)
    assert net(torch.zeros(1, 4, 7, 5, 9)).shape == (1, 4, 7, 5, 9)


def test_a_draw_is_one_function_of_space() -> None:
    """The masks of a draw are those of the shape: whatever else is asked, a place answers the same."""
    network = awake(PLANE)
    grid, places = inputs(PLANE, 40)
    together = ask(dropping(network, 6), grid, places, key=5, seed=1)
    alone = ask(dropping(network, 6), grid, places[17:18], key=5, seed=1)
    np.testing.assert_allclose(together[:, 17:18], alone, atol=1e-6)
    assert together.std(axis=0).min() > 1e-5
    assert not np.allclose(together, ask(dropping(network, 6), grid, places, key=6, seed=1))
    # a draw thins the same units everywhere: the ratio of two places' answers is that of some thinned network
    twice = ask(dropping(network, 6), grid, np.repeat(places[:1], 3, axis=0), key=5, seed=1)
    np.testing.assert_allclose(twice[:, 0], twice[:, 2])


def test_members_differ_and_answer_the_same_each_time() -> None:
    network = awake(PLANE)
    config = dropsembles.Config(scope="head", members=3)
    state = dropsembles.init(config, network, CONTEXT, torch_generator("members"))
    field = Field((Part(network, dropsembles.METHOD, dropsembles.finish(state)),))
    grid, places = inputs(PLANE)
    with torch.no_grad():
        first, second = (ask(field, grid, places, seed=seed) for seed in (0, 9))
    assert first.shape == (3, 30)
    np.testing.assert_array_equal(first, second)
    assert first.std(axis=0).min() > 1e-5
    assert doubt_of(first).epistemic.shape == (30,)


def test_several_networks_answer_one_after_the_other() -> None:
    parts = [single(build(PLANE, seed)).parts[0] for seed in range(2)]
    grid, places = inputs(PLANE)
    both = ask(Field(tuple(parts)), grid, places)
    for number, part in enumerate(parts):
        np.testing.assert_array_equal(both[number : number + 1], ask(Field((part,)), grid, places))


def test_the_fisher_information_of_a_decoder_is_that_of_a_loop_over_places() -> None:
    network = awake(PLANE)
    head = network.head.requires_grad_(True)
    features = features_of(network, *inputs(PLANE, 6))
    batch = Batch(features, torch.zeros(6, 1), torch.zeros(6, dtype=torch.int64))
    found = anchor_of(head, [batch], "multilabel", "exact", torch_generator("fisher"))
    naive = [torch.zeros_like(p) for p in head.parameters()]
    for row in features:
        head.zero_grad()
        logit = head(row[None]).sum()
        logit.backward()
        p = torch.sigmoid(logit.detach())
        for total, parameter in zip(naive, head.parameters(), strict=True):
            total += p * (1 - p) * (0 if parameter.grad is None else parameter.grad.square()) / 6
    for mine, theirs in zip(found.fisher, naive, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-7)


def test_distances_and_targets_are_each_others_inverse() -> None:
    distance = np.linspace(-12, 12, 49)
    np.testing.assert_allclose(distance_of(target_of(distance, 2.0), 2.0), distance, atol=1e-6)
    assert target_of(np.array([0.0]), 2.0)[0] == 0.5
    assert target_of(np.array([-1.0]), 2.0)[0] > 0.5  # inside


def test_a_field_that_learned_distances_knows_them() -> None:
    """One disc in the plane: the logit that the loss asks for is the distance, up to its sign and unit."""
    config, tau, disc = FieldConfig(shape=(8, 8), channels=4, levels=1, width=32, blocks=2), 0.1, Disc(0.25)
    network = build(config, "disc")
    places = numpy_generator("disc").uniform(-0.5, 0.5, (600, 2))
    features = torch.zeros(600, network.dim)
    features[:, :2] = torch.from_numpy(places)
    labels = torch.from_numpy(target_of(disc.level(places), tau)).float()[:, None]
    context = FitContext("multilabel", 1, 600, 0)
    state = deterministic.init(deterministic.Config(dropout=False), network, context, torch_generator("disc"))
    optimiser = torch.optim.Adam(parameters_of(state), lr=5e-3)

    def step(loss: torch.Tensor, parts) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    batch = Batch(features, labels, torch.arange(600))
    for _ in range(400):
        state = deterministic.update(state, batch, torch_generator("disc"), step)
    network.encoder.net.requires_grad_(False)
    for part in network.encoder.parameters():
        part.data.zero_()  # codes of nothing: the place alone tells
    field = Field((Part(network, deterministic.METHOD, frozen(state)),))
    asked = numpy_generator("asked").uniform(-0.45, 0.45, (200, 2))
    found = distance_of(ask(field, np.zeros((8, 8)), asked)[0], tau)
    assert np.abs(found - disc.level(asked)).mean() < 0.02


def test_the_size_of_a_field_counts_its_places() -> None:
    packed = torch.zeros(1, math.prod(PLANE.shape) + 2 * 10)
    few, more = (describe(build(PLANE, 0), torch.zeros(1, packed.shape[1] + extra)).macs for extra in (0, 20))
    width, code = PLANE.width, PLANE.channels
    assert more - few == 10 * (2 * width + 2 * (code * width + 2 * width * width) + width)


def test_a_grid_of_another_shape_and_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="nodes"):
        ask(single(build(PLANE, 0)), np.zeros((3, 3)), np.zeros((1, 2)))
    with pytest.raises(UserFacingError, match="planes"):
        FieldConfig(shape=(8, 8), encoder="planes")
    with pytest.raises(UserFacingError, match="halved"):
        FieldConfig(shape=(2, 8), levels=3)
