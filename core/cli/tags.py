"""python -m core tags: the tags and notes beside the items of a collection."""

from __future__ import annotations

import argparse

from core.cli import Command, Outcome, answer_in_json
from core.pipeline import marks
from core.settings import Settings


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="every tag and note, and which items have them")
    actions.add_parser("add", help="give some items a tag")
    actions.add_parser("remove", help="take a tag from some items")
    actions.add_parser("note", help="write a note beside an item; an empty one removes it")
    for name, action in actions.choices.items():
        action.add_argument("collection", help="its name")
        if name in ("add", "remove"):
            action.add_argument("tag")
            action.add_argument("ids", nargs="+", metavar="ID", help="of items")
        elif name == "note":
            action.add_argument("id", metavar="ID", help="of an item")
            action.add_argument("text")
        answer_in_json(action)


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    if options.action == "add":
        marks.tag(options.collection, options.ids, options.tag, settings)
    elif options.action == "remove":
        marks.untag(options.collection, options.ids, options.tag, settings)
    elif options.action == "note":
        marks.note(options.collection, [options.id], options.text, settings)
    found = marks.marks_of(options.collection, settings)
    counts = found.counts()
    lines = [f"{tag}: {count:,} item{'' if count == 1 else 's'}" for tag, count in counts.items()]
    lines += [f"{id_}: {text}" for id_, text in found.notes.items()]
    tags = {id_: list(tags) for id_, tags in found.tags.items()}
    document = {"collection": options.collection, "counts": counts, "tags": tags, "notes": dict(found.notes)}
    return Outcome(document, tuple(lines) or ("No item has a tag or a note.",))


COMMAND = Command("tags", "tags and notes beside the items of a collection", _arguments, _run)
