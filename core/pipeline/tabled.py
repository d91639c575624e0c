"""From names to tables: which models stand beside each other, what they said elsewhere, and how long that took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.checkpoints.listed import models
from core.contracts import Kind
from core.errors import DataError, UserFacingError
from core.fingerprint import fingerprint
from core.pipeline import elsewhere
from core.pipeline._atlas import HELDOUT
from core.pipeline.elsewhere import Elsewhere
from core.pipeline.sheets import Bench, Sheet, benches, collection_sheet, held_out_sheets
from core.pipeline.table import Table, table
from core.settings import Settings

COLLECTION = "collection:"  # before the name of one, as a domain


@dataclass(frozen=True, slots=True, eq=False)
class Benches:
    """Models that share items, the most first, and why some are in none."""

    found: tuple[Bench, ...]
    refused: tuple[tuple[str, str], ...]  # name and reason

    def of(self, model: str) -> Bench | None:
        return next((bench for bench in self.found if model in bench.names), None)


def open_benches(
    settings: Settings, kind: Kind | None = None, data: str = HELDOUT, names: Sequence[str] | None = None
) -> Benches:
    """All models of a kind on what came with them, or on a collection. Raises UserFacingError where there are none."""
    if names is None:
        names = [row.name for row in models(settings) if row.kind is not None and kind in (None, row.kind)]
    if data == HELDOUT:
        sheets, refused = held_out_sheets(names, settings)
    else:
        sheets, refused = _of_collection(data, names, settings)
    found = benches(sheets)
    if not found:
        why = next(iter(refused.values()), "no trained model is here; make those that come with the app.")
        raise DataError(f"No model can be judged on these items: {why}", code="no-models")
    return Benches(found, tuple(refused.items()))


def _of_collection(data: str, names: Sequence[str], settings: Settings) -> tuple[tuple[Sheet, ...], dict[str, str]]:
    from core.pipeline._atlas_collection import of_collection
    from core.store import open_collection

    rows = open_collection(settings.collections, data).models()
    found: list[Sheet] = []
    refused: dict[str, str] = {}
    for name in dict.fromkeys(row.name for row in rows):
        if name not in names:
            continue
        try:
            sheet = collection_sheet(of_collection(data, name, settings, None, None), settings)
        except UserFacingError as error:
            refused[name] = str(error)
            continue
        if len(sheet):
            found.append(sheet)
        else:
            refused[name] = "it learned from all of these items, or answered none of them."
    return tuple(found), refused


def asked(bench: Bench, domain: str, settings: Settings) -> dict[str, Elsewhere]:
    """What the models said of a domain, with the draws and the seed of their sheets.

    Only answers to the same items stand beside each other: those that most models gave.
    """
    there: dict[str, Elsewhere] = {}
    for sheet in bench.sheets:
        if domain.startswith(COLLECTION):
            found = _of_another(domain.removeprefix(COLLECTION), sheet, settings)
        else:
            found = elsewhere.load(sheet.name, sheet.mark, domain, settings, sheet.draws, sheet.seed)
        if found is not None:
            there[sheet.name] = found
    marks = [one.fingerprint for one in there.values()]
    sizes = {one.fingerprint: (marks.count(one.fingerprint), len(one)) for one in there.values()}
    chosen = max(sizes, key=lambda mark: sizes[mark], default="")
    return {name: one for name, one in there.items() if one.fingerprint == chosen}


def known(bench: Bench, settings: Settings) -> dict[str, str]:
    """Domains that any of these models was asked about, collections among them, and their titles."""
    found: dict[str, str] = {}
    for sheet in bench.sheets:
        found |= elsewhere.known(sheet.name, sheet.mark, settings, sheet.draws, sheet.seed)
    return found | {f"{COLLECTION}{name}": title for name, title in _collections(bench, settings)}


def _collections(bench: Bench, settings: Settings) -> list[tuple[str, str]]:
    """Others than that of the table, which hold answers as these models gave them here."""
    from core.store import names, open_collection

    ways = {(sheet.name, sheet.mark, sheet.draws, sheet.seed) for sheet in bench.sheets}
    found = []
    for name in names(settings.collections):
        if name == bench.data:
            continue
        collection = open_collection(settings.collections, name)
        if any((row.name, row.mark, row.draws, row.seed) in ways for row in collection.models()):
            found.append((name, collection.about.title or name))
    return found


def _of_another(data: str, sheet: Sheet, settings: Settings) -> Elsewhere | None:
    """A collection as items from elsewhere: what is labelled with a class of the model is none."""
    from core.pipeline._atlas_collection import of_collection

    try:
        atlas = of_collection(data, sheet.name, settings, sheet.draws, sheet.seed)
    except UserFacingError:
        return None
    if (atlas.mark, atlas.draws, atlas.seed) != (sheet.mark, sheet.draws, sheet.seed) or atlas.task == "multilabel":
        return None
    rows = np.flatnonzero(np.isfinite(atlas.doubts["total"]))
    doubts = {name: values[rows] for name, values in atlas.doubts.items()}
    probs = np.zeros((len(rows), len(atlas.classes)))
    probs[np.arange(len(rows)), atlas.predicted[rows]] = atlas.confidence[rows]
    ids = tuple(atlas.ids[row] for row in rows.tolist())
    return Elsewhere(
        domain=f"{COLLECTION}{data}",
        title=atlas.title,
        source=sheet.card.data.key,
        model=sheet.name,
        mark=sheet.mark,
        draws=sheet.draws,
        seed=sheet.seed,
        most=len(rows),
        fingerprint=fingerprint(data, atlas.version, ids),
        seconds=None,
        hardware="",
        date="",
        ids=ids,
        groups=atlas.groups[rows],
        labels=atlas.labels[rows],
        learned=np.zeros(len(rows), bool) if atlas.learned is None else atlas.learned[rows],
        knob=np.full(len(rows), np.nan),
        lines=np.zeros(len(rows), np.int64),
        probs=probs,
        doubts={name: values for name, values in doubts.items() if np.isfinite(values).all()},
    )


def timings(bench: Bench, settings: Settings) -> dict[str, tuple[float, str]]:
    """Seconds an item and on what, as measured when models were last asked; the largest set counts."""
    found: dict[str, tuple[float, str]] = {}
    for sheet in bench.sheets:
        told = elsewhere.timed(sheet.name, sheet.mark, settings, sheet.draws)
        if told is not None:
            found[sheet.name] = told
    return found


def tabled(
    bench: Bench,
    settings: Settings,
    *,
    reference: str | None = None,
    measure: str | None = None,
    domain: str | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Table:
    """The table, with what is stored of a domain."""
    strangers = {} if domain is None else asked(bench, domain, settings)
    titled = next(iter({one.title for one in strangers.values()}), "")
    if domain is not None and not strangers and domain.startswith(COLLECTION):
        name = domain.removeprefix(COLLECTION)
        raise DataError(
            f"The collection {name[:60]!r} has no answers of these models as they answered here; index it with them.",
            code="not-asked",
        )
    if domain is not None and not strangers:
        words = " ".join(bench.names)
        raise DataError(
            f"None of these models was asked about {domain!r}; ask them with: python -m core ask --model {words} "
            f"--about {domain}",
            code="not-asked",
        )
    return table(
        bench,
        reference=reference,
        measure=measure,
        outside=strangers,
        titled=titled,
        timings=timings(bench, settings),
        seed=seed,
        resamples=resamples,
    )
