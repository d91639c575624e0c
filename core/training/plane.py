"""Dropsembles in the plane: much clean data first, then a few points of a world that is turned and half unseen.

A is two moons; B is a turned and moved copy of them, of which a few points in one half are given. Each method learns A
and is then fine-tuned on B's points alone. It is judged on new points of A (what it forgot) and of all of B (what it
found out). Behind every figure stands the known truth: the probabilities from which the points are drawn.

The strength of Dropsembles' anchor (lambda) is chosen on validation points of all of B, by the negative
log-likelihood. That is help which nobody has who knows 20 points; the other methods here have nothing to choose. With
n points of A and m of B, Bayes' own strength is n / m, see ``core.methods._ewc``. Dropsembles:
https://arxiv.org/abs/2406.12082, whose toy example leaves sizes, noise and steps open; these are ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from core.backbones._network import StagedNetwork
from core.contracts import Media, Predictive, Prepared, Progress, Uncertainty, no_progress
from core.errors import UserFacingError
from core.fingerprint import numpy_generator, sha256_of, torch_generator
from core.layers import keys_of
from core.layers.masks import MaskedDropout
from core.methods import deterministic, dropsembles, ensemble, mc_dropout
from core.methods._contract import FitContext, Method, unchanged
from core.methods._fresh import redraw
from core.methods._training import trainable_copy
from core.metrics import reliability, scoring
from core.metrics.arrays import mean_probs
from core.metrics.students import Mean
from core.metrics.uncertainty import decompose
from core.training._plane_moons import Moons, Points
from core.training._plane_results import Config, Plane, Result, Scores, Study, lines, report
from core.training.augment import Augment
from core.training.examples import Examples, InMemory
from core.training.loop import Fit, Fitted, batches_of, fabric_of, fit
from core.training.schedule import Schedule

__all__ = [
    "Config",
    "Mean",
    "Plane",
    "PlaneNetwork",
    "Result",
    "Scores",
    "Study",
    "lines",
    "network_of",
    "report",
    "run",
    "study",
]

_MARGIN = 0.75  # of the pictures, around both worlds


class NoMedia:
    def prepare(self, media: Media) -> Prepared:
        raise UserFacingError(
            "This network takes points of a plane, neither sounds nor pictures; choose another model.", code="kind"
        )


class PlaneNetwork(StagedNetwork):
    """Coordinates as they are, and a head of three hidden layers: all of the network is what methods thin and train."""

    def __init__(self, width: int, rate: float) -> None:
        super().__init__("plane", "image", 2, NoMedia())
        layers: list[nn.Module] = []
        for number, before in enumerate((2, width, width), start=1):
            layers += [nn.utils.skip_init(nn.Linear, before, width), nn.ReLU()]
            layers.append(MaskedDropout(rate, f"head.drop{number}"))
        self.own((("coordinates", nn.Identity()),), nn.Sequential(*layers, nn.utils.skip_init(nn.Linear, width, 2)))


def network_of(config: Config, seed: int) -> PlaneNetwork:
    network = PlaneNetwork(config.width, config.rate)
    redraw(network, torch_generator("plane network", seed))
    network.freeze()
    return network


def run(seed: int = 0, members: int = 4, config: Config | None = None, *, progress: Progress = no_progress) -> Plane:
    """Every method on the worlds of one seed; the same seed gives the same answers."""
    return _Run(seed, members, config or Config(), progress).plane()


def study(
    seeds: Sequence[int] = range(3), members: int = 4, config: Config | None = None, *, progress: Progress = no_progress
) -> Study:
    """The same for several seeds, each with data, weights and masks of its own."""
    if not seeds:
        raise UserFacingError("A study needs at least one seed, and none was given.", code="setting")
    planes = []
    for number, seed in enumerate(seeds, start=1):
        planes.append(run(seed, members, config))
        progress(number, len(seeds), "seeds")
    return Study(tuple(planes))


class _Run:
    def __init__(self, seed: int, members: int, config: Config, progress: Progress) -> None:
        self.seed, self.members, self.config, self.progress = seed, members, config, progress
        first = Moons(config.noise)
        second = Moons(config.noise, config.degrees, config.shift)
        self.worlds = {"a": first, "b": second}
        self.learned = first.drawn(config.points, self._drawing("a"))
        self.given = second.drawn(config.given, self._drawing("b"), half=True)
        self.asked = {
            "a": first.drawn(config.test, self._drawing("test a")),
            "b": second.drawn(config.test, self._drawing("test b")),
            "validation": second.drawn(config.validation, self._drawing("validation")),
        }
        self.axes, grid = _grid(np.concatenate([part.places for part in self.asked.values()]), config.side)
        self.asked["grid"] = Points(grid, np.zeros(len(grid), np.int64))
        everything = self.asked.values()
        self.all = Points(
            np.concatenate([part.places for part in everything]), np.concatenate([part.labels for part in everything])
        )
        self.fabric = fabric_of(Schedule())
        self.done = 0

    def plane(self) -> Plane:
        network = network_of(self.config, self.seed)
        plain = deterministic.Config(scope="head")
        source = self._fitted(deterministic.METHOD, plain, network, self.learned)
        trained = network_of(self.config, self.seed)
        trained.head = source.state.model
        later = self._fitted(deterministic.METHOD, plain, trained, self.given)
        dropping = mc_dropout.State(mc_dropout.Config(scope="head"), later.state.context, later.state.model, ())
        found = [
            self._truth(),
            self._result("before", "Network of A", deterministic.METHOD, source, 0.0),
            self._result("single", "Single network", deterministic.METHOD, later, source.seconds),
            self._result(
                "mc_dropout", "MC dropout", mc_dropout.METHOD, replace(later, state=dropping), source.seconds
            ),  # the same network, which was trained with dropout, asked with it
        ]
        tried = [self._dropsembles(trained, source.seconds, strength) for strength in self.config.strengths]
        best = min(tried, key=lambda result: (result.validation_nll, result.strength))
        found += [*tried, replace(best, key="dropsembles", title="Dropsembles, chosen"), self._ensemble(network)]
        return Plane(self.seed, self.members, self.config, self.axes, self.learned, self.given, tuple(found))

    def _dropsembles(self, trained: PlaneNetwork, before: float, strength: float) -> Result:
        config = dropsembles.Config(scope="head", members=self.members, ewc=strength)

        prepare = self._anchored if strength else unchanged
        later = self._fitted(dropsembles.METHOD, config, trained, self.given, prepare)
        name = f"dropsembles {strength:g}"
        return self._result(name, f"Dropsembles, lambda {strength:g}", dropsembles.METHOD, later, before, strength)

    def _anchored(self, state: dropsembles.State) -> dropsembles.State:
        batches = batches_of(examples_of(self.learned), 256)
        return dropsembles.anchored(state, batches, torch_generator("fisher", self.seed))

    def _ensemble(self, network: PlaneNetwork) -> Result:
        """Each member learns A from a start of its own, and then B."""
        config = ensemble.Config(scope="network", members=self.members)
        first = self._fitted(ensemble.METHOD, config, network, self.learned)

        def prepare(state: Any) -> Any:
            return replace(state, networks=tuple(trainable_copy(member) for member in first.state.networks))

        later = self._fitted(ensemble.METHOD, config, network, self.given, prepare)
        return self._result("ensemble", "Deep ensemble", ensemble.METHOD, later, first.seconds)

    def _fitted(
        self,
        method: Method[Any, Any],
        config: Any,
        network: PlaneNetwork,
        points: Points,
        prepare: Callable[[Any], Any] = unchanged,
    ) -> Fitted:
        steps = self.config.steps if points is self.learned else self.config.later_steps
        an_epoch = max(1, len(points) // min(len(points), self.config.batch))
        schedule = Schedule(
            epochs=max(1, steps // an_epoch), batch=self.config.batch, optimiser="adam", rate=1e-3, shape="constant"
        )
        context = FitContext("multiclass", 2, len(points), self.seed)
        wanted = Fit(method, config, network, context, examples_of(points), schedule, Augment(), prepare=prepare)
        started = time.perf_counter()
        fitted = fit(wanted, fabric=self.fabric)
        self.done += 1
        self.progress(self.done, len(self.config.strengths) + 4, "fits")
        return replace(fitted, seconds=time.perf_counter() - started)  # with what prepare took

    def _result(
        self,
        key: str,
        title: str,
        method: Method[Any, Any],
        fitted: Fitted,
        before: float,
        strength: float | None = None,
    ) -> Result:
        asked = examples_of(self.all)
        inputs = asked.inputs.take(torch.arange(len(asked)), 0)
        draws = self.config.draws if method is mc_dropout.METHOD else method.own_draws(fitted.state.config)
        answer = method.predict(fitted.state, inputs, asked.keys, draws=draws, seed=self.seed)
        return self._judged(key, title, answer, before, fitted.seconds, strength)

    def _truth(self) -> Result:
        """The best that any method can do on each world; the picture is that of B."""
        on_a = len(self.asked["a"])
        first, later = self.all.places[:on_a], self.all.places[on_a:]
        probs = np.concatenate([self.worlds["a"].truth(first), self.worlds["b"].truth(later)])
        return self._judged("truth", "Truth", Predictive(torch.from_numpy(probs)[None]), 0.0, 0.0, None)

    def _judged(
        self, key: str, title: str, answer: Predictive, before: float, seconds: float, strength: float | None
    ) -> Result:
        ends = np.cumsum([len(part) for part in self.asked.values()])[:-1]
        parts = dict(zip(self.asked, np.split(mean_probs(answer), ends), strict=True))
        scores = {name: scores_of(parts[name], self.asked[name].labels) for name in ("a", "b", "validation")}
        doubt = decompose(Predictive(answer.probs[:, int(ends[-1]) :]))
        shape = (self.config.side, self.config.side)
        total, aleatoric, epistemic = (part.reshape(shape) for part in (doubt.total, doubt.aleatoric, doubt.epistemic))
        return Result(
            key,
            title,
            strength,
            scores["a"],
            scores["b"],
            scores["validation"].nll,
            before,
            seconds,
            len(answer.probs),
            parts["grid"][:, 1].reshape(shape),
            Uncertainty(total, aleatoric, epistemic),
        )

    def _drawing(self, purpose: str) -> np.random.Generator:
        return numpy_generator("plane", purpose, self.seed)


def examples_of(points: Points) -> Examples:
    keys = keys_of([sha256_of(place.tobytes()) for place in points.places])
    return Examples(InMemory(torch.from_numpy(points.places).float()), torch.from_numpy(points.labels), keys)


def scores_of(probs: np.ndarray, labels: np.ndarray) -> Scores:
    found = (
        scoring.accuracy(probs, labels),
        scoring.nll(probs, labels),
        reliability.ece(*reliability.judged(probs, labels)),
    )
    return Scores(*(float(figure.value) for figure in found if figure.value is not None))


def _grid(places: np.ndarray, side: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The axes of a picture around some places, and its places row by row from below."""
    low, high = places.min(axis=0) - _MARGIN, places.max(axis=0) + _MARGIN
    x, y = np.linspace(low[0], high[0], side), np.linspace(low[1], high[1], side)
    return (x, y), np.stack([part.ravel() for part in np.meshgrid(x, y)], axis=1)
