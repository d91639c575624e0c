"""ViM against its steps written out with numpy and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance
from torch import Tensor, nn

from core.contracts import Task
from core.errors import UserFacingError
from core.methods import vim
from core.methods._contract import FitContext
from core.methods._last_layer import last_layer
from tests.fitting import fit
from tests.tiny import as_labels, keys_for, tiny, vectors


def fitted(task: Task = "multiclass", size: int = 16, network=None, **options) -> vim.State:
    features, labels = vectors(60, noise=1.0)
    data = (features, as_labels(labels, 3, task), keys_for(60))
    context = FitContext(task, 3, 60, seed=0)
    return fit(vim.METHOD, vim.Config(**options), network or tiny(), context, data, size=size)[0]


def reference(known: np.ndarray, h: np.ndarray, layer: nn.Linear, principal: int, many: bool) -> np.ndarray:
    w, b = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    origin = -np.linalg.pinv(w) @ b
    values, vectors_ = np.linalg.eig(EmpiricalCovariance(assume_centered=True).fit(known - origin).covariance_)
    rest = vectors_[:, np.argsort(-values)[principal:]]
    alpha = np.abs((known @ w.T + b).max(axis=1).mean()) / np.linalg.norm((known - origin) @ rest, axis=1).mean()
    z = h @ w.T + b
    evidence = np.log1p(np.exp(z)).sum(axis=1) if many else np.log(np.exp(z).sum(axis=1))
    return alpha * np.linalg.norm((h - origin) @ rest, axis=1) - evidence


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("principal", [0, 3, 11])
def test_the_score_is_the_papers(principal: int, task: Task) -> None:
    network, known, new = tiny(), vectors(60, noise=1.0)[0], vectors(20, seed=5, noise=2.0)[0]
    state = fitted(task, principal=principal, size=13)
    answer = vim.predict(state, new, keys_for(20), draws=1, seed=0)
    trunk = nn.Sequential(*list(network.head)[:3])
    expected = reference(
        trunk(known).double().numpy(),
        trunk(new).double().numpy(),
        network.head[3],
        principal or 6,
        task == "multilabel",
    )
    assert answer.score is not None
    np.testing.assert_allclose(answer.score.numpy(), expected, rtol=1e-4, atol=1e-5)
    logits = network.head(new)
    torch.testing.assert_close(answer.probs[0], logits.softmax(-1) if task == "multiclass" else logits.sigmoid())


def test_softmax_share_of_the_virtual_logit_grows_with_the_score() -> None:
    state, new = fitted(), vectors(20, seed=5, noise=2.0)[0]
    score = vim.predict(state, new, keys_for(20), draws=1, seed=0).score
    assert score is not None
    z = tiny().head(new).double()
    virtual = score + z.logsumexp(dim=1)
    share = torch.cat([z, virtual[:, None]], dim=1).softmax(dim=1)[:, -1]
    assert torch.equal(score.argsort(), share.argsort())


def test_negative_logits_do_not_turn_the_score_around() -> None:
    """With every training logit below 0 a longer residual is still more doubt."""
    network: Any = tiny()
    network.head[3].bias.sub_(50.0)
    state = fitted(network=network)
    assert state.scale > 0
    assert float(network.head(vectors(60, noise=1.0)[0]).max()) < 0


def test_the_papers_rule_for_the_principal_space() -> None:
    assert [vim.principal_of(0, width) for width in (2048, 768, 96)] == [1000, 512, 48]
    assert vim.principal_of(7, 2048) == 7


def test_a_sample_sets_the_size_and_all_items_the_space() -> None:
    whole, part = fitted(), fitted(keep=10)
    assert whole.residual is not None
    assert part.residual is not None
    torch.testing.assert_close(part.residual.abs(), whole.residual.abs())
    assert part.scale != whole.scale
    assert part.scale == pytest.approx(whole.scale, rel=0.5)


def test_a_head_without_a_last_linear_layer_is_refused_in_words() -> None:
    class Twisted(nn.Module):
        """Its last linear layer is not the last thing it does."""

        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(self.fc(x))

    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out, self.first = nn.Linear(12, 3), nn.Linear(12, 12)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(torch.relu(self.first(x)))

    for head in (nn.Identity(), Twisted(), Inside()):
        network = tiny()
        network.head = head
        with pytest.raises(UserFacingError, match="ends in a linear layer"):
            last_layer(network)  # type: ignore[arg-type]
    with pytest.raises(UserFacingError, match="below 12"):
        fitted(principal=12)


def test_a_head_is_split_without_touching_it() -> None:
    network, features = tiny(), vectors(5)[0]
    found = last_layer(network)  # type: ignore[arg-type]
    torch.testing.assert_close(found.logits(found.trunk(features)), network.head(features))
    assert isinstance(network.head[3], nn.Linear)
    assert found.weight is not network.head[3].weight
