"""python -m core data: list the data sets, make the built-in ones, describe a source."""

from __future__ import annotations

import argparse
import collections
from dataclasses import dataclass

from core.cli import Command, Outcome, answer_in_json, name_source, report
from core.contracts import Dataset, DatasetSpec
from core.data import open_dataset, open_source, specs
from core.errors import DataError
from core.settings import Settings


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="every data set and where it comes from")
    prepare = actions.add_parser("prepare", help="make the built-in data now (resumes where it stopped)")
    prepare.add_argument("keys", nargs="*", help="data-set keys; none means all that are built in")
    show = actions.add_parser("show", help="classes, folds and counts of one source")
    name_source(show)
    for action in actions.choices.values():
        answer_in_json(action)


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    if options.action == "list":
        return _list()
    if options.action == "prepare":
        return _prepare(options.keys, settings)
    return _show(open_source(options.source, settings, options.data))


def _list() -> Outcome:
    rows = [
        {
            "key": s.key,
            "title": s.title,
            "kind": s.kind,
            "builtin": s.builtin,
            "licence": s.licence,
            "summary": s.summary,
        }
        for s in specs()
    ]
    width = max(len(s.key) for s in specs())
    return Outcome({"datasets": rows}, tuple(f"{s.key:<{width}}  {s.summary}" for s in specs()))


def _prepare(keys: list[str], settings: Settings) -> Outcome:
    known = {spec.key: spec for spec in specs() if spec.builtin}
    if unknown := [key for key in keys if key not in known]:
        raise DataError(
            f"{unknown[0]!r} is not a built-in data set; built in are {', '.join(known)}.", code="unknown-key"
        )
    chosen: list[DatasetSpec] = [known[key] for key in keys or known]
    for spec in chosen:
        if spec.prepare is not None:
            spec.prepare(settings, report)
    counts = {spec.key: len(open_dataset(spec.key, settings).items) for spec in chosen}
    lines = tuple(f"{key}: {count:,} items ready" for key, count in counts.items())
    return Outcome({"prepared": counts}, lines)


@dataclass(frozen=True, slots=True)
class _Tally:
    labels: dict[str, int]
    folds: dict[str, int]
    splits: dict[str, int]


def _tally(dataset: Dataset) -> _Tally:
    single = (item.label for item in dataset.items if item.label is not None)
    several = (label for item in dataset.items for label in item.labels)
    labels = collections.Counter(dataset.classes[label] for label in (*single, *several))
    folds = collections.Counter(str(i.fold) for i in dataset.items if i.fold is not None)
    splits = collections.Counter(i.split for i in dataset.items if i.split is not None)
    return _Tally(dict(labels), dict(sorted(folds.items())), dict(splits))


def _show(dataset: Dataset) -> Outcome:
    tally = _tally(dataset)
    document = {
        "key": dataset.key,
        "title": dataset.title,
        "kind": dataset.kind,
        "task": dataset.task,
        "classes": list(dataset.classes),
        "items": len(dataset.items),
        "labels": tally.labels,
        "folds": tally.folds,
        "splits": tally.splits,
        "groups": len({i.group for i in dataset.items if i.group is not None}),
        "licence": dataset.licence,
        "notes": list(dataset.notes),
    }
    lines = [f"{dataset.title}: {len(dataset.items):,} items, {len(dataset.classes)} classes ({dataset.kind})"]
    for name, counts in (("labels", tally.labels), ("folds", tally.folds), ("splits", tally.splits)):
        if counts:
            lines.append(f"  {name}: " + ", ".join(f"{key} {count:,}" for key, count in counts.items()))
    lines += [f"  source recordings: {document['groups']:,}", f"  licence: {dataset.licence}"]
    lines += [f"  note: {note}" for note in dataset.notes]
    return Outcome(document, tuple(lines))


COMMAND = Command("data", "list, make and describe data sets", _arguments, _run)
