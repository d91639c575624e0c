"""Random weights in the plane: how noisy their gradients are, and where their spread ends up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.fingerprint import torch_generator
from core.lessons._plane_fits import Answered, fitted, network_of, said
from core.methods import deterministic, flipout
from core.methods._contract import Batch, FitContext
from core.training._plane_moons import Points
from core.training.loop import fabric_of
from core.training.plane import examples_of
from core.training.schedule import Schedule


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """One way to fit the spreads, and what came of it."""

    answer: Answered
    sigmas: np.ndarray  # (weights,) ascending
    accuracy: float  # on the points it was fitted to


def posteriors(
    points: Points, places: np.ndarray, ways: Mapping[str, Mapping[str, Any]], seed: int, steps: int
) -> Iterator[tuple[str, Posterior]]:
    """Flipout in each of some ways, from the weights of one network that is trained already."""
    fabric = fabric_of(Schedule())
    source = network_of(seed)
    plain = deterministic.Config(scope="head")
    source.head = fitted(deterministic.METHOD, plain, source, points, seed, steps, fabric).state.model
    source.freeze()
    for name, told in ways.items():
        config = flipout.Config(scope="head", **told)
        state = fitted(flipout.METHOD, config, source, points, seed, steps, fabric).state
        answer = said(flipout.METHOD, state, np.concatenate([places, points.places]), seed)
        count = len(places)
        right = (answer.probs[count:] > 0.5) == (points.labels == 1)
        doubt = answer.doubt
        doubt = replace(
            doubt, total=doubt.total[:count], aleatoric=doubt.aleatoric[:count], epistemic=doubt.epistemic[:count]
        )
        kept = replace(answer, probs=answer.probs[:count], doubt=doubt)
        yield name, Posterior(kept, _sigmas(state), float(right.mean()))


def gradient_noise(
    points: Points, estimator: str, sizes: Sequence[int], sigma_rho: float, draws: int, seed: int
) -> np.ndarray:
    """(sizes,) variance of the gradient of the mean weights over draws of the noise, for batches of each size."""
    config = flipout.Config(scope="head", estimator=estimator, rho=sigma_rho)  # type: ignore[arg-type]
    context = FitContext("multiclass", 2, len(points), seed)
    state = flipout.init(config, network_of(seed), context, torch_generator("gradient noise", seed))
    means = [part for name, part in state.model.named_parameters() if "rho" not in name]
    asked, found = examples_of(points), []
    for size in sizes:
        rows = torch.arange(size)
        batch = Batch(asked.inputs.take(rows, 0), asked.labels[rows], asked.keys[rows])
        seen: list[Tensor] = []

        def look(loss: Tensor, parts: Mapping[str, float], seen: list[Tensor] = seen) -> None:
            seen.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, means)]))

        for draw in range(draws):
            flipout.update(replace(state, steps=draw), batch, torch_generator("unused"), look)
        found.append(float(torch.stack(seen).double().var(dim=0).sum()))
    return np.array(found)


def _sigmas(state: Any) -> np.ndarray:
    rhos = [part.detach().flatten() for name, part in state.model.named_parameters() if "rho" in name]
    return np.sort(torch.nn.functional.softplus(torch.cat(rhos)).numpy())
