"""The small networks of scenes that studies begin with; they do not come with the app."""

from __future__ import annotations

from core.experiments._study import Spoken


def _small(method: str) -> Spoken:
    name = f"scenes-small-{method.replace('_', '-')}"
    chosen = "" if method == "deterministic" else f" --set method={method}"
    return Spoken(name, f"core train vi-pann-small-pretrain{chosen} --name {name}", 2)


MODELS = tuple(_small(method) for method in ("deterministic", "mc_dropout", "flipout"))
