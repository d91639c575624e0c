"""ViM: what the classes' directions cannot explain, as one more logit.

Equation:
    o = -pinv(W) b,      R = eigenvectors of (1/N) sum_n (h_n - o)(h_n - o)^T beyond the first P
    v(x) = a || R^T (h - o) ||,      a = |sum_n max_c z_nc| / sum_n || R^T (h_n - o) ||
    score(x) = v(x) - log sum_c exp(z_c)

h     what the head's last linear layer sees; z = W h + b its logits
o     the point where all logits are 0, as nearly as can be
P     dimensions of the principal space
a     makes the virtual logit v as large as the largest logit, on average over the training items; its sign is dropped
      (the paper has none to drop), because a head whose logits are all negative would turn the score around

softmax's share of v grows with the score. The average uses at most ``keep`` training items, the eigenvectors use all.
With several labels an item, the logits' part is their joint energy. Wang et al. 2022, https://arxiv.org/abs/2203.10807
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from core.contracts import Network, Predictive, Scope
from core.errors import UserFacingError
from core.methods import _gaussian, _sample
from core.methods._contract import Batch, FitContext, Method, Step
from core.methods._given import answered
from core.methods._knobs import check, knob
from core.methods._last_layer import LastLayer, last_layer


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "read from the features of a fixed network", choices=("head",))
    principal: int = knob(0, "dimensions of the principal space (P); 0: by the rule of the paper", least=0, most=4095)
    keep: int = knob(20_000, "training items that set the size of the virtual logit", least=1, most=1_000_000)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    layer: LastLayer
    origin: Tensor  # (width,) float64
    sums: _gaussian.Sums | None
    sample: _sample.Sample | None
    residual: Tensor | None = None  # (width, width - P)
    scale: float = 0.0


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    layer = last_layer(network)
    width = layer.weight.shape[1]
    principal = principal_of(config.principal, width)
    if not 0 < principal < width:
        raise UserFacingError(
            f"The setting principal was given as {config.principal}; the last layer sees {width} numbers, so it must "
            f"be below {width}.",
            code="setting",
        )
    origin = -torch.linalg.pinv(layer.weight.double()) @ layer.bias.double()
    sample = _sample.Sample(config.keep, context.seed)
    return State(config, context, layer, origin, _gaussian.nothing(1, width), sample)


def principal_of(asked: int, width: int) -> int:
    """The paper's rule: 1000 of 2048 dimensions, 512 of 768; half where there are fewer."""
    return asked or (1000 if width >= 1500 else 512 if width >= 768 else width // 2)


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    assert state.sums is not None
    assert state.sample is not None, "a finished State takes no more data"
    with torch.no_grad():
        hidden = state.layer.trunk(batch.inputs)
    centred = hidden.double() - state.origin.to(hidden.device)
    sums = _gaussian.gathered(state.sums, centred, torch.ones(len(hidden), 1))
    return replace(state, sums=sums, sample=_sample.added(state.sample, batch.keys, hidden))


def finish(state: State) -> State:
    sums, sample = state.sums, _sample.settled(state.sample) if state.sample else None
    if sums is None or sample is None or not sums.items:
        raise UserFacingError("The principal space needs items, and none arrived.", code="items")
    principal = principal_of(state.config.principal, len(state.origin))
    vectors = torch.linalg.eigh(sums.squares / sums.items).eigenvectors  # from the smallest eigenvalue to the largest
    residual = vectors[:, : len(state.origin) - principal].contiguous()
    hidden = sample.features[0]
    length = _length(hidden, state.origin, residual).sum()
    largest = state.layer.logits(hidden.double()).amax(dim=1).sum()
    scale = abs(float(largest / length)) if float(length) > 0 else 0.0
    return replace(state, sums=None, sample=None, residual=residual, scale=scale)


def predict(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Predictive:
    """One draw, whatever ``draws`` asks for."""
    assert state.residual is not None, "finish comes before predict"
    with torch.no_grad():
        hidden = state.layer.trunk(inputs)
        logits = state.layer.logits(hidden.double())
        many = state.context.task == "multilabel"
        evidence = nn.functional.softplus(logits).sum(dim=1) if many else logits.logsumexp(dim=1)
        score = state.scale * _length(hidden, state.origin, state.residual) - evidence
    return answered(logits, state.context.task, score, "virtual logit")


def _length(hidden: Tensor, origin: Tensor, residual: Tensor) -> Tensor:
    here = hidden.device
    return ((hidden.double() - origin.to(here)) @ residual.to(here)).norm(dim=1)


METHOD = Method(
    key="vim",
    title="ViM (last layers)",
    paper="https://arxiv.org/abs/2203.10807",
    version=1,
    scopes=("head",),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    finish=finish,
    fills="score",
    single_pass=True,
    own_draws=lambda config: 1,
)
