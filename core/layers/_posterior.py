"""Factorised Gaussians over weights: q(w) = N(mu, softplus(rho)^2) against a prior N(prior_mean, prior_sigma^2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Reduction = Literal["sum", "mean"]
SIGMA_FLOOR = 1e-6  # MOPED's smallest sigma: a weight of exactly 0 then costs 13.3 nats against N(0, 1), and can move


@dataclass(frozen=True, slots=True)
class FlipoutOptions:
    """How a layer's weights become distributions, and how its output is sampled."""

    signs: Literal["channel", "element"] = "channel"  # element: a sign a pixel, no single kernel, as bayesian-torch
    estimator: Literal["flipout", "local", "sample"] = "flipout"  # sample: one explicit weight a draw, slow and plain
    mean: Literal["source", "random"] = "source"  # random: N(0, 0.1^2), as a layer without a source
    rho: float = -3.0  # sigma = log(1 + e^rho) = 0.0486
    rho_spread: float = 0.1  # standard deviation of rho around it; needs a generator unless 0
    prior_mean: float = 0.0
    prior_sigma: float = 1.0
    moped: float | None = None  # delta: mean w and sigma delta |w| from the source's w (arXiv 1906.05323)
    moped_prior: Literal["centered", "zero"] = "centered"  # is the prior's mean moved to w, or left at prior_mean
    moped_floor: float = SIGMA_FLOOR

    def __post_init__(self) -> None:
        allowed = {"signs": ("channel", "element"), "estimator": ("flipout", "local", "sample")}
        allowed |= {"mean": ("source", "random"), "moped_prior": ("centered", "zero")}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} is one of {', '.join(values)}, not {getattr(self, name)!r}")
        if self.prior_sigma <= 0 or self.moped_floor <= 0 or (self.moped is not None and self.moped <= 0):
            raise ValueError("a prior's sigma, MOPED's delta and MOPED's floor are above 0")
        if self.moped is not None and self.mean != "source":
            raise ValueError("MOPED starts from the source's weights; use mean='source' with it")


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where one tensor's posterior starts, and its prior."""

    mu: Tensor
    rho: Tensor
    prior_mean: Tensor  # a scalar, or one a weight
    prior_sigma: Tensor


def start(source: Tensor, options: FlipoutOptions, generator: torch.Generator | None) -> Start:
    """The posterior and prior of a tensor of deterministic weights."""
    source = source.detach()
    mu, prior_mean = source.clone(), source.new_tensor(options.prior_mean)
    if options.mean == "random":
        mu = _normal(source, generator) * 0.1
    if options.moped is not None:
        rho = moped_rho(source, options.moped, options.moped_floor)
        prior_mean = source.clone() if options.moped_prior == "centered" else prior_mean
    else:
        rho = torch.full_like(source, options.rho)
        if options.rho_spread:
            rho = rho + _normal(source, generator) * options.rho_spread
    return Start(mu, rho, prior_mean, source.new_tensor(options.prior_sigma))


def moped_rho(weight: Tensor, delta: float, floor: float = SIGMA_FLOOR) -> Tensor:
    """rho such that sigma = max(delta |w|, floor)."""
    return rho_of((delta * weight.detach().double().abs()).clamp_min(floor)).to(weight.dtype)


def rho_of(sigma: Tensor) -> Tensor:
    """The inverse of softplus, log(e^sigma - 1), without overflow."""
    return sigma + torch.log(-torch.expm1(-sigma))


def sigma_of(rho: Tensor) -> Tensor:
    return F.softplus(rho)


def log_sigma_of(rho: Tensor) -> Tensor:
    """log softplus(rho), which is rho where softplus would lose its digits."""
    small = rho < -15.0
    return torch.where(small, rho, F.softplus(rho.clamp_min(-15.0)).log())


def gaussian_kl(mu: Tensor, rho: Tensor, prior_mean: Tensor, prior_sigma: Tensor, reduction: Reduction) -> Tensor:
    """KL(q || p) in closed form, summed over the weights (the evidence bound's) or averaged (bayesian-torch's)."""
    sigma = sigma_of(rho)
    distance = (sigma.square() + (mu - prior_mean).square()) / (2.0 * prior_sigma.square())
    each = prior_sigma.log() - log_sigma_of(rho) + distance - 0.5
    return each.sum() if reduction == "sum" else each.mean()


def _normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        raise ValueError("random starting values need a generator; pass one, or rho_spread=0 with mean='source'")
    values = torch.randn(like.shape, generator=generator, device=generator.device)
    return values.to(like.device, like.dtype)
