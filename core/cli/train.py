"""python -m core train: fit a model by a recipe, judge it on what was held out, and keep it with its card.

The same command again goes on where it was stopped, and has nothing to do where its model is there. Only --again
trains anew; with --resume beside it, what the anew begun training has done is gone on with.
"""

from __future__ import annotations

import argparse
import shlex
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.cli import Command, Outcome, at_least_one, report
from core.errors import UserFacingError
from core.settings import Settings

_TOY = "dropsembles-toy"
_TOY_SAYS = "Two moons, then a few points of a turned copy: what each method forgets and finds out, beside the truth."


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", nargs="?", help="a recipe's key; without one, all are listed")
    parser.add_argument("--name", help="of the model; the recipe's key by default")
    parser.add_argument("--data", metavar="SOURCE", help="other data: a key, folder, manifest or .zip")
    parser.add_argument("--copy", type=Path, metavar="PATH", help="where a published set lies on this machine")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable")
    parser.add_argument("--again", action="store_true", help="train anew: forget what was begun under this name")
    parser.add_argument("--resume", action="store_true", help="go on where it was stopped, also with --again")
    parser.add_argument("--check", action="store_true", help="only say what would be trained, or why nothing can be")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--devices", type=at_least_one, default=1, help="processes on one machine")
    parser.add_argument("--nodes", type=at_least_one, default=1, help="machines")
    parser.add_argument("--threads", type=at_least_one, default=None, help="CPU threads; all by default")
    parser.add_argument("--ship", action="store_true", help="keep it among the models that come with the app")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    if options.recipe is None:
        return _listed()
    if options.recipe == _TOY:
        return _toy(options)
    from core.device import choose, settle_process
    from core.pipeline.finished import begin, end, finished
    from core.pipeline.keep import keep
    from core.pipeline.train import train
    from core.store.artifacts import check_name_of
    from core.training.plan import plan_of
    from core.training.recipes import pick
    from core.training.run_files import taken

    settle_process(options.threads)
    given = (*([f"data={options.data}"] if options.data else []), *options.set)
    plan = plan_of(pick(options.recipe), tuple(given))
    name = options.name or options.recipe
    if options.check:
        return _check(plan, name, options, settings)
    check_name_of(name)  # before a folder of this name is looked at
    device = choose(options.device or settings.device).key
    anew = options.again and not options.resume
    if not anew and (card := finished(plan, name, settings, shipped=options.ship, copy=options.copy, progress=report)):
        found = {"model": name, "trained": False, "card": card.to_json()}
        return Outcome(found, (*_told(card), "It was trained before; --again trains it anew."))
    with taken(settings.runs / name) if options.nodes == 1 else nullcontext():
        begin(plan, name, settings, anew=anew, recipe=options.recipe)
        several = {"devices": options.devices, "nodes": options.nodes}
        trained = train(plan, name, settings, device=device, copy=options.copy, progress=report, **several)
        command = _command(options, name)
        card = keep(trained, settings, command=command, shipped=options.ship, progress=report)
        if not trained.fitted.leads:
            raise SystemExit(0)  # of several processes one speaks
        end(name, settings)
    return Outcome({"model": name, "trained": True, "card": card.to_json()}, _told(card))


def _check(plan: Any, name: str, options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.pipeline.checked import checked

    found = checked(plan, name, settings, copy=options.copy, anew=options.again)
    if found.there:
        return Outcome(asdict(found), (f"{name} is trained already.",))
    items = f"from {found.train:,} items of {found.title}" if found.train is not None else "once its data are fetched"
    return Outcome(asdict(found), (f"{name}: {plan.method} on {plan.backbone} would be trained {items}.",))


def _command(options: argparse.Namespace, name: str) -> str:
    """The one line that makes this model again."""
    words = ["python", "-m", "core", "train", options.recipe, "--name", name]
    words += ["--data", options.data] if options.data else []
    words += [word for setting in options.set for word in ("--set", setting)]
    return shlex.join([*words, *(["--ship"] if options.ship else [])])


def _told(card: Any) -> tuple[str, ...]:
    lines = [f"{card.name}: {card.method} on {card.backbone}, {card.cost.seconds:.0f} s of training."]
    for key, figure in card.metrics.items():
        if figure.get("value") is not None:
            between = f" [{figure['low']:.3f}, {figure['high']:.3f}]" if figure.get("low") is not None else ""
            lines.append(f"  {key:<12} {figure['value']:.3f}{between}")
    return tuple(lines)


def _listed() -> Outcome:
    from core.training.recipes import recipes

    found = recipes()
    rows = [{"key": r.key, "title": r.title, "source": r.source, "summary": r.summary} for r in found.values()]
    rows.append({"key": _TOY, "title": "Dropsembles in the plane", "source": "Dropsembles", "summary": _TOY_SAYS})
    return Outcome({"recipes": rows}, tuple(f"{row['key']:<18} {row['title']}: {row['summary']}" for row in rows))


def _toy(options: argparse.Namespace) -> Outcome:
    """Figures for one seed or, with --set seeds=3, for several; no model is kept."""
    from core.configs import parsed, with_settings
    from core.training import plane

    if options.data or options.copy or options.name or options.ship:
        raise UserFacingError(
            f"{_TOY} makes its own points and keeps no model; leave --data, --copy, --name and --ship out.",
            code="setting",
        )
    counts = {"seeds": 1, "members": 4}
    for setting in options.set:
        name, _, text = setting.partition("=")
        if name in counts:
            counts[name] = parsed(int, text, name)
    config = with_settings(plane.Config(), [one for one in options.set if one.partition("=")[0] not in counts])
    if counts["seeds"] > 1:
        result = plane.study(range(counts["seeds"]), counts["members"], config, progress=report)
    else:
        result = plane.run(0, counts["members"], config, progress=report)
    return Outcome(plane.report(result), plane.lines(result))


COMMAND = Command("train", "fit a model by a recipe; without one, list the recipes", _arguments, _run)
