"""Ask models about items from elsewhere, or with a knob turned, and keep what they say for ``core.pipeline.elsewhere``.

An item is read once and goes through each network once; every head on that network answers it from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from core.checkpoints import heldout
from core.checkpoints.answering import answers, device_of
from core.checkpoints.answers import MEASURES, Answers
from core.checkpoints.folders import find, mark_of
from core.checkpoints.saved import Model, load_model
from core.checkpoints.seen import seen_by
from core.checkpoints.vectors import vectors_of
from core.contracts import Kind, Media, Progress, no_progress
from core.data import open_source
from core.device import hardware
from core.errors import DataError, UserFacingError
from core.fingerprint import fingerprint, key_of, sha256_of
from core.media import door
from core.pipeline._judge import usable
from core.pipeline._turned import LINES, MIXES, Turned, mixtures, shared_box, spoilt
from core.pipeline.atlas import plain
from core.pipeline.elsewhere import MOST, Domain, Elsewhere, load, paths_of, read, save, spread
from core.settings import Settings
from core.training.examples import Examples, InMemory

_CHUNK = 48  # items in memory at once


@dataclass(frozen=True, slots=True)
class _Thing:
    """One item to ask about."""

    id: str
    read: Callable[[], bytes]
    group: str
    label: str | None = None  # a class by name
    knob: float = float("nan")
    line: str = ""


@dataclass(frozen=True, slots=True)
class _Heard:
    """An item that could be read."""

    thing: _Thing
    sha256: str


@dataclass(frozen=True, slots=True)
class _Things:
    """What is asked about."""

    kind: Kind
    source: str  # key of the data set
    title: str  # what people call it
    things: Sequence[_Thing]
    notes: tuple[str, ...] = ()  # what of it was left out


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model, and how it is asked."""

    model: Model
    mark: str
    draws: int
    seed: int
    parts: list[Answers] = field(default_factory=list)


def ask(
    names: Sequence[str],
    domain: Domain,
    settings: Settings,
    *,
    most: int = MOST,
    draws: int | None = None,
    seed: int | None = None,
    again: bool = False,
    device: str = "cpu",
    progress: Progress = no_progress,
    ship: bool = False,
) -> tuple[Elsewhere, ...]:
    """What is stored already is not asked again. ``draws`` and ``seed`` None: as the held-out answers were given;
    ``ship``: keep the answers beside the models that come with the app."""
    asked = [_asked(name, settings, draws, seed, device) for name in dict.fromkeys(names)]
    fresh = [one for one in asked if again or not _is_kept(one, domain, most, settings, ship)]
    if fresh:
        asking = _things(domain, fresh, settings, most)
        _refuse_kind(fresh, asking)
        heard, problems = _answer(fresh, asking, progress)
        notes = (*asking.notes, *((f"{problems:,} items could not be read",) if problems else ()))
        for one in fresh:
            save(_found(one, domain, asking, heard, notes, most, device, settings), settings, ship=ship)
    found = [load(one.model.name, one.mark, domain.key, settings, one.draws, one.seed) for one in asked]
    return tuple(one for one in found if one is not None)


def _asked(name: str, settings: Settings, draws: int | None, seed: int | None, device: str) -> _Asked:
    model = load_model(name, settings, device)
    if draws is None:
        try:
            draws = heldout.load_heldout(name, settings).answers.draws
        except UserFacingError:
            draws = model.method.own_draws(model.state.config)
    return _Asked(model, mark_of(find(name, settings)), draws, model.card.seed if seed is None else seed)


def _is_kept(one: _Asked, domain: Domain, most: int, settings: Settings, ship: bool) -> bool:
    own, shipped = paths_of(one.model.name, one.mark, domain.key, most, one.draws, one.seed, settings)
    return read(shipped if ship else own) is not None


def _refuse_kind(asked: Sequence[_Asked], asking: _Things) -> None:
    for one in asked:
        if one.model.card.kind != asking.kind:
            raise DataError(
                f"{one.model.name} takes the kind {one.model.card.kind}, and {asking.title} is of the kind "
                f"{asking.kind}; name items of its kind.",
                code="kind",
            )


def _things(domain: Domain, asked: Sequence[_Asked], settings: Settings, most: int) -> _Things:
    if domain.turned:
        return _turned(domain, asked, most)
    dataset = open_source(domain.source, settings)
    items = [item for item in dataset.items if domain.split in (None, item.split)]
    items = [item for item in items if domain.part in (None, dict(item.extra).get("part"))]
    if not items:
        raise DataError(f"{dataset.title} has no items of {domain.key}; leave the split out.", code="no-items")
    things = [
        _Thing(
            item.id,
            lambda item=item: dataset.read(item),
            item.group or item.id,
            None if item.label is None else dataset.classes[item.label],
        )
        for item in spread(items, most)
    ]
    left_out = dataset.notes if domain.kind is None else ()  # of a set they say how it was made
    return _Things(dataset.kind, dataset.key, domain.title, things, left_out)


