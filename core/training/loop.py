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
from core.errors import UserFacingError
from core.fingerprint import fingerprint, sha256_of, torch_generator
from core.layers.augmentsite import augmenting, has_site
from core.methods._contract import Batch, FitContext, Method, frozen, scope_of
from core.methods._held import Held, held_by, in_picture_order, in_plain_order, moved, restored
from core.training import _validation
from core.training._below import freeze_below, with_still_statistics
from core.training._run import RunFolder
from core.training._steps import Stepper
from core.training.augment import Augment, augmented
from core.training.balance import balancing
from core.training.examples import Examples
from core.training.processes import any_of, fabric_of, meet_statistics
from core.training.schedule import Schedule
from core.training.worked import Worked

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
    leads: bool = True  # of several processes, the one that saves
    memory: int | None = None  # bytes, the most that a sitting's process held


def fit(
    wanted: Fit,
    folder: Path | None = None,
    *,
    fabric: Any = None,
    progress: Progress = no_progress,
    stop: Callable[[], bool] = lambda: False,
    save_seconds: float = SAVE_SECONDS,
    keep: bool = False,
) -> Fitted:
    """Fit from the beginning, or from where the folder's last checkpoint is. ``stop`` is asked at every step.

    ``keep`` leaves a checkpoint of the end, from which the same fit asked for again is done at once.
    """
    fabric = fabric or fabric_of(wanted.schedule)
    loop = _Loop(wanted, folder, fabric, progress, stop, save_seconds)
    return loop.run(keep)


