"""What a model said of items, as rows of a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.fingerprint import fingerprint
from core.store import UncertaintyRow

_TOP = 5  # classes that are stored with an item


def asked_as(name: str, mark: str, version: int, draws: int, seed: int) -> str:
    """UncertaintyRow.model: another training, method version, number of draws or seed is another one."""
    return fingerprint(name, mark, version, draws, seed)


def rows_of(
    ids: Sequence[str],
    probs: np.ndarray,
    doubts: Mapping[str, np.ndarray],
    draws: int,
    classes: tuple[str, ...],
    model: str,
) -> tuple[UncertaintyRow, ...]:
    """``probs`` are means (items, classes); ``model`` is the key of how it was asked."""
    order = np.argsort(-probs, axis=1, kind="stable")[:, :_TOP]
    rows = []
    for at, id_ in enumerate(ids):
        top = tuple((classes[place], float(probs[at, place])) for place in order[at].tolist())
        rows.append(
            UncertaintyRow(
                id=id_,
                model=model,
                total=float(doubts["total"][at]),
                aleatoric=_part(doubts, "aleatoric", at),
                epistemic=None if draws == 1 else _part(doubts, "epistemic", at),
                novelty=_part(doubts, "novelty", at),
                score=_part(doubts, "score", at),
                label=top[0][0],
                confidence=top[0][1],
                top=top,
            )
        )
    return tuple(rows)


def _part(doubts: Mapping[str, np.ndarray], name: str, at: int) -> float | None:
    value = float(doubts[name][at]) if name in doubts else None
    return value if value is not None and np.isfinite(value) else None
