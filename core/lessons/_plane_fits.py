"""Every method of the registry on the same points of the plane, fitted in a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from core import registry
from core.contracts import Network, Uncertainty
from core.fingerprint import torch_generator
from core.methods import deterministic
from core.methods._contract import FitContext, Method
from core.methods._fresh import redraw
from core.metrics.arrays import mean_probs
from core.metrics.uncertainty import decompose
from core.training._plane_moons import Points
from core.training.augment import Augment
from core.training.loop import Fit, Fitted, fabric_of, fit
from core.training.plane import PlaneNetwork, examples_of
from core.training.schedule import Schedule

WIDTH, RATE = 32, 0.1
DRAWS = 30
_FRESH = {  # these begin from weights of their own
    "ensemble": {"members": 5, "dropout": False},
    "flipout": {"scope": "head", "rho": -4.0},
}
_LATER = {  # these begin from the single network that is trained already
    "mc_dropout": {"scope": "head"},
    "laplace": {},
    "det_flip": {},
    "dropsembles": {"scope": "head"},
    "abnn": {"alpha": 0.1},
    "energy": {},
    "knn": {"unit": False},
    "mahalanobis": {},
    "vim": {},
    "loss_prediction": {"width": 32, "loss": "squared"},
}


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What one method says of some places."""

    key: str
    title: str
    probs: np.ndarray  # (places,) of class 1
    doubt: Uncertainty
    score: np.ndarray | None  # of methods that tell their doubt directly


def keys() -> tuple[str, ...]:
    return ("deterministic", *_LATER, *_FRESH)


def answered(points: Points, places: np.ndarray, seed: int, steps: int) -> Iterator[Answered]:
    """One method after another, the single network first."""
    fabric = fabric_of(Schedule())
    plain = deterministic.Config(scope="head")
    trained = {}
    for normal in (False, True):
        network = network_of(seed, normal)
        single = fitted(deterministic.METHOD, plain, network, points, seed, steps, fabric)
        trained[normal] = network_of(seed, normal)
        trained[normal].head = single.state.model
        if not normal:
            yield said(deterministic.METHOD, single.state, places, seed)
    for key, told in (_LATER | _FRESH).items():
        method = registry.pick("core.methods", "METHOD", key)
        fresh = key in _FRESH
        network = network_of(seed) if fresh else trained[key == "abnn"]
        took = steps if fresh else steps // 3
        later = fitted(method, method.Config(**told), network, points, seed, took, fabric)
        yield said(method, later.state, places, seed)


def ensemble(points: Points, places: np.ndarray, seed: int, steps: int) -> Answered:
    method = registry.pick("core.methods", "METHOD", "ensemble")
    config = method.Config(**_FRESH["ensemble"])
    done = fitted(method, config, network_of(seed), points, seed, steps, fabric_of(Schedule()))
    return said(method, done.state, places, seed)


def network_of(seed: int, normal: bool = False) -> PlaneNetwork:
    """``normal``: with the normalisation that ABNN makes random."""
    network = PlaneNetwork(WIDTH, RATE)
    if normal:
        layers = list(cast(nn.Sequential, network.head))
        network.head = nn.Sequential(*layers[:-1], nn.LayerNorm(WIDTH), layers[-1])
    redraw(network, torch_generator("lesson network", seed))
    return cast(PlaneNetwork, network.freeze())


def fitted(
    method: Method[Any, Any], config: Any, network: Network, points: Points, seed: int, steps: int, fabric: Any
) -> Fitted:
    """Every step sees all points."""
    schedule = Schedule(epochs=steps, batch=len(points), optimiser="adam", rate=1e-2, shape="cosine")
    context = FitContext("multiclass", 2, len(points), seed)
    return fit(Fit(method, config, network, context, examples_of(points), schedule, Augment()), fabric=fabric)


def said(method: Method[Any, Any], state: Any, places: np.ndarray, seed: int) -> Answered:
    asked = examples_of(Points(places, np.zeros(len(places), np.int64)))
    inputs = asked.inputs.take(torch.arange(len(asked)), 0)
    draws = DRAWS if method.own_draws(state.config) > 5 else method.own_draws(state.config)
    answer = method.predict(state, inputs, asked.keys, draws=draws, seed=seed)
    score = None if method.fills == "probs" or answer.score is None else np.asarray(answer.score, np.float64)
    return Answered(method.key, method.title, mean_probs(answer)[:, 1], decompose(replace(answer, score=None)), score)
