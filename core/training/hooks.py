"""What two methods need between init and their first update: an anchor, and losses of items not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from core.backbones._network import StagedNetwork
from core.contracts import Item
from core.errors import UserFacingError
from core.fingerprint import seed_of, torch_generator
from core.methods import deterministic, dropsembles, loss_prediction
from core.methods._contract import FitContext, frozen
from core.methods._fresh import redraw
from core.settings import Settings
from core.training.examples import Examples, InMemory
from core.training.plan import Division, Plan

Prepare = Callable[[Any], Any]
_ANCHORED = 1000  # items that the Fisher information is averaged over, at most
_STEPS, _RATE = 300, 0.01  # of a classifier that only makes targets


def prepare_of(
    plan: Plan,
    network: StagedNetwork,
    train: Examples,
    items: Sequence[Item],
    context: FitContext,
    settings: Settings,
) -> Prepare:
    if plan.method == "dropsembles" and plan.anchor:
        return lambda state: _anchored(state, plan, network, context, settings)
    if plan.method == "loss_prediction" and plan.target_folds:
        named = {item.id: item for item in items}  # items that could not be read have no row
        return lambda state: _with_targets(state, plan, network, train, [named[row] for row in train.ids], context)
    return lambda state: state


def _anchored(state: Any, plan: Plan, network: StagedNetwork, context: FitContext, settings: Settings) -> Any:
    """The Fisher information of the data that the starting network learned."""
    from core.data import open_source
    from core.training.divide import divided, narrowed
    from core.training.loop import batches_of
    from core.training.prepared import prepare, rows_where

    dataset = narrowed(open_source(plan.anchor, settings), plan.division.classes)
    if len(dataset.classes) != context.classes or dataset.task != context.task:
        raise UserFacingError(
            f"The members are held to what the network learned of {dataset.title}, which has other classes than the "
            "new data, so that its last layer is new; give an anchor of the same classes, or set ewc to 0.",
            code="anchor",
        )
    prepared = prepare(dataset, network, settings, dataset.task)
    own = plan.anchor != plan.data and any(item.split == "train" for item in dataset.items)
    ids = {item.id for item in divided(dataset, Division() if own else plan.division).train}
    rows = rows_where(prepared.items, ids)
    chosen = rows[torch.randperm(len(rows), generator=torch_generator("anchor", plan.seed))[:_ANCHORED]]
    examples = prepared.examples.part(chosen.sort().values)
    if state.config.scope == "head":
        examples = examples.with_inputs(InMemory(_features(network, examples)))
    return dropsembles.anchored(state, batches_of(examples, 32), torch_generator("fisher", plan.seed))


def _with_targets(
    state: Any, plan: Plan, network: StagedNetwork, train: Examples, items: Sequence[Item], context: FitContext
) -> Any:
    """Each item's loss under a head that never saw it, nor another item of its recording."""
    head = state.config.scope == "head"
    features = train.inputs.take(torch.arange(len(train)), 0) if head else _features(network, train)
    folds = torch.tensor([seed_of("targets", plan.seed, i.group or i.id) % plan.target_folds for i in items])

    def fit(chosen: Tensor) -> Callable[[Tensor], Tensor]:
        return head_fitted(network, features[chosen], train.labels[chosen], context)

    losses = loss_prediction.cross_fitted(
        features, train.labels, folds, fit, context.task, state.config.inverse_temperature
    )
    return loss_prediction.with_targets(state, train.keys, losses)


def _features(network: StagedNetwork, examples: Examples) -> Tensor:
    from core.training.loop import batches_of

    with torch.no_grad():
        return torch.cat([network.embed(batch.inputs) for batch in batches_of(examples, 32)])


def head_fitted(
    network: StagedNetwork, features: Tensor, labels: Tensor, context: FitContext
) -> Callable[[Tensor], Tensor]:
    """A new head on fixed features, by full batches: what its answers to other items cost is a fair target."""
    import copy

    head = copy.deepcopy(network.head)
    redraw(head, torch_generator("target head", context.seed))
    config = deterministic.Config(scope="head", dropout=False)
    state = deterministic.State(config, replace(context, n_train=len(features)), head.requires_grad_(True))
    optimiser = torch.optim.Adam(head.parameters(), lr=_RATE, weight_decay=1e-4)

    def step(loss: Tensor, parts: Any) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    from core.methods._contract import Batch

    batch = Batch(features, labels, torch.arange(len(features)))
    for _ in range(_STEPS):
        state = deterministic.update(state, batch, torch.Generator(), step)
    return frozen(state).model
