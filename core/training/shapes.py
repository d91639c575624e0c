"""Shapes from little: many whole ones first, then a few damaged ones; each method fills in what was never seen.

A network learns whole shapes (A), encoder and decoder together. Its encoder then stays, and its decoder adapts to the
voxels that are seen of a few damaged shapes (B). Every method is asked for further damaged shapes, and its answer is
compared with the truth, which no training sees. What it still knows of whole shapes shows what it forgot.

The anchor's strength (lambda) is chosen by the negative log-likelihood of the labels that further damaged shapes show:
no truth is needed. MC dropout is the single network, asked with its dropout. A deep ensemble learns A and B once a
member. Fits and comparisons are kept one by one, so that a study that was stopped goes on. Dropsembles:
https://arxiv.org/abs/2406.12082, whose sizes and steps are not published; these are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.backbones._size import describe
from core.contracts import Progress, no_progress
from core.fingerprint import fingerprint, seed_of, torch_generator
from core.methods import deterministic, dropsembles, mc_dropout
from core.methods._contract import FitContext, Method, frozen, unchanged
from core.methods._training import trainable_copy
from core.metrics.shapes import dice
from core.settings import Settings
from core.shapes.fields import Field, Part, ask, doubt_of, features_of
from core.shapes.kept import save
from core.shapes.networks import FieldNetwork, build
from core.training._shape_cases import PARTS, Case, cases
from core.training._shape_plan import Config, digits
from core.training._shape_results import FIGURES, SHOWN, Cost, Row, Study, card_of, judged, lines, report
from core.training.augmenting import Augment
from core.training.examples import Examples, InMemory
from core.training.loop import Fit, Fitted, batches_of, fit
from core.training.processes import fabric_of
from core.training.run_files import read, write
from core.training.schedule import Schedule

__all__ = ["FIGURES", "SHOWN", "Config", "Row", "Study", "digits", "lines", "report", "run"]

_FISHER_PLACES = 2048  # of all shapes of A together
_HEAD = deterministic.Config(scope="head")


def run(
    config: Config,
    settings: Settings,
    folder: Path | None = None,
    *,
    device: str = "cpu",
    progress: Progress = no_progress,
    keep: Path | None = None,
    command: str = "",
) -> Study:
    """Every method on the same shapes; the same config gives the same answers on the same machine.

    ``keep`` is a folder for the fields, to be asked later; their card names the ``command`` that made them.
    """
    made = _Run(config, settings, folder, device, progress)
    study = made.study()
    if keep is not None:
        rows = study.kept()
        save(keep, {name: made.fields[key].to("cpu") for name, key in rows.items()}, card_of(study, rows, command))
    return study


class _Run:
    def __init__(
        self, config: Config, settings: Settings, folder: Path | None, device: str, progress: Progress
    ) -> None:
        self.config, self.settings, self.folder = config, settings, folder
        self.device, self.progress = device, progress
        self.a, self.b, self.validation, self.test, self.again = (
            tuple(cases(config, part, settings)) for part in PARTS
        )
        self.steps = 2 * config.members + 2 * (1 + len(config.strengths)) + 5  # fits, and methods that are judged
        self.done = 0
        self.truths: dict[int, np.ndarray] = {}
        self.fields: dict[str, Field] = {}  # of the methods that were judged

    def study(self) -> Study:
        first = [self._learned(member) for member in range(self.config.members)]
        networks: list[FieldNetwork] = [fitted.state.model for fitted in first]
        later = [self._adapted(network, member) for member, network in enumerate(networks)]
        spent = [fitted.seconds for fitted in first]
        alone = later[0]
        parts = [Part(n, deterministic.METHOD, f.state) for n, f in zip(networks, later, strict=True)]
        context = alone.state.context
        before = frozen(deterministic.State(_HEAD, context, trainable_copy(networks[0].head)))
        untouched = Field((Part(networks[0], deterministic.METHOD, before),))
        dropping = mc_dropout.State(mc_dropout.Config(scope="head"), context, alone.state.model, ())
        rows = [
            self._as_seen(),
            self._row("before", "Network of A", untouched, spent[0], 0.0),
            self._row("single", "Single network", Field((parts[0],)), spent[0], alone.seconds),
            self._row(
                "mc_dropout",
                "MC dropout",
                Field((Part(networks[0], mc_dropout.METHOD, dropping),), self.config.draws),
                spent[0],
                alone.seconds,
            ),
        ]
        tried = [self._dropsembles(networks[0], spent[0], strength) for strength in (0.0, *self.config.strengths)]
        chosen = Study(self.config, tuple(tried)).best(row.key for row in tried)
        rows += [*tried, replace(chosen, key="dropsembles", title="Dropsembles, chosen")]
        adapting = sum(fitted.seconds for fitted in later)
        rows.append(self._row("ensemble", "Deep ensemble", Field(tuple(parts)), sum(spent), adapting))
        return Study(self.config, tuple(rows))

    def _learned(self, member: int) -> Fitted:
        """A whole network on A, from a start of its own."""
        config = self.config
        cells = [case.grid.ravel() for case in self.a]
        packed = np.stack([np.concatenate([grid, c.places.ravel()]) for grid, c in zip(cells, self.a, strict=True)])
        labels = torch.from_numpy(np.stack([case.targets for case in self.a])).float()
        keys = torch.tensor([case.key for case in self.a])
        schedule = Schedule(
            epochs=config.epochs,
            batch=config.batch,
            optimiser="adam",
            rate=config.learning_rate,
            warmup=0.05,
            clip=1.0,
        )
        return self._fitted(
            f"a-{member}",
            deterministic.METHOD,
            deterministic.Config(scope="network"),
            build(config.network, config.seed, member),
            FitContext("multilabel", labels.shape[1], len(self.a), self._seed(member)),
            Examples(InMemory(torch.from_numpy(packed).float()), labels, keys),
            schedule,
        )

    def _adapted(
        self,
        network: FieldNetwork,
        member: int,
        method: Method[Any, Any] = deterministic.METHOD,
        settings: Any = _HEAD,
        prepare: Callable[[Any], Any] = unchanged,
        name: str = "b",
    ) -> Fitted:
        """A decoder on what is seen of B; the encoder stays."""
        config = self.config
        examples = _places(network, self.b)
        batch = min(1024, len(examples))
        schedule = Schedule(
            epochs=config.later_epochs, batch=batch, optimiser="adam", rate=config.learning_rate / 4, clip=1.0
        )
        context = FitContext("multilabel", 1, len(examples), self._seed(member))
        return self._fitted(f"{name}-{member}", method, settings, network, context, examples, schedule, prepare)

    def _dropsembles(self, network: FieldNetwork, spent: float, strength: float) -> Row:
        settings = dropsembles.Config(scope="head", members=self.config.members, ewc=strength)

        def anchored(state: dropsembles.State) -> dropsembles.State:
            examples = _places(network, self.a, math.ceil(_FISHER_PLACES / len(self.a)))
            return dropsembles.anchored(state, batches_of(examples, 256), torch_generator("fisher", self.config.seed))

        key = f"dropsembles {strength:g}"
        prepare = anchored if strength else unchanged
        fitted = self._adapted(network, 0, dropsembles.METHOD, settings, prepare, key.replace(" ", "-"))
        title = f"Dropsembles, lambda {strength:g}"
        field = Field((Part(network, dropsembles.METHOD, fitted.state),))
        return self._row(key, title, field, spent, fitted.seconds, strength)

    def _fitted(
        self,
        name: str,
        method: Method[Any, Any],
        settings: Any,
        network: FieldNetwork,
        context: FitContext,
        examples: Examples,
        schedule: Schedule,
        prepare: Callable[[Any], Any] = unchanged,
    ) -> Fitted:
        identity = fingerprint("shapes", name, self.config.learned())
        wanted = Fit(
            method, settings, network, context, examples, schedule, Augment(), prepare=prepare, identity=identity
        )
        folder = None if self.folder is None else self.folder / name
        found = fit(wanted, folder, fabric=fabric_of(schedule, self.device), keep=folder is not None)
        self._advance()
        return found

    def _row(
        self, key: str, title: str, field: Field, first: float, later: float, strength: float | None = None
    ) -> Row:
        """Judged, or read where an earlier sitting judged it: this takes longer than many a fit."""
        self.fields[key] = field
        name = f"row-{fingerprint(key, self.config)[:16]}.json"
        known = {} if self.folder is None else read(self.folder / name)
        row = Row.from_json(known) if known else self._compared(key, title, strength, field, first, later)
        if self.folder is not None and not known:
            write(self.folder / name, row.to_json())
        self._advance()
        return row

    def _compared(self, key: str, title: str, strength: float | None, field: Field, first: float, later: float) -> Row:
        field = field.to(self.device)
        figures = [self._judge(case, *self._answer(field, case)) for case in self.test]
        again = [dice(self._answer(field, case)[0] > 0.5, self._truth(case)).value or 0.0 for case in self.again]
        losses = [_loss(ask(field, c.grid, c.places, key=c.key).mean(axis=0), c.targets) for c in self.validation]
        found = {name: tuple(one[name] for one in figures) for name in FIGURES}
        return Row(key, title, strength, found, tuple(again), float(np.mean(losses)), self._cost(field, first, later))

    def _as_seen(self) -> Row:
        """What the observation says by itself, interpolated: the least that a method must beat."""
        figures = []
        for case in self.test:
            probs = case.seen.on(case.box, case.box.counts(self.config.step))
            figures.append(self._judge(case, probs, np.minimum(probs, 1.0 - probs)))
        self._advance()
        found = {name: tuple(one[name] for one in figures) for name in FIGURES}
        return Row("seen", "As it is seen", None, found, (), None, None)

    def _answer(self, field: Field, case: Case) -> tuple[np.ndarray, np.ndarray]:
        shape = case.box.counts(self.config.step)
        nodes = case.box.to_unit(case.box.nodes(shape))
        draws = ask(field, case.grid, nodes, key=case.key, seed=self.config.seed)
        return draws.mean(axis=0, dtype=np.float64).reshape(shape), doubt_of(draws).total.reshape(shape)

    def _judge(self, case: Case, probs: np.ndarray, doubt: np.ndarray) -> dict[str, float | None]:
        truth = self._truth(case)
        spacing = [side / (count - 1) for side, count in zip(case.box.size, truth.shape, strict=True)]
        return judged(probs, doubt, truth, spacing, self.config.band)

    def _truth(self, case: Case) -> np.ndarray:
        """Computed once a shape: every method is compared with it."""
        if case.key not in self.truths:
            shape = case.box.counts(self.config.step)
            self.truths[case.key] = (case.truth.level(case.box.nodes(shape)) < 0).reshape(shape)
        return self.truths[case.key]

    def _seed(self, member: int) -> int:
        return seed_of("shape study", self.config.seed, member)

    def _cost(self, field: Field, first: float, later: float) -> Cost:
        """Encoders once each, decoders once a draw and place."""
        network = field.parts[0].network
        cells = math.prod(self.config.shape)
        few, more = (describe(network, torch.zeros(1, cells + len(self.config.shape) * n)) for n in (1, 2))
        decoder = more.macs - few.macs
        heads = sum(parameter.numel() for parameter in network.head.parameters())
        members = self.config.members if field.parts[0].method is dropsembles.METHOD else 1
        places = math.prod(self.test[0].box.counts(self.config.step))
        count, draws = len(field.parts), members * field.draws
        macs = count * (few.macs - decoder + draws * places * decoder)
        return Cost(first, later, count * (few.params + (members - 1) * heads), macs)

    def _advance(self) -> None:
        self.done += 1
        self.progress(self.done, self.steps, "fits and comparisons")


def _places(network: FieldNetwork, learned: Sequence[Case], most: int | None = None) -> Examples:
    """The places of some shapes one by one, with their codes; each has a key of its own.

    ``most`` takes about so many of each, evenly: a case's places begin with those near the surface.
    """
    rows = [np.arange(0, len(case.places), max(1, len(case.places) // (most or len(case.places)))) for case in learned]
    features = torch.cat([features_of(network, c.grid, c.places[some]) for c, some in zip(learned, rows, strict=True)])
    labels = np.concatenate([case.targets[some] for case, some in zip(learned, rows, strict=True)])
    keys = torch.cat([torch.from_numpy(some) + case.key for case, some in zip(learned, rows, strict=True)])
    return Examples(InMemory(features), torch.from_numpy(labels).float()[:, None], keys)


def _loss(probs: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross-entropy in nats, of labels or soft targets."""
    p = np.clip(probs.astype(np.float64), 1e-7, 1.0 - 1e-7)
    return float(-(targets * np.log(p) + (1.0 - targets) * np.log(1.0 - p)).mean())
