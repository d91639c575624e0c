"""python -m core lists: the ready-made lists of the Map page, for a collection or a model's held-out items."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import Command, Outcome
from core.pipeline import lists
from core.pipeline.atlas import HELDOUT, Atlas, open_atlas
from core.pipeline.lists import Listed
from core.settings import Settings

_SHOWN = 10


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", help=f"its name, or {HELDOUT} for what came with the model")
    parser.add_argument("--model", required=True, metavar="NAME", help="that the collection was indexed with")
    parser.add_argument("--list", choices=list(lists.titles()), help="one of them whole; without it, what each holds")
    parser.add_argument("--alike", type=float, default=lists.ALIKE, metavar="COSINE", help="of near duplicates")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    atlas = open_atlas(options.collection, options.model, settings)
    keys = [options.list] if options.list else list(lists.titles())
    found = [lists.listed(atlas, key, least=options.alike) for key in keys]
    lines: list[str] = []
    for one in found:
        lines.append(f"{one.title}: {one.why_not or one.finding}")
        shown = list(zip(one.rows.tolist(), one.notes, strict=True))[: None if options.list else _SHOWN]
        lines += [f"  {atlas.ids[row]}: {note}" for row, note in shown]
    return Outcome(
        {"data": atlas.name, "model": atlas.model, "lists": [_row(atlas, one) for one in found]}, tuple(lines)
    )


def _row(atlas: Atlas, one: Listed) -> dict[str, Any]:
    items = [{"id": atlas.ids[row], "why": note} for row, note in zip(one.rows.tolist(), one.notes, strict=True)]
    return {
        "list": one.key,
        "title": one.title,
        "means": one.means,
        "finding": one.finding or None,
        "why_not": one.why_not,
        "items": items,
    }


COMMAND = Command("lists", "what is ambiguous, novel, wrongly labelled, there twice, in between", _arguments, _run)
