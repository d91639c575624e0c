"""python -m core ask: what models say of items from elsewhere, or of items whose knob is turned."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, at_least_one, report
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.elsewhere import Elsewhere


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, nargs="+", metavar="NAME", help="one or more, of one kind")
    parser.add_argument(
        "--about",
        required=True,
        action="append",
        metavar="DOMAIN",
        help="soundbox:ships, toybox:held-out, mixing, spoiling ..., or SOURCE[:SPLIT]; repeatable",
    )
    parser.add_argument("--most", type=at_least_one, default=200, metavar="N", help="items of a domain; 200 by default")
    parser.add_argument("--samples", type=at_least_one, metavar="S", help="draws; as the held-out answers by default")
    parser.add_argument("--seed", type=int, metavar="N", help="of the draws; the model's by default")
    parser.add_argument("--again", action="store_true", help="ask anew what is stored already")
    parser.add_argument("--ship", action="store_true", help="keep the answers beside the app's own models")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.checkpoints.folders import find
    from core.device import choose
    from core.pipeline.elsewhere import domain_of

    for name in options.model:
        find(name, settings)  # a wrong name is told before anything is read
    domains = [domain_of(key) for key in dict.fromkeys(options.about)]
    from core.pipeline.ask import ask

    found = [
        one
        for domain in domains
        for one in ask(
            options.model,
            domain,
            settings,
            most=options.most,
            draws=options.samples,
            seed=options.seed,
            again=options.again,
            device=choose(settings.device).key,
            progress=report,
            ship=options.ship,
        )
    ]
    return Outcome({"asked": [_row(one) for one in found]}, tuple(_line(one) for one in found))


def _row(found: Elsewhere) -> dict[str, Any]:
    return {
        "model": found.model,
        "domain": found.domain,
        "title": found.title,
        "items": len(found),
        "learned": int(found.learned.sum()),
        "draws": found.draws,
        "seed": found.seed,
        "seconds_per_item": found.seconds,
        "hardware": found.hardware,
        "fingerprint": found.fingerprint,
        "mean": {name: float(values.mean()) for name, values in found.doubts.items()},
        "notes": list(found.notes),
    }


def _line(found: Elsewhere) -> str:
    told = ", ".join(f"{name} {values.mean():.3f}" for name, values in found.doubts.items())
    return f"{found.model} about {found.title}: {len(found):,} items, {found.draws} draws; mean {told}"


COMMAND = Command("ask", "ask models about items from elsewhere or with a knob turned, and keep it", _arguments, _run)
