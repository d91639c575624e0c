"""Dropsembles in the plane: the worlds, what is true in them, and what the methods do there."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from sklearn.datasets import make_moons
from torch import nn

from core.contracts import Media, Receipt, no_progress
from core.errors import UserFacingError
from core.layers.masks import MaskedDropout
from core.methods import deterministic, dropsembles
from core.metrics.students import mean_of
from core.training import plane
from core.training._plane_moons import CENTRE, Moons, outline

SMALL = plane.Config(
    points=200,
    given=12,
    validation=60,
    test=200,
    width=32,
    steps=400,
    later_steps=150,
    strengths=(0.0, 1e4),
    draws=5,
    side=8,
)
TINY = replace(SMALL, points=40, test=20, steps=20, later_steps=15, width=16, side=4)


@pytest.fixture(scope="module")
def two() -> plane.Study:
    return plane.study(range(2), 2, SMALL)


def test_the_outline_is_that_of_the_published_moons() -> None:
    places, labels = make_moons(40, shuffle=False, noise=None)
    angles = np.tile(np.linspace(0.0, math.pi, 20), 2)
    np.testing.assert_allclose(outline(angles, labels), places, atol=1e-12)


def test_points_are_spread_as_the_published_moons_are() -> None:
    """First and second moments of each moon, within six standard errors of 20,000 points."""
    drawn = Moons(noise=0.1).drawn(20_000, np.random.default_rng(0))
    places, labels = make_moons(20_000, noise=0.1, random_state=0)
    for moon in (0, 1):
        mine, theirs = drawn.places[drawn.labels == moon], places[labels == moon]
        assert len(mine) == len(theirs) == 10_000
        np.testing.assert_allclose(mine.mean(0), theirs.mean(0), atol=6 * math.sqrt(2 * 0.5 / 10_000))
        np.testing.assert_allclose(np.cov(mine.T), np.cov(theirs.T), atol=6 * math.sqrt(2 * 0.5 / 10_000))
    still = Moons(noise=0.0).drawn(100, np.random.default_rng(1))
    middle = np.where(still.labels[:, None] == 0, (0.0, 0.0), (1.0, 0.5))
    np.testing.assert_allclose(np.linalg.norm(still.places - middle, axis=1), 1.0)


def test_half_a_turn_about_the_centre_swaps_the_moons() -> None:
    angles = np.linspace(0.0, math.pi, 9)
    zeros = np.zeros(9, np.int64)
    np.testing.assert_allclose(
        Moons(degrees=180.0).moved(outline(angles, zeros)), outline(angles, zeros + 1), atol=1e-12
    )
    quarter = Moons(degrees=90.0, shift=(2.0, 0.0)).moved(np.array([[CENTRE[0] + 1.0, CENTRE[1]]]))
    np.testing.assert_allclose(quarter, [[CENTRE[0] + 2.0, CENTRE[1] + 1.0]], atol=1e-12)
    turned = Moons(degrees=33.0, shift=(0.3, -0.2))
    places = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_allclose(turned.unmoved(turned.moved(places)), places, atol=1e-12)


def test_the_few_points_of_b_lie_in_one_half_and_the_others_in_both() -> None:
    made = plane._Run(3, 2, TINY, no_progress)
    world = made.worlds["b"]
    assert (world.unmoved(made.given.places)[:, 0] > CENTRE[0]).all()
    assert np.bincount(made.given.labels).tolist() == [6, 6]
    left = world.unmoved(made.asked["b"].places)[:, 0] <= CENTRE[0]
    assert 0.2 < left.mean() < 0.8


def test_the_truth_is_bayes_rule_on_the_integrated_densities() -> None:
    """Against scipy's quadrature; at the centre both moons are as likely; a world that moves takes its truth along."""
    moons, generator = Moons(noise=0.3), np.random.default_rng(2)
    places = generator.uniform(-1.0, 2.0, (6, 2))

    def density(place: np.ndarray, moon: int) -> float:
        def at(angle: float) -> float:
            curve = outline(np.array([angle]), np.array([moon]))[0]
            return float(stats.multivariate_normal.pdf(place, curve, 0.3**2 * np.eye(2)))

        return integrate.quad(at, 0.0, math.pi)[0]

    expected = [density(place, 1) / (density(place, 0) + density(place, 1)) for place in places]
    found = moons.truth(places)
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-4)
    np.testing.assert_allclose(found.sum(1), 1.0)
    np.testing.assert_allclose(moons.truth(np.array([CENTRE])), 0.5)
    other = Moons(noise=0.3, degrees=70.0, shift=(-1.0, 4.0))
    np.testing.assert_allclose(other.truth(other.moved(places)), found, rtol=1e-9)


