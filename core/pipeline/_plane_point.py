"""One run in the plane as rows of a sweep: a row a method, told apart by method=..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.configs import parsed, with_settings
from core.fingerprint import fingerprint
from core.pipeline._point import Done, Measured, once
from core.settings import Settings
from core.training import plane
from core.training.plane import Config, Result, Scores

RECIPE = "dropsembles-toy"
_VERSION = 1
_MEMBERS = 4
_ASIDE = ("truth", "before")  # what is no method that saw B


def settings_of(given: Sequence[str]) -> tuple[int, Config]:
    """Members and the plane's Config; pictures are left out."""
    members, config = _MEMBERS, Config()
    for setting in given:
        name, _, text = setting.partition("=")
        if name == "members":
            members = parsed(int, text, name)
        else:
            config = with_settings(config, (setting,))
    return members, replace(config, side=2)


def done(given: Sequence[str], seed: int, settings: Settings) -> Done:
    members, config = settings_of(given)
    mark = fingerprint("plane", _VERSION, config, members, seed)[:32]
    return once(mark, settings, lambda: _run(mark, seed, members, config))


def _run(mark: str, seed: int, members: int, config: Config) -> Done:
    found = plane.run(seed, members, config)
    rows = tuple(_measured(result) for result in found.results if result.key not in _ASIDE)
    return Done(mark, rows, {"train": config.given, "validation": config.validation, "test": config.test})


def _measured(result: Result) -> Measured:
    test = _told(result.b) | {f"first.{name}": value for name, value in _told(result.a).items()}
    cost = {"train_seconds": result.seconds, "later_seconds": result.later_seconds, "draws": float(result.draws)}
    more = (f"method={result.key.replace(' ', '-')}",)
    return Measured(more, {"nll": result.validation_nll}, test, cost)


def _told(scores: Scores) -> dict[str, float]:
    return {"accuracy": scores.accuracy, "nll": scores.nll, "ece": scores.ece}
