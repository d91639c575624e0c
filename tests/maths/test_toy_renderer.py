"""The renderer of Toybox against closed forms: silhouettes, Lambert's cosine, shadows, distances, knobs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from core.data._toybox import knobs, tracer
from core.data._toybox.render import Look, draw, layers
from core.data._toybox.scene import Blend
from core.data._toybox.shapes import CENTRE, REACH, SHAPES
from core.data._toybox.source import View, draw_source
from core.fingerprint import numpy_generator

SOURCE = replace(draw_source(0, "closed forms"), proportions=(1.0, 0.0, 0.5, 0.5))
RADIUS = 0.95  # of the ball with the first proportion at 1


def eye_of(view: View) -> np.ndarray:
    yaw, pitch = math.radians(view.yaw), math.radians(view.pitch)
    side = math.cos(pitch)
    aim = np.array([0.0, tracer.AIM, 0.0])
    return aim + tracer.DISTANCE * np.array([math.sin(yaw) * side, math.sin(pitch), math.cos(yaw) * side])


@pytest.mark.parametrize(
    "view",
    [
        View(yaw=0.0, pitch=0.0),
        View(yaw=130.0, pitch=35.0, zoom=0.8),
        View(pitch=20.0, roll=30.0, shift=(0.1, -0.05), zoom=1.1),
    ],
)
def test_the_balls_silhouette_has_the_area_of_its_projection(view: View) -> None:
    """A sphere seen under half-angle a, at angle b off the axis, is an ellipse: a plane's section of a cone."""
    size = 256
    covered = (
        layers(Look("ball", None, 0.0, SOURCE, view), size).toy.sum() * (2 * tracer.SPREAD / view.zoom / size) ** 2
    )
    eye, middle = eye_of(view), np.array([0.0, RADIUS, 0.0])
    forward = np.array([0.0, tracer.AIM, 0.0]) - eye
    distance = np.linalg.norm(middle - eye)
    a = math.asin(RADIUS / distance)
    b = math.acos((middle - eye) @ forward / distance / np.linalg.norm(forward))
    rest = math.cos(b) ** 2 - math.sin(a) ** 2
    assert covered == pytest.approx(math.pi * math.sin(2 * a) / 2 / rest * math.sin(a) / math.sqrt(rest), rel=0.01)


def test_a_balls_shading_is_lamberts_cosine() -> None:
    """Rays, meeting points and normals are recomputed here in double precision."""
    size, view = 192, View(yaw=0.0, pitch=0.0, light_turn=-60.0, light_height=35.0)
    traced = layers(Look("ball", None, 0.0, SOURCE, view), size)
    grid = ((np.arange(size) + 0.5) / size * 2 - 1) * tracer.SPREAD
    u, v = np.meshgrid(grid, -grid)
    ray = np.stack([u, v, -np.ones_like(u)], -1)
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    start = np.array([0.0, tracer.AIM - RADIUS, tracer.DISTANCE])  # from the middle of the ball
    half = ray @ start
    root = half**2 - (start @ start - RADIUS**2)
    t = -half - np.sqrt(np.maximum(root, 0.0))
    normal = (start + t[..., None] * ray) / RADIUS
    turn, height = math.radians(-60.0), math.radians(35.0)
    lamp = np.array([math.sin(turn) * math.cos(height), math.sin(height), math.cos(turn) * math.cos(height)])
    inside = root > 0.05  # off the rim, where normals turn fast
    assert inside.sum() > 5000
    assert traced.toy[inside].all()
    assert np.abs(traced.lambert - np.maximum(normal @ lamp, 0.0))[inside].max() < 0.01
    assert traced.lambert[inside].max() > 0.99


def test_a_ball_shades_the_ellipse_behind_it_and_nothing_else() -> None:
    """Seen along the light a sphere's shadow is a disc; on the floor it is longer by 1 / sine of the height."""
    height = math.radians(40.0)
    light = (math.cos(height), math.sin(height), 0.0)
    spread = np.linspace(-3.5, 3.5, 141, dtype=np.float32)
    x, z = (part.reshape(-1) for part in np.meshgrid(spread, spread))
    ball = Blend("ball", None, 0.0, SOURCE)
    share = tracer.lit(ball.distance, (x, np.zeros_like(x), z), light, 400.0)
    along = (x + RADIUS / math.tan(height)) * math.sin(height)
    apart = np.hypot(along, z) / RADIUS
    shaded = apart < 0.96
    assert share[shaded & (np.hypot(x, z) > 0.1)].max() < 0.05  # the contact term darkens the rest
    assert share[apart > 1.04].min() > 0.95


def test_a_cube_turned_by_a_right_angle_has_the_same_silhouette() -> None:
    view = View(yaw=20.0)
    first, quarter, eighth = (
        layers(Look("cube", None, 0.0, SOURCE, replace(view, yaw=20.0 + turn)), 128).toy for turn in (0.0, 90.0, 45.0)
    )
    assert (first != quarter).sum() <= 4
    assert (first != eighth).sum() > 200


