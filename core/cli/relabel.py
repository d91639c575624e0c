"""python -m core relabel: a list of items to correct, what the corrected one would change, and the way back."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

from core.cli import Command, Outcome, answer_in_json
from core.errors import UserFacingError
from core.pipeline import lists, relabel, relabel_sheet
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.marks import marks_of
from core.pipeline.relabel import Batch
from core.settings import Settings

_SHOWN = 10


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write a list with a column new_label to fill in")
    export.add_argument("--model", required=True, metavar="NAME", help="that the collection was indexed with")
    export.add_argument(
        "--list", choices=list(lists.titles()), help="only the items of a ready-made list, in its order"
    )
    export.add_argument("--tag", metavar="TAG", help="only items with this tag")
    export.add_argument("--to", required=True, type=Path, metavar="FILE", help="a .csv file")
    apply = actions.add_parser("apply", help="change the labels that a list gives; all of them, or none")
    apply.add_argument("--check", action="store_true", help="only say what would change")
    apply.add_argument("--new-classes", action="store_true", help="take classes that the collection did not have")
    actions.add_parser("history", help="what was changed together, the last first")
    actions.add_parser("undo", help="take back what was changed last")
    for name, action in actions.choices.items():
        action.add_argument("collection", help="its name")
        if name == "apply":
            action.add_argument("file", type=Path, metavar="FILE", help="a list that came back")
        answer_in_json(action)


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    if options.action == "export":
        return _export(options, settings)
    if options.action == "apply":
        return _apply(options, settings)
    if options.action == "undo":
        batch = relabel.undo(options.collection, settings)
        return Outcome(_row(batch), (f"{len(batch.changes):,} labels are as before.",))
    found = relabel.history(options.collection, settings)
    lines = [f"{batch.at[:19]}  {len(batch.changes):,} labels" for batch in found] or [
        "No label was ever changed here."
    ]
    return Outcome({"collection": options.collection, "changes": [_row(batch) for batch in found]}, tuple(lines))


def _export(options: argparse.Namespace, settings: Settings) -> Outcome:
    if options.to.suffix.lower() != ".csv":
        raise UserFacingError(f"The list is written as .csv, not as {options.to.suffix[:20]!r}; name it so.",
                              code="bad-suffix")  # fmt: skip
    atlas, marks = open_atlas(options.collection, options.model, settings), marks_of(options.collection, settings)
    rows = _rows(atlas, options.list)
    if options.tag is not None:
        mine = set(marks.tagged(options.tag))
        rows = rows[np.array([atlas.ids[row] in mine for row in rows.tolist()], bool)]
    sheet = relabel_sheet.columns(atlas, rows, marks)
    try:
        options.to.write_bytes(relabel_sheet.csv_of(sheet))
    except OSError as error:
        raise UserFacingError(f"{options.to.name[:80]!r} could not be written there; choose another place.",
                              code="disk") from error  # fmt: skip
    document = {"collection": atlas.name, "model": atlas.model, "items": len(rows), "file": str(options.to)}
    return Outcome(document, (f"{len(rows):,} items written to {options.to}; fill in new_label and apply it.",))


def _rows(atlas: Atlas, key: str | None) -> np.ndarray:
    if key is None:
        return np.arange(len(atlas))
    found = lists.listed(atlas, key)
    if found.why_not is not None:
        raise UserFacingError(found.why_not, code="no-list")
    return found.rows


def _apply(options: argparse.Namespace, settings: Settings) -> Outcome:
    lines = relabel_sheet.read(options.file)
    planned = relabel.preview(options.collection, lines, settings, classes=_classes(options.collection, settings),
                              new_classes=options.new_classes)  # fmt: skip
    moves = [{"old": old, "new": new, "items": count} for (old, new), count in planned.moves().items()]
    told = [f"  {one['old']} -> {one['new']}: {one['items']:,}" for one in moves]
    document = {"collection": options.collection, "applied": False, **asdict(planned), "moves": moves}
    if planned.problems:
        return Outcome(document, (*planned.problems[:_SHOWN], "Nothing was changed."), 2)
    if options.check:
        return Outcome(
            document, (f"{len(planned.changes):,} labels and {len(planned.notes):,} notes would change.", *told)
        )
    batch = relabel.apply(options.collection, planned, settings)
    document |= {"applied": True, "batch": batch.key}
    return Outcome(document, (f"{len(batch.changes):,} labels and {len(planned.notes):,} notes are changed.", *told))


def _classes(collection: str, settings: Settings) -> tuple[str, ...]:
    """Those of the models that it was indexed with and that are still here."""
    from core.checkpoints.folders import read_card
    from core.store import open_collection

    found: list[str] = []
    for row in open_collection(settings.collections, collection).models():
        try:
            found += read_card(row.name, settings).classes
        except UserFacingError:
            continue
    return tuple(dict.fromkeys(found))


def _row(batch: Batch) -> dict[str, object]:
    return {"batch": batch.key, "at": batch.at, "changes": [asdict(change) for change in batch.changes]}


COMMAND = Command("relabel", "correct labels of a collection by a list that goes out and comes back", _arguments, _run)
