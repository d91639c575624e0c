"""The Fisher information against exact softmax formulas and naive loops; the penalty against its closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from core.contracts import Task
from core.methods import _ewc
from core.methods._contract import Batch
from tests.tiny import as_labels, keys_for, pictures, tiny, vectors


def linear_case(items: int = 12) -> tuple[nn.Linear, Tensor, Tensor]:
    features, labels = vectors(items)
    layer = nn.utils.skip_init(nn.Linear, 12, 3)
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, 0.0, 0.3, generator=generator)
    return layer, features, labels


def fisher_of(
    module: nn.Module, inputs: Tensor, labels: Tensor, task: Task, rule: _ewc.Rule, size: int = 5, seed: int = 0
) -> dict[str, Tensor]:
    keys = keys_for(len(inputs))
    parts = [Batch(inputs[i : i + size], labels[i : i + size], keys[i : i + size]) for i in range(0, len(inputs), size)]
    anchor = _ewc.anchor_of(module, parts, task, rule, torch.Generator().manual_seed(seed))
    return dict(zip(anchor.names, anchor.fisher, strict=True))


def test_the_exact_fisher_of_a_linear_softmax_is_x_squared_times_p_one_minus_p() -> None:
    layer, x, labels = linear_case()
    p = layer(x).softmax(-1).detach()
    found = fisher_of(layer, x, labels, "multiclass", "exact")
    torch.testing.assert_close(found["weight"], torch.einsum("nc,ni->ci", p * (1 - p), x**2) / len(x))
    torch.testing.assert_close(found["bias"], (p * (1 - p)).mean(0))


def test_the_exact_fisher_of_several_labels_sums_their_own() -> None:
    layer, x, labels = linear_case()
    s = layer(x).sigmoid().detach()
    found = fisher_of(layer, x, as_labels(labels, 3, "multilabel"), "multilabel", "exact")
    torch.testing.assert_close(found["weight"], torch.einsum("nc,ni->ci", s * (1 - s), x**2) / len(x))


def test_the_empirical_fisher_squares_each_items_gradient() -> None:
    """Against a loop of backward passes, on a network with convolutions; batches of 5 and of 12 agree."""
    network = tiny().requires_grad_(True)
    inputs, labels = pictures(12)
    for task in ("multiclass", "multilabel"):
        y = as_labels(labels, 3, task)
        sums = [torch.zeros_like(p) for p in network.parameters()]
        for number in range(12):
            logits = network(inputs[number : number + 1])
            if task == "multiclass":
                log = logits.log_softmax(-1)[0, labels[number]]
            else:
                p = logits.sigmoid()[0]
                log = (y[number] * p.log() + (1 - y[number]) * (1 - p).log()).sum()
            for total, g in zip(sums, torch.autograd.grad(log, list(network.parameters())), strict=True):
                total += g**2
        for size in (5, 12):
            found = fisher_of(network, inputs, y, task, "empirical", size)
            for total, mine in zip(sums, found.values(), strict=True):
                torch.testing.assert_close(mine, total / 12, rtol=1e-3, atol=1e-6)


def test_it_is_not_the_square_of_the_mean_gradient() -> None:
    """The frequent mistake, which is far smaller."""
    layer, x, labels = linear_case()
    right = fisher_of(layer, x, labels, "multiclass", "empirical")["weight"]
    nn.functional.cross_entropy(layer(x), labels).backward()
    assert layer.weight.grad is not None
    assert float(right.sum()) > 2 * float(layer.weight.grad.square().sum())


def test_per_example_gradients_are_those_of_torch_func() -> None:
    layer, x, labels = linear_case()
    tensors = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(tensors: dict[str, Tensor], one: Tensor, label: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(layer, tensors, (one[None],)), label[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))(tensors, x, labels)
    found = fisher_of(layer, x, labels, "multiclass", "empirical")
    for name, gradients in each.items():
        torch.testing.assert_close(found[name], gradients.square().mean(0), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_sampled_labels_reach_the_exact_expectation(task: Task) -> None:
    layer, x, labels = linear_case(6)
    y = as_labels(labels, 3, task)
    exact = fisher_of(layer, x, y, task, "exact")["weight"]
    many = x.repeat(3000, 1), y.repeat(3000, *[1] * (y.dim() - 1))
    sampled = fisher_of(layer, *many, task, "sampled", size=18_000)["weight"]
    torch.testing.assert_close(sampled, exact, rtol=0.15, atol=0.02 * float(exact.max()))
    again = fisher_of(layer, *many, task, "sampled", size=18_000)["weight"]
    assert torch.equal(sampled, again)
    other = fisher_of(layer, *many, task, "sampled", size=18_000, seed=1)["weight"]
    assert not torch.equal(sampled, other)


def test_a_recurrent_network_has_one_too() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 5, batch_first=True)
            self.out = nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.lstm(x)[0][:, -1])

    module, generator = Recurrent(), torch.Generator().manual_seed(0)
    x = torch.randn(6, 7, 4, generator=generator)
    p = module(x).softmax(-1).detach()
    found = fisher_of(module, x, torch.arange(6) % 3, "multiclass", "exact")
    torch.testing.assert_close(found["out.bias"], (p * (1 - p)).mean(0))
    assert float(found["lstm.weight_hh_l0"].min()) >= 0
    assert float(found["lstm.weight_hh_l0"].sum()) > 0


def test_the_anchor_holds_only_what_trains_and_where_it_was() -> None:
    layer, x, labels = linear_case()
    layer.bias.requires_grad_(False)
    anchor = _ewc.anchor_of(
        layer, [Batch(x, labels, keys_for(12))], "multiclass", "exact", torch.Generator().manual_seed(0)
    )
    assert anchor.names == ("weight",)
    before = layer.weight.detach().clone()
    assert float(_ewc.penalty(anchor, layer).detach()) == 0.0
    with torch.no_grad():
        layer.weight += 0.5
    assert torch.equal(anchor.centre[0], before)
    torch.testing.assert_close(_ewc.penalty(anchor, layer).detach(), 0.25 * anchor.fisher[0].sum())
    _ewc.penalty(anchor, layer).backward()
    torch.testing.assert_close(layer.weight.grad, anchor.fisher[0])  # 2 F (t - a)


@pytest.mark.parametrize("strength", [0.0, 0.3, 7.0])
def test_a_quadratic_loss_meets_the_anchor_at_the_weighted_mean(strength: float) -> None:
    """F = I and L = |t - b|^2 / 2 with (lambda / 2) penalty: the optimum is (b + lambda a) / (1 + lambda)."""
    layer, _, _ = linear_case()
    layer.bias.requires_grad_(False)
    a, b = layer.weight.detach().clone(), torch.arange(36.0).view(3, 12) / 10
    anchor = _ewc.Anchor(("weight",), (a,), (torch.ones_like(a),))
    optimiser = torch.optim.SGD([layer.weight], lr=1 / (1 + strength))
    for _ in range(3):
        optimiser.zero_grad()
        (0.5 * (layer.weight - b).square().sum() + strength / 2 * _ewc.penalty(anchor, layer)).backward()
        optimiser.step()
    torch.testing.assert_close(layer.weight.detach(), (b + strength * a) / (1 + strength))


def test_no_items_have_no_fisher_information() -> None:
    layer, _, _ = linear_case()
    with pytest.raises(ValueError, match="no items"):
        _ewc.anchor_of(layer, [], "multiclass", "exact", torch.Generator())
