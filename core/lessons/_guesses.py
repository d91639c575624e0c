"""A small network that reads digits and guesses its own loss, with and without the guess bending what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from core.backbones._network import StagedNetwork
from core.fingerprint import torch_generator
from core.methods import loss_prediction
from core.methods._contract import Batch, FitContext, parameters_of
from core.methods._fresh import redraw
from core.methods._losses import item_losses
from core.methods.loss_prediction import ranking_loss
from core.metrics.uncertainty import shannon
from core.training.plane import NoMedia

CLASSES, _WIDTH = 10, 32
_BATCH, _RATE = 50, 3e-3
Loss = Literal["squared", "ranking"]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One fit. Arrays of the end have a number a new picture."""

    accuracy: np.ndarray  # (1 + epochs,) on new pictures
    cosines: np.ndarray  # (epochs,) between the gradients of the two losses in the layers below both
    lengths: np.ndarray  # (epochs,) of the guess's gradient, with its weight, in lengths of the digits'
    guesses: np.ndarray
    losses: np.ndarray  # true ones
    entropies: np.ndarray
    trained: float  # mean true loss of the pictures that it was trained on


def course(
    known: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, np.ndarray], loss: Loss, stop: bool, weight: float,
    epochs: int, seed: int,
) -> Course:  # fmt: skip
    """``known`` and ``new`` are (pictures, 64) in 0..1, and their labels. ``stop``: the guess only reads."""
    config = loss_prediction.Config(
        scope="network", loss=loss, width=64, weight=weight, stop_gradient=stop, train_classifier=True
    )
    train, test = _batch(*known), _batch(*new)
    context = FitContext("multiclass", CLASSES, len(train.inputs), seed)
    state = loss_prediction.init(config, _fresh(seed), context, torch_generator("guesses", seed))
    optimiser = torch.optim.Adam(parameters_of(state), lr=_RATE)

    def step(total: Tensor, parts: Mapping[str, float]) -> None:
        optimiser.zero_grad()
        total.backward()
        optimiser.step()

    accuracy, pulls = [_judged(state, test)[0]], []
    for epoch in range(epochs):
        order = torch.randperm(len(train.inputs), generator=torch_generator("guess order", seed, epoch))
        pulls.append(np.mean([_pull(state, _rows(train, rows)) for rows in order.split(2 * _BATCH)], axis=0))
        for rows in order.split(_BATCH):
            state = loss_prediction.update(state, _rows(train, rows), torch_generator("unused"), step)
        accuracy.append(_judged(state, test)[0])
    _, guesses, losses, entropies = _judged(state, test)
    trained = float(_judged(state, train)[2].mean())
    cosines, lengths = np.array(pulls).T
    return Course(np.array(accuracy), cosines, lengths, guesses, losses, entropies, trained)


def _judged(state: loss_prediction.State, batch: Batch) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy, and of every picture the guess, the true loss and the entropy."""
    answer = loss_prediction.predict(state, batch.inputs, batch.keys, draws=1, seed=0)
    assert answer.score is not None
    probs, labels = np.asarray(answer.probs, np.float64)[0], batch.labels.numpy()
    losses = -np.log(np.maximum(probs[np.arange(len(probs)), labels], 1e-12))
    right = float((probs.argmax(axis=1) == labels).mean())
    return right, np.asarray(answer.score, np.float64), losses, shannon(probs)


def _pull(state: loss_prediction.State, batch: Batch) -> tuple[float, float]:
    """Cosine and ratio of lengths of what the guesses ask of the layers below both, and of what the digits do."""
    network = cast(StagedNetwork, state.model)
    features = network.embed(batch.inputs)
    each = item_losses(network.head(features), batch.labels, "multiclass")
    guess, target = state.doubt(features), each.detach()
    config = state.config
    if config.loss == "ranking":
        second = ranking_loss(guess, target, config.margin, config.leeway)
    else:
        second = (guess - target).square().mean()
    below = list(network.stages[0][1].parameters())
    one = torch.cat([part.flatten() for part in torch.autograd.grad(each.mean(), below, retain_graph=True)])
    other = torch.cat([part.flatten() for part in torch.autograd.grad(second, below)])
    return float(torch.cosine_similarity(one, other, dim=0)), float(config.weight * other.norm() / one.norm())


def _batch(pictures: np.ndarray, labels: np.ndarray) -> Batch:
    inputs = torch.from_numpy(pictures).float()
    return Batch(inputs, torch.from_numpy(labels), torch.arange(len(inputs)))


def _rows(batch: Batch, rows: Tensor) -> Batch:
    return Batch(batch.inputs[rows], batch.labels[rows], batch.keys[rows])


def _fresh(seed: int) -> StagedNetwork:
    network = StagedNetwork("digits", "image", _WIDTH, NoMedia())
    layers = [nn.utils.skip_init(nn.Linear, before, _WIDTH) for before in (64, _WIDTH)]
    body = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU())
    network.own((("body", body),), nn.utils.skip_init(nn.Linear, _WIDTH, CLASSES))
    redraw(network, torch_generator("lesson guesses", seed))
    return network.freeze()
