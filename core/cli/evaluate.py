"""python -m core evaluate: how right a model is, and how well its doubt knows where it is not."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli import Command, Outcome, part_of, report
from core.data import open_source
from core.errors import UserFacingError
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.evaluate import Evaluation

_TITLES = {
    "accuracy": "accuracy",
    "map": "mean average precision",
    "nll": "NLL",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "aurc": "AURC",
    "augrc": "AUGRC",
    "error_auroc": "error AUROC",
    "r_at_1": "R@1",
    "r_auroc": "R-AUROC",
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="NAME", help="one of 'python -m core models'")
    parser.add_argument(
        "--data", metavar="SOURCE", help="a data-set key, folder, manifest or .zip; none: the answers stored with it"
    )
    parser.add_argument("--copy", type=Path, metavar="PATH", help="where a published --data lies on this machine")
    parser.add_argument("--classes", metavar="A,B", help="only these classes of --data; the model need not know them")
    parser.add_argument("--ood", metavar="SOURCE", help="data from elsewhere, to be told apart by doubt")
    parser.add_argument("--ood-copy", type=Path, metavar="PATH", help="where a published --ood lies on this machine")
    parser.add_argument("--ood-split", metavar="SPLIT", help="only this split of --ood: train, validation, test or ood")
    parser.add_argument(
        "--matched", action="store_true", help="first bring the sounds of both sets to 8 kHz and to one active length"
    )
    parser.add_argument("--fold", type=int, metavar="N", help="judge this fold; the card's test fold by default")
    parser.add_argument("--samples", type=int, metavar="S", help="draws of a sampling method; by default its own")
    parser.add_argument(
        "--views",
        type=int,
        default=1,
        metavar="N",
        help="pool N views of each item: shifted or cropped a little",
    )
    parser.add_argument(
        "--measure",
        metavar="M",
        help="total, aleatoric, epistemic, max_softmax, score or novelty; by default score or total, for --ood novelty",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of draws and intervals")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    _refuse_odd(options)
    from core.checkpoints.folders import find
    from core.checkpoints.saved import load_model
    from core.device import choose
    from core.pipeline.evaluate import Wanted, document, evaluate, evaluate_stored
    from core.training.divide import narrowed

    find(options.model, settings)  # a wrong name is told before anything is read
    ood = None
    if options.ood is not None:
        ood = part_of(open_source(options.ood, settings, options.ood_copy), options.ood_split)
    wanted = Wanted(options.samples, options.measure, options.seed, views=options.views, matched=options.matched)
    device = choose(settings.device).key
    if options.data is None:
        found = evaluate_stored(options.model, settings, ood=ood, wanted=wanted, device=device, progress=report)
    else:
        chosen = tuple(name.strip() for name in (options.classes or "").split(",") if name.strip())
        dataset = narrowed(open_source(options.data, settings, options.copy), chosen)
        model = load_model(options.model, settings, device)
        found = evaluate(model, dataset, settings, ood=ood, fold=options.fold, wanted=wanted, progress=report)
    return Outcome(document(found), _lines(found))


def _refuse_odd(options: argparse.Namespace) -> None:
    if options.samples is not None and options.samples < 1:
        raise UserFacingError(f"{options.samples} samples were asked for; it takes one or more.", code="samples")
    if options.data is None and any(part is not None for part in (options.fold, options.copy, options.classes)):
        raise UserFacingError("A fold, a copy or classes belong to a data set; name it with --data.", code="no-data")
    from core.media.views import MOST

    if not 1 <= options.views <= MOST:
        raise UserFacingError(f"{options.views} views were asked for; an item has 1 to {MOST}.", code="views")
    if options.views > 1 and (options.data is None or options.matched):
        raise UserFacingError("Views are of sounds or pictures as they are; name them with --data, without --matched.",
                              code="views")  # fmt: skip
    if options.ood is None and (options.ood_copy is not None or options.ood_split is not None):
        raise UserFacingError("A copy or a split belongs to a data set; name it with --ood.", code="no-data")


def _lines(found: Evaluation) -> tuple[str, ...]:
    draws = "one draw" if found.draws == 1 else f"{found.draws} draws"
    lines = [f"{found.model} on {found.title}: {found.n:,} items, {draws}", ""]
    width = max(map(len, _TITLES.values()))
    for key, title in _TITLES.items():
        figure = found.figures[key]
        if figure.value is None:
            if key != "map" or found.task == "multilabel":
                lines.append(f"  {title:<{width}}  -      {figure.reason}")
            continue
        low, high = found.intervals.get(key, (None, None))
        between = "" if low is None else f"  [{low:.3f}, {high:.3f}]"
        lines.append(f"  {title:<{width}}  {figure.value:.3f}{between}")
    lines += ["", f"  {'doubt':<12}  {'AURC':>6}  {'AUGRC':>6}  {'errors':>6}  {'R-AUROC':>7}"]
    for name, row in found.measures.items():
        cells = [_cell(row[key].value) for key in ("aurc", "augrc", "error_auroc", "r_auroc")]
        mark = "*" if name == found.measure else " "
        lines.append(f"{mark} {name:<12}  {cells[0]:>6}  {cells[1]:>6}  {cells[2]:>6}  {cells[3]:>7}")
    if found.ood is not None:
        lines += ["", f"  told from {found.ood.title}: AUROC of each doubt, and FPR at 95 %"]
        for name, row in found.ood.measures.items():
            mark = "*" if name == found.ood.measure else " "
            lines.append(f"{mark} {name:<12}  {_cell(row.auroc.value):>6}  {_cell(row.fpr95.value):>6}")
    lines += ["", *(f"  note: {note}" for note in found.notes)]
    return tuple(lines)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


COMMAND = Command("evaluate", "judge a model's answers and doubts on items it never saw", _arguments, _run)
