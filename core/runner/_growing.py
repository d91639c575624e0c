"""An answer of many draws in slices: others have their turn in between, and no draw is made twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from core.contracts import Moments
from core.metrics.arrays import plain
from core.metrics.uncertainty import bernoulli, decompose, max_softmax, shannon
from core.runner._contract import Answer

_FIRST, _SLICE = 8, 64  # draws of the first look, and between the further ones
NO_MORE = "no-more-draws"  # the refusal of a model whose draws were all told: it has as many as members
_PARTS = ("total", "aleatoric", "epistemic")


def first_draws(wanted: int) -> tuple[int, ...]:
    """After how many draws there is something to tell, before they are all there. The last slice is none too small."""
    if wanted < 2 * _FIRST:
        return ()
    return (_FIRST, *range(_SLICE, wanted - _SLICE // 2 + 1, _SLICE))


def joined(before: Answer, more: Answer) -> Answer:
    """The draws of both; ``more`` goes on where ``before`` ends. What does not hang on the draws is that of either."""
    assert before.probs is not None, "draws are joined where they are kept"
    assert more.probs is not None, "draws are joined where they are kept"
    probs = np.concatenate([before.probs, more.probs])
    wide, spread = probs.astype(np.float64), shannon if more.task == "multiclass" else bernoulli
    mean, entropy = wide.mean(axis=0), spread(wide).mean(axis=0)
    m2 = np.square(wide - mean).sum(axis=0)
    numbers: Any = (mean, entropy, m2)
    moments = Moments(len(probs), numbers[0], numbers[1], numbers[2], more.task)
    parts, drawn = decompose(moments), decompose(plain(probs, more.task))
    doubts = {name: getattr(parts, name) for name in _PARTS} | {"max_softmax": max_softmax(moments)}
    errors = {name: getattr(drawn, f"{name}_error") for name in _PARTS}
    return replace(
        more,
        draws=len(probs),
        probs=probs,
        mean=mean,
        mean_entropy=entropy,
        m2=m2,
        doubts={name: doubts.get(name, values) for name, values in more.doubts.items()},
        errors={name: values for name, values in errors.items() if values is not None},
        seconds=before.seconds + more.seconds,
        waited=before.waited + more.waited,
    )
