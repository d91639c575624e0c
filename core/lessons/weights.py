"""From weights to distributions: what random weights cost in gradient noise, and what the KL does to their spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Progress, no_progress
from core.lessons import _plane
from core.lessons._contract import Claim, Lesson, Number, Outcome, Own
from core.lessons._pictures import Field, Line, Lines, Meaning, Picture, Plane
from core.lessons._plane import MOONS, World
from core.methods._knobs import check, knob
from core.settings import Settings

if TYPE_CHECKING:
    from core.lessons._weights import Posterior
    from core.training._plane_moons import Points

_SIZES, _DRAWS, _STEPS = (4, 16, 64), 24, 80
_NAMES = {"sample": "one weight sample a batch", "flipout": "Flipout", "local": "local reparameterisation"}
_LOOKS: Mapping[str, tuple[Meaning, str]] = {
    "sample": ("refused", "dash"), "flipout": ("kept", "solid"), "local": ("predicted", "dot"),
}  # fmt: skip
_WAYS: Mapping[str, tuple[str, Meaning, str]] = {
    "sum": ("KL as a sum", "epistemic", "solid"),
    "mean": ("KL as a mean", "refused", "dash"),
    "moped": ("MOPED", "predicted", "dot"),
}
_SHRINKS = 0.5  # of what it was four doublings earlier: less is called shrinking


@dataclass(frozen=True, slots=True)
class Config:
    rho: float = knob(-3.0, "where every spread starts: log(1 + e^rho) of it", least=-5.0, most=-1.0)
    prior: float = knob(1.0, "standard deviation of the prior", least=0.1, most=2.1)
    delta: float = knob(0.2, "MOPED's spread, as a share of each trained weight", least=0.05, most=1.05)
    points: int = knob(200, "points to learn from", least=80, most=480)

    def __post_init__(self) -> None:
        check(self)


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    points = _points(config, seed)
    x, y, _ = _plane.grid()
    said = f"{len(points)} points; a network of random weights learns them."
    return (Plane("What is learned", said, x, y, (), points.places, points.labels),)


def compute(config: Config, seed: int, settings: Settings, progress: Progress = no_progress) -> Outcome:
    from core.lessons import _weights

    points, total = _points(config, seed), len(_NAMES) + len(_WAYS)
    noise: dict[str, np.ndarray] = {}
    for name, title in _NAMES.items():
        noise[name] = _weights.gradient_noise(points, name, _SIZES, config.rho, _DRAWS, seed)
        progress(len(noise), total, f"gradients of {title}")
    plain = {"rho": config.rho, "prior_sigma": config.prior}
    ways = {
        "sum": {**plain, "kl": "sum"}, "mean": {**plain, "kl": "mean"},
        "moped": {"moped": True, "delta": config.delta, "prior_sigma": config.prior},
    }  # fmt: skip
    found: dict[str, Posterior] = {}
    for name, posterior in _weights.posteriors(points, _plane.grid()[2], ways, seed, _STEPS):
        found[name] = posterior
        progress(len(noise) + len(found), total, f"fitting with {_WAYS[name][0]}")
    return _outcome(points, noise, found)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    most = _SIZES[-1]
    return (
        Claim("Flipout's gradient is less noisy", outcome[f"flipout {most}"] < outcome[f"sample {most}"]),
        Claim("its noise falls with the batch", outcome[f"flipout {most}"] < 0.5 * outcome[f"flipout {_SIZES[1]}"]),
        Claim("a mean of the KL leaves narrower weights than a sum", outcome["sigma mean"] < outcome["sigma sum"]),
        Claim("and less unfamiliarity near the points", outcome["near mean"] < outcome["near sum"]),
        Claim("each way learns the points", min(outcome[f"accuracy {way}"] for way in _WAYS) > 0.85),
    )  # fmt: skip


def _points(config: Config, seed: int) -> Points:
    return _plane.seen(World(MOONS, 0.25), config.points, 0.0, "", seed)


def _outcome(points: Points, noise: Mapping[str, np.ndarray], found: Mapping[str, Posterior]) -> Outcome:
    fell = {name: float(values[-1] / values[1]) for name, values in noise.items()}
    right = 0 if max(fell.values()) < _SHRINKS else 1 if fell["flipout"] < _SHRINKS else 2
    times = noise["sample"][-1] / noise["flipout"][-1]
    said = (
        f"From {_SIZES[1]} to {_SIZES[-1]} items plain sampling keeps {fell['sample']:.0%} of its gradient noise, "
        f"Flipout {fell['flipout']:.0%}: at {_SIZES[-1]} it has {times:.1f} times less."
    )
    near = _plane.distance(_plane.grid()[2], points) < 0.3
    doubt = {name: float(one.answer.doubt.epistemic[near].mean()) for name, one in found.items()}
    numbers = (
        *(Number(f"{name} {size}", f"gradient variance, {_NAMES[name]}, batch of {size}", float(value))
          for name, values in noise.items() for size, value in zip(_SIZES, values, strict=True)),
        *(Number(f"sigma {name}", f"median spread of a weight, {_WAYS[name][0]}", float(np.median(one.sigmas)))
          for name, one in found.items()),
        *(Number(f"near {name}", f"unfamiliarity near the points in nats, {_WAYS[name][0]}", value)
          for name, value in doubt.items()),
        *(Number(f"accuracy {name}", f"accuracy on the points, {_WAYS[name][0]}", one.accuracy)
          for name, one in found.items()),
    )  # fmt: skip
    sigma = {name: float(np.median(one.sigmas)) for name, one in found.items()}
    sentences = (
        "The bound to be maximised is the fit of the data less the KL, the distance from the posterior to the prior. "
        "Its gradient needs random weights, and random weights make it noisy.",
        "One weight sample for a whole batch moves all its items the same way: more items do not average it out. "
        "Flipout turns the same sample by random signs, another way for each item, at the price of two products.",
        f"Taken as a sum over all weights, as the bound says, the KL leaves a median spread of {sigma['sum']:.3f}. As "
        f"a mean it is divided by the number of weights: {sigma['mean']:.3f}, and the prior all but vanishes.",
        f"MOPED starts each spread at a share of its trained weight, so that large weights may move more: median "
        f"{sigma['moped']:.3f}. Unfamiliarity near the points: {doubt['sum']:.3f} nats with the sum, "
        f"{doubt['mean']:.3f} with the mean, {doubt['moped']:.3f} with MOPED.",
    )
    return Outcome(right, said, _pictures(points, noise, found), sentences, numbers)


def _pictures(points: Points, noise: Mapping[str, np.ndarray], found: Mapping[str, Posterior]) -> tuple[Picture, ...]:
    x, y, _ = _plane.grid()
    sizes, shares = np.array(_SIZES, np.float64), np.linspace(0.0, 1.0, 101)
    lines = tuple(
        Line(_NAMES[name], sizes, values / noise["sample"][0], *_LOOKS[name]) for name, values in noise.items()
    )
    spreads = tuple(
        Line(_WAYS[name][0], shares, np.quantile(one.sigmas, shares), *_WAYS[name][1:]) for name, one in found.items()
    )
    top = max(float(one.answer.doubt.epistemic.max()) for one in found.values())
    maps = []
    for name, one in found.items():
        doubt = one.answer.doubt.epistemic
        field = Field("unfamiliar", "epistemic", doubt.reshape(len(y), len(x)).astype(np.float32), top)
        said = f"{one.accuracy:.0%} of the points are right; at most {doubt.max():.2f} nats anywhere."
        maps.append(Plane(_WAYS[name][0], said, x, y, (field,), points.places, points.labels))
    at = f"a batch of {_SIZES[-1]}: {noise['sample'][-1]:.3g} plain, {noise['flipout'][-1]:.3g} Flipout."
    return (
        Lines("Noise of the gradient", f"Its variance in {at}", "items in a batch",
              f"share of plain sampling's at {_SIZES[0]}", lines),
        Lines("Where the spreads end up", "Every weight has a spread of its own; these are all of them, sorted.",
              "share of the weights", "standard deviation", spreads),
        *maps,
    )  # fmt: skip


LESSON = Lesson(
    key="weights",
    number=7,
    title="Weights that are distributions",
    idea="A weight can be a range instead of a number; what that costs is noise, and what it gains depends on one sum.",
    opening=(
        "Variational inference gives every weight a mean and a spread, and draws the weights anew at every step. The "
        "data pull the spreads narrow, the prior pulls them wide. The gradient of all this is estimated from random "
        "draws: the noisier it is, the slower anything is learned.",
    ),
    question="Batches grow from 16 to 64 items. What becomes of the gradient noise that the random weights make?",
    options=(
        "It shrinks to less than half either way",
        "It does so with Flipout, not with one weight sample a batch",
        "It shrinks as little either way",
    ),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=("aleatoric", "epistemic"),
    own=Own(
        "On Train, choose the method Flipout for data of your own, and switch kl between sum and mean.",
        "Train with random weights", "pages/6_Train.py",
    ),
    seconds=6.0,
)  # fmt: skip
