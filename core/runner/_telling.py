"""Answers as facts and plain arrays: what the worker tells of each request."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from core.checkpoints.answers import Answers
from core.metrics.uncertainty import decompose
from core.runner._models import Kept
from core.runner._wire import Message

_PARTS = ("total", "aleatoric", "epistemic")


def facts_of(kept: Kept, said: Answers) -> Message:
    card = kept.model.card
    return {
        "model": card.name,
        "task": card.task,
        "scope": card.scope,
        "classes": list(card.classes),
        "draws": said.draws,
        "score_name": said.score_name,
        "device": kept.device,
        "precision": "float32",
        "mark": kept.mark,
        "vectors": dataclasses.asdict(kept.vectors),
        "hears": None if card.kind == "image" else getattr(kept.model.network.entry, "seconds", None),
    }


def alone(said: Answers, row: int) -> Answers:
    """The answer to one item of a pass, with its draws."""
    moments, kept = said.moments, said.kept
    assert moments is not None
    assert said.features is not None
    at = slice(row, row + 1)
    score = None if moments.score is None else moments.score[at]
    parts = {name: getattr(moments, name)[at] for name in ("mean", "mean_entropy", "m2")}
    return dataclasses.replace(
        said,
        ids=said.ids[at],
        probs=said.probs[at],
        doubts={name: values[at] for name, values in said.doubts.items()},
        features=said.features[at],
        moments=dataclasses.replace(moments, **parts, score=score),
        kept=None
        if kept is None
        else dataclasses.replace(kept, answer=dataclasses.replace(kept.answer, probs=kept.answer.probs[:, at])),
    )


def arrays_of(said: Sequence[Answers]) -> dict[str, np.ndarray]:
    """Of the items of one request, by name."""
    moments = [one.moments for one in said if one.moments is not None]
    found = {
        name: torch.cat([getattr(one, name) for one in moments]).numpy() for name in ("mean", "mean_entropy", "m2")
    }
    found["features"] = np.concatenate([one.features for one in said if one.features is not None])
    found |= {f"doubts.{name}": np.concatenate([one.doubts[name] for one in said]) for name in said[0].doubts}
    drawn = [one.kept.answer for one in said if one.kept is not None]
    if drawn:
        whole = dataclasses.replace(drawn[0], probs=torch.cat([one.probs for one in drawn], dim=1))
        found["probs"] = whole.probs.numpy()
        parts = decompose(whole)
        errors = {name: getattr(parts, f"{name}_error") for name in _PARTS}
        found |= {f"errors.{name}": values for name, values in errors.items() if values is not None}
    return found
