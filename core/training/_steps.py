"""The optimiser's side of a fit: parameter groups, rates, gradients of several processes, and the end of bad runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import UserFacingError
from core.methods._contract import modules_of, parameters_of
from core.methods._stacked import StackedHeads
from core.training.schedule import Schedule, rate_at

_MEMORY = 50  # steps over which the loss is averaged before it is called divergent
_TIMES = 25.0  # the average over its own lowest value that ends a run


class Stepper:
    """``step`` of a fit: called by a method's update with the loss of one batch."""

    def __init__(self, state: Any, schedule: Schedule, steps: int, fabric: Any) -> None:
        self.schedule, self.steps, self.fabric = schedule, steps, fabric
        self.parameters = parameters_of(state)
        self.optimiser = _optimiser(state, schedule) if self.parameters else None
        self.done = 0
        self.parts: dict[str, float] = {}
        self.average: float | None = None
        self.lowest = math.inf

    def __call__(self, loss: Tensor, parts: Mapping[str, float]) -> None:
        if self.optimiser is None:
            raise UserFacingError(
                "Nothing of this method trains while the network below the head is fixed; set fit to fine-tuned, or "
                "choose another method.",
                code="setting",
            )
        self._refuse_lost(self._everywhere(loss, parts))
        factor = rate_at(self.schedule, self.done, self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest"] * factor
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self._meet()
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        length = nn.utils.get_total_norm(gradients)
        self._refuse_lost_gradient(float(length))
        if self.schedule.clip:
            nn.utils.clip_grads_with_norm_(self.parameters, self.schedule.clip, length)
        self.optimiser.step()
        self.done += 1

    def _everywhere(self, loss: Tensor, parts: Mapping[str, float]) -> float:
        """The loss as the mean over all processes, so that all of them go on or all of them stop."""
        if self.fabric.world_size == 1:
            self.parts = dict(parts)
            return float(loss.detach())
        values = torch.tensor([float(loss.detach()), *parts.values()], dtype=torch.float64, device=loss.device)
        mean, *means = self.fabric.all_reduce(values, reduce_op="mean").tolist()
        self.parts = dict(zip(parts, means, strict=True))
        return mean

    def _meet(self) -> None:
        """The mean of the gradients of all processes, each of which saw its share of the batch."""
        if self.fabric.world_size == 1:
            return
        found = [p.grad for p in self.parameters if p.grad is not None]
        flat = self.fabric.all_reduce(torch.cat([grad.flatten() for grad in found]), reduce_op="mean")
        start = 0
        for grad in found:
            grad.copy_(flat[start : start + grad.numel()].view_as(grad))
            start += grad.numel()

    def refuse_lost_state(self) -> None:
        """Weights that are no numbers are neither answered with nor saved."""
        if not all(bool(parameter.isfinite().all()) for parameter in self.parameters):
            raise _not_finite("A weight was no finite number", self.done)

    def _refuse_lost_gradient(self, length: float) -> None:
        if not math.isfinite(length):
            raise _not_finite(f"The length of the gradient was {length}", self.done + 1)

    def _refuse_lost(self, loss: float) -> None:
        """A loss that is no number, or that ran away from where it has been.

        Where a method names its task's part, that one is watched: a penalty may come in by and by and outgrow it.
        """
        if not math.isfinite(loss):
            raise _not_finite(f"The loss was {loss}", self.done + 1)
        loss, before = self.parts.get("task", loss), self.average
        self.average = loss if before is None else before + (loss - before) / _MEMORY
        if self.done >= _MEMORY:
            self.lowest = min(self.lowest, self.average)
            if self.average > _TIMES * max(abs(self.lowest), 0.1):
                raise UserFacingError(
                    f"The loss rose to {self.average:.3g} after it had been {self.lowest:.3g}, so the training was "
                    f"stopped at step {self.done + 1:,}; what was saved before is kept. Lower the learning rate.",
                    code="diverged",
                )

    def held(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint needs to go on exactly here."""
        tensors: dict[str, Tensor] = {}
        if self.optimiser is not None:
            for number, slots in self.optimiser.state_dict()["state"].items():
                tensors |= {f"{number}.{name}": torch.as_tensor(value) for name, value in slots.items()}
        lowest = None if math.isinf(self.lowest) else self.lowest
        parts = {name: value if math.isfinite(value) else None for name, value in self.parts.items()}
        return tensors, {"done": self.done, "average": self.average, "lowest": lowest, "parts": parts}

    def resume(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        self.done, self.average = int(facts["done"]), facts["average"]
        self.lowest = math.inf if facts["lowest"] is None else facts["lowest"]
        self.parts = {name: math.nan if value is None else value for name, value in facts.get("parts", {}).items()}
        if self.optimiser is None:
            return
        ordered = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            number, _, slot = name.partition(".")
            slots.setdefault(int(number), {})[slot] = _laid_out_as(ordered[int(number)], tensor)
        plan = self.optimiser.state_dict()
        self.optimiser.load_state_dict({"state": slots, "param_groups": plan["param_groups"]})


def _not_finite(what: str, step: int) -> UserFacingError:
    return UserFacingError(
        f"{what} at step {step:,}, so the training was stopped; what was saved before is kept. Lower the learning "
        "rate, clip gradients, or use float32.",
        code="not-finite",
    )


def _laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """With the strides that the optimiser itself gives: sums run in the same order as before."""
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor) if tensor.shape == parameter.shape else tensor


def _optimiser(state: Any, schedule: Schedule) -> torch.optim.Optimizer:
    heads = {id(p) for module in modules_of(state) for p in _head_of(module)}
    matrices = {id(p) for module in modules_of(state) for p in _matrices_of(module)}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in parameters_of(state):
        decays = schedule.decayed == "all" or id(parameter) in matrices
        groups.setdefault((id(parameter) in heads, decays), []).append(parameter)
    head_rate = schedule.rate if schedule.head_rate is None else schedule.head_rate
    given = [
        {"params": found, "highest": head_rate if head else schedule.rate, "weight_decay": schedule.decay * decays}
        for (head, decays), found in groups.items()
    ]
    if schedule.optimiser == "sgd":
        return torch.optim.SGD(given, lr=schedule.rate, momentum=0.9, nesterov=True)
    at_once = all(parameter.device.type in ("cpu", "cuda") for found in groups.values() for parameter in found)
    if schedule.optimiser == "adamw":
        return torch.optim.AdamW(given, lr=schedule.rate, fused=at_once)
    return torch.optim.Adam(given, lr=schedule.rate, amsgrad=schedule.optimiser == "amsgrad", fused=at_once)


def _matrices_of(module: nn.Module) -> Iterator[nn.Parameter]:
    """Not biases and normalisations, nor spreads of a posterior, which decay would make wide."""
    for part in module.modules():
        axes = 2 if isinstance(part, StackedHeads) else 1  # one in front for the members
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.ndim > axes and not name.startswith("rho_"):
                yield parameter


def _head_of(module: nn.Module) -> list[nn.Parameter]:
    """The parameters of a network's head; none for what is a head itself."""
    head = getattr(module, "head", None)
    return list(head.parameters()) if isinstance(head, nn.Module) else []