@pytest.mark.parametrize("name", SHAPES)
def test_distances_never_change_faster_than_the_point_and_toys_stand_in_their_sphere(name: str) -> None:
    rng = numpy_generator("distance test", name)
    for _ in range(4):
        source = replace(SOURCE, proportions=tuple(float(u) for u in rng.uniform(size=4)))
        distance = Blend(name, None, 0.0, source).distance
        here = rng.uniform((-1.5, -0.5, -1.5), (1.5, 2.3, 1.5), (4000, 3))
        there = here + rng.normal(scale=0.05, size=here.shape)
        change = np.abs(distance(*here.T) - distance(*there.T))
        assert (change <= np.linalg.norm(here - there, axis=1) + 1e-9).all()
        inside = here[distance(*here.T) < 0.0]
        assert len(inside) > 20
        assert inside[:, 1].min() > -0.02
        assert np.linalg.norm(inside - (0.0, CENTRE, 0.0), axis=1).max() < REACH


@pytest.mark.parametrize("name", SHAPES)
def test_no_picture_is_blank(name: str) -> None:
    look = Look(name, None, 0.0, draw_source("blank", name), View())
    toy = layers(look, 96).toy
    assert 0.04 < toy.mean() < 0.5
    edges = np.concatenate([toy[0], toy[-1], toy[:, 0], toy[:, -1]])
    assert not edges.any()
    assert draw(look).reshape(-1, 3).std(0).max() > 10


def test_each_part_wears_its_own_colour_and_a_blend_wears_both() -> None:
    source = replace(SOURCE, material="plain")
    looks = Look("car", None, 0.0, source, View(yaw=60.0))
    _, at = tracer.hits(Blend("car", None, 0.0, source).distance, tracer.rays(looks.view, 128))
    tone = np.zeros_like(at[0])
    plain = np.stack(Blend("car", None, 0.0, source).colours(*at, tone), 1)
    worn = {tuple(row) for row in plain.round(4).tolist()}
    assert worn == {tuple(np.float32(c).round(4).tolist()) for c in (source.body, source.second, source.detail)}
    other, mixed = (np.stack(Blend("car", "house", m, source).colours(*at, tone), 1) for m in (1.0, 0.25))
    assert np.abs(mixed - 0.75 * plain - 0.25 * other).max() < 1e-5


@pytest.mark.parametrize("mix", [0.3, 0.5, 0.7])
def test_a_blend_of_thin_shapes_does_not_vanish(mix: float) -> None:
    for first, second in (("key", "cup"), ("ring", "key"), ("star", "boat"), ("cup", "ring")):
        assert layers(Look(first, second, mix, SOURCE, View()), 64).toy.mean() > 0.04


def test_a_larger_picture_shows_the_same_scene() -> None:
    look = Look("house", None, 0.0, SOURCE, View())
    small, large = draw(look, 64).astype(float), draw(look, 256).astype(float)
    assert np.abs(large.reshape(64, 4, 64, 4, 3).mean((1, 3)) - small).mean() < 2.5


@pytest.mark.parametrize("amount", [0.0, 0.2, 0.55, 0.9, 1.0])
def test_paper_hides_the_named_share_of_the_toy_and_its_shadow(amount: float) -> None:
    scene = layers(Look("fish", None, 0.0, SOURCE, View()), 128)
    telling = knobs.signal(scene.toy, scene.shade)
    assert telling[scene.toy].all()
    assert telling.sum() > 1.05 * scene.toy.sum()
    beacon = np.full((128, 128, 3), 100.0, np.float32)  # brighter than any paper
    hidden = knobs.occlude(beacon, telling, amount, 5)[..., 0] <= 1.0
    assert hidden[telling].mean() == pytest.approx(amount, abs=2.0 / telling.sum())
    assert hidden.all() == (amount == 1.0)


@pytest.mark.parametrize("amount", [0.1, 0.4, 0.7])
def test_blur_is_scipys_gaussian_in_linear_light(amount: float) -> None:
    from scipy.ndimage import gaussian_filter

    light = numpy_generator("blur test").random((48, 48, 3), dtype=np.float32)
    sigma = 0.12 * 48 * amount**2 / (1.0 - amount)
    radius = max(1, min(math.ceil(3 * sigma), 48))
    expected = gaussian_filter(light.astype(float), (sigma, sigma, 0), mode="nearest", radius=(radius, radius, 0))
    assert np.abs(knobs.blur(light, amount) - expected).max() < 1e-5


def test_more_blur_leaves_less_until_one_colour_is_left() -> None:
    light = draw(Look("star", None, 0.0, SOURCE, View())).astype(np.float32) / 255.0
    left = [
        float(knobs.blur(light, amount).astype(float).std((0, 1)).mean())
        for amount in (0.0, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
    ]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 1e-6
    assert np.abs(knobs.blur(light, 1.0)[0, 0] - light.mean((0, 1))).max() < 1e-5
