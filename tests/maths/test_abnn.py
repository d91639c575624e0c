"""ABNN's loss, its class weights and its noise, against their definitions."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from core.contracts import Network
from core.errors import UserFacingError
from core.layers import NoiseContext, noise
from core.layers.bayesnorm import BayesNorm
from core.methods import abnn
from core.methods._contract import Batch, FitContext, parameters_of
from core.methods._training import step_noise
from tests.fitting import Stepper
from tests.tiny import TinyNetwork, keys_for, pictures, tiny

CONTEXT = FitContext("multiclass", 3, 100, seed=0)
GENERATOR = torch.Generator


def init(network: Network | None = None, context: FitContext = CONTEXT, **options: Any) -> abnn.State:
    return abnn.init(abnn.Config(**options), network or tiny(), context, GENERATOR().manual_seed(0))


@pytest.mark.parametrize("boost", [7.0, 2.5])
def test_the_loss_is_the_weighted_sum_over_the_number_of_items(boost: float) -> None:
    logits = torch.randn(6, 4, generator=GENERATOR().manual_seed(1), dtype=torch.float64)
    labels, weights = torch.tensor([0, 1, 2, 3, 1, 1]), torch.tensor([1.0, boost, 1.0, 1.0])
    naive = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        naive += float(weights[label]) * (math.log(sum(math.exp(v) for v in row)) - row[label])
    found = abnn.weighted_loss(logits, labels, weights, "multiclass")
    assert float(found) == pytest.approx(naive / 6)
    divided = nn.CrossEntropyLoss(weight=weights.double())(logits, labels)
    assert float(divided) == pytest.approx(naive / (3 * boost + 3))  # another loss: torch's divides by sum(w)
    soft = nn.functional.one_hot(labels, 4).double()
    assert float(abnn.weighted_loss(logits, soft, weights, "multiclass")) == pytest.approx(naive / 6)


def test_with_several_labels_each_class_is_weighed_by_itself() -> None:
    logits = torch.randn(5, 3, generator=GENERATOR().manual_seed(1), dtype=torch.float64)
    labels, weights = (torch.rand(5, 3, generator=GENERATOR().manual_seed(2)) > 0.5).float(), torch.tensor([1.0, 7, 2])
    naive = 0.0
    for i in range(5):
        for c in range(3):
            p = 1 / (1 + math.exp(-float(logits[i, c])))
            naive -= float(weights[c]) * math.log(p if labels[i, c] else 1 - p)
    assert float(abnn.weighted_loss(logits, labels, weights, "multilabel")) == pytest.approx(naive / 15)


@pytest.mark.parametrize(("classes", "chosen"), [(2, 1), (3, 1), (4, 2), (10, 3), (50, 7), (100, 10)])
def test_the_square_root_of_the_classes_is_boosted_and_any_class_may_be(classes: int, chosen: int) -> None:
    generator, hits = GENERATOR().manual_seed(3), Counter[int]()
    draws = 400
    for _ in range(draws):
        weights = abnn.class_weights(classes, 5.0, generator)
        assert int((weights == 5).sum()) == chosen  # distinct classes
        assert int((weights == 1).sum()) == classes - chosen
        hits.update((weights == 5).nonzero()[:, 0].tolist())
    share = chosen / classes
    spread = 4.5 * math.sqrt(draws * share * (1 - share))
    assert all(abs(hits[c] - draws * share) < spread for c in range(classes))  # the last class too


def test_members_draw_their_own_weights_and_start_alike() -> None:
    state = init(members=6, context=FitContext("multiclass", 50, 100, seed=0), network=tiny(50))
    assert state.weights.shape == (6, 50)
    assert len({tuple(row) for row in state.weights.tolist()}) > 1
    starts = [[p for p in m.parameters() if p.requires_grad] for m in state.members]
    assert all(torch.equal(a, b) for other in starts[1:] for a, b in zip(starts[0], other, strict=True))
    assert len(parameters_of(state)) == 6 * len(starts[0])


def test_only_scales_and_shifts_train_and_everything_else_is_shared() -> None:
    source = tiny()
    state = init(source, members=3)
    affine = sum(m.num_features * 2 for m in source.modules() if isinstance(m, nn.BatchNorm2d))
    assert sum(p.numel() for p in parameters_of(state)) == 3 * affine
    kept = [{id(p) for p in m.parameters() if not p.requires_grad} for m in state.members]
    assert kept[0] == kept[1] == kept[2]
    assert not kept[0] & {id(p) for p in source.parameters()}  # nor can the source's user move them


def test_running_statistics_stay_and_members_train_apart() -> None:
    source = tiny()
    state = init(source, members=2, boost=20.0)
    inputs, labels = pictures(12)
    step = Stepper(state)
    for _ in range(3):
        state = abnn.update(state, Batch(inputs, labels, keys_for(12)), GENERATOR(), step)
    before = source.state_dict()
    for member in state.members:
        norms = [m for m in member.modules() if isinstance(m, nn.BatchNorm2d)]
        means = [before[name] for name in before if name.endswith("running_mean")]
        assert all(torch.equal(n.running_mean, mean) for n, mean in zip(norms, means, strict=True))  # type: ignore[arg-type]
    first, second = ([p for p in m.parameters() if p.requires_grad] for m in state.members)
    assert any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert set(step.parts[0]) == {"loss", "member 1", "member 2"}
    assert step.losses[0] == pytest.approx(step.parts[0]["member 1"] + step.parts[0]["member 2"], rel=1e-5)


def test_a_members_loss_is_what_a_network_with_random_scales_gives() -> None:
    """alpha at 0.3: every symbol of the equation away from its default."""
    state = init(members=2, alpha=0.3, boost=3.0)
    inputs, labels = pictures(12)
    step = Stepper(state, rate=0.0)
    later = abnn.update(state, Batch(inputs, labels, keys_for(12)), GENERATOR(), step)
    assert later.steps == 1
    for number, member in enumerate(state.members):
        with noise(step_noise(CONTEXT, 0, keys_for(12), draw=number)):
            logits = member(inputs)
        each = nn.functional.cross_entropy(logits, labels, reduction="none") * state.weights[number][labels]
        assert step.parts[0][f"member {number + 1}"] == pytest.approx(float(each.sum().detach()) / 12, rel=1e-5)


@pytest.mark.parametrize("shape", ["channel", "element"])
def test_answers_average_probabilities_over_members_and_draws(shape: Any) -> None:
    state = init(members=3, alpha=0.5, noise=shape)
    assert {part.noise for m in state.members for part in m.modules() if isinstance(part, BayesNorm)} == {shape}
    with torch.no_grad():
        for number, member in enumerate(state.members):
            for part in member.modules():
                if isinstance(part, BayesNorm):
                    part.norm.weight.mul_(1 + 0.3 * number)  # type: ignore[operator]
    inputs, keys = pictures(4)[0], keys_for(4)
    found = abnn.predict(state, inputs, keys, draws=6, seed=9).probs
    for draw in range(6):
        with torch.no_grad(), noise(NoiseContext.fold(9, [draw], keys)):
            expected = state.members[draw % 3](inputs).softmax(-1)
        torch.testing.assert_close(found[draw], expected, rtol=1e-5, atol=1e-5)
    assert abnn.METHOD.own_draws(abnn.Config(members=4, draws=5)) == 20


def test_what_precedes_the_first_random_scale_runs_once_for_all_members() -> None:
    state = init(members=3, where="last 1")
    rows = Counter[int]()
    for number, member in enumerate(state.members):
        member.stem.register_forward_hook(lambda m, x, y, number=number: rows.update({number: len(y)}))  # type: ignore[union-attr]
        member.stem[0].register_forward_hook(lambda m, x, y, number=number: rows.update({number: len(y)}))  # type: ignore[index]
    abnn.predict(state, pictures(4)[0], keys_for(4), draws=9, seed=0)
    assert rows == {0: 4}


def test_without_noise_members_still_differ() -> None:
    """alpha = 0 leaves nothing random, so nothing may be shared but what is equal."""
    state = init(members=2, alpha=0.0)
    with torch.no_grad():
        state.members[1].stem[1].norm.bias.add_(1.0)  # type: ignore[index]
    found = abnn.predict(state, pictures(4)[0], keys_for(4), draws=2, seed=0).probs
    assert not torch.allclose(found[0], found[1])


@pytest.mark.parametrize(
    ("where", "count"), [("all", 3), ("first 2", 2), ("last 1", 1), ("every 2", 2), ("stage widen", 1)]
)
def test_where_chooses_the_layers(where: str, count: int) -> None:
    state = init(members=2, where=where)
    for member in state.members:
        assert sum(isinstance(part, BayesNorm) for part in member.modules()) == count


def test_dropout_acts_only_if_asked_and_only_while_fitting() -> None:
    inputs, labels = pictures(12)
    batch, losses = Batch(inputs, labels, keys_for(12)), {}
    for dropout in (False, True):
        state = init(alpha=0.0, members=1, dropout=dropout)
        step = Stepper(state, rate=0.0)
        for _ in range(2):
            state = abnn.update(state, batch, GENERATOR(), step)
        losses[dropout] = step.losses
        answers = abnn.predict(state, inputs, keys_for(12), draws=2, seed=0).probs
        assert torch.equal(answers[0], answers[1])
    assert losses[False][0] == losses[False][1]
    assert losses[True][0] != losses[True][1]


class _Bare(TinyNetwork):
    """No normalisation at all."""

    def __init__(self) -> None:
        super().__init__(3)
        self.stem, self.widen = nn.Sequential(nn.Conv2d(2, 8, 1)), nn.Sequential(nn.Conv2d(8, 12, 1))
        self.stages: tuple[tuple[str, nn.Module], ...] = (
            ("stem", self.stem),
            ("widen", self.widen),
            ("pool", self.pool),
        )
        del self.block


def test_a_network_without_normalisation_is_told_what_to_use() -> None:
    with torch.random.fork_rng(devices=[]):
        network = _Bare()
    with pytest.raises(UserFacingError, match=r"normalisation, and this network has none. Use MC dropout, Flipout"):
        init(network)