def _turned(domain: Domain, asked: Sequence[_Asked], most: int) -> _Things:
    box = shared_box({one.model.card.data.key for one in asked})
    mixing = domain.knob == "mixing"
    lines = min(LINES, max(2, most // len(MIXES if mixing else box.levels)))
    made: Iterator[Turned] = mixtures(box, lines, 0) if mixing else spoilt(box, lines, 0)
    things = [
        _Thing(
            one.id,
            lambda one=one: one.make()[0],
            one.line,
            None if mixing else one.line.partition(":")[2],
            one.knob,
            one.line,
        )
        for one in made
    ]
    title = f"{box.key.capitalize()}: {'two classes mixed' if mixing else f'{box.spoiling} turned up'}"
    return _Things(box.kind, box.key, title, things)


def _answer(asked: Sequence[_Asked], asking: _Things, progress: Progress) -> tuple[list[_Heard], int]:
    things, kind = asking.things, asking.kind
    heard: list[_Heard] = []
    problems, waiting, done = 0, iter(things), 0
    while chunk := list(islice(waiting, _CHUNK)):
        media: list[Media] = []
        for thing in chunk:
            try:
                raw = thing.read()
                media.append(door.open_media(raw, kind=kind, expected=sha256_of(raw)))
                heard.append(_Heard(thing, media[-1].sha256))
            except (UserFacingError, OSError):
                problems += 1
        if media:
            _one_chunk(asked, media)
        done += len(chunk)
        progress(done, len(things), "ask")
    if not heard:
        raise DataError(f"None of the {len(things):,} items could be read.", code="nothing-read")
    return heard, problems


def _one_chunk(asked: Sequence[_Asked], media: Sequence[Media]) -> None:
    keys = torch.tensor([key_of(one.sha256) for one in media], dtype=torch.int64)
    ids, labels = tuple(one.sha256 for one in media), torch.full((len(media),), -1)
    inputs: dict[str, Tensor] = {}
    vectors: dict[str, tuple[Tensor, float]] = {}
    for one in asked:
        network, head = one.model.network, one.model.card.scope == "head"
        entry = f"{network.key} {network.entry!r}"
        if entry not in inputs:
            inputs[entry] = torch.stack([network.prepare(each).tensor for each in media])
        given, seconds = inputs[entry], 0.0
        if head:
            mark = vectors_of(one.model, one.mark).version
            if mark not in vectors:
                began = time.perf_counter()
                with torch.no_grad():
                    features = network.embed(given.to(device_of(one.model))).float().cpu()
                vectors[mark] = (features, (time.perf_counter() - began) / len(media))
            given, seconds = vectors[mark]
        examples = Examples(InMemory(given), labels, keys, ids)
        said = answers(one.model, examples, draws=one.draws, seed=one.seed, embedded=head)
        one.parts.append(_timed(said, seconds))


def _timed(said: Answers, embedding: float) -> Answers:
    return replace(said, features=None, moments=None, seconds=(said.seconds or 0.0) + embedding)


def _found(
    one: _Asked,
    domain: Domain,
    asking: _Things,
    heard: Sequence[_Heard],
    notes: tuple[str, ...],
    most: int,
    device: str,
    settings: Settings,
) -> Elsewhere:
    place = {plain(name): number for number, name in enumerate(one.model.card.classes)}
    keys = np.array([key_of(item.sha256) for item in heard], np.int64)
    learned = seen_by(one.model.name, settings)
    told = [usable(part) for part in one.parts]
    counts = [len(part) for part in one.parts]
    seconds = float(np.average([part.seconds or 0.0 for part in one.parts], weights=counts))
    return Elsewhere(
        domain=domain.key,
        title=asking.title,
        source=asking.source,
        model=one.model.name,
        mark=one.mark,
        draws=one.draws,
        seed=one.seed,
        most=most,
        fingerprint=fingerprint([item.sha256 for item in heard]),
        seconds=seconds,
        hardware=hardware(device),
        date=datetime.now(UTC).date().isoformat(),
        ids=tuple(item.thing.id for item in heard),
        groups=_numbers([item.thing.group for item in heard]),
        labels=np.array([place.get(plain(item.thing.label or ""), -1) for item in heard], np.int64),
        learned=np.zeros(len(heard), bool) if learned is None else np.isin(keys, learned),
        knob=np.array([item.thing.knob for item in heard], np.float64),
        lines=_numbers([item.thing.line for item in heard]),
        probs=np.concatenate([part.probs for part in one.parts]),
        doubts={
            name: np.concatenate([part[name] for part in told])
            for name in MEASURES
            if all(name in part for part in told)
        },
        notes=notes,
    )


def _numbers(names: Sequence[str]) -> np.ndarray:
    place = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([place[name] for name in names], np.int64)
