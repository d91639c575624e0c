"""python -m core crossval: every published fold scored once, by settings that were chosen without it."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, at_least_one, report
from core.errors import UserFacingError
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.crossval import CrossValidation

_SHOWN = ("accuracy", "map", "nll", "brier", "ece", "aurc", "augrc", "error_auroc", "r_at_1", "r_auroc")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="a recipe's key; 'python -m core train' lists them")
    parser.add_argument("--name", help="of the model that --keep keeps; the recipe's key by default")
    parser.add_argument("--copy", type=Path, metavar="PATH", help="where a published set lies on this machine")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable")
    parser.add_argument(
        "--candidate",
        action="append",
        default=[],
        metavar="'KEY=VALUE ...'",
        help="settings to choose between, instead of the recipe's own; repeatable",
    )
    parser.add_argument("--folds", type=int, nargs="*", default=[], help="score these folds alone")
    parser.add_argument("--against", metavar="RECIPE", help="compare with another recipe on the same items")
    parser.add_argument("--measure", default="max_softmax", help="the doubt behind AUGRC and error AUROC")
    parser.add_argument("--plain", action="store_true", help="fit nothing out of fold: one candidate, no temperature")
    parser.add_argument("--keep", type=int, metavar="FOLD", help="keep the model that was scored on this fold")
    parser.add_argument("--ship", action="store_true", help="keep it among the models that come with the app")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=at_least_one, default=None, help="CPU threads; all by default")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.device import choose, settle_process
    from core.pipeline.crossval import crossval, paired
    from core.store.artifacts import check_name_of
    from core.training.plan import plan_of
    from core.training.recipes import pick

    settle_process(options.threads)
    device = choose(options.device or settings.device).key
    recipe, name = pick(options.recipe), options.name or options.recipe
    check_name_of(name)
    if options.keep is not None and options.folds and options.keep not in options.folds:
        raise UserFacingError(
            f"The model of fold {options.keep} is to be kept, and only {options.folds} are scored; add it to --folds.",
            code="setting",
        )
    given = {"only": options.folds, "calibrated": not options.plain, "device": device, "copy": options.copy}
    given["measure"] = options.measure
    candidates = tuple(tuple(words.split()) for words in options.candidate) or recipe.candidates
    plan = plan_of(recipe, tuple(options.set))
    found = crossval(plan, candidates, settings, name=name, progress=report, **given)
    document, lines = _document(found, name), _lines(found, name)
    if options.against:
        other = pick(options.against)
        given["calibrated"] = bool(other.candidates)  # a baseline without choices is scored as it is
        beside = crossval(plan_of(other), other.candidates, settings, name=other.key, progress=report, **given)
        difference = paired(found, beside)
        document["against"] = {"recipe": other.key, **_document(beside, other.key), "paired": difference}
        lines += [f"  less {other.key}:", *[f"    {k:<10} {_shown(v)}" for k, v in difference.items()]]
    if options.keep is not None:
        _keep(found, options.keep, name, settings, _command(options, name), options.ship)
    return Outcome(document, tuple(lines))


def _keep(found: CrossValidation, number: int, name: str, settings: Settings, command: str, shipped: bool) -> None:
    from dataclasses import replace

    from core.pipeline.keep import keep
    from core.pipeline.train import Trained

    fold = next(one for one in found.folds if one.number == number)
    card = replace(fold.model.card, name=name)
    trained = Trained(replace(fold.model, card=card), fold.ready, fold.fitted)
    calibration = None
    if fold.inside is not None:
        calibration = fold.inside, fold.inside_labels, f"{len(fold.inside)} out-of-fold answers of the training folds"
    keep(trained, settings, command=command, shipped=shipped, calibration=calibration)


def _command(options: argparse.Namespace, name: str) -> str:
    fold = str(options.keep)
    words = ["python", "-m", "core", "crossval", options.recipe, "--name", name, "--folds", fold]
    words += [word for setting in options.set for word in ("--set", setting)]
    words += [word for candidate in options.candidate for word in ("--candidate", candidate)]
    words += ["--plain"] if options.plain else []
    return shlex.join([*words, "--keep", fold, *(["--ship"] if options.ship else [])])


def _document(found: CrossValidation, name: str) -> dict[str, Any]:
    return {
        "recipe": name,
        "folds": [
            {
                "fold": fold.number,
                "chosen": list(fold.candidate),
                "losses": list(fold.losses),
                **{key: fold.evaluation.figures[key].value for key in _SHOWN},
            }
            for fold in found.folds
        ],
        "mean": {key: _mean(found, key)[0] for key in _SHOWN},
        "sd": {key: _mean(found, key)[1] for key in _SHOWN},
        "pooled": {key: found.pooled.figures[key].value for key in _SHOWN},
        "intervals": {key: list(value) for key, value in found.pooled.intervals.items()},
        "measure": found.pooled.measure,
        "measures": {
            name: {key: figure.value for key, figure in row.items()} for name, row in found.pooled.measures.items()
        },
        "retention": {
            name: [[float(k), float(v)] for k, v in zip(curve.kept, curve.value, strict=True)]
            for name, curve in found.pooled.retention.items()
        },
    }


def _mean(found: CrossValidation, key: str) -> tuple[float | None, float | None]:
    import numpy as np

    values = [fold.evaluation.figures[key].value for fold in found.folds]
    known = [value for value in values if value is not None]
    if not known:
        return None, None
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None


def _lines(found: CrossValidation, name: str) -> list[str]:
    lines = [f"{name}: {len(found.folds)} folds, {found.pooled.n:,} items, each scored once"]
    for fold in found.folds:
        chosen = ", ".join(fold.candidate) or "as planned"
        accuracy, nll = (fold.evaluation.figures[key].value for key in ("accuracy", "nll"))
        lines.append(f"  fold {fold.number}: accuracy {accuracy:.3f}, NLL {nll:.3f}; chosen: {chosen}")
    for key in _SHOWN:
        value, (mean, sd) = found.pooled.figures[key].value, _mean(found, key)
        if value is None:
            continue
        low, high = found.pooled.intervals.get(key, (None, None))
        spread = f"; folds {mean:.3f} +- {sd:.3f}" if mean is not None and sd is not None else ""
        lines.append(f"  {key:<12} {_shown((value, low, high))}{spread}")
    return lines


def _shown(figure: tuple[float, float | None, float | None]) -> str:
    value, low, high = figure
    return f"{value:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


COMMAND = Command("crossval", "score every fold of a set once, with a choice nested inside", _arguments, _run)
