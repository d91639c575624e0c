"""One loop over init and update, for every method.

Everything that is drawn is drawn from the seed and the number of the epoch or step, never from a stream, so that a
fit that was interrupted goes on exactly where it was: on a CPU it ends with the same weights, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from core.contracts import Network, Progress, no_progress
from core.fingerprint import fingerprint, torch_generator
from core.layers.augmentsite import augmenting, has_site
from core.methods._contract import Batch, FitContext, Method, frozen, modules_of, scope_of
from core.methods._held import Held, held_by, moved, restored
from core.training import _validation
from core.training._run import RunFolder
from core.training._steps import Stepper
from core.training.augment import Augment, augmented
from core.training.examples import Examples
from core.training.schedule import Schedule

SAVE_SECONDS = 45.0  # between two checkpoints; the promise is 60
LOG_SECONDS = 1.0  # between two lines of measurements inside an epoch
_CHUNK = 256  # items at a time for methods that gather statistics


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """All that decides the outcome of a fit."""

    method: Method[Any, Any]
    config: Any
    network: Network
    context: FitContext
    train: Examples
    schedule: Schedule
    augment: Augment
    validation: Examples | None = None
    prepare: Callable[[Any], Any] = lambda state: state  # between init and the first update: anchors, targets
    identity: str = ""  # fingerprint of data, network and of what prepare does
    frozen_below: bool = False  # a network of which only the head trains


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A frozen State that answers, and what it took."""

    state: Any
    steps: int
    epochs: float
    seconds: float  # over all sittings
    best_epoch: int | None = None  # where early stopping chose it


def fit(
    wanted: Fit,
    folder: Path | None = None,
    *,
    fabric: Any = None,
    progress: Progress = no_progress,
    stop: Callable[[], bool] = lambda: False,
) -> Fitted:
    """Fit from the beginning, or from where the folder's last checkpoint is. ``stop`` is asked at every step."""
    fabric = fabric or fabric_of(wanted.schedule)
    return _Loop(wanted, folder, fabric, progress, stop).run()


def fabric_of(schedule: Schedule, device: str = "cpu", devices: int = 1, nodes: int = 1) -> Any:
    """Lightning Fabric for a device as core.device names it; several processes meet after every backward pass."""
    from lightning.fabric import Fabric

    kind, _, number = device.partition(":")
    several = devices * nodes > 1
    return Fabric(
        accelerator="gpu" if kind == "cuda" else kind,
        devices=[int(number)] if number and not several else devices,
        num_nodes=nodes,
        strategy="ddp" if several else "auto",
        precision="bf16-mixed" if schedule.precision == "bfloat16" else "32-true",
    )


