"""A folder with one sub-folder a class, or a flat folder without labels."""

from __future__ import annotations

from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Item, Kind, Split
from core.data import manifest
from core.data._table import SUFFIXES
from core.data._tree import DiskTree, Leaf, Tree, listed, plain_file, sorted_by_kind
from core.errors import DataError
from core.settings import Settings

_MANIFESTS = tuple(f"manifest{suffix}" for suffix in SUFFIXES)
_EXPECTED = "expected sounds or pictures, in one sub-folder a class or all in one folder"


def _open(location: Path | None, settings: Settings) -> Dataset:
    if location is None or not location.is_dir():
        raise DataError("The source is not a folder; give the path of one.", code="no-such-path")
    return dataset_in(DiskTree(location), "folder")


def dataset_in(tree: Tree, key: str) -> Dataset:
    """The data set of a folder or of an archive laid out like one; a manifest in it comes first."""
    leaves = tree.leaves()
    for leaf in leaves:
        if leaf.name in _MANIFESTS:
            return manifest.dataset_of(leaf, tree, key)
    tables = [leaf.name for leaf in leaves if "/" not in leaf.name and leaf.name.lower().endswith(SUFFIXES)]
    kind, media, notes = sorted_by_kind([leaf for leaf in leaves if leaf.name not in tables])
    if kind is None:
        reason = f" ({notes[0]})" if notes else ""
        raise DataError(f"{tree.title!r} holds no sound and no picture{reason}; {_EXPECTED}.", code="no-media")
    hints = tuple(f"{name} lies in this folder: open it as the source to use its columns" for name in tables)
    return _labelled(tree, key, kind, media, (*tree.notes(), *notes, *hints))


def _labelled(tree: Tree, key: str, kind: Kind, media: tuple[Leaf, ...], notes: tuple[str, ...]) -> Dataset:
    tops = {leaf.name.partition("/")[0] for leaf in media if "/" in leaf.name}
    splits: dict[str, Split | None] = {top: manifest.SPLITS.get(top.casefold()) for top in tops}
    divided = bool(tops) and all(splits.values()) and all(leaf.name.count("/") != 1 for leaf in media)
    depth = 1 if divided else 0
    loose = [leaf for leaf in media if leaf.name.count("/") <= depth] if tops else []
    kept = [leaf for leaf in media if leaf not in set(loose)]
    names = [leaf.name.split("/")[depth] if tops else "" for leaf in kept]
    classes = tuple(sorted(set(names))) if tops else ()
    index = {name: number for number, name in enumerate(classes)}

    def split_of(leaf: Leaf) -> Split | None:
        return splits[leaf.name.partition("/")[0]] if divided else None

    items = tuple(Item(leaf.id, index.get(name), split=split_of(leaf)) for leaf, name in zip(kept, names, strict=True))
    by_id = {leaf.id: leaf for leaf in kept}
    notes += listed(len(loose), "skipped files outside the class folders", [leaf.name for leaf in loose])
    return Dataset(
        key,
        tree.title,
        kind,
        classes,
        items,
        lambda item: tree.read(by_id[item.id]),
        "yours",
        notes,
        locate=lambda item: plain_file(by_id[item.id]),
    )


DATASET = DatasetSpec(
    key="folder",
    title="A folder",
    kind=None,
    summary="Your own folder: one sub-folder a class, or a flat one without labels.",
    licence="yours",
    open=_open,
    needs_location=True,
)