def test_the_network_is_a_head_with_a_site_after_each_hidden_layer() -> None:
    network = plane.network_of(TINY, 0)
    kinds = [type(layer) for layer in network.head]  # type: ignore[arg-type]
    assert kinds == [nn.Linear, nn.ReLU, MaskedDropout] * 3 + [nn.Linear]
    sites = [layer for layer in network.modules() if isinstance(layer, MaskedDropout)]
    assert len({site.layer_id for site in sites}) == 3
    assert {site.p for site in sites} == {TINY.rate}
    points = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network.embed(points), points)
    assert network(points).shape == (5, 2)
    assert bool(network(points).isfinite().all())
    same, other = plane.network_of(TINY, 0), plane.network_of(TINY, 1)
    assert torch.equal(network(points), same(points))
    assert not torch.equal(network(points), other(points))
    grey = Media("image", np.zeros((4, 4, 3), np.uint8), None, "", Receipt("png", "RGB 8 bit", 1))
    with pytest.raises(UserFacingError, match="points of a plane"):
        network.prepare(grey)


def trained_on_a(config: plane.Config) -> tuple[plane._Run, plane.PlaneNetwork]:
    made = plane._Run(0, 2, config, no_progress)
    network = plane.network_of(config, 0)
    source = made._fitted(deterministic.METHOD, deterministic.Config(scope="head"), network, made.learned)
    network.head = source.state.model
    return made, network


def thinned(made: plane._Run, network: plane.PlaneNetwork, strength: float) -> tuple[tuple, tuple]:
    """Members before they learn B, and after."""
    started: list[tuple] = []

    def prepare(state: dropsembles.State) -> dropsembles.State:
        started.append(copy.deepcopy(state.members))
        return made._anchored(state) if strength else state

    config = dropsembles.Config(scope="head", members=2, ewc=strength)
    done = made._fitted(dropsembles.METHOD, config, network, made.given, prepare)
    return started[0], done.state.members


def test_without_an_anchor_each_thinned_network_learns_b_by_itself() -> None:
    """The same as a plain loop of Adam on all of B's points, with the member's masks."""
    made, network = trained_on_a(TINY)
    started, done = thinned(made, network, 0.0)
    points, labels = torch.from_numpy(made.given.places).float(), torch.from_numpy(made.given.labels)
    for before, after in zip(started, done, strict=True):
        optimiser = torch.optim.Adam(before.parameters(), lr=1e-3)
        for _ in range(TINY.later_steps):
            optimiser.zero_grad()
            nn.functional.cross_entropy(before(points), labels).backward()
            optimiser.step()
        for mine, theirs in zip(after.parameters(), before.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=2e-4)


def test_an_endless_anchor_leaves_the_network_of_a_as_it_was_thinned() -> None:
    """On A's points, where the anchor was made; without one the answers move away."""
    made, network = trained_on_a(SMALL)
    points = torch.from_numpy(made.learned.places).float()
    moved = {}
    for strength in (0.0, 1e9):
        started, done = thinned(made, network, strength)
        changes = [
            after(points).softmax(-1) - before(points).softmax(-1) for before, after in zip(started, done, strict=True)
        ]
        moved[strength] = max(float(change.detach().abs().mean()) for change in changes)
    assert moved[1e9] < 0.02, moved
    assert moved[0.0] > 5 * moved[1e9], moved


def test_members_disagree_and_a_single_network_cannot(two: plane.Study) -> None:
    for found in two.planes:
        for key in ("single", "before", "truth"):
            assert found.result(key).draws == 1
            assert np.abs(found.result(key).doubt.epistemic).max() == 0.0
        for key in ("mc_dropout", "dropsembles", "ensemble"):
            doubt = found.result(key).doubt
            assert float(doubt.epistemic.max()) > 0.01
            np.testing.assert_allclose(doubt.total, doubt.aleatoric + doubt.epistemic)
            assert doubt.total.shape == found.result(key).probs.shape == (8, 8)


