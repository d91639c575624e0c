"""python -m core map: draw the items of a collection so that similar ones lie close."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from functools import partial

from core.cli import Command, Outcome, report
from core.errors import UserFacingError
from core.settings import Settings


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", help="indexed with a --model")
    parser.add_argument("--heldout", metavar="MODEL", help="draw the held-out items that came with a model instead")
    parser.add_argument("--ship", action="store_true", help="of --heldout: keep the map beside the app's own models")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--neighbours", type=int, default=15, metavar="N", help="more shows the large, fewer the near")
    parser.add_argument(
        "--min-dist", type=float, default=0.1, metavar="D", help="how close points may lie, from 0 to 0.99"
    )
    parser.add_argument("--metric", default="cosine", metavar="M", help="cosine or euclidean")
    parser.add_argument("--compare", type=int, metavar="N", help="draw another seed too and say how far the two agree")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.maps.draw import MapOptions
    from core.pipeline.map import draw_heldout, draw_map, seeds_agree

    if (options.collection is None) == (options.heldout is None):
        raise UserFacingError("Name a collection, or a model after --heldout, and not both.", code="what")
    wanted = MapOptions(options.neighbours, options.min_dist, options.metric, options.seed)
    if options.heldout is None:
        draw, what = partial(draw_map, options.collection), f"collection {options.collection!r}"
    else:
        draw = partial(draw_heldout, options.heldout, ship=options.ship)
        what = f"those held out from {options.heldout}"
    drawn = draw(settings, wanted, report)
    agreed = None
    if options.compare is not None:
        agreed = seeds_agree(drawn, draw(settings, replace(wanted, seed=options.compare), report))
    lines = [
        f"{len(drawn.ids):,} items of {what} by {drawn.method.upper()} from the vectors of "
        f"{drawn.backbone.key}. {drawn.seconds:.1f} s."
    ]
    if drawn.trust.trustworthiness is not None:
        lines.append(
            f"  trustworthiness {drawn.trust.trustworthiness:.3f}, neighbours kept {drawn.trust.kept:.3f} "
            f"(of {drawn.trust.k}, {drawn.trust.asked:,} items asked)"
        )
    if agreed is not None:
        lines.append(f"  seeds {options.seed} and {options.compare} share {agreed:.3f} of the neighbours they draw")
    lines += [f"  note: {note}" for note in drawn.notes]
    document = {
        "collection": options.collection,
        "heldout": options.heldout,
        "map": drawn.key,
        "method": drawn.method,
        "items": len(drawn.ids),
        "backbone": drawn.backbone.key,
        "options": asdict(drawn.options),
        **asdict(drawn.trust),
        "seeds_agree": agreed,
        "seconds": drawn.seconds,
        "notes": list(drawn.notes),
        "points": [{"id": id_, "x": x, "y": y} for id_, (x, y) in zip(drawn.ids, drawn.points.tolist(), strict=True)],
    }
    return Outcome(document, tuple(lines))


COMMAND = Command("map", "draw the items of a collection so that similar ones lie close", _arguments, _run)
