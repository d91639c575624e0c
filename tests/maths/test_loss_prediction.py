"""Loss prediction against torch's margin loss, hand-computed pairs, and classifiers fitted fold by fold."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from core.contracts import Task
from core.errors import UserFacingError
from core.methods import loss_prediction
from core.methods._contract import Batch, FitContext, parameters_of
from core.methods._losses import item_losses
from core.metrics.ranks import spearman
from tests.fitting import Stepper, fit
from tests.tiny import as_labels, keys_for, pictures, tiny, vectors


def started(task: Task = "multiclass", **options) -> loss_prediction.State:
    context = FitContext(task, 3, 32, seed=4)
    config = loss_prediction.Config(**{"width": 8, **options})
    return loss_prediction.init(config, tiny(), context, torch.Generator().manual_seed(0))


def batch_of(scope: str = "head", items: int = 16, task: str = "multiclass") -> Batch:
    inputs, labels = (vectors if scope == "head" else pictures)(items, noise=2.0)
    return Batch(inputs, as_labels(labels, 3, task), keys_for(items))


class Watcher:
    """A step that keeps the loss and takes the gradients, and moves nothing."""

    def __call__(self, loss: Tensor, parts: dict[str, float]) -> None:
        self.loss, self.parts = loss.detach(), parts
        loss.backward()


def updated(state: loss_prediction.State, batch: Batch) -> tuple[loss_prediction.State, Watcher]:
    watcher = Watcher()
    return loss_prediction.update(state, batch, torch.Generator(), watcher), watcher


def test_the_head_is_that_of_the_paper() -> None:
    """URL's ResNet-50 head has 4,198,401 weights; and layer by layer, with a leaky ReLU of 0.01 and a softplus."""
    assert sum(p.numel() for p in loss_prediction.UncertaintyNetwork(2048, 1024, 3).parameters()) == 4_198_401
    state, x = started(depth=3), vectors(5)[0]
    h = x
    linear = [part for part in state.doubt if isinstance(part, nn.Linear)]
    assert [layer.out_features for layer in linear] == [8, 8, 8, 1]
    for layer in linear[:-1]:
        h = h @ layer.weight.T + layer.bias
        h = torch.where(h > 0, h, 0.01 * h)
    expected = (1 + torch.exp(h @ linear[-1].weight.T + linear[-1].bias)).log()[:, 0] + 1e-6
    torch.testing.assert_close(state.doubt(x), expected)
    assert state.doubt(x[:1]).shape == (1,)
    with torch.no_grad():
        linear[-1].bias -= 1000.0
    assert state.doubt(x).tolist() == pytest.approx([1e-6] * 5)  # never 0


@pytest.mark.parametrize(
    ("doubt", "losses", "expected"),
    [((0.3, 0.5), (1.0, 2.0), 0.0), ((0.5, 0.3), (1.0, 2.0), 0.3), ((0.45, 0.5), (1.0, 2.0), 0.05)],
)
def test_known_pairs(doubt: tuple[float, float], losses: tuple[float, float], expected: float) -> None:
    found = loss_prediction.ranking_loss(torch.tensor(doubt), torch.tensor(losses), 0.1, 0.0)
    torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize("margin", [0.1, 0.7])
def test_the_hinge_is_torchs_margin_ranking_loss(margin: float) -> None:
    generator = torch.Generator().manual_seed(0)
    doubt, losses = torch.rand(40, generator=generator), torch.rand(40, generator=generator)
    for leeway in (0.0, 0.3):
        gap = losses[0::2] - losses[1::2]
        sign = gap.sign() * (gap.abs() >= leeway)
        expected = nn.functional.margin_ranking_loss(doubt[0::2], doubt[1::2], sign, margin=margin)
        torch.testing.assert_close(loss_prediction.ranking_loss(doubt, losses, margin, leeway), expected)