class _Loop:
    def __init__(
        self, wanted: Fit, folder: Path | None, fabric: Any, progress: Progress, stop: Callable[[], bool]
    ) -> None:
        self.wanted, self.fabric, self.progress, self.stop = wanted, fabric, progress, stop
        fabric.launch()
        self.leads = fabric.global_rank == 0
        facts = (wanted.method.key, wanted.method.version, wanted.config, wanted.context, wanted.schedule)
        identity = fingerprint(wanted.identity, *facts, wanted.augment, len(wanted.train))
        self.folder = RunFolder(folder, identity) if folder is not None else None
        self.taken = _items_a_step(wanted)
        self.per_epoch = max(1, len(wanted.train) // self.taken)
        self.steps = self.per_epoch * wanted.schedule.epochs
        self.site = has_site(cast(nn.Module, wanted.network))
        self.best: tuple[float, int, Held] | None = None
        self.before = 0.0  # seconds of earlier sittings
        self.state, self.stepper, self.step = self._begin()
        self.started = self.saved = self.logged = time.monotonic()

    def _begin(self) -> tuple[Any, Stepper, int]:
        wanted = self.wanted
        generator = torch_generator("init", wanted.context.seed)
        state = wanted.method.init(wanted.config, wanted.network, wanted.context, generator)
        resumed = self.folder.resume() if self.folder is not None else None
        state = wanted.prepare(state) if resumed is None else restored(state, resumed.state)
        for module in modules_of(state):
            module.to(memory_format=torch.channels_last)
        state = moved(state, self.fabric.device)
        if wanted.frozen_below:
            _freeze_below(state)
        stepper = Stepper(state, wanted.schedule, self.steps, self.fabric)
        if resumed is None:
            return state, stepper, 0
        position = resumed.position
        stepper.resume(resumed.optimiser, position["stepper"])
        self.before = position["seconds"]
        if resumed.best is not None:
            self.best = (position["best"][0], position["best"][1], resumed.best)
        if self.folder is not None and self.leads:
            self.folder.cut_log(position["step"])
        return state, stepper, position["step"]

    def run(self) -> Fitted:
        if self.wanted.method.single_pass:
            return self._gather()
        while self.step < self.steps and not self._has_enough():
            self._epoch(self.step // self.per_epoch)
        state, chosen = self.state, None
        if self.best is not None and self.wanted.schedule.patience:
            state, chosen = restored(state, self.best[2]), self.best[1]
        return self._done(state, chosen)

    def _epoch(self, epoch: int) -> None:
        order = self._order(epoch)
        while (place := self.step - epoch * self.per_epoch) < self.per_epoch:
            if self.stop():
                self._save()
                raise KeyboardInterrupt
            rows = order[place * self.taken : (place + 1) * self.taken]
            self._update(rows, epoch)
            self.step += 1
            now = time.monotonic()
            if now - self.logged > LOG_SECONDS:
                self._log({"epoch": self.step / self.per_epoch, **self.stepper.parts})
            self.progress(self.step, self.steps, "train")
            if now - self.saved > SAVE_SECONDS and self.step % self.per_epoch:
                self._save()
        self._validate(epoch + 1)
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self._save()

    def _update(self, rows: Tensor, epoch: int) -> None:
        wanted = self.wanted
        rows = rows[self.fabric.global_rank :: self.fabric.world_size]
        batch = self._batch(wanted.train, rows, epoch)
        generator = torch_generator("step", wanted.context.seed, self.step, self.fabric.global_rank)
        transform = None
        if scope_of(wanted.config) == "network":
            batch, transform = augmented(
                batch,
                wanted.augment,
                kind=wanted.network.kind,
                task=wanted.context.task,
                classes=wanted.context.classes,
                site=self.site,
                generator=generator,
            )
        with augmenting(transform), self.fabric.autocast():
            self.state = wanted.method.update(self.state, batch, generator, self.stepper)

    def _batch(self, examples: Examples, rows: Tensor, epoch: int) -> Batch:
        device = self.fabric.device
        inputs = examples.inputs.take(rows, epoch).to(device)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return Batch(inputs, examples.labels[rows].to(device), examples.keys[rows].to(device))

    def _order(self, epoch: int) -> Tensor:
        generator = torch_generator("order", self.wanted.context.seed, epoch)
        if not self.wanted.schedule.balance:
            return torch.randperm(len(self.wanted.train), generator=generator)
        weights = _balancing(self.wanted.train.labels)
        return torch.multinomial(weights, len(weights), replacement=True, generator=generator)

    def _gather(self) -> Fitted:
        """One pass over all items in their order, for methods that gather statistics."""
        for number, rows in enumerate(torch.arange(len(self.wanted.train)).split(_CHUNK)):
            batch = self._batch(self.wanted.train, rows, 0)
            generator = torch_generator("step", self.wanted.context.seed, number)
            self.state = self.wanted.method.update(self.state, batch, generator, self.stepper)
            self.progress(min((number + 1) * _CHUNK, len(self.wanted.train)), len(self.wanted.train), "gather")
        return self._done(self.state, None)

    def _validate(self, epoch: int) -> None:
        measured = _validation.measure(self.wanted, self.state, self.fabric)
        self._log({"epoch": epoch, **self.stepper.parts, **{f"validation {k}": v for k, v in measured.items()}})
        if not self.wanted.schedule.patience or not measured:
            return
        if self.best is None or measured["loss"] < self.best[0]:
            held = held_by(self.state)
            copies = {name: tensor.clone() for name, tensor in held.tensors.items()}
            self.best = (measured["loss"], epoch, Held(copies, held.facts))

    def _has_enough(self) -> bool:
        patience, epoch = self.wanted.schedule.patience, self.step // self.per_epoch
        return bool(patience and self.best is not None and epoch - self.best[1] >= patience)

    def _log(self, record: dict[str, float]) -> None:
        self.logged = time.monotonic()
        if self.folder is not None and self.leads:
            self.folder.log({"step": self.step, "seconds": round(self._seconds(), 2), **record})

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.folder is None or not self.leads:
            return
        tensors, facts = self.stepper.held()
        position: dict[str, Any] = {"step": self.step, "seconds": self._seconds(), "stepper": facts}
        if self.best is not None:
            position["best"] = self.best[:2]
        self.folder.save(position, held_by(self.state), tensors, None if self.best is None else self.best[2])

    def _done(self, state: Any, chosen: int | None) -> Fitted:
        state = frozen(self.wanted.method.finish(state))
        seconds = self._seconds()
        return Fitted(state, self.step, self.step / self.per_epoch, seconds, chosen)


def _items_a_step(wanted: Fit) -> int:
    """Rows that a batch is made from: mixup makes one item of two."""
    halves = wanted.augment.halves and scope_of(wanted.config) == "network"
    return min(len(wanted.train), wanted.schedule.batch * (2 if halves else 1))


def _freeze_below(state: Any) -> None:
    """All but the heads of the networks; their running statistics are told to stay by the method's own setting."""
    for module in modules_of(state):
        head = getattr(module, "head", None)
        if isinstance(head, nn.Module):
            module.requires_grad_(False)
            head.requires_grad_(True)


def _balancing(labels: Tensor) -> Tensor:
    """How often each item is drawn: as often as its (rarest) class is rare."""
    if labels.ndim == 1:
        return (1.0 / torch.bincount(labels).clamp(min=1))[labels]
    rare = 1.0 / labels.sum(dim=0).clamp(min=1)
    return (labels * rare).amax(dim=1).clamp(min=float(rare.min()))


def class_weights(labels: Tensor, classes: int) -> tuple[float, ...]:
    """A weight a class, inverse to its share; their mean over the items is 1."""
    counts = torch.bincount(labels, minlength=classes) if labels.ndim == 1 else labels.sum(dim=0)
    weights = torch.where(counts > 0, len(labels) / (counts.clamp(min=1) * (counts > 0).sum()), 0.0)
    return tuple(weights.tolist())


def weighed(context: FitContext, labels: Tensor, schedule: Schedule) -> FitContext:
    """The context with class weights where the schedule asks for them."""
    if not schedule.class_weights:
        return context
    return replace(context, class_weights=class_weights(labels, context.classes))


def batches_of(examples: Examples, size: int, device: str = "cpu") -> Iterator[Batch]:
    """All items in their order, as methods take them: for anchors and targets."""
    for rows in torch.arange(len(examples)).split(size):
        inputs = examples.inputs.take(rows, 0).to(device)
        yield Batch(inputs, examples.labels[rows].to(device), examples.keys[rows].to(device))