def test_an_anchor_forgets_less_of_a(two: plane.Study) -> None:
    held = two.mean("dropsembles 10000", "a.nll", less="dropsembles 0")
    assert held.value < -0.03  # six seeds: -0.083, each below -0.028
    assert two.mean("dropsembles 10000", "a.accuracy", less="dropsembles 0").value >= 0.0


def test_nobody_knows_more_than_the_truth_and_who_learned_a_is_near_it(two: plane.Study) -> None:
    for key in ("before", "single", "mc_dropout", "dropsembles", "ensemble"):
        assert two.mean(key, "a.nll", less="truth").value > 0.0
        assert two.mean(key, "b.nll", less="truth").value > 0.0
        assert two.mean(key, "a.accuracy").value > 0.9  # who saw B alone does not know A
    assert two.mean("before", "a.nll", less="truth").value < 0.1
    assert two.mean("before", "b.nll", less="before").value == 0.0
    assert two.mean("single", "b.accuracy", less="before").value > 0.0  # B's points are worth learning


def test_the_strength_is_chosen_by_validation_points_alone(two: plane.Study) -> None:
    for found in two.planes:
        tried = [result for result in found.results if result.strength is not None and result.key != "dropsembles"]
        assert [result.strength for result in tried] == [0.0, 1e4]
        best = min(tried, key=lambda result: result.validation_nll)
        assert found.chosen == best.strength
        assert found.result("dropsembles").b == best.b
    few, many = (plane._Run(0, 2, replace(TINY, test=count), no_progress) for count in (20, 30))
    np.testing.assert_array_equal(few.asked["validation"].places, many.asked["validation"].places)
    drawn = [{tuple(place) for place in part.places} for part in (few.given, few.asked["b"], few.asked["validation"])]
    assert not drawn[0] & drawn[1]
    assert not drawn[0] & drawn[2]
    assert not drawn[1] & drawn[2]


def test_a_seed_decides_everything_but_the_seconds() -> None:
    first, again, other = (plane.run(seed, 2, TINY) for seed in (1, 1, 2))
    for mine, same in zip(first.results, again.results, strict=True):
        assert (mine.key, mine.a, mine.b, mine.validation_nll) == (same.key, same.a, same.b, same.validation_nll)
        np.testing.assert_array_equal(mine.doubt.total, same.doubt.total)
        np.testing.assert_array_equal(mine.probs, same.probs)
    assert not np.array_equal(first.given.places, other.given.places)
    assert first.result("ensemble").b != other.result("ensemble").b


def test_intervals_are_students() -> None:
    values = [0.2, 0.5, 0.9, 0.4]
    found = mean_of(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((0.5, low, high))
    assert mean_of([0.3]) == plane.Mean(0.3, None, None)


def test_reports_are_json_and_tables_name_every_method(two: plane.Study) -> None:
    told = json.loads(json.dumps(plane.report(two), allow_nan=False))
    assert told["seeds"] == [0, 1]
    row = next(row for row in told["results"] if row["key"] == "mc_dropout")
    assert row["figures"]["b.nll"]["value"] == pytest.approx(two.mean("mc_dropout", "b.nll").value)
    less = row["less"]["single"]["b.nll"]
    assert less["value"] == pytest.approx(two.mean("mc_dropout", "b.nll").value - two.mean("single", "b.nll").value)
    assert less["low"] < less["value"] < less["high"]
    text = "\n".join(plane.lines(two))
    for result in two.planes[0].results:
        assert result.title in text
    one = plane.report(two.planes[0])
    assert one["results"][0]["figures"]["a.nll"]["low"] is None
    assert plane.lines(two.planes[0])


def test_settings_that_mean_nothing_are_refused_in_words() -> None:
    for wrong in ({"strengths": ()}, {"strengths": (-1.0,)}, {"noise": 0.0}, {"shift": (math.nan, 0.0)}):
        with pytest.raises(UserFacingError, match="setting"):
            replace(TINY, **wrong)
    with pytest.raises(UserFacingError, match="at least one seed"):
        plane.study((), 2, TINY)