def test_a_tie_asks_for_less_doubt_in_the_first_and_a_leeway_for_nothing() -> None:
    """torch's loss is 0.1 at a tie, whatever the doubts; the authors' sign is -1 there."""
    doubt, losses = torch.tensor([0.5, 0.2], requires_grad=True), torch.tensor([1.0, 1.0])
    tie = loss_prediction.ranking_loss(doubt, losses, 0.1, 0.0)
    torch.testing.assert_close(tie.detach(), torch.tensor(0.4))
    tie.backward()
    assert doubt.grad is not None
    assert doubt.grad.tolist() == [1.0, -1.0]
    doubt.grad = None
    near = loss_prediction.ranking_loss(doubt, torch.tensor([1.0, 1.1]), 0.1, 0.2)
    near.backward()
    torch.testing.assert_close(near.detach(), torch.tensor(0.1))
    assert doubt.grad is not None
    assert doubt.grad.tolist() == [0.0, 0.0]


def test_an_odd_batch_is_refused_for_pairs_only() -> None:
    with pytest.raises(UserFacingError, match="pairs"):
        updated(started(), batch_of(items=7))
    updated(started(loss="squared"), batch_of(items=7))


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_every_setting_enters_the_loss(task: Task) -> None:
    batch = batch_of(task=task)
    for loss in ("ranking", "squared"):
        options = {"margin": 0.7, "leeway": 0.2, "weight": 3.0, "inverse_temperature": 0.4, "train_classifier": True}
        state = started(task, loss=loss, **options)
        logits = 0.4 * tiny().head(batch.inputs)
        each = item_losses(logits, batch.labels, task)
        u = state.doubt(batch.inputs).detach()
        if loss == "squared":
            part = ((u - each) ** 2).mean()
        else:
            terms = []
            for k in range(8):
                a, b = each[2 * k], each[2 * k + 1]
                s = 0 if abs(a - b) < 0.2 else 1 if a > b else -1
                terms.append(max(0.0, float(-s * (u[2 * k] - u[2 * k + 1]) + 0.7)))
            part = torch.tensor(terms).mean()
        torch.testing.assert_close(updated(state, batch)[1].loss, 3.0 * part + each.mean())