class _Loop:
    def __init__(
        self,
        wanted: Fit,
        folder: Path | None,
        fabric: Any,
        progress: Progress,
        stop: Callable[[], bool],
        save_seconds: float,
    ) -> None:
        if wanted.frozen_below:
            wanted = replace(wanted, config=with_still_statistics(wanted.config))
        self.wanted = wanted
        self.fabric, self.progress, self.stop = fabric, progress, stop
        self.save_seconds = save_seconds
        fabric.launch()
        self.leads = fabric.global_rank == 0
        self.folder = RunFolder(folder, _identity_of(wanted)) if folder is not None else None
        self.taken = _items_a_step(wanted, fabric.world_size)
        self.per_epoch = max(1, len(wanted.train) // self.taken)
        self.steps = self.per_epoch * wanted.schedule.epochs
        self.site = has_site(cast(nn.Module, wanted.network))
        self.best: tuple[float, int, Held] | None = None
        self.judged = 0  # epochs whose validation is done
        self.worked = Worked(fabric.device.type)
        self.state, self.stepper, self.step = self._begin()
        self.saved = self.logged = time.monotonic()

    def _begin(self) -> tuple[Any, Stepper, int]:
        wanted = self.wanted
        generator = torch_generator("init", wanted.context.seed)
        state = wanted.method.init(wanted.config, wanted.network, wanted.context, generator)
        resumed = self.folder.resume() if self.folder is not None else None
        state = wanted.prepare(state) if resumed is None else restored(state, resumed.state)
        state = moved(in_picture_order(state), self.fabric.device)
        if wanted.frozen_below:
            freeze_below(state)
        stepper = Stepper(state, wanted.schedule, self.steps, self.fabric)
        if resumed is None:
            if self.folder is not None and self.leads:
                self.folder.cut_log(0)  # of a fit that was not saved, or is done
            return state, stepper, 0
        position = resumed.position
        stepper.resume(resumed.optimiser, position["stepper"])
        self.worked.resume(position)
        self.judged = position["judged"]
        if resumed.best is not None:
            self.best = (position["best"][0], position["best"][1], resumed.best)
        if self.folder is not None and self.leads:
            self.folder.cut_log(position["logged"])
        return state, stepper, position["step"]

    def run(self, keep: bool) -> Fitted:
        if self.wanted.method.single_pass:
            return self._gather()
        began = self.step
        if self.step and self.step == (self.judged + 1) * self.per_epoch:  # saved just before its validation
            self._judge()
        while self.step < self.steps and not self._has_enough():
            self._epoch(self.step // self.per_epoch)
        if keep and self.step > began:
            self._save()
        state, chosen = self.state, None
        if self.best is not None and self.wanted.schedule.patience:
            state, chosen = restored(state, self.best[2]), self.best[1]
        return self._done(state, chosen)

    def _epoch(self, epoch: int) -> None:
        order = self._order(epoch)
        while (place := self.step - epoch * self.per_epoch) < self.per_epoch:
            if any_of(self.fabric, self.stop()):
                self._save()
                raise KeyboardInterrupt
            rows = order[place * self.taken : (place + 1) * self.taken]
            self._update(rows, epoch)
            self.step += 1
            if time.monotonic() - self.logged > LOG_SECONDS:
                self._log({"epoch": self.step / self.per_epoch, **self.stepper.parts})
            self.progress(self.step, self.steps, "train")
            self._save_in_time()
        self._judge()

    def _judge(self) -> None:
        """Validation, whose outcome is saved too: a fit that ended before it is judged when it is resumed."""
        self.stepper.refuse_lost_state()
        meet_statistics(self.fabric, self.state)
        self._validate(self.step // self.per_epoch)
        self.judged += 1
        self._save_in_time()

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
        weights = balancing(self.wanted.train.labels)
        return torch.multinomial(weights, len(weights), replacement=True, generator=generator)

    def _gather(self) -> Fitted:
        """One pass over all items in their order, for methods that gather statistics."""
        parts = torch.arange(len(self.wanted.train)).split(_CHUNK)
        for number, rows in enumerate(parts[self.step :], start=self.step):
            batch = self._batch(self.wanted.train, rows, 0)
            generator = torch_generator("step", self.wanted.context.seed, number)
            self.state = self.wanted.method.update(self.state, batch, generator, self.stepper)
            self.step += 1
            self.progress(min(self.step * _CHUNK, len(self.wanted.train)), len(self.wanted.train), "gather")
            if any_of(self.fabric, self.stop()):
                self._save()
                raise KeyboardInterrupt
            self._save_in_time()
        return replace(self._done(self.state, None), steps=0, epochs=1.0)

    def _validate(self, epoch: int) -> None:
        found = _validation.measure(self.wanted, self.state, self.fabric) if self.leads else _validation.Measured()
        if found.table is not None and self.folder is not None:
            self.folder.tell({"step": self.step, "epoch": epoch, "table": found.table})
        measured = found.figures
        if self.fabric.world_size > 1:
            measured = self.fabric.broadcast(measured)
        self._log({"epoch": epoch, **self.stepper.parts, **{f"validation {k}": v for k, v in measured.items()}})
        cost = _validation.cost(measured)
        if not self.wanted.schedule.patience or cost is None:
            return
        if self.best is None or cost < self.best[0]:
            held = held_by(self.state)
            copies = {name: tensor.clone() for name, tensor in held.tensors.items()}
            self.best = (cost, epoch, Held(copies, held.facts))

    def _has_enough(self) -> bool:
        patience, epoch = self.wanted.schedule.patience, self.step // self.per_epoch
        return bool(patience and self.best is not None and epoch - self.best[1] >= patience)

    def _log(self, record: dict[str, float]) -> None:
        self.logged = time.monotonic()
        if self.folder is not None and self.leads:
            self.folder.log({"step": self.step, "seconds": round(self.worked.seconds(), 2), **record})

    def _save_in_time(self) -> None:
        if time.monotonic() - self.saved > self.save_seconds:
            self._save()

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.folder is None or not self.leads:
            return
        self.stepper.refuse_lost_state()
        tensors, facts = self.stepper.held()
        position: dict[str, Any] = {"step": self.step, "judged": self.judged, "logged": self.folder.logged}
        position |= {**self.worked.told(), "stepper": facts}
        if self.best is not None:
            position["best"] = self.best[:2]
        self.folder.save(position, held_by(self.state), tensors, None if self.best is None else self.best[2])

    def _done(self, state: Any, chosen: int | None) -> Fitted:
        state = frozen(in_plain_order(self.wanted.method.finish(state)))
        epochs, took = self.step / self.per_epoch, self.worked.told()
        return Fitted(state, self.step, epochs, took["seconds"], chosen, self.leads, took["memory"])


def _identity_of(wanted: Fit) -> str:
    """Of all that decides the outcome, so that only the same fit goes on from a checkpoint."""
    facts = (wanted.method.key, wanted.method.version, wanted.config, wanted.context, wanted.schedule, wanted.augment)
    examples = [part for part in (wanted.train, wanted.validation) if part is not None]
    known = [sha256_of(tensor.numpy().tobytes()) for part in examples for tensor in (part.keys, part.labels)]
    return fingerprint(wanted.identity, *facts, wanted.frozen_below, known)


def _items_a_step(wanted: Fit, processes: int) -> int:
    """Rows that a batch is made from: mixup makes one item of two, and every process has as many."""
    halves = wanted.augment.halves and scope_of(wanted.config) == "network"
    most = min(len(wanted.train), wanted.schedule.batch * (2 if halves else 1))
    if most < processes:
        raise UserFacingError(
            f"{processes} processes cannot share batches of {most}; use fewer of them, or larger batches.",
            code="setting",
        )
    return most - most % processes


def batches_of(examples: Examples, size: int, device: str = "cpu") -> Iterator[Batch]:
    """All items in their order, as methods take them: for anchors and targets."""
    for rows in torch.arange(len(examples)).split(size):
        inputs = examples.inputs.take(rows, 0).to(device)
        yield Batch(inputs, examples.labels[rows].to(device), examples.keys[rows].to(device))