def test_stopping_the_gradient_keeps_this_loss_out_of_the_network() -> None:
    batch = batch_of("network")
    for stop in (True, False):
        state = started(scope="network", stop_gradient=stop)
        updated(state, batch)
        network = state.model
        gradients = [p.grad for p in network.stem.parameters()]
        assert all(g is None for g in gradients) if stop else any(float(g.abs().max()) > 0 for g in gradients)
        assert all(float(p.grad.abs().max()) > 0 for p in state.doubt[0].parameters())
    both = started(scope="network", train_classifier=True, loss="squared")
    updated(both, batch)
    alone = tiny().requires_grad_(True)
    nn.functional.cross_entropy(alone(batch.inputs), batch.labels).backward()
    for mine, theirs in zip(both.model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_by_default_the_classifier_is_left_alone() -> None:
    state = started()
    assert {id(p) for p in parameters_of(state)} == {id(p) for p in state.doubt.parameters()}
    batch = batch_of()
    expected = tiny().head(batch.inputs).softmax(-1)
    done, _ = fit(
        loss_prediction.METHOD,
        loss_prediction.Config(width=8),
        tiny(),
        FitContext("multiclass", 3, 16, seed=0),
        (batch.inputs, batch.labels, batch.keys),
    )
    answer = loss_prediction.predict(done, batch.inputs, batch.keys, draws=9, seed=0)
    torch.testing.assert_close(answer.probs, expected[None])
    assert answer.score_name == "predicted loss"


def test_zero_weights_and_a_start_value() -> None:
    batch = batch_of()
    flat = started(zero=True).doubt(batch.inputs)
    torch.testing.assert_close(flat, torch.full((16,), float(torch.tensor(2.0).log()) + 1e-6))
    state, _ = updated(started(start_value=5.0), batch)
    answer = loss_prediction.predict(state, batch.inputs, batch.keys, draws=1, seed=0)
    assert answer.score is not None
    torch.testing.assert_close(answer.score.mean(), torch.tensor(5.0))
    later, _ = updated(state, Batch(10 * batch.inputs, batch.labels, batch.keys))
    assert later.scale == state.scale  # set once


@pytest.mark.parametrize("loss", ["ranking", "squared"])
def test_it_learns_which_items_are_hard(loss: str) -> None:
    """On new items, from their features alone: the order of its losses is the classifier's own."""
    inputs, labels = vectors(400, noise=1.2, seed=3)
    data = (inputs, labels, keys_for(400))
    context = FitContext("multiclass", 3, 400, seed=0)
    config = loss_prediction.Config(loss=loss, width=32)  # type: ignore[arg-type]
    state, _ = fit(loss_prediction.METHOD, config, tiny(), context, data, epochs=15, size=40, rate=0.003)
    new, truth = vectors(400, noise=1.2, seed=4)
    answer = loss_prediction.predict(state, new, keys_for(400, 400), draws=1, seed=0)
    losses = nn.functional.cross_entropy(tiny().head(new), truth, reduction="none")
    assert answer.score is not None
    agreement = spearman(answer.score.numpy(), losses.numpy()).value
    assert agreement is not None
    assert agreement > 0.5


def test_out_of_fold_losses_come_from_classifiers_that_did_not_see_the_item() -> None:
    features, labels = vectors(30)
    folds = torch.arange(30) // 3 % 3
    seen: list[Tensor] = []

    def fit_means(rows: Tensor):
        seen.append(rows)
        means = torch.stack([features[rows][labels[rows] == c].mean(0) for c in range(3)])
        return lambda x: -torch.cdist(x, means)

    found = loss_prediction.cross_fitted(features, labels, folds, fit_means, "multiclass", 0.5)
    for number, rows in enumerate(seen):
        assert bool((folds[rows] != number).all())
        assert len(rows) == int((folds != number).sum())
    for item in (0, 7, 29):
        rows = (folds != folds[item]).nonzero()[:, 0]
        means = torch.stack([features[rows][labels[rows] == c].mean(0) for c in range(3)])
        z = -0.5 * (features[item] - means).norm(dim=1)
        torch.testing.assert_close(found[item], z.exp().sum().log() - z[labels[item]], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="not finite"):
        loss_prediction.cross_fitted(features, labels, labels, fit_means, "multiclass")  # a fold without a class
    with pytest.raises(ValueError, match="two folds"):
        loss_prediction.cross_fitted(features, labels, torch.zeros(30), fit_means, "multiclass")


def test_given_targets_replace_the_classifiers_own_losses() -> None:
    batch = batch_of(items=4)
    keys, losses = keys_for(9), torch.arange(9.0)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    state = loss_prediction.with_targets(started(loss="squared"), keys[order], losses[order])
    u = state.doubt(batch.inputs).detach()
    torch.testing.assert_close(updated(state, batch)[1].loss, ((u - torch.arange(4.0)) ** 2).mean())
    with pytest.raises(ValueError, match="no out-of-fold loss"):
        updated(state, Batch(batch.inputs, batch.labels, keys_for(4, 100)))


def test_a_cached_feature_trains_as_the_picture_does() -> None:
    """Features computed once or in every step give the same network of doubt."""
    pictures_, labels = pictures(16)
    features = tiny().embed(pictures_)
    ends = []
    for scope, inputs in (("network", pictures_), ("head", features)):
        state = started(scope=scope)
        step = Stepper(state)
        for _ in range(5):
            state = loss_prediction.update(state, Batch(inputs, labels, keys_for(16)), torch.Generator(), step)
        ends.append(state.doubt(features).detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-4, atol=1e-5)
